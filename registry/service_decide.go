package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of those who look after records.
var (
	ErrOwnCredit   = lms.NewError(lms.Forbidden, "own_credit")  // nobody decides about their own
	ErrReviewAsked = lms.NewError(lms.Conflict, "review_asked") // it waits for a registrar already
)

// mostHours is the most that one credit may be.
const mostHours lms.Hours = 400

// Verdict is what a registrar decides about a credit: a release, a denial or a
// correction, all the same thing.
type Verdict struct {
	Credit       lms.CreditID
	Status       lms.CreditStatus // Credited, Denied or Held
	NotCompleted bool             // Denied, and the completion did not take place: it renews no safe sleep training either
	Hours        lms.Hours        // that count, where it is credited
	Note         string           // why; the person reads it
}

func (v Verdict) check() error {
	switch {
	case strings.TrimSpace(v.Note) == "":
		return lms.ErrForm.WithField("note", "decision_note")
	case v.Status == lms.Credited && (v.Hours <= 0 || v.Hours > mostHours):
		return lms.ErrForm.WithField("hours", "decision_hours")
	case v.Status != lms.Credited && v.Status != lms.Denied && v.Status != lms.Held, v.NotCompleted && v.Status != lms.Denied:
		return lms.ErrForm.WithField("status", "decision_status")
	}
	return nil
}

// reason is what the decision says that it takes (rules §6).
func (v Verdict) reason() string {
	switch {
	case v.NotCompleted:
		return reasonNotCompleted
	case v.Status == lms.Denied:
		return reasonHours
	default:
		return reasonRegistrar
	}
}

// Decide makes a newer decision about a credit, and tells its person. Where hours count
// again, no other credit of the course may stand in the way: what is recorded stands.
//
// Errors: lms.ErrNotFound, lms.ErrForm with fields note, hours and status, ErrOwnCredit,
// lms.ErrEarnsAgain, ErrRecordOthers.
func (s *Service) Decide(ctx context.Context, v lms.Viewer, verdict Verdict, from string, now time.Time) error {
	if err := verdict.check(); err != nil {
		return err
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		c, err := selectClaimed(ctx, tx, verdict.Credit)
		if err != nil {
			return err
		}
		who, err := lockWho(ctx, tx, c.Person)
		if err != nil {
			return err
		}
		if who == v.ID {
			return ErrOwnCredit
		}
		d, err := s.put(ctx, tx, who, c, verdict)
		if err != nil {
			return err
		}
		d.By, d.Note = v.ID, strings.TrimSpace(verdict.Note)
		if err := insertDecision(ctx, tx, c.ID, d, now); err != nil {
			return err
		}
		if err := updateReviews(ctx, tx, c.ID); err != nil {
			return err
		}
		if err := s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "credit_" + string(d.Status), Subject: who, Object: creditObject(c.ID), Note: d.Note, At: now, From: from}); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, who, c, d, now); err != nil || d.Status == lms.Credited {
			return err
		}
		return s.judgeAgain(ctx, tx, who, now, reasonRepeat)
	})
}

// put is the decision of a verdict, once the guards of the credit say the same.
func (s *Service) put(ctx context.Context, tx pgx.Tx, who lms.PersonID, c claimed, verdict Verdict) (decision, error) {
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return decision{}, err
	}
	policy, during, err := blockOn(policies, c.EarnedOn)
	if err != nil {
		return decision{}, err
	}
	d := decision{Status: verdict.Status, Policy: policy.ID, Reason: verdict.reason()}
	if err := s.release(ctx, tx, c.ID); err != nil {
		return d, err
	}
	if err := s.keepReference(ctx, tx, c.ID, verdict); err != nil || verdict.Status != lms.Credited {
		return d, guards.Explain(err)
	}
	d.Hours = verdict.Hours
	if err := insertReleasedSession(ctx, tx, c.ID, who); err != nil {
		return d, guards.Explain(err)
	}
	if c.Course == 0 {
		return d, nil
	}
	standing, err := selectBlocks(ctx, tx, who)
	if err != nil {
		return d, err
	}
	if from, blocked := earnsAgain(standing, during)[c.Course]; blocked {
		return d, lms.ErrEarnsAgain.With("From", from)
	}
	return d, guards.Explain(insertBlock(ctx, tx, c.ID, who, c.Course, during))
}

