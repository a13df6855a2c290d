package registry

import (
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
	"credit_blocks_once_a_year":    lms.ErrEarnsAgain,
	"credits_source_reference_key": lms.ErrCreditPosted,
}

// Policies are all policies on record.
func (s *Service) Policies(ctx context.Context, tx pgx.Tx) (lms.Policies, error) {
	return selectPolicies(ctx, tx)
}

// Blocks are what a person's standing credits of a course keep from earning.
func (s *Service) Blocks(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.CourseID) ([]lms.Block, error) {
	all, err := selectBlocks(ctx, tx, p)
	var of []lms.Block
	for _, b := range all {
		if b.Course == c {
			of = append(of, b)
		}
	}
	return of, err
}

// AllBlocks are what a person's standing credits keep from earning.
func (s *Service) AllBlocks(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Block, error) {
	return selectBlocks(ctx, tx, p)
}

// CanEarn tells why a course completed on a day would earn a person nothing.
//
// Errors: lms.ErrEarnsAgain.
func (s *Service) CanEarn(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.CourseID, day lms.Date) error {
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return err
	}
	blocks, err := s.Blocks(ctx, tx, p, c)
	if err != nil {
		return err
	}
	_, during, err := blockOn(policies, day)
	if err != nil {
		return err
	}
	return lms.CanEarn(blocks, during)
}

func blockOn(policies lms.Policies, day lms.Date) (lms.Policy, lms.DateRange, error) {
	policy, err := policies.On(lms.RepeatCredit, day)
	if err != nil {
		return policy, lms.DateRange{}, err
	}
	during, err := lms.BlockOf(policy.Value, day)
	return policy, during, err
}

// EnqueuePosting makes the credit of a completed enrollment come, in the
// transaction that completes it.
func (s *Service) EnqueuePosting(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) error {
	if _, err := s.Jobs.InsertTx(ctx, tx, PostCreditArgs{Enrollment: e}, nil); err != nil {
		return fmt.Errorf("enqueue posting: %w", err)
	}
	return nil
}

// Posted is what was decided of an enrollment's credit; "" while it is not posted.
func (s *Service) Posted(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) (lms.CreditStatus, error) {
	status, err := selectStatus(ctx, tx, sourceEnrollment, reference(e))
	if errors.Is(err, lms.ErrNotFound) {
		return "", nil
	}
	return status, err
}

// Post records the credit of a completed enrollment with the decision about it and
// the block that it raises, in the caller's transaction. A completion that is
// posted already is left as it is: repeating is harmless.
//
// Errors: lms.ErrNotFound while the enrollment is not completed.
func (s *Service) Post(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID, now time.Time) error {
	c, err := selectCompletion(ctx, tx, e)
	if err != nil {
		return err
	}
	if err := pg.LockPerson(ctx, tx, c.Person); err != nil {
		return err
	}
	switch posted, err := s.Posted(ctx, tx, e); {
	case err != nil:
		return err
	case posted != "":
		return nil
	}
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return err
	}
	blocks, err := s.Blocks(ctx, tx, c.Person, c.Course)
	if err != nil {
		return err
	}
	d, err := decide(c, blocks, policies)
	if err != nil {
		return err
	}
	return s.record(ctx, tx, c, d, now)
}

func (s *Service) record(ctx context.Context, tx pgx.Tx, c lms.Completion, d decision, now time.Time) error {
	id, err := insertCredit(ctx, tx, c, now)
	if err != nil {
		return guards.Explain(err)
	}
	if err := insertDecision(ctx, tx, id, d, now); err != nil {
		return err
	}
	if d.Status == lms.Credited {
		if err := insertBlock(ctx, tx, id, c, d.During); err != nil {
			return guards.Explain(err)
		}
	}
	return s.Audit.Audit(ctx, tx, lms.AuditEntry{
		Action: "credit " + string(d.Status), Subject: c.Person, Object: fmt.Sprintf("credit/%d", id), At: now,
	})
}

// Year is how a person's calendar year stands: the clock hours that count so far
// and those that a full year asks for.
func (s *Service) Year(ctx context.Context, tx pgx.Tx, p lms.PersonID, year int) (earned, required lms.Hours, err error) {
	rows, err := selectCredits(ctx, tx, p, year)
	if err != nil {
		return 0, 0, err
	}
	for _, r := range rows {
		earned += r.Hours
	}
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return 0, 0, err
	}
	required, err = policies.Required(year)
	return earned, required, err
}
