package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// SignUp is what somebody says of themselves to get an account.
type SignUp struct {
	Given    string   `json:"given"`
	Family   string   `json:"family"`
	Email    string   `json:"email"`
	Born     lms.Date `json:"born"`
	Employer string   `json:"employer"` // "" if it was not said
	Lang     string   `json:"lang"`
}

func (u SignUp) tidy() SignUp {
	u.Given, u.Family, u.Email, u.Employer = oneLine(u.Given), oneLine(u.Family), strings.TrimSpace(u.Email), oneLine(u.Employer)
	return u
}

func (u SignUp) check(today lms.Date) error {
	form := lms.ErrForm
	if !isName(u.Given) {
		form = form.WithField("given", "given_missing")
	}
	if !isName(u.Family) {
		form = form.WithField("family", "family_missing")
	}
	if !isEmail(u.Email) {
		form = form.WithField("email", "email_form")
	}
	if !canBeBorn(u.Born, today) {
		form = form.WithField("born", "born_form")
	}
	if len(u.Employer) > 200 {
		form = form.WithField("employer", "employer_long")
	}
	if len(form.Fields) > 0 {
		return form
	}
	return nil
}

// AskSignUp mails a link that makes the account, or tells at the address that it has
// one.
//
// Errors: lms.ErrForm with its fields, ErrTooManyTries.
func (s *Service) AskSignUp(ctx context.Context, u SignUp, from string, now time.Time) error {
	u = u.tidy()
	if err := u.check(lms.DateOf(now)); err != nil {
		return err
	}
	return s.ask(ctx, request{Purpose: toSignUp, Email: u.Email, Lang: u.Lang, SignUp: u}, from, now)
}

// PendingSignUp is what a link to a new account was asked with.
//
// Errors: ErrLinkOver.
func (s *Service) PendingSignUp(ctx context.Context, token string, now time.Time) (u SignUp, err error) {
	l, err := s.peek(ctx, s.DB, toSignUp, token, now)
	if err != nil {
		return u, err
	}
	if err := json.Unmarshal(l.Data, &u); err != nil {
		return u, fmt.Errorf("sign-up: %w", err)
	}
	return u, nil
}

// ConfirmSignUp makes the account of a mailed link, with the password chosen now, and
// opens a session in which a second factor is to be set up.
//
// Errors: ErrLinkOver, lms.ErrForm with field password, ErrEmailTaken,
// lms.ErrUnavailable.
func (s *Service) ConfirmSignUp(ctx context.Context, token, password string, o Origin, now time.Time) (Opened, error) {
	u, err := s.PendingSignUp(ctx, token, now)
	if err != nil {
		return Opened{}, err
	}
	n := NewPerson{Given: u.Given, Family: u.Family, Email: u.Email, Password: password, Lang: u.Lang, Born: u.Born}
	if err := n.check(); err != nil {
		return Opened{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Opened{}, err
	}
	var opened Opened
	return opened, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := s.use(ctx, tx, toSignUp, token, now); err != nil {
			return err
		}
		p, err := s.add(ctx, tx, n, hash, now)
		if err != nil {
			return err
		}
		if err := s.findSamePerson(ctx, tx, p, now); err != nil {
			return err
		}
		if u.Employer != "" {
			if err := s.Registry.Employed(ctx, tx, lms.Employment{Person: p.ID, Employer: u.Employer, Source: "sign_up"}, now); err != nil {
				return err
			}
		}
		opened, err = s.open(ctx, tx, newSession{person: p.ID, stage: lms.Enrolling, proved: true, origin: o}, now)
		return err
	})
}
