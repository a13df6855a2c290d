package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// bring puts a row of an import on somebody's record, and says what became of it. What is
// there already is left as it is. A record that somebody else has waits, unless it is to
// stand beside theirs.
func (s *Service) bring(ctx context.Context, tx pgx.Tx, p lms.PersonID, id ImportID, row Row, beside lms.CreditID, now time.Time) (Row, error) {
	who, err := lockWho(ctx, tx, p)
	if err != nil {
		return row, err
	}
	if err := s.postPending(ctx, tx, who, now, now); err != nil {
		return row, err
	}
	c, err := claimOf(ctx, tx, who, row.Said)
	if err != nil {
		return row, err
	}
	c.Reference = fmt.Sprintf("%d/%d", id, row.Line)
	there, err := selectThere(ctx, tx, who)
	if err != nil {
		return row, err
	}
	known := knownAs(c.said(), there)
	if known.ID == 0 || known.Reason == reasonUndone {
		others, err := selectOthers(ctx, tx, who, id, c.Record)
		if err != nil {
			return row, err
		}
		if other, has := c.hasElse(others); has && (beside == 0 || other.Credit != beside) {
			row.Outcome, row.Why, row.Credit = RowWaiting, whyOthers, other.Credit
			return row, nil
		}
	}
	switch {
	case known.ID == 0:
		if row.Credit, err = insertCredit(ctx, tx, c, now); err != nil {
			return row, guards.Explain(err)
		}
	case !known.says(c.said()):
		row.Outcome, row.Why, row.Credit = RowWaiting, whyDiffers, known.ID
		return row, nil
	case known.Reason == reasonUndone:
		row.Credit = known.ID
	default:
		row.Outcome, row.Why, row.Credit = RowSame, "", known.ID
		return row, nil
	}
	if err := insertReference(ctx, tx, row.Credit, beside); err != nil {
		return row, guards.Explain(err)
	}
	var d decision
	if known.Denied {
		d, err = s.denyAgain(ctx, tx, known.ID, now)
	} else {
		d, err = s.judge(ctx, tx, who, row.Credit, c, now)
	}
	row.Outcome, row.Why = Outcome(d.Status), d.Reason
	return row, err
}

// denyAgain lets the denial stand that a registrar had made before the record was undone.
func (s *Service) denyAgain(ctx context.Context, tx pgx.Tx, id lms.CreditID, now time.Time) (decision, error) {
	d, err := selectDenial(ctx, tx, id)
	if err != nil {
		return d, err
	}
	return d, insertDecision(ctx, tx, id, d, now)
}

// judge decides about a record from elsewhere by the rules: once a year (rules §5), one
// at a time (§3). Records that were attended at once are all held.
func (s *Service) judge(ctx context.Context, tx pgx.Tx, who lms.PersonID, id lms.CreditID, c claim, now time.Time) (decision, error) {
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return decision{}, err
	}
	blocks, err := selectBlocks(ctx, tx, who)
	if err != nil {
		return decision{}, err
	}
	d, err := decide(lms.Completion{Course: c.Course, Hours: c.Hours, At: c.EarnedAt}, blocks, policies)
	if err != nil {
		return d, err
	}
	if c.Session != nil && d.Status != lms.Denied {
		others, err := selectAtOnce(ctx, tx, who, id, *c.Session)
		if err != nil {
			return d, err
		}
		for _, other := range others {
			if other.Status != lms.Credited {
				continue
			}
			if err := s.hold(ctx, tx, other.ID, other.Person, reasonAtOnce, now); err != nil {
				return d, err
			}
			if sameImport(other.Reference, c.Reference) {
				continue // the letter of the import says it
			}
			if err := s.tell(ctx, tx, who, other, decision{Status: lms.Held, Reason: reasonAtOnce}, now); err != nil {
				return d, err
			}
		}
		if len(others) > 0 {
			d.Status, d.Hours, d.Reason = lms.Held, 0, reasonAtOnce
		}
	}
	return d, s.settle(ctx, tx, who, id, c, d, now)
}

