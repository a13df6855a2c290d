package registry

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// PolicyDraftID is the key of a change of rule that is looked at before it is made.
type PolicyDraftID int64

// PolicyDraft is a change of rule before it is made, with whom it would affect.
type PolicyDraft struct {
	ID PolicyDraftID
	PolicyChange
	MadeBy  lms.PersonID
	Effects *PolicyEffects // nil while they are counted
}

// DraftPolicy keeps a change of rule to be looked at, and has counted whom it would
// affect.
//
// Errors: lms.ErrForm with fields value, from and note, ErrPolicyMoved.
func (s *Service) DraftPolicy(ctx context.Context, v lms.Viewer, c PolicyChange, now time.Time) (id PolicyDraftID, err error) {
	c.Note = strings.TrimSpace(c.Note)
	return id, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		policies, err := selectPolicies(ctx, tx)
		if err != nil {
			return err
		}
		if err := c.check(policies, lms.DateOf(now)); err != nil {
			return err
		}
		if id, err = insertPolicyDraft(ctx, tx, c, v.ID, now); err != nil {
			return err
		}
		if _, err := s.Jobs.InsertTx(ctx, tx, PreviewPolicyArgs{Draft: id}, nil); err != nil {
			return fmt.Errorf("enqueue preview: %w", err)
		}
		return nil
	})
}

// PolicyDraft finds a draft of somebody's own.
//
// Errors: lms.ErrNotFound.
func (s *Service) PolicyDraft(ctx context.Context, v lms.Viewer, id PolicyDraftID) (PolicyDraft, error) {
	d, err := selectPolicyDraft(ctx, s.DB, id)
	if err == nil && d.MadeBy != v.ID {
		err = lms.ErrNotFound
	}
	return d, err
}

// ChangePolicy makes a change of rule that its maker has looked at. Reports as known at
// an earlier instant stay what they were.
//
// Errors: lms.ErrNotFound, also while it is not counted whom it affects, ErrPolicyMoved.
func (s *Service) ChangePolicy(ctx context.Context, v lms.Viewer, id PolicyDraftID, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		d, err := selectPolicyDraft(ctx, tx, id)
		if err != nil {
			return err
		}
		if d.MadeBy != v.ID || d.Effects == nil {
			return lms.ErrNotFound
		}
		policies, err := selectPolicies(ctx, tx)
		if err != nil {
			return err
		}
		if err := d.check(policies, lms.DateOf(now)); err != nil {
			return err
		}
		policy, err := insertPolicy(ctx, tx, d.PolicyChange, v.ID, now)
		if err != nil {
			return guards.Explain(err)
		}
		return s.Audit.Audit(ctx, tx, lms.AuditEntry{
			Actor: v.ID, Action: "policy_changed", Object: fmt.Sprintf("policy/%d", policy),
			Note: fmt.Sprintf("%s %s, %s: %s", d.Kind, d.Value, d.PolicyChange.From, d.Note), At: now, From: from,
		})
	})
}

// PreviewPolicy counts whom a draft would affect.
//
// Errors: lms.ErrNotFound.
func (s *Service) PreviewPolicy(ctx context.Context, id PolicyDraftID, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		d, err := selectPolicyDraft(ctx, tx, id)
		if err != nil {
			return err
		}
		e, err := policyEffects(ctx, tx, d.PolicyChange, now)
		if err != nil {
			return fmt.Errorf("preview policy %d: %w", id, err)
		}
		return updatePolicyDraft(ctx, tx, id, e)
	})
}

// policyEffects counts whom a change would affect.
func policyEffects(ctx context.Context, tx pgx.Tx, c PolicyChange, now time.Time) (e PolicyEffects, err error) {
	e.At = now
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return e, err
	}
	switch c.Kind {
	case lms.WindowPolicy:
		e.Kept, err = countOpenEnrollments(ctx, tx)
	case lms.RepeatCredit:
		e.Kept, err = countBlocksBeyond(ctx, tx, c.From)
	case lms.SafeSleepYears:
		err = e.lookAtSleep(ctx, tx, c, policies)
	default:
		err = e.lookAtYears(ctx, tx, c, policies)
	}
	if err != nil {
		return e, err
	}
	return e, e.name(ctx, tx)
}

