package enrollments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// The guards of this feature and the rules that they guarantee (docs/guards.md).
var guards = pg.Guards{
	"enrollments_one_active":              lms.ErrAnotherActive,
	"enrollments_one_open":                lms.ErrAlreadyEnrolled,
	"enrollments_completed_inside_window": lms.ErrWindowOver,
	"extensions_was_key":                  ErrWindowMoved,
}

// Registration is what somebody asks for when registering.
type Registration struct {
	Person         lms.PersonID
	Code           string // of the course
	AcceptNoCredit bool   // told that the course can earn nothing today, and going on
	From           string // network address, for the audit trail
}

// Register enrolls a person in a free course, ready to start.
//
// Errors: lms.ErrNotFound, lms.ErrCourseNotOpen, lms.ErrAlreadyEnrolled,
// lms.ErrEarnsAgain unless accepted, lms.ErrFeeDue.
func (s *Service) Register(ctx context.Context, r Registration, now time.Time) (id lms.EnrollmentID, err error) {
	err = s.forPerson(ctx, r.Person, lms.DateOf(now), func(tx pgx.Tx) error {
		course, err := s.canRegister(ctx, tx, r.Person, r.Code, r.AcceptNoCredit, lms.DateOf(now))
		if err != nil {
			return err
		}
		if course.Fee > 0 {
			return lms.ErrFeeDue.With("Title", course.Title)
		}
		id, err = s.enroll(ctx, tx, r.Person, course, r.From, now)
		return err
	})
	return id, err
}

// CanRegister finds a course that a person may register for on a day, in a transaction
// that has their lock.
//
// Errors: lms.ErrNotFound, lms.ErrCourseNotOpen, lms.ErrAlreadyEnrolled,
// lms.ErrEarnsAgain unless accepted, lms.ErrUnauthenticated.
func (s *Service) CanRegister(ctx context.Context, tx pgx.Tx, p lms.PersonID, code string, acceptNoCredit bool, today lms.Date) (lms.Course, error) {
	if err := s.bringUpToDate(ctx, tx, p, today); err != nil {
		return lms.Course{}, err
	}
	return s.canRegister(ctx, tx, p, code, acceptNoCredit, today)
}

func (s *Service) canRegister(ctx context.Context, tx pgx.Tx, p lms.PersonID, code string, acceptNoCredit bool, today lms.Date) (lms.Course, error) {
	course, err := s.Courses.Course(ctx, tx, code, today)
	if err != nil {
		return course, err
	}
	mine, err := selectEnrollments(ctx, tx, p)
	if err != nil {
		return course, err
	}
	if err := lms.CanRegister(course, mine); err != nil {
		return course, err
	}
	err = s.Registry.CanEarn(ctx, tx, p, course.ID, today)
	if acceptNoCredit && errors.Is(err, lms.ErrEarnsAgain) {
		err = nil
	}
	return course, err
}

// Admit enrolls a person whose seat is paid for in a course as it was when they ordered
// it, in a transaction that has their lock.
//
// Errors: lms.ErrAlreadyEnrolled, lms.ErrUnauthenticated.
func (s *Service) Admit(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.Course, now time.Time) (lms.EnrollmentID, error) {
	if err := s.bringUpToDate(ctx, tx, p, lms.DateOf(now)); err != nil {
		return 0, err
	}
	return s.enroll(ctx, tx, p, c, "", now)
}