// sameImport tells whether two rows came with one import, by the references of their
// credits.
func sameImport(a, b string) bool {
	first, _, _ := strings.Cut(a, "/")
	second, _, _ := strings.Cut(b, "/")
	return first == second
}

func claimOf(ctx context.Context, tx pgx.Tx, who lms.PersonID, said Said) (c claim, err error) {
	c = claim{Source: sourceImport, Person: who, SafeSleep: said.SafeSleep, Record: said.Reference,
		Title: said.Title, Sponsor: said.Sponsor, Hours: said.Hours, EarnedAt: said.EarnedAt()}
	if said.Starts != nil {
		c.Session = &Session{*said.Starts, *said.Ends}
	}
	if said.Course != "" {
		k, err := selectCourse(ctx, tx, said.Course)
		c.Course, c.SafeSleep = k.ID, c.SafeSleep || k.SafeSleep
		return c, err
	}
	return c, nil
}

// judgeAgain decides by the rules about what they alone have denied or held for some
// reasons: what stood in the way may be gone.
func (s *Service) judgeAgain(ctx context.Context, tx pgx.Tx, who lms.PersonID, now time.Time, reasons ...string) error {
	list, err := selectRuled(ctx, tx, who, reasons)
	if err != nil {
		return err
	}
	policies, err := selectPolicies(ctx, tx)
	if err != nil {
		return err
	}
	for _, c := range list {
		blocks, err := selectBlocks(ctx, tx, who)
		if err != nil {
			return err
		}
		d, err := decide(lms.Completion{Course: c.Course, Hours: c.Claimed, At: c.EarnedAt}, blocks, policies)
		if err != nil {
			return err
		}
		cl := claim{Person: c.Person, Course: c.Course, Session: c.session()}
		if cl.Session != nil {
			others, err := selectAtOnce(ctx, tx, who, c.ID, *cl.Session)
			if err != nil {
				return err
			}
			if len(others) > 0 {
				continue
			}
		}
		if d.Status != lms.Credited {
			continue
		}
		if err := s.settle(ctx, tx, who, c.ID, cl, d, now); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, who, c, d, now); err != nil {
			return err
		}
	}
	return nil
}

// ErrAtOnce is of a credit whose session was attended while another one was.
var ErrAtOnce = lms.NewError(lms.Conflict, "at_once")

// ResolveRow puts a row that waits on the record of whom a registrar says it is about,
// beside the credit that somebody else has under the same reference, as the registrar has
// seen; 0 if they saw none.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field note, ErrRecordSettled, ErrOwnCredit,
// ErrRecordDiffers, ErrRecordOthers.
func (s *Service) ResolveRow(ctx context.Context, v lms.Viewer, id ImportID, line int, p lms.PersonID, beside lms.CreditID, note, from string, now time.Time) error {
	return s.settleRow(ctx, v, id, line, note, func(tx pgx.Tx, row Row) (Row, error) {
		who, err := lockWho(ctx, tx, p)
		if err != nil {
			return row, err
		}
		if who == v.ID {
			return row, ErrOwnCredit
		}
		if row, err = s.bring(ctx, tx, who, id, row, beside, now); err != nil {
			return row, err
		}
		if row.Why == whyOthers {
			return row, ErrRecordOthers
		}
		if row.Outcome == RowWaiting {
			return row, ErrRecordDiffers
		}
		imp, err := selectImport(ctx, tx, id)
		if err != nil {
			return row, err
		}
		if err := s.tellOfImport(ctx, tx, imp, []Row{row}); err != nil {
			return row, err
		}
		return row, s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "record_matched", Subject: who, Object: rowObject(id, line), Note: note, At: now, From: from})
	})
}

// DismissRow lets a row that waits go to nobody.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field note, ErrRecordSettled.
func (s *Service) DismissRow(ctx context.Context, v lms.Viewer, id ImportID, line int, note, from string, now time.Time) error {
	return s.settleRow(ctx, v, id, line, note, func(tx pgx.Tx, row Row) (Row, error) {
		row.Outcome = RowDismissed
		return row, s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "record_dismissed", Object: rowObject(id, line), Note: note, At: now, From: from})
	})
}

