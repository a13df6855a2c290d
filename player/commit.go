package player

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
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
	activities map[string]*activity // read so far; nil: the attempt has none of that name
}

// forLive runs fn for the person's one live player. Every call that gets here is an
// arrival that adds to the time in the seat and keeps the application session alive.
//
// Errors: lms.ErrNotFound for a label without a grant; lms.ErrFenced, with no word of
// who holds the lease instead, since a bearer may be anyone (Status tells the person);
// lms.ErrUnauthenticated when the application session is over.
func (s *Service) forLive(ctx context.Context, b Bearer, now time.Time, fn func(*live) error) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		grant, err := selectGrant(ctx, tx, b.Label, now)
		if err != nil {
			return err
		}
		// Once before the lock, which is not for strangers to take, and once under it.
		if _, err := leaseOf(ctx, tx, grant, b); err != nil {
			return err
		}
		if err := pg.LockPerson(ctx, tx, grant.Person); err != nil {
			return err
		}
		lease, err := leaseOf(ctx, tx, grant, b)
		if err != nil {
			return err
		}
		if err := s.Accounts.Touch(ctx, tx, lease.Session, now); err != nil {
			return err
		}
		e, err := s.Enrollments.Enrollment(ctx, tx, grant.Enrollment)
		if err != nil {
			return err
		}
		if err := updateSeen(ctx, tx, grant.Person, lease.Epoch, now, SeatTime(*lease.SeenAt, now)); err != nil {
			return err
		}
		return fn(&live{tx, grant.Person, lease, e, now, map[string]*activity{}})
	})
}

// leaseOf is the lease, if the bearer holds it for the grant's enrollment.
//
// Errors: lms.ErrFenced.
func leaseOf(ctx context.Context, tx pgx.Tx, grant grantRow, b Bearer) (leaseRow, error) {
	lease, err := selectLease(ctx, tx, grant.Person)
	if err != nil && !errors.Is(err, lms.ErrNotFound) {
		return leaseRow{}, err
	}
	holds := err == nil && lease.Epoch == b.Epoch && lease.Enrollment == grant.Enrollment && lease.SeenAt != nil &&
		subtle.ConstantTimeCompare(lease.TokenHash, web.HashToken(b.Token)) == 1
	if !holds {
		return leaseRow{}, lms.ErrFenced
	}
	return lease, nil
}

// Saved is the server's word about what is safe, and what came of it.
type Saved struct {
	Seq       int64 `json:"seq"` // last number acknowledged in this session
	Completed bool  `json:"completed"`
	SeatMS    int64 `json:"seat_ms"`
	Held      Held  `json:"held,omitempty"` // why changes count for nothing yet
}

// Held is why changes were put aside for a registrar.
type Held string

const (
	WindowOver Held = "window_over"
	Unreadable Held = "unreadable" // no element of the run-time, or no room for it
)

// Commit saves numbered changes in one transaction, and completes the enrollment if
// they meet the completion rule. A number that is saved already is acknowledged
// again without effect. After the window's last day changes are held for a
// registrar: acknowledged, and counted for nothing. So are changes that can not be
// read; the rest of their batch counts.
//
// Errors: those of forLive, errGap (with Seq), errTooMuch when no more can be held.
func (s *Service) Commit(ctx context.Context, b Bearer, r CommitRequest, now time.Time) (saved Saved, err error) {
	err = s.forLive(ctx, b, now, func(l *live) error {
		saved = Saved{}
		for _, batch := range r.batches() {
			if batch.Seq <= l.lease.Seq {
				continue
			}
			if batch.Seq > l.lease.Seq+1 {
				return errGap.With("Seq", l.lease.Seq)
			}
			if err := s.apply(ctx, l, batch, &saved); err != nil {
				return err
			}
		}
		if err := l.write(ctx); err != nil {
			return err
		}
		return l.saved(ctx, &saved)
	})
	if err != nil {
		return Saved{}, err
	}
	return saved, nil
}

// saved says what is acknowledged and where the course stands.
func (l *live) saved(ctx context.Context, saved *Saved) (err error) {
	saved.Seq, saved.Completed = l.lease.Seq, l.enrollment.State == lms.Completed
	saved.SeatMS, err = selectSeat(ctx, l.tx, l.lease.Attempt)
	return err
}

