package accounts

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// findSamePerson lets a registrar see everybody who was born on the same day as somebody
// new and has, or had, the same name.
func (s *Service) findSamePerson(ctx context.Context, tx pgx.Tx, p lms.Person, now time.Time) error {
	if p.Born.IsZero() {
		return nil
	}
	others, err := selectBornOn(ctx, tx, p.Born, p.ID)
	if err != nil {
		return err
	}
	for _, o := range others {
		if !sameName(o.Given, p.Given) || !sameName(o.Family, p.Family) {
			continue
		}
		if err := insertSamePerson(ctx, tx, p.ID, o.Person, now); err != nil {
			return err
		}
	}
	return nil
}

// MergePlan is what a merge will do.
type MergePlan struct {
	Case
	From, Into *Dossier
	Moved      []lms.Enrollment // open courses that go on under the profile that stays
	Ended      []lms.Enrollment // both have them open
	Held       []string         // titles of credits that a registrar looks at again
	LoginMoves bool             // the profile that stays has none
	TakesOver  bool             // an account gets a record whose addresses are others
	Hours      int              // of the waiting time
	Waits      bool             // every address on file is told first, and can stop it
	Ripe       bool             // they were told, and nobody has stopped it
}

// sides are the profile that goes and the one that stays.
func (c Case) sides(into lms.PersonID) (goes, stays *Dossier, err error) {
	switch {
	case c.Kind != SamePersonItem:
		return nil, nil, lms.ErrNotFound
	case c.Person.ID == c.Other.ID:
		return nil, nil, ErrMergedBefore
	case into == c.Person.ID:
		goes, stays = c.Other, c.Person
	case into == c.Other.ID:
		goes, stays = c.Person, c.Other
	default:
		return nil, nil, ErrMergedBefore // into who it was when the page was shown
	}
	if goes.Staff() || stays.Staff() && !stays.Login {
		return nil, nil, ErrMergeStaff
	}
	if goes.Disabled || stays.Disabled {
		return nil, nil, ErrMergeDisabled
	}
	return goes, stays, nil
}

// waitsFor tells whether a merge takes effect only after the waiting time: a way in moves
// or ends, or an account takes a record over at whose addresses its person does not
// receive mail. A name and a birth date alone, which a stranger may know, are enough to
// be listed as the same person.
func waitsFor(goes, stays *Dossier) bool { return goes.Login || takesOver(goes, stays) }

// takesOver tells whether the record of an unclaimed profile comes to an account with an
// address that is not on its file, though others are.
func takesOver(goes, stays *Dossier) bool {
	return stays.Login && len(goes.Addresses) > 0 && !isAmong(goes.Addresses, stays.Email)
}

// PlanMerge tells what merging the two profiles of an item will do. That they were
// looked at is written down.
//
// Errors: lms.ErrNotFound, ErrItemClosed, ErrMergedBefore, ErrMergeStaff, ErrMergeDisabled,
// ErrOwnRecord.
func (s *Service) PlanMerge(ctx context.Context, v lms.Viewer, item int64, into lms.PersonID, from string, now time.Time) (plan MergePlan, err error) {
	if plan.Case, err = s.Case(ctx, v, item, from, now); err != nil {
		return plan, err
	}
	if !plan.Open() {
		return plan, ErrItemClosed
	}
	if slices.Contains(plan.people(), v.ID) {
		return plan, ErrOwnRecord
	}
	if plan.From, plan.Into, err = plan.sides(into); err != nil {
		return plan, err
	}
	plan.Moved, plan.Ended = lms.MergeOpen(plan.From.Courses, plan.Into.Courses)
	plan.LoginMoves = plan.From.Login && !plan.Into.Login
	plan.Hours, plan.Waits = int(s.RecoveryWait.Hours()), waitsFor(plan.From, plan.Into)
	plan.TakesOver = !plan.From.Login && takesOver(plan.From, plan.Into)
	plan.Ripe = plan.ripe(Pending{From: plan.From.ID, Into: plan.Into.ID}, now)
	return plan, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		plan.Held, err = s.Registry.HeldByMerge(ctx, tx, plan.From.ID, plan.Into.ID)
		return err
	})
}

