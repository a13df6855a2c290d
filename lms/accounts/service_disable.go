package accounts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals about accounts that are disabled.
var (
	ErrDisabled      = lms.NewError(lms.Forbidden, "account_disabled")
	ErrOwnAccount    = lms.NewError(lms.Forbidden, "own_account")   // nobody disables their own
	ErrAccessChanged = lms.NewError(lms.Conflict, "access_changed") // by somebody else, since it was shown
	ErrNoLogin       = lms.NewError(lms.NotFound, "no_account")     // nobody can sign in to the profile anyway
	ErrMergeDisabled = lms.NewError(lms.Conflict, "merge_disabled") // one of the two is disabled
)

// Disabling is that an account is disabled; the zero Disabling if it is not.
type Disabling struct {
	At     time.Time
	By     lms.PersonID
	ByName string
	Reason string
}

// Stands tells whether the account is disabled.
func (d Disabling) Stands() bool { return !d.At.IsZero() }

// canDisable tells whether somebody may disable an account, where so many other
// administrators can sign in.
//
// Errors: ErrOwnAccount, ErrLastAdmin.
func canDisable(by lms.PersonID, p lms.Person, others int) error {
	switch {
	case by == p.ID:
		return ErrOwnAccount
	case p.Has(lms.Administrator):
		return canTakeRole(lms.Administrator, others)
	default:
		return nil
	}
}

// Disabled is how a person's account stands.
func (s *Service) Disabled(ctx context.Context, p lms.PersonID) (Disabling, error) {
	return selectDisabling(ctx, s.DB, p)
}

// AccessChange disables an account, or enables it again.
type AccessChange struct {
	Disable bool
	Reason  string
}

// check errors: lms.ErrForm with field reason.
func (a *AccessChange) check() error {
	a.Reason = strings.TrimSpace(a.Reason)
	return checkReason(a.Reason, reasonLength, "reason_long")
}

// ChangeAccess disables an account or enables it again, and tells the person. While it is
// disabled nobody signs in to it: its sessions, player, mailed links, known computers and
// what was on its way to let somebody in end at once. The record stays as it is.
//
// Errors: lms.ErrForm with field reason, lms.ErrNotFound, ErrNoLogin, ErrOwnAccount,
// ErrLastAdmin, ErrAccessChanged.
func (s *Service) ChangeAccess(ctx context.Context, v lms.Viewer, id lms.PersonID, a AccessChange, from string, now time.Time) error {
	if err := a.check(); err != nil {
		return err
	}
	return s.forPerson(ctx, id, func(tx pgx.Tx) error {
		p, err := selectPerson(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.Email == "" {
			return ErrNoLogin
		}
		entry := lms.AuditEntry{Actor: v.ID, Action: "account_enabled", Subject: id, Note: a.Reason, At: now, From: from}
		if a.Disable {
			entry.Action = "account_disabled"
			return s.disable(ctx, tx, v, p, entry)
		}
		enabled, err := deleteDisabling(ctx, tx, id)
		if err == nil && !enabled {
			return ErrAccessChanged
		}
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, p, entry.Action); err != nil {
			return err
		}
		return insertAudit(ctx, tx, entry)
	})
}

func (s *Service) disable(ctx context.Context, tx pgx.Tx, v lms.Viewer, p lms.Person, e lms.AuditEntry) error {
	others, err := countOtherHolders(ctx, tx, lms.Administrator, p.ID)
	if err != nil {
		return err
	}
	if err := canDisable(v.ID, p, others); err != nil {
		return err
	}
	// First the row, which keeps new sessions out, then those that are there.
	if err := insertDisabling(ctx, tx, p.ID, v.ID, e.Note, e.At); err != nil {
		return err
	}
	if err := s.stopRecovery(ctx, tx, p.ID, e.From, e.At); err != nil {
		return err
	}
	if err := voidLinks(ctx, tx, p.ID, e.At, toReset, toEmail, toRecover); err != nil {
		return err
	}
	return s.signOut(ctx, tx, p, e, EndedDisabled)
}

// letNobodyIn errors: ErrDisabled.
func letNobodyIn(ctx context.Context, db pg.Querier, p lms.PersonID) error {
	d, err := selectDisabling(ctx, db, p)
	if err == nil && d.Stands() {
		return ErrDisabled
	}
	return err
}

// answerDisabled mails to who asks for a new password that the account is disabled. It
// tells whether it is.
func (s *Service) answerDisabled(ctx context.Context, tx pgx.Tx, p lms.PersonID, to, lang string) (bool, error) {
	err := letNobodyIn(ctx, tx, p)
	if !errors.Is(err, ErrDisabled) {
		return false, err
	}
	if err := s.Mail.Post(ctx, tx, s.letter(to, lang, "reset_disabled", "")); err != nil {
		return false, fmt.Errorf("tell that an account is disabled: %w", err)
	}
	return true, nil
}
