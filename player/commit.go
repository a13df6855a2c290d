package player

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Bearer is what a run-time call shows: the content host that it came to, the
// session's token, and the epoch that it believes to be the live one.
type Bearer struct {
	Label string
	Token string
	Epoch int64
}

// live is a call whose bearer holds the lease, with the person's lock taken.
type live struct {
	tx         pgx.Tx
	person     lms.PersonID
	lease      leaseRow
	enrollment lms.Enrollment
	now        time.Time
}

// forLive runs fn for the person's one live player. Every call that gets here is an
// arrival that adds to the time in the seat.
//
// Errors: lms.ErrNotFound for a label without a grant, lms.ErrFenced (with Device
// and Since of the newer session, if there is one).
func (s *Service) forLive(ctx context.Context, b Bearer, now time.Time, fn func(*live) error) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		grant, err := selectGrant(ctx, tx, b.Label, now)
		if err != nil {
			return err
		}
		if err := pg.LockPerson(ctx, tx, grant.Person); err != nil {
			return err
		}
		lease, err := selectLease(ctx, tx, grant.Person)
		if errors.Is(err, lms.ErrNotFound) {
			return lms.ErrFenced
		}
		if err != nil {
			return err
		}
		holds := lease.Epoch == b.Epoch && lease.Enrollment == grant.Enrollment && lease.SeenAt != nil &&
			subtle.ConstantTimeCompare(lease.TokenHash, hash(b.Token)) == 1
		if !holds {
			return fenced(lease)
		}
		e, err := s.Enrollments.Enrollment(ctx, tx, grant.Enrollment)
		if err != nil {
			return err
		}
		if err := updateSeen(ctx, tx, grant.Person, lease.Epoch, now, SeatTime(*lease.SeenAt, now)); err != nil {
			return err
		}
		return fn(&live{tx, grant.Person, lease, e, now})
	})
}

func fenced(lease leaseRow) error {
	err := lms.ErrFenced
	if lease.Device != nil && lease.OpenedAt != nil && lease.TokenHash != nil {
		err = err.With("Device", *lease.Device).With("Since", *lease.OpenedAt)
	}
	return err
}

// Saved is the server's word about what is safe, and what came of it.
type Saved struct {
	Acked       Acked      `json:"acked"`
	SavedAt     time.Time  `json:"saved_at"`
	Completed   bool       `json:"completed"`
	CompletedAt *time.Time `json:"completed_at,omitempty"`
	SeatMS      int64      `json:"seat_ms"`
	Held        string     `json:"held,omitempty"` // why the changes count for nothing yet: "window_over"
}

// Commit saves numbered changes in one transaction, and completes the enrollment if
// they meet the completion rule. A number that is saved already is acknowledged
// again without effect. After the window's last day changes are held for a
// registrar: acknowledged, and counted for nothing.
//
// Errors: lms.ErrNotFound, lms.ErrFenced, errGap (with Epoch and Seq), errCommitForm,
// errTooMuch.
func (s *Service) Commit(ctx context.Context, b Bearer, r CommitRequest, now time.Time) (saved Saved, err error) {
	err = s.forLive(ctx, b, now, func(l *live) error {
		saved = Saved{SavedAt: now}
		for _, batch := range r.batches() {
			if batch.Seq <= l.lease.Seq {
				continue
			}
			if batch.Seq > l.lease.Seq+1 {
				return errGap.With("Epoch", l.lease.Epoch).With("Seq", l.lease.Seq)
			}
			if err := s.apply(ctx, l, batch, &saved); err != nil {
				return err
			}
		}
		saved.Acked = Acked{l.lease.Epoch, l.lease.Seq}
		saved.Completed, saved.CompletedAt = l.enrollment.State == lms.Completed, l.enrollment.CompletedAt
		saved.SeatMS, err = selectSeat(ctx, l.tx, l.lease.Attempt)
		return err
	})
	if err != nil {
		return Saved{}, err
	}
	return saved, nil
}

// apply gives the next batch its one effect.
func (s *Service) apply(ctx context.Context, l *live, b Batch, saved *Saved) error {
	next, err := advanceLease(ctx, l.tx, l.person, l.lease.Epoch, b.Seq)
	if err != nil {
		return err
	}
	if !next {
		return fmt.Errorf("lease of person %d moved under its lock", l.person)
	}
	l.lease.Seq = b.Seq
	if err := updateSaved(ctx, l.tx, l.person, l.lease.Attempt, l.lease.Epoch, b.Seq); err != nil {
		return err
	}
	if b.OfEpoch == 0 {
		b.OfEpoch = l.lease.Epoch
	}
	if over := lms.DateOf(l.now).After(l.enrollment.LastDay) || l.enrollment.State == lms.Expired; over && l.enrollment.State != lms.Completed {
		saved.Held = "window_over"
		return insertHeld(ctx, l.tx, l.lease.Attempt, l.lease.Epoch, b, l.now)
	}
	return s.merge(ctx, l, b)
}