// Merge makes the two profiles of an item one person's. Every fact keeps the profile
// under which it was recorded, and is read as the person's who stays. If it has to wait,
// this only announces the merge; it is done by who decides so again after the waiting
// time.
//
// Errors: those of settle, lms.ErrNotFound, ErrMergedBefore, ErrMergeStaff,
// ErrMergeDisabled, ErrStillWaits.
func (s *Service) Merge(ctx context.Context, v lms.Viewer, d Decision, into lms.PersonID, now time.Time) error {
	return s.settle(ctx, v, d, now, func(tx pgx.Tx, c Case) (string, bool, error) {
		goes, stays, err := c.sides(into)
		if err != nil {
			return "", false, err
		}
		p := Pending{By: v.ID, Reason: d.Reason, Origin: d.From, From: goes.ID, Into: stays.ID}
		if waitsFor(goes, stays) && !c.ripe(p, now) {
			return "merge_waits", true, s.postpone(ctx, tx, c, p, "merge_waits", now)
		}
		return "merged", false, s.mergeInto(ctx, tx, v, d, c, goes, stays, now)
	})
}

func (s *Service) mergeInto(ctx context.Context, tx pgx.Tx, v lms.Viewer, d Decision, c Case, goes, stays *Dossier, now time.Time) error {
	for _, p := range []lms.PersonID{goes.ID, stays.ID} {
		if err := s.Player.Fence(ctx, tx, p); err != nil {
			return err
		}
	}
	if err := s.Enrollments.Merge(ctx, tx, goes.ID, stays.ID, now); err != nil {
		return err
	}
	if err := s.Registry.Merge(ctx, tx, goes.ID, stays.ID, now); err != nil {
		return err
	}
	if err := s.mergeAccess(ctx, tx, goes, stays, now); err != nil {
		return err
	}
	if err := insertMerge(ctx, tx, goes.ID, stays.ID, v.ID, d.Reason, now); err != nil {
		return err
	}
	if err := s.settleMerge(ctx, tx, goes, stays, now); err != nil {
		return err
	}
	return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "merged_away", Subject: goes.ID, Object: c.object(), Note: d.Reason, At: now, From: d.From})
}

// mergeAccess leaves one way in: that of the profile that stays, if it has one.
func (s *Service) mergeAccess(ctx context.Context, tx pgx.Tx, goes, stays *Dossier, now time.Time) error {
	if err := moveAddresses(ctx, tx, goes.ID, stays.ID); err != nil {
		return err
	}
	if err := deleteSessions(ctx, tx, goes.ID, 0, EndedMerged, now); err != nil {
		return err
	}
	if err := endRecoveries(ctx, tx, goes.ID, "stopped", now); err != nil {
		return err
	}
	if goes.Login && !stays.Login {
		if err := moveLogin(ctx, tx, goes.ID, stays.ID); err != nil {
			return err
		}
		if err := updateLang(ctx, tx, stays.ID, goes.Lang); err != nil {
			return err
		}
	}
	return deleteLogin(ctx, tx, goes.ID)
}

// settleMerge closes what was open about either profile, and tells their person.
func (s *Service) settleMerge(ctx context.Context, tx pgx.Tx, goes, stays *Dossier, now time.Time) error {
	if goes.Login || stays.Login {
		if _, err := updateProfilesClaimed(ctx, tx, stays.ID, now); err != nil {
			return err
		}
		if err := s.settleClaims(ctx, tx, stays.ID, now); err != nil {
			return err
		}
	}
	if err := settleMerged(ctx, tx, stays.ID, now); err != nil {
		return err
	}
	p, err := selectPerson(ctx, tx, stays.ID)
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, p, "merged")
}

func sorted(ids []lms.PersonID) []lms.PersonID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, cmp.Compare[lms.PersonID])
	return ids
}