// lookAtYears compares everybody's years before and after. What years to come ask for
// changes nothing of those before, so that credits are read only where the change
// reaches back.
func (e *PolicyEffects) lookAtYears(ctx context.Context, tx pgx.Tx, c PolicyChange, policies lms.Policies) error {
	this := lms.DateOf(e.At).Year
	changed, err := c.years(policies, this)
	if err != nil || len(changed) == 0 {
		return err
	}
	credits := anyCredits
	if changed[0] > this {
		credits = noCredits
	}
	after, _ := c.with(policies)
	return everybody(ctx, tx, credits, func(p lms.PersonID, f facts) error {
		last := max(this, changed[0])
		f.policies = policies
		was, err := f.allocate(last)
		if err != nil {
			return err
		}
		f.policies = after
		is, err := f.allocate(last)
		e.compareYears(p, was, is, this)
		return err
	})
}

// lookAtSleep compares how everybody's safe sleep training stands, where the change
// reaches back.
func (e *PolicyEffects) lookAtSleep(ctx context.Context, tx pgx.Tx, c PolicyChange, policies lms.Policies) error {
	today := lms.DateOf(e.At)
	if c.From.After(today) {
		return nil
	}
	after, _ := c.with(policies)
	return everybody(ctx, tx, safeSleepCredits, func(p lms.PersonID, f facts) error {
		was, err := trainings(f.credits, policies)
		if err != nil {
			return err
		}
		is, err := trainings(f.credits, after)
		e.compareSleep(p, safeSleepOn(today, was), safeSleepOn(today, is))
		return err
	})
}

// name gives those who are listed their names.
func (e *PolicyEffects) name(ctx context.Context, tx pgx.Tx) error {
	var people []lms.PersonID
	for _, a := range e.Listed {
		people = append(people, a.Person)
	}
	names, err := selectNamed(ctx, tx, people)
	for i, a := range e.Listed {
		for _, n := range names {
			if n.Person == a.Person {
				e.Listed[i].Name, e.Listed[i].MOPDID = n.Name, n.MOPDID
			}
		}
	}
	return err
}

// creditsRead says which credits are read of everybody.
type creditsRead int

const (
	noCredits creditsRead = iota
	anyCredits
	safeSleepCredits
)

// everybody gives the facts of each person in turn, as they are known now, without the
// policies. It is three statements; credits, of which there are most, are not all held
// at once.
func everybody(ctx context.Context, tx pgx.Tx, read creditsRead, look func(lms.PersonID, facts) error) error {
	accounts, err := selectAccounts(ctx, tx)
	if err != nil {
		return err
	}
	list, err := selectEverybodyEmployed(ctx, tx)
	if err != nil {
		return err
	}
	employed := make(map[lms.PersonID][]Employed, len(accounts))
	for _, e := range list {
		employed[e.Person] = append(employed[e.Person], e.Employed)
	}
	var whose lms.PersonID // the credits are
	var credits []Recorded
	lookUpTo := func(last lms.PersonID) error {
		for len(accounts) > 0 && accounts[0].Person <= last {
			a := accounts[0]
			f := facts{account: account{MadeAt: a.MadeAt}, employed: employed[a.Person]}
			if a.Person == whose {
				f.credits = credits
			}
			if err := look(a.Person, f); err != nil {
				return err
			}
			accounts = accounts[1:]
		}
		return nil
	}
	if read != noCredits {
		err = eachCredit(ctx, tx, read == safeSleepCredits, func(p lms.PersonID, c Recorded) error {
			if p != whose {
				if err := lookUpTo(whose); err != nil {
					return err
				}
				whose, credits = p, credits[:0]
			}
			credits = append(credits, c)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return lookUpTo(math.MaxInt64)
}
