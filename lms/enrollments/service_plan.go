package enrollments

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Plan proposes how somebody closes what this and earlier years lack, without the courses
// that they do not want. Nothing of it is kept.
//
// Errors: lms.ErrNotFound.
func (s *Service) Plan(ctx context.Context, p lms.PersonID, without []lms.CourseID, now time.Time) (plan Plan, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		standing, err := s.Registry.Standing(ctx, tx, p, now)
		if err != nil {
			return err
		}
		today := lms.DateOf(now)
		mine, again, err := s.mine(ctx, tx, p, today)
		if err != nil {
			return err
		}
		open, err := s.Courses.Open(ctx, tx, today)
		if err != nil {
			return err
		}
		if !s.Payments.Offered() {
			open = slices.DeleteFunc(open, func(c lms.Course) bool { return c.Fee > 0 })
		}
		c := candidatesOf(mine, open, again, today).without(without)
		plan = planOf(standing, c, today)
		return nil
	})
	return plan, err
}
