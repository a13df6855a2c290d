package enrollments

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

// Open are a person's open enrollments.
func (s *Service) Open(ctx context.Context, tx pgx.Tx, p lms.PersonID) (open []lms.Enrollment, err error) {
	mine, err := selectEnrollments(ctx, tx, p)
	for _, e := range mine {
		if e.State.Open() {
			open = append(open, e)
		}
	}
	return open, err
}

// Merge gives the open enrollments of one profile to the other, set aside with their
// progress, in the caller's transaction, which has the locks of both and has fenced
// their players. What both have open ends in the profile that goes (lms.MergeOpen).
// Enrollments that have ended keep their person.
func (s *Service) Merge(ctx context.Context, tx pgx.Tx, from, into lms.PersonID, now time.Time) error {
	for _, p := range []lms.PersonID{from, into} {
		if err := updateExpired(ctx, tx, p, lms.DateOf(now)); err != nil {
			return err
		}
	}
	goes, err := s.Open(ctx, tx, from)
	if err != nil {
		return err
	}
	stays, err := s.Open(ctx, tx, into)
	if err != nil {
		return err
	}
	moved, ended := lms.MergeOpen(goes, stays)
	if err := updateEnded(ctx, tx, idsOf(ended)); err != nil {
		return err
	}
	if err := updateMoved(ctx, tx, idsOf(moved), into); err != nil {
		return guards.Explain(err)
	}
	if err := s.Player.Move(ctx, tx, idsOf(moved), from, into); err != nil {
		return err
	}
	if err := s.auditAll(ctx, tx, "enrollment_moved", into, moved, now); err != nil {
		return err
	}
	return s.auditAll(ctx, tx, "enrollment_ended", from, ended, now)
}

// auditAll writes down what the system did to enrollments.
func (s *Service) auditAll(ctx context.Context, tx pgx.Tx, action string, whose lms.PersonID, list []lms.Enrollment, now time.Time) error {
	for _, e := range list {
		if err := s.Audit.Audit(ctx, tx, lms.AuditEntry{Action: action, Subject: whose, Object: fmt.Sprintf("enrollment/%d", e.ID), At: now}); err != nil {
			return err
		}
	}
	return nil
}

func idsOf(list []lms.Enrollment) []lms.EnrollmentID {
	ids := make([]lms.EnrollmentID, len(list))
	for i, e := range list {
		ids[i] = e.ID
	}
	return ids
}