// keepReference lets the reference of a record be another person's once it is found that
// this one did not complete the training. Where hours alone are denied, they did.
func (s *Service) keepReference(ctx context.Context, tx pgx.Tx, id lms.CreditID, v Verdict) error {
	if v.NotCompleted {
		return freeReference(ctx, tx, id)
	}
	return insertReference(ctx, tx, id, 0)
}

// AskReview asks a registrar to look at what was decided about one's own credit.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field text, ErrReviewAsked.
func (s *Service) AskReview(ctx context.Context, p lms.PersonID, id lms.CreditID, text, from string, now time.Time) error {
	if text = strings.TrimSpace(text); text == "" {
		return lms.ErrForm.WithField("text", "review_text")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		c, err := selectClaimed(ctx, tx, id)
		if err != nil {
			return err
		}
		if c.Person != p {
			return lms.ErrNotFound
		}
		if err := insertReview(ctx, tx, id, p, text, now); err != nil {
			return guards.Explain(err)
		}
		return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: p, Action: "review_asked", Subject: p, Object: creditObject(id), Note: text, At: now, From: from})
	})
}

// Effect is what a decision about a credit would change.
type Effect struct {
	Years         []Change // the oldest first
	Before, After lms.SafeSleep
}

// SafeSleep tells whether safe sleep training would stand otherwise.
func (e Effect) SafeSleep() bool { return e.Before != e.After }

// Change is how a year would stand after a decision.
type Change struct {
	Before, After AllocatedYear
	Ahead         bool // the year has not begun
}

// effects are what each of some decisions about a credit would change for its person.
//
// Errors: lms.ErrNotFound.
func (s *Service) effects(ctx context.Context, tx pgx.Tx, c claimed, now time.Time, verdicts ...Verdict) ([]Effect, error) {
	m := Now(now)
	f, err := selectFacts(ctx, tx, c.Person, m)
	if err != nil {
		return nil, err
	}
	var list []Effect
	for _, v := range verdicts {
		e, _, err := effectOf(f, m, c, decision{Status: v.Status, Hours: v.Hours, Reason: v.reason()})
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// inTheWay are somebody's other credits with which one collides: those that were attended
// at once with it, and those of the same course within a year or of the same record.
func (s *Service) inTheWay(ctx context.Context, tx pgx.Tx, c claimed) (atOnce, rivals []claimed, err error) {
	if atOnce, err = selectOverlapping(ctx, tx, c); err != nil {
		return nil, nil, err
	}
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return nil, nil, err
	}
	_, during, err := blockOn(policies, c.EarnedOn)
	if err != nil {
		return nil, nil, err
	}
	rivals, err = selectRivals(ctx, tx, c, during)
	return atOnce, rivals, err
}

// effectOf is what a decision about a credit changes, with the record after it.
func effectOf(f facts, m Moment, c claimed, d decision) (e Effect, after Record, err error) {
	before, err := record(f.with(c.ID, decision{Status: c.Status, Hours: c.Hours, Reason: c.Reason}), m)
	if err != nil {
		return e, after, err
	}
	after, err = record(f.with(c.ID, d), m)
	return Effect{changes(before, after), before.SafeSleep, after.SafeSleep}, after, err
}

// changes are the years that stand otherwise in another record of somebody.
func changes(before, after Record) (list []Change) {
	for year := min(before.first(), after.first()); year <= after.Through.Year; year++ {
		if was, is := before.Year(year), after.Year(year); was.Counted() != is.Counted() {
			list = append(list, Change{Before: was, After: is})
		}
	}
	return list
}

func creditObject(id lms.CreditID) string { return fmt.Sprintf("credit/%d", id) }
