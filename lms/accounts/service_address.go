package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// newAddress is what a link to a new address carries.
type newAddress struct {
	Email string `json:"email"`
}

// AskNewEmail mails a link to the viewer's new address and tells the old one.
//
// Errors: lms.ErrForm with field email, ErrTooManyTries.
func (s *Service) AskNewEmail(ctx context.Context, v lms.Viewer, email, from string, now time.Time) error {
	email = strings.TrimSpace(email)
	if !isEmail(email) || strings.EqualFold(email, v.Email) {
		return lms.ErrForm.WithField("email", "email_form")
	}
	err := take(ctx, s.DB, now,
		bucket{"address asked for", []string{fmt.Sprint(v.ID)}, perRequest},
		bucket{"mail sent", []string{string(toEmail), strings.ToLower(email)}, perMailed})
	if err != nil {
		return err
	}
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := s.tell(ctx, tx, v.Person, "email_change_asked"); err != nil {
			return err
		}
		if err := insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "email_change_asked", Subject: v.ID, At: now, From: from}); err != nil {
			return err
		}
		_, err := selectLogin(ctx, tx, email, nil)
		switch {
		case err == nil: // the page does not tell who else has an account
			return s.Mail.Post(ctx, tx, s.letter(email, v.Lang, "account_exists", "/forgot"))
		case !errors.Is(err, lms.ErrNotFound):
			return err
		}
		return s.mailLink(ctx, tx, link{Purpose: toEmail, Person: v.ID}, newAddress{email}, email, v.Lang, now)
	})
}

// PendingEmail is the address that a link confirms for the person who asked for it:
// whoever else opens it gives nobody an address.
//
// Errors: ErrLinkOver.
func (s *Service) PendingEmail(ctx context.Context, v lms.Viewer, token string, now time.Time) (string, error) {
	return s.newAddress(ctx, s.DB, v, token, now)
}

func (s *Service) newAddress(ctx context.Context, db pg.Querier, v lms.Viewer, token string, now time.Time) (string, error) {
	l, err := s.peek(ctx, db, toEmail, token, now)
	if err != nil {
		return "", err
	}
	if l.Person != v.ID {
		return "", ErrLinkOver
	}
	var a newAddress
	err = json.Unmarshal(l.Data, &a)
	return a.Email, err
}

// ConfirmEmail puts a new address in force and tells the old one; other links that were
// mailed are void.
//
// Errors: ErrLinkOver, ErrEmailTaken.
func (s *Service) ConfirmEmail(ctx context.Context, v lms.Viewer, token, from string, now time.Time) error {
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		email, err := s.newAddress(ctx, tx, v, token, now)
		if err != nil {
			return err
		}
		if err := s.use(ctx, tx, toEmail, token, now); err != nil {
			return err
		}
		// What was mailed to the old address, or to another new one, works no more.
		if err := voidLinks(ctx, tx, v.ID, now, toReset, toEmail); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, v.Person, "email_changed"); err != nil {
			return err
		}
		if err := updateEmail(ctx, tx, v.ID, email, now); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "email_changed", Subject: v.ID, At: now, From: from})
	})
}

// ChooseLanguage is the language of the person's pages and mails from now on.
func (s *Service) ChooseLanguage(ctx context.Context, p lms.PersonID, lang string) error {
	return updateLang(ctx, s.DB, p, lang)
}

// ChooseReminders is whether a person wants reminders by text message too, from now on.
// They come to the phone that was added last, if one is confirmed.
func (s *Service) ChooseReminders(ctx context.Context, p lms.PersonID, byText bool, now time.Time) error {
	return insertReminderChoice(ctx, s.DB, p, byText, now)
}

// RemindedByText tells what a person chose last.
func (s *Service) RemindedByText(ctx context.Context, p lms.PersonID) (bool, error) {
	return selectReminderChoice(ctx, s.DB, p)
}

// phoneOf is the confirmed phone among factors that was added last, or nil.
func phoneOf(factors []Factor) (phone *Factor) {
	for i, f := range factors {
		if f.Kind == ByText && f.Confirmed && (phone == nil || f.ID > phone.ID) {
			phone = &factors[i]
		}
	}
	return phone
}
