package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of the worklist.
var (
	ErrItemClosed   = lms.NewError(lms.Conflict, "item_closed")      // somebody else decided, or it settled itself
	ErrOwnRecord    = lms.NewError(lms.Forbidden, "own_record")      // nobody decides about themselves
	ErrNotClaimable = lms.NewError(lms.Conflict, "not_claimable")    // there is no such profile, or it is claimed
	ErrMergedBefore = lms.NewError(lms.Conflict, "merged_before")    // one of the two is merged away already
	ErrMergeStaff   = lms.NewError(lms.Conflict, "merge_staff")      // a profile with a role does not go away
	ErrMergeItself  = lms.NewError(lms.Conflict, "merge_itself")     // a profile and itself
	ErrAskedBefore  = lms.NewError(lms.Conflict, "recovery_asked")   // a recovery is on its way already
	ErrStillWaits   = lms.NewError(lms.Conflict, "decision_waits")   // Args: Due (time.Time)
	ErrDecisionOver = lms.NewError(lms.NotFound, "decision_is_over") // stopped, or done
	ErrClaimStaff   = lms.NewError(lms.Conflict, "claim_staff")      // a profile with a role is not given away
	ErrNoRecovery   = lms.NewError(lms.NotFound, "recovery_is_over") // stopped, used, or too old
)

// ItemKind is what an item of the worklist is about.
type ItemKind string

// The kinds of items, in the order in which the page offers them.
const (
	ClaimItem      ItemKind = "claim"       // a profile that somebody tried to claim often
	SamePersonItem ItemKind = "same_person" // two profiles that may be one person's
	RecoveryItem   ItemKind = "recovery"    // an account whose factors are lost
	ImportItem     ItemKind = "import"      // a row that differs from what is on file
)

// ItemKinds lists every kind.
var ItemKinds = []ItemKind{ClaimItem, SamePersonItem, RecoveryItem, ImportItem}

// Item is what waits for a registrar, or waited.
type Item struct {
	ID       int64
	Kind     ItemKind
	Person   lms.PersonID // 0 if nobody is known
	Other    lms.PersonID // the second profile of SamePersonItem
	Details  json.RawMessage
	OpenedAt time.Time
	ClosedAt *time.Time
	ClosedBy string // name; "" if it settled itself
	Outcome  string
	Reason   string
	Pending  *Pending   // what waits to take effect
	DueAt    *time.Time // when it does
}

// Open tells whether it still waits.
func (i Item) Open() bool { return i.ClosedAt == nil }

// Waiting is an item as the list shows it.
type Waiting struct {
	ID       int64
	Kind     ItemKind
	Name     string // of the person, "" if nobody is known
	Other    string
	MOPDID   lms.MOPDID `db:"mopd_id"` // 0 if it is about none
	OpenedAt time.Time
}

// Days are the whole days that it has waited.
func (w Waiting) Days(now time.Time) int { return int(now.Sub(w.OpenedAt) / (24 * time.Hour)) }

const itemsPerPage = 50

// Worklist is a page, from 1 on, of what waits, of one kind or of all, and how many of
// each kind there are. The oldest come first, and claims of MOPD IDs that nobody has last.
func (s *Service) Worklist(ctx context.Context, kind ItemKind, page int) (list []Waiting, counts map[ItemKind]int, err error) {
	if list, err = selectWaiting(ctx, s.DB, kind, itemsPerPage, (page-1)*itemsPerPage); err != nil {
		return nil, nil, err
	}
	counts, err = countWaiting(ctx, s.DB)
	return list, counts, err
}

// Dossier is what a registrar needs to tell who somebody is; never a secret.
type Dossier struct {
	lms.Person
	Numbers     []lms.MOPDID // every MOPD ID that leads here
	Names       []string     // every name that was held, the newest first
	Addresses   []string
	Employments []lms.Employment
	Credits     int
	Courses     []lms.Enrollment // open ones
	Login       bool             // somebody can sign in
	Waits       bool             // an earlier registry's profile that nobody has claimed
	Disabled    bool             // by an administrator
}

// Case is an item with everything that there is to see about it.
type Case struct {
	Item
	MOPDID lms.MOPDID // of ClaimItem and ImportItem
	Tries  []claimTry // of ClaimItem
	Asks   []Contact  // of ClaimItem and RecoveryItem
	Said   Imported   // of ImportItem
	Person *Dossier   // nil: nobody is on file
	Other  *Dossier   // of SamePersonItem

	onFile profile // of ClaimItem
}

// details are what an item keeps, whatever its kind.
type details struct {
	MOPDID lms.MOPDID `json:"mopd_id"`
	Tries  []claimTry `json:"tries"`
	Asks   []Contact  `json:"asks"`
	Said   Imported   `json:"said"`
}

