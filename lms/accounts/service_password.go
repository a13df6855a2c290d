package accounts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

// AskReset mails a link to a new password, if there is such an account.
//
// Errors: lms.ErrForm with field email, ErrTooManyTries.
func (s *Service) AskReset(ctx context.Context, email, lang, from string, now time.Time) error {
	email = strings.TrimSpace(email)
	if !isEmail(email) {
		return lms.ErrForm.WithField("email", "email_form")
	}
	return s.ask(ctx, request{Purpose: toReset, Email: email, Lang: lang}, from, now)
}

// CheckReset tells whether a link to a new password still works.
//
// Errors: ErrLinkOver.
func (s *Service) CheckReset(ctx context.Context, token string, now time.Time) error {
	_, err := s.peek(ctx, s.DB, toReset, token, now)
	return err
}

// Reset uses a mailed link up to choose a new password, which is in force as soon as
// the second factor is given in the session that it opens. Who has none yet sets one
// up there.
//
// Errors: ErrLinkOver, lms.ErrForm with field password, ErrDisabled, lms.ErrUnavailable.
func (s *Service) Reset(ctx context.Context, token, password string, o Origin, now time.Time) (Opened, error) {
	l, err := s.peek(ctx, s.DB, toReset, token, now)
	if err != nil {
		return Opened{}, err
	}
	p, err := selectPerson(ctx, s.DB, l.Person)
	if err != nil {
		return Opened{}, err
	}
	if code := checkPassword(password, aboutPerson(p.Given, p.Family, p.Email, p.Born)...); code != "" {
		return Opened{}, lms.ErrForm.WithField("password", code)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Opened{}, err
	}
	var opened Opened
	return opened, s.forPerson(ctx, p.ID, func(tx pgx.Tx) error {
		if err := s.use(ctx, tx, toReset, token, now); err != nil {
			return err
		}
		factors, err := selectFactors(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		n := newSession{person: p.ID, stage: lms.Identified, newPassword: hash, origin: o}
		if !hasFactor(factors) { // the mail was the proof
			n.stage, n.proved = lms.Enrolling, true
		}
		opened, err = s.open(ctx, tx, n, now)
		return err
	})
}

// ChangePassword changes the viewer's password and ends their other sessions.
//
// Errors: lms.ErrForm with fields current or password, ErrTooManyTries,
// lms.ErrUnavailable.
func (s *Service) ChangePassword(ctx context.Context, v lms.Viewer, current, password, from string, now time.Time) error {
	old, err := selectPasswordHash(ctx, s.DB, v.ID)
	if err != nil {
		return err
	}
	if err := take(ctx, s.DB, now, bucket{"password change", []string{fmt.Sprint(v.ID)}, perFactor}); err != nil {
		return err
	}
	right, err := s.hasher.verify(ctx, old, current)
	if err != nil {
		return err
	}
	if !right {
		return lms.ErrForm.WithField("current", "wrong_current_password")
	}
	if code := checkPassword(password, aboutPerson(v.Given, v.Family, v.Email, v.Born)...); code != "" {
		return lms.ErrForm.WithField("password", code)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := isStill(ctx, tx, v.ID, old); err != nil {
			return lms.ErrForm.WithField("current", "wrong_current_password").Because(err)
		}
		if err := forgive(ctx, tx, bucket{"password change", []string{fmt.Sprint(v.ID)}, perFactor}); err != nil {
			return err
		}
		return s.putInForce(ctx, tx, v.Person, hash, v.Session, from, now)
	})
}

// putInForce makes a password the person's. Every session but one ends, links that
// were mailed are void, and guesses are forgotten.
func (s *Service) putInForce(ctx context.Context, tx pgx.Tx, p lms.Person, hash string, keep lms.SessionID, from string, now time.Time) error {
	if err := updatePassword(ctx, tx, p.ID, hash); err != nil {
		return err
	}
	if err := s.endSessions(ctx, tx, p.ID, keep, EndedPassword, now); err != nil {
		return err
	}
	if err := voidLinks(ctx, tx, p.ID, now, toReset, toEmail); err != nil {
		return err
	}
	if err := forgetFactors(ctx, tx, p.ID); err != nil {
		return err
	}
	computers, err := selectComputers(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	if err := forgive(ctx, tx, atPerson(p, from, computers)...); err != nil {
		return err
	}
	if err := s.tell(ctx, tx, p, "password_changed"); err != nil {
		return err
	}
	return insertAudit(ctx, tx, lms.AuditEntry{Actor: p.ID, Action: "password_changed", Subject: p.ID, At: now, From: from})
}