// merge lays a batch over the activity's data and asks the completion rule.
func (s *Service) merge(ctx context.Context, l *live, b Batch) error {
	data := make(map[string]string, len(b.Changes))
	for element, value := range b.Changes {
		if element != elementSession {
			data[element] = value
			continue
		}
		centiseconds, err := ParseTimespan(value)
		if err != nil {
			return errCommitForm.Because(err)
		}
		ours, err := upsertSessionTime(ctx, l.tx, l.person, l.lease.Attempt, b.OfEpoch, b.Activity, centiseconds)
		if err != nil {
			return err
		}
		if !ours {
			return errCommitForm.Because(fmt.Errorf("session %d is not of attempt %d", b.OfEpoch, l.lease.Attempt))
		}
	}
	merged, err := mergeData(ctx, l.tx, l.lease.Attempt, b.Activity, data, b.Over)
	if errors.Is(err, lms.ErrNotFound) {
		return errCommitForm.Because(err)
	}
	if err != nil {
		return err
	}
	if merged.Size > maxData {
		return errTooMuch
	}
	_, status := data[elementStatus]
	_, raw := data[elementRaw]
	if b.Over || status || raw {
		return s.judge(ctx, l, b, merged)
	}
	return nil
}

// judge decides the lesson's status and, with it, completion. Once met, a
// completion stands, whatever is committed after it.
func (s *Service) judge(ctx context.Context, l *live, b Batch, merged mergedRow) error {
	content, err := s.Courses.Content(ctx, l.tx, l.enrollment.Version)
	if err != nil {
		return err
	}
	o := outcome{Status: merged.Status, Raw: merged.Raw, Exit: merged.Exit, Mastery: content.MasteryScore, Over: b.Over}
	if final := o.final(); final != merged.Status {
		if err := updateStatus(ctx, l.tx, l.lease.Attempt, b.Activity, final); err != nil {
			return err
		}
	}
	if !o.Met() || l.enrollment.State != lms.Active {
		return nil
	}
	if err := s.Enrollments.Complete(ctx, l.tx, l.enrollment.ID, l.now); err != nil {
		return err
	}
	l.enrollment, err = s.Enrollments.Enrollment(ctx, l.tx, l.enrollment.ID)
	return err
}

// Beat is a sign of life from a player that is visible and used. It keeps the
// application session alive as well.
//
// Errors: lms.ErrNotFound, lms.ErrFenced.
func (s *Service) Beat(ctx context.Context, b Bearer, now time.Time) (saved Saved, err error) {
	err = s.forLive(ctx, b, now, func(l *live) error {
		if err := s.Accounts.Touch(ctx, l.tx, l.lease.Session, now); err != nil {
			return err
		}
		saved = Saved{
			Acked: Acked{l.lease.Epoch, l.lease.Seq}, SavedAt: now,
			Completed: l.enrollment.State == lms.Completed, CompletedAt: l.enrollment.CompletedAt,
		}
		saved.SeatMS, err = selectSeat(ctx, l.tx, l.lease.Attempt)
		return err
	})
	if err != nil {
		return Saved{}, err
	}
	return saved, nil
}

// State is what the run-time starts from: the content's own data as last saved, and
// what the system tells it (SCORM 1.2 RTE 3.4.4).
type State struct {
	Standard    lms.Standard      `json:"standard"`
	Launch      string            `json:"launch"`
	Activity    string            `json:"activity"`
	Data        map[string]string `json:"data"`
	Entry       string            `json:"entry"`
	TotalTime   string            `json:"total_time"` // the server's sum of earlier sessions
	Credit      string            `json:"credit"`
	LessonMode  string            `json:"lesson_mode"`
	StudentID   string            `json:"student_id"`
	StudentName string            `json:"student_name"`
	LaunchData  string            `json:"launch_data"`
	Mastery     string            `json:"mastery_score"`
	MaxTime     string            `json:"max_time"`
	TimeLimit   string            `json:"time_limit"`
	Completed   bool              `json:"completed"`
}

// Restore gives the live player the state to start from.
//
// Errors: lms.ErrNotFound, lms.ErrFenced.
func (s *Service) Restore(ctx context.Context, b Bearer, now time.Time) (st State, err error) {
	err = s.forLive(ctx, b, now, func(l *live) error {
		content, err := s.Courses.Content(ctx, l.tx, l.enrollment.Version)
		if err != nil {
			return err
		}
		person, err := s.Accounts.Person(ctx, l.tx, l.person)
		if err != nil {
			return err
		}
		row, err := selectData(ctx, l.tx, l.lease.Attempt, content.Activity)
		if err != nil {
			return err
		}
		total, err := selectTotalTime(ctx, l.tx, l.lease.Attempt, content.Activity, l.lease.Epoch)
		if err != nil {
			return err
		}
		st = State{
			Standard: content.Standard, Launch: content.Launch, Activity: content.Activity,
			Data: row.Data, Entry: Entry(row.Data, row.Finished), TotalTime: FormatTimespan(total),
			Credit: "credit", LessonMode: "normal",
			StudentID: fmt.Sprint(person.MOPDID), StudentName: person.SortName(),
			LaunchData: content.LaunchData, Mastery: content.MasteryScore,
			MaxTime: content.MaxTime, TimeLimit: content.TimeLimit,
			Completed: l.enrollment.State == lms.Completed,
		}
		return nil
	})
	if err != nil {
		return State{}, err
	}
	return st, nil
}