// Case shows an item. That the records in it were looked at is written down.
//
// Errors: lms.ErrNotFound.
func (s *Service) Case(ctx context.Context, v lms.Viewer, id int64, from string, now time.Time) (c Case, err error) {
	return c, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if c, err = s.readCase(ctx, tx, id); err != nil {
			return err
		}
		for _, d := range []*Dossier{c.Person, c.Other} {
			if d == nil || d.ID == v.ID {
				continue
			}
			if err := insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "record_viewed", Subject: d.ID, Object: c.object(), At: now, From: from}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (i Item) object() string { return fmt.Sprintf("worklist/%d", i.ID) }

func (s *Service) readCase(ctx context.Context, tx pgx.Tx, id int64) (c Case, err error) {
	if c.Item, err = selectItem(ctx, tx, id); err != nil {
		return c, err
	}
	var d details
	if err := json.Unmarshal(c.Details, &d); err != nil {
		return c, fmt.Errorf("item %d: %w", id, err)
	}
	c.MOPDID, c.Tries, c.Asks, c.Said = d.MOPDID, d.Tries, d.Asks, d.Said
	who := c.Item.Person
	if c.Kind == ClaimItem {
		if c.onFile, err = selectProfile(ctx, tx, c.MOPDID); err != nil && !errors.Is(err, lms.ErrNotFound) {
			return c, err
		}
		who = c.onFile.Person
	}
	if c.Person, err = s.dossier(ctx, tx, who); err != nil {
		return c, err
	}
	c.Other, err = s.dossier(ctx, tx, c.Item.Other)
	return c, err
}

// dossier is that of who a person is today; nil of nobody.
func (s *Service) dossier(ctx context.Context, tx pgx.Tx, p lms.PersonID) (*Dossier, error) {
	if p == 0 {
		return nil, nil
	}
	who, err := selectWho(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	var d Dossier
	if d.Person, err = selectPerson(ctx, tx, who); err != nil {
		return nil, err
	}
	if d.Numbers, err = selectNumbers(ctx, tx, who); err != nil {
		return nil, err
	}
	if d.Names, err = selectHeldNames(ctx, tx, who); err != nil {
		return nil, err
	}
	if d.Addresses, err = selectAddresses(ctx, tx, who); err != nil {
		return nil, err
	}
	if d.Login, d.Waits, err = selectAccess(ctx, tx, who); err != nil {
		return nil, err
	}
	disabling, err := selectDisabling(ctx, tx, who)
	if err != nil {
		return nil, err
	}
	d.Disabled = disabling.Stands()
	if d.Employments, err = s.Registry.Employments(ctx, tx, who); err != nil {
		return nil, err
	}
	if d.Credits, err = s.Registry.CountCredits(ctx, tx, who); err != nil {
		return nil, err
	}
	d.Courses, err = s.Enrollments.Open(ctx, tx, who)
	return &d, err
}

// Decision is how a registrar settles an item.
type Decision struct {
	Item   int64
	Reason string // also how the person's identity was checked
	From   string // network address
}

func (d *Decision) check() error {
	d.Reason = strings.TrimSpace(d.Reason)
	return checkReason(d.Reason, noteLength, "note_long")
}

// decide runs fn on an item that still waits, then closes it with an outcome.
//
// Errors: those of settle.
func (s *Service) decide(ctx context.Context, v lms.Viewer, d Decision, outcome string, now time.Time, fn func(pgx.Tx, Case) error) error {
	return s.settle(ctx, v, d, now, func(tx pgx.Tx, c Case) (string, bool, error) { return outcome, false, fn(tx, c) })
}

// settle runs fn on an item that still waits. It closes the item with the outcome that fn
// gives, unless that one waits to take effect. The people in it are locked, in the order
// of their ids.
//
// Errors: lms.ErrForm with field reason, lms.ErrNotFound, ErrItemClosed, ErrOwnRecord.
func (s *Service) settle(ctx context.Context, v lms.Viewer, d Decision, now time.Time, fn func(pgx.Tx, Case) (outcome string, waits bool, err error)) error {
	if err := d.check(); err != nil {
		return err
	}
	return guards.Explain(pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		c, err := s.readCase(ctx, tx, d.Item)
		if err != nil {
			return err
		}
		people := c.people()
		if err := lockAll(ctx, tx, people...); err != nil {
			return err
		}
		if err := lockItem(ctx, tx, d.Item); err != nil {
			return err
		}
		if c, err = s.readCase(ctx, tx, d.Item); err != nil {
			return err
		}
		if !c.Open() || !slices.Equal(people, c.people()) {
			return ErrItemClosed
		}
		if slices.Contains(people, v.ID) {
			return ErrOwnRecord
		}
		outcome, waits, err := fn(tx, c)
		if err != nil {
			return err
		}
		if !waits {
			if err := closeItem(ctx, tx, d.Item, v.ID, outcome, d.Reason, now); err != nil {
				return err
			}
		}
		subject := lms.PersonID(0)
		if c.Person != nil {
			subject = c.Person.ID
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: string(c.Kind) + "_" + outcome, Subject: subject, Object: c.object(), Note: d.Reason, At: now, From: d.From})
	}))
}

// IsTwo tells whether an item is about two profiles that are not merged.
func (c Case) IsTwo() bool { return c.Other != nil && c.Other.ID != c.Person.ID }

// people are who an item is about.
func (c Case) people() (ids []lms.PersonID) {
	for _, d := range []*Dossier{c.Person, c.Other} {
		if d != nil {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// Dismiss closes an item without doing anything: the claim is not the person's, the two
// are two people, nobody is let in, what is on file stays.
//
// Errors: those of decide.
func (s *Service) Dismiss(ctx context.Context, v lms.Viewer, d Decision, now time.Time) error {
	return s.decide(ctx, v, d, "dismissed", now, func(tx pgx.Tx, c Case) error {
		if c.Kind != RecoveryItem {
			return nil
		}
		if err := endRecoveries(ctx, tx, c.Person.ID, "refused", now); err != nil {
			return err
		}
		return s.tell(ctx, tx, c.Person.Person, "recovery_refused")
	})
}

// lockAll locks people in the order of their ids, so that nobody waits for who waits for
// them.
func lockAll(ctx context.Context, tx pgx.Tx, ids ...lms.PersonID) error {
	for _, p := range sorted(ids) {
		if err := pg.LockPerson(ctx, tx, p); err != nil {
			return err
		}
	}
	return nil
}