// apply gives the next batch its one effect.
func (s *Service) apply(ctx context.Context, l *live, b Batch, saved *Saved) error {
	next, err := advance(ctx, l.tx, l.person, l.lease.Epoch, b.Seq)
	if err != nil {
		return err
	}
	if !next {
		return fmt.Errorf("session %d of person %d moved under its lock", l.lease.Epoch, l.person)
	}
	l.lease.Seq = b.Seq
	if b.OfEpoch == 0 {
		b.OfEpoch = l.lease.Epoch
	}
	if over := lms.DateOf(l.now).After(l.enrollment.LastDay) || l.enrollment.State == lms.Expired; over && l.enrollment.State != lms.Completed {
		saved.Held = WindowOver
		return l.hold(ctx, b, WindowOver)
	}
	unread, err := s.merge(ctx, l, b)
	if err != nil || unread == nil {
		return err
	}
	saved.Held, b.Changes = Unreadable, unread
	return l.hold(ctx, b, Unreadable)
}

// hold keeps a batch for a registrar. NUL, which no database text holds, is replaced.
func (l *live) hold(ctx context.Context, b Batch, why Held) error {
	changes := make(map[string]string, len(b.Changes))
	for element, value := range b.Changes {
		changes[withoutNUL(element)] = withoutNUL(value)
	}
	b.Activity, b.Changes = withoutNUL(b.Activity), changes
	room, err := insertHeld(ctx, l.tx, l.lease.Attempt, l.lease.Epoch, b, why, l.now)
	if err == nil && !room {
		return errTooMuch
	}
	return err
}

// merge lays a batch over the activity's data and asks the completion rule. It
// answers with the changes that it could not take; nil: it took the batch whole.
func (s *Service) merge(ctx context.Context, l *live, b Batch) (unread map[string]string, err error) {
	data, unread := b.sort()
	if data == nil {
		return unread, nil
	}
	if value, ok := data[elementSession]; ok {
		delete(data, elementSession)
		taken, err := l.addTime(ctx, b, value)
		if err != nil {
			return nil, err
		}
		if !taken {
			unread = joined(unread, map[string]string{elementSession: value})
		}
	}
	a, err := l.activity(ctx, b.Activity)
	if err != nil && !errors.Is(err, lms.ErrNotFound) {
		return nil, err
	}
	if a == nil || !a.lay(data, b.Over) {
		return joined(unread, data), nil
	}
	_, status := data[elementStatus]
	_, raw := data[elementRaw]
	if b.Over || status || raw {
		err = s.judge(ctx, l, a)
	}
	return unread, err
}

func joined(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// addTime adds the time that the content reported for a session. False: it is no
// session of this attempt.
func (l *live) addTime(ctx context.Context, b Batch, span string) (bool, error) {
	centiseconds, err := ParseTimespan(span)
	if err != nil {
		return false, err
	}
	return upsertSessionTime(ctx, l.tx, l.person, l.lease.Attempt, b.OfEpoch, b.Activity, centiseconds)
}

// judge decides the lesson's status and, with it, completion. Once met, a
// completion stands, whatever is committed after it.
func (s *Service) judge(ctx context.Context, l *live, a *activity) error {
	content, err := s.Courses.Content(ctx, l.tx, l.enrollment.Version)
	if err != nil {
		return err
	}
	o := outcome{Status: a.data[elementStatus], Raw: a.data[elementRaw], Exit: a.data[elementExit], Mastery: content.MasteryScore, Over: a.finished}
	if final := o.final(); final != o.Status {
		a.decide(final)
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

// Beat is a sign of life from a player that is visible and used.
//
// Errors: those of forLive.
func (s *Service) Beat(ctx context.Context, b Bearer, now time.Time) (saved Saved, err error) {
	err = s.forLive(ctx, b, now, func(l *live) error { return l.saved(ctx, &saved) })
	if err != nil {
		return Saved{}, err
	}
	return saved, nil
}

// State is what the run-time starts from: the content's own data as last saved, and
// what the system tells it (SCORM 1.2 RTE 3.4.4).
type State struct {
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
// Errors: those of forLive.
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
			Launch: content.Launch, Activity: content.Activity,
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
