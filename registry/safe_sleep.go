package registry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// dueDays is how many days before it expires safe sleep training is due (rules §6).
const dueDays = 60

// training is a completion of a course marked safe sleep.
type training struct {
	Recorded
	Through lms.Date // last day on which it is valid; zero: it does not renew
}

// renews tells whether a completion of safe sleep training counts as one: it was real,
// also where it earns no hours (rules §6). So was one whose hours alone are in question,
// or were denied; not one that a registrar found was not completed, nor one held for any
// other reason, since then the completion itself is in question.
func renews(status lms.CreditStatus, reason string) bool {
	return status == lms.Credited || slices.Contains(hoursAlone, reason)
}

// trainings are the completions of courses marked safe sleep, as the credits come, each
// valid by the policy of its own day.
func trainings(credits []Recorded, policies lms.Policies) (list []training, err error) {
	for _, c := range credits {
		if !c.SafeSleep {
			continue
		}
		t := training{Recorded: c}
		if renews(c.Status, c.Reason) {
			if t.Through, err = policies.SafeSleepThrough(c.EarnedOn); err != nil {
				return nil, err
			}
		}
		list = append(list, t)
	}
	return list, nil
}

// safeSleepOn is how safe sleep training stands on a day, given the completions until
// then, in any order. The one that is valid longest counts: the latest, unless the rule
// came to ask for it more often, since training once more takes nothing away.
func safeSleepOn(today lms.Date, list []training) lms.SafeSleep {
	s := lms.SafeSleep{State: lms.SafeSleepNone}
	for _, t := range list {
		if !t.Through.IsZero() && cmp.Or(t.Through.Compare(s.Through), t.EarnedOn.Compare(s.DoneOn)) > 0 {
			s.DoneOn, s.Through = t.EarnedOn, t.Through
		}
	}
	switch left := today.DaysUntil(s.Through); {
	case s.DoneOn.IsZero():
	case left < 0:
		s.State = lms.SafeSleepExpired
	case left <= dueDays:
		s.State = lms.SafeSleepDue
	default:
		s.State = lms.SafeSleepCurrent
	}
	return s
}

// SafeSleep is how somebody's safe sleep training stands today.
//
// Errors: lms.ErrNotFound.
func (s *Service) SafeSleep(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (lms.SafeSleep, error) {
	r, err := s.Record(ctx, tx, p, Now(now))
	return r.SafeSleep, err
}

// Sleepers are a page of those employed whose safe sleep training is due, has expired or
// is on no record, with how many there are of each state. That somebody looked, or took
// them away as a file, is written down as an action.
func (s *Service) Sleepers(ctx context.Context, v lms.Viewer, f sleepFilter, limit, offset int, action, from string, now time.Time) (list []Sleeper, counts sleepCounts, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if list, counts, err = selectSleepers(ctx, tx, f, limit, offset); err != nil {
			return err
		}
		return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: action, Note: string(f.State), At: now, From: from})
	})
	return list, counts, err
}