func (s *Service) settleRow(ctx context.Context, v lms.Viewer, id ImportID, line int, note string, become func(tx pgx.Tx, row Row) (Row, error)) error {
	note = strings.TrimSpace(note)
	if note == "" {
		return lms.ErrForm.WithField("note", "row_note")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		row, err := selectRowLocked(ctx, tx, id, line)
		if err != nil {
			return err
		}
		if row.Outcome != RowWaiting {
			return ErrRecordSettled
		}
		if row, err = become(tx, row); err != nil {
			return err
		}
		return updateResolved(ctx, tx, id, row, v.ID, note)
	})
}

func rowObject(id ImportID, line int) string { return fmt.Sprintf("import/%d/%d", id, line) }

// Candidate is somebody whom a row may be about, with what would become of it.
type Candidate struct {
	lms.Person
	HasID   bool // it is their MOPD ID
	Sought  bool // the registrar asked for them
	Outcome Outcome
	Why     string
	Credit  lms.CreditID // that is there already and says otherwise
	Beside  lms.CreditID // that somebody else has under the same reference; 0 if nobody
	Changes []Change
}

// Candidates are those whom a row that waits may be about: who has the MOPD ID, whom the
// registrar seeks by another one, and those with the name. That their years were looked at is written down.
func (s *Service) Candidates(ctx context.Context, v lms.Viewer, id ImportID, row Row, sought lms.MOPDID, from string, now time.Time) (list []Candidate, err error) {
	var people []lms.Person
	var holder lms.PersonID
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		p, _, err := s.People.Holder(ctx, tx, row.Said.MOPDID, row.Said.Given, row.Said.Family)
		if err == nil {
			people, holder = append(people, p), p.ID
		} else if !errors.Is(err, lms.ErrNotFound) {
			return err
		}
		if sought != 0 {
			p, _, err := s.People.Holder(ctx, tx, sought, "", "")
			if err == nil && p.ID != holder {
				people = append(people, p)
			} else if err != nil && !errors.Is(err, lms.ErrNotFound) {
				return err
			}
		}
		named, err := s.People.Namesakes(ctx, tx, row.Said.Given, row.Said.Family)
		for _, n := range named {
			if !slices.ContainsFunc(people, func(p lms.Person) bool { return p.ID == n.ID }) {
				people = append(people, n)
			}
		}
		return err
	})
	for _, p := range people {
		if err != nil || p.ID == v.ID {
			continue
		}
		c := Candidate{Person: p, HasID: p.ID == holder, Sought: sought != 0 && p.MOPDID == sought}
		if _, err = s.People.LookAtPerson(ctx, v, p.ID, from, now); err != nil {
			break
		}
		if err = s.wouldBring(ctx, &c, id, row, now); err == nil {
			list = append(list, c)
		}
	}
	return list, err
}

// wouldBring finds out what a row would change on somebody's record: it is brought, and
// rolled back.
func (s *Service) wouldBring(ctx context.Context, c *Candidate, id ImportID, row Row, now time.Time) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		before, err := s.Record(ctx, tx, c.ID, Now(now))
		if err != nil {
			return err
		}
		brought, err := s.bring(ctx, tx, c.ID, id, row, 0, now)
		if err == nil && brought.Why == whyOthers {
			c.Beside = brought.Credit
			brought, err = s.bring(ctx, tx, c.ID, id, row, c.Beside, now)
		}
		if err != nil {
			return err
		}
		c.Outcome, c.Why, c.Credit = brought.Outcome, brought.Why, brought.Credit
		after, err := s.Record(ctx, tx, c.ID, Now(now))
		if err != nil {
			return err
		}
		c.Changes = changes(before, after)
		return errForeseen
	})
	if errors.Is(err, errForeseen) {
		return nil
	}
	return err
}