// Revoke ends an open enrollment whose fee was given back, in a transaction that has its
// person's lock, and stops its player. A completed one stays. It tells whether the
// enrollment is ended.
//
// Errors: lms.ErrNotFound.
func (s *Service) Revoke(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (ended bool, err error) {
	e, err := selectEnrollment(ctx, tx, id)
	if err != nil {
		return false, err
	}
	if e.State == lms.Active {
		if err := s.Player.Fence(ctx, tx, e.Person); err != nil {
			return false, err
		}
	}
	return e.State != lms.Completed, updateRevoked(ctx, tx, id)
}

// enroll begins an enrollment, ready to start, whose window begins today.
//
// Errors: lms.ErrAlreadyEnrolled.
func (s *Service) enroll(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.Course, from string, now time.Time) (lms.EnrollmentID, error) {
	today := lms.DateOf(now)
	policies, err := s.Registry.Policies(ctx, tx)
	if err != nil {
		return 0, err
	}
	window, err := policies.On(lms.WindowPolicy, today)
	if err != nil {
		return 0, err
	}
	last, err := lms.Window(window.Value, today, nil)
	if err != nil {
		return 0, err
	}
	id, err := insertEnrollment(ctx, tx, p, c, window, today, last, now)
	if err != nil {
		return 0, guards.Explain(err)
	}
	return id, s.audit(ctx, tx, "registered", p, id, from, now)
}

// Start makes an enrollment the person's one active course. The active one that
// setAside names goes back to ready first, its progress kept.
//
// Errors: lms.ErrNotFound, lms.ErrAlreadyCompleted, lms.ErrWindowOver,
// lms.ErrAnotherActive (with Title and Enrollment of the other).
func (s *Service) Start(ctx context.Context, p lms.PersonID, id, setAside lms.EnrollmentID, from string, now time.Time) error {
	today := lms.DateOf(now)
	return s.forPerson(ctx, p, today, func(tx pgx.Tx) error {
		if setAside != 0 {
			if err := s.setAside(ctx, tx, p, setAside, from, now); err != nil && !errors.Is(err, lms.ErrNotActive) {
				return err
			}
		}
		mine, err := selectEnrollments(ctx, tx, p)
		if err != nil {
			return err
		}
		e, err := find(mine, id)
		if err != nil {
			return err
		}
		if err := lms.CanStart(e, mine, today); err != nil {
			return err
		}
		if e.State == lms.Active {
			return nil
		}
		if err := updateActive(ctx, tx, id, now); err != nil {
			return guards.Explain(err)
		}
		return s.audit(ctx, tx, "started", p, id, from, now)
	})
}

// SetAside makes the active enrollment ready again, its progress kept, and stops
// its player.
//
// Errors: lms.ErrNotFound, lms.ErrNotActive.
func (s *Service) SetAside(ctx context.Context, p lms.PersonID, id lms.EnrollmentID, from string, now time.Time) error {
	return s.forPerson(ctx, p, lms.DateOf(now), func(tx pgx.Tx) error {
		return s.setAside(ctx, tx, p, id, from, now)
	})
}

func (s *Service) setAside(ctx context.Context, tx pgx.Tx, p lms.PersonID, id lms.EnrollmentID, from string, now time.Time) error {
	e, err := s.Enrollment(ctx, tx, id)
	if err != nil {
		return err
	}
	if e.Person != p {
		return lms.ErrNotFound
	}
	if e.State != lms.Active {
		return lms.ErrNotActive.With("Title", e.Title)
	}
	if err := s.Player.Fence(ctx, tx, p); err != nil {
		return err
	}
	if err := updateReady(ctx, tx, id); err != nil {
		return err
	}
	return s.audit(ctx, tx, "set_aside", p, id, from, now)
}

// Enrollment finds an enrollment.
//
// Errors: lms.ErrNotFound.
func (s *Service) Enrollment(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.Enrollment, error) {
	return selectEnrollment(ctx, tx, id)
}

// Launched notes the first launch of an enrollment, which under some policies
// moves the end of its window.
func (s *Service) Launched(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, day lms.Date) error {
	rule, e, err := selectWindow(ctx, tx, id)
	if err != nil || e.FirstLaunched != nil {
		return err
	}
	last, err := lms.Window(rule, e.RegisteredOn, &day)
	if err != nil {
		return err
	}
	return updateFirstLaunched(ctx, tx, id, day, last)
}

// Complete ends an active enrollment with a completion at an instant and makes its
// credit come, in the caller's transaction.
//
// Errors: lms.ErrNotFound, lms.ErrAlreadyCompleted, lms.ErrWindowOver,
// lms.ErrNotActive.
func (s *Service) Complete(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, at time.Time) error {
	e, err := selectEnrollment(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := lms.CanLaunch(e, lms.DateOf(at)); err != nil {
		return err
	}
	if err := updateCompleted(ctx, tx, id, at); err != nil {
		return guards.Explain(err)
	}
	return s.Registry.EnqueuePosting(ctx, tx, id)
}

// Standings are what each course is to a person today; a course that they have
// nothing to do with is not in the map.
func (s *Service) Standings(ctx context.Context, p lms.PersonID, today lms.Date) (out map[lms.CourseID]lms.Standing, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		mine, again, err := s.mine(ctx, tx, p, today)
		out = standings(mine, again, today)
		return err
	})
	return out, err
}

// mine is a person's enrollments, and the first creditable day of each course that
// would earn them nothing today.
func (s *Service) mine(ctx context.Context, tx pgx.Tx, p lms.PersonID, today lms.Date) ([]lms.Enrollment, map[lms.CourseID]lms.Date, error) {
	mine, err := selectEnrollments(ctx, tx, p)
	if err != nil {
		return nil, nil, err
	}
	again, err := s.Registry.EarnsAgain(ctx, tx, p, today)
	return mine, again, err
}

// forPerson runs fn in a transaction that has the person's lock and in which no
// overdue enrollment of theirs is open any more. Who was merged away meanwhile is
// signed out.
func (s *Service) forPerson(ctx context.Context, p lms.PersonID, today lms.Date, fn func(pgx.Tx) error) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, p); err != nil {
			return err
		}
		if err := s.bringUpToDate(ctx, tx, p, today); err != nil {
			return err
		}
		return fn(tx)
	})
}

// bringUpToDate ends a person's overdue enrollments.
//
// Errors: lms.ErrUnauthenticated of who was merged away.
func (s *Service) bringUpToDate(ctx context.Context, tx pgx.Tx, p lms.PersonID, today lms.Date) error {
	if who, err := selectWho(ctx, tx, p); err != nil || who != p {
		return cmp.Or(err, error(lms.ErrUnauthenticated))
	}
	return updateExpired(ctx, tx, p, today)
}

// audit writes what a person did, or without a network address the system.
func (s *Service) audit(ctx context.Context, tx pgx.Tx, action string, p lms.PersonID, id lms.EnrollmentID, from string, now time.Time) error {
	actor := p
	if from == "" {
		actor = 0
	}
	return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: actor, Action: action, Subject: p, Object: fmt.Sprintf("enrollment/%d", id), At: now, From: from})
}

func find(mine []lms.Enrollment, id lms.EnrollmentID) (lms.Enrollment, error) {
	for _, e := range mine {
		if e.ID == id {
			return e, nil
		}
	}
	return lms.Enrollment{}, lms.ErrNotFound
}
