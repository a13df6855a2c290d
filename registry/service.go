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
	"credit_blocks_once_a_year":     lms.ErrEarnsAgain,
	"credits_source_reference_key":  lms.ErrCreditPosted,
	"policies_follows_key":          ErrPolicyMoved,
	"reviews_one_open":              ErrReviewAsked,
	"employments_replaces_key":      ErrWorkMoved,
	"credit_sessions_one_at_a_time": ErrAtOnce,
	"credit_references_one_person":  ErrRecordOthers,
	"credits_same_record":           ErrRecordThere,
	"reminders_once":                ErrReminded,
}

// Policies are all policies on record.
func (s *Service) Policies(ctx context.Context, tx pgx.Tx) (lms.Policies, error) {
	return selectPolicies(ctx, tx)
}

// EarnsAgain is the first creditable day of each course that would earn a person
// nothing if it were completed on a day. Completions whose credit is still to be
// posted count too.
func (s *Service) EarnsAgain(ctx context.Context, tx pgx.Tx, p lms.PersonID, day lms.Date) (map[lms.CourseID]lms.Date, error) {
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return nil, err
	}
	blocks, err := selectBlocks(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	pending, err := selectUnposted(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	for _, c := range pending {
		d, err := decide(c, blocks, policies)
		if err != nil {
			return nil, err
		}
		if d.Status == lms.Credited {
			blocks = append(blocks, lms.Block{Course: c.Course, During: d.During})
		}
	}
	_, during, err := blockOn(policies, day)
	if err != nil {
		return nil, err
	}
	return earnsAgain(blocks, during), nil
}

// CanEarn tells why a course completed on a day would earn a person nothing.
//
// Errors: lms.ErrEarnsAgain.
func (s *Service) CanEarn(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.CourseID, day lms.Date) error {
	again, err := s.EarnsAgain(ctx, tx, p, day)
	if err != nil {
		return err
	}
	if from, blocked := again[c]; blocked {
		return lms.ErrEarnsAgain.With("From", from)
	}
	return nil
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
// the block that it raises, and tells the person, in the caller's transaction. Completions of the same
// person that are older and still to be posted come first, so that the order of jobs
// decides nothing. What is posted already is left as it is: repeating is harmless.
//
// Errors: lms.ErrNotFound while the enrollment is not completed.
func (s *Service) Post(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID, now time.Time) error {
	asked, err := selectCompletion(ctx, tx, e)
	if err != nil {
		return err
	}
	who, err := lockWho(ctx, tx, asked.Person)
	if err != nil {
		return err
	}
	return s.postPending(ctx, tx, who, asked.At, now)
}

// postPending posts what somebody completed until an instant and is not posted yet, in
// the order of completion.
func (s *Service) postPending(ctx context.Context, tx pgx.Tx, who lms.PersonID, until, now time.Time) error {
	pending, err := selectUnposted(ctx, tx, who)
	if err != nil || len(pending) == 0 {
		return err
	}
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return err
	}
	for _, c := range pending {
		if c.At.After(until) {
			break
		}
		blocks, err := selectBlocks(ctx, tx, who)
		if err != nil {
			return err
		}
		d, err := decide(c, blocks, policies)
		if err != nil {
			return err
		}
		if err := s.record(ctx, tx, who, completed(c), d, now); err != nil {
			return err
		}
	}
	return nil
}

// PostMissing makes the credits come of completions that should have theirs by now:
// a last resort, should a job be lost or have given up.
func (s *Service) PostMissing(ctx context.Context, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		late, err := selectUnpostedBefore(ctx, tx, now.Add(-missingAfter))
		if err != nil {
			return err
		}
		for _, e := range late {
			if err := s.EnqueuePosting(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// record writes a credit of a person down and tells them. Its facts keep the profile under
// which the course was completed.
func (s *Service) record(ctx context.Context, tx pgx.Tx, who lms.PersonID, c claim, d decision, now time.Time) error {
	id, err := insertCredit(ctx, tx, c, now)
	if err != nil {
		return guards.Explain(err)
	}
	if err := s.settle(ctx, tx, who, id, c, d, now); err != nil {
		return err
	}
	return s.tell(ctx, tx, who, claimed{ID: id, Title: c.Title, EarnedOn: lms.DateOf(c.EarnedAt)}, d, now)
}

// settle writes down what is decided about a credit, with the guards that it raises.
func (s *Service) settle(ctx context.Context, tx pgx.Tx, who lms.PersonID, id lms.CreditID, c claim, d decision, now time.Time) error {
	if err := insertDecision(ctx, tx, id, d, now); err != nil {
		return err
	}
	if d.Status == lms.Credited && c.Course != 0 {
		if err := insertBlock(ctx, tx, id, who, c.Course, d.During); err != nil {
			return guards.Explain(err)
		}
	}
	if d.Status == lms.Credited && c.Session != nil {
		if err := insertSession(ctx, tx, id, who, *c.Session); err != nil {
			return guards.Explain(err)
		}
	}
	return s.Audit.Audit(ctx, tx, lms.AuditEntry{Action: "credit_" + string(d.Status), Subject: c.Person, Object: creditObject(id), At: now})
}

// release takes down the guards that a credit raised.
func (s *Service) release(ctx context.Context, tx pgx.Tx, id lms.CreditID) error {
	if err := deleteBlock(ctx, tx, id); err != nil {
		return err
	}
	return deleteSession(ctx, tx, id)
}

// Record is what was known of somebody's training at a moment.
//
// Errors: lms.ErrNotFound.
func (s *Service) Record(ctx context.Context, tx pgx.Tx, p lms.PersonID, m Moment) (Record, error) {
	f, err := selectFacts(ctx, tx, p, m)
	if err != nil {
		return Record{}, err
	}
	return record(f, m)
}

// Would is for which years the hours of a course would count that somebody completes
// today.
//
// Errors: lms.ErrNotFound.
func (s *Service) Would(ctx context.Context, p lms.PersonID, hours lms.Hours, now time.Time) (parts []lms.YearHours, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		m := Now(now)
		r, err := s.Record(ctx, tx, p, m)
		parts = r.Would(hours, m.Through.Year)
		return err
	})
	return parts, err
}

// Standing is how somebody's year stands today.
//
// Errors: lms.ErrNotFound.
func (s *Service) Standing(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (lms.YearStanding, error) {
	m := Now(now)
	r, err := s.Record(ctx, tx, p, m)
	return r.Standing(m.Through.Year), err
}

// Employed records what was said of a person's work, in the caller's transaction.
func (s *Service) Employed(ctx context.Context, tx pgx.Tx, e lms.Employment, now time.Time) error {
	return insertEmployments(ctx, tx, []lms.Employment{e}, now)
}

// EmployedMany is Employed for many people at once.
func (s *Service) EmployedMany(ctx context.Context, tx pgx.Tx, list []lms.Employment, now time.Time) error {
	return insertEmployments(ctx, tx, list, now)
}
