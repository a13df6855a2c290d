package player

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

// Move makes what was done in enrollments another profile's of the same person, in the
// caller's transaction, which has the locks of both and has fenced their players. The
// sessions get epochs that the other profile never had.
func (s *Service) Move(ctx context.Context, tx pgx.Tx, ids []lms.EnrollmentID, from, into lms.PersonID) error {
	attempts, err := updateAttemptsPerson(ctx, tx, ids, into)
	if err != nil {
		return err
	}
	if err := updateGrantsPerson(ctx, tx, ids, into); err != nil {
		return err
	}
	if err := moveSessions(ctx, tx, attempts, from, into); err != nil {
		return err
	}
	return raiseLease(ctx, tx, into)
}
