package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// Refusals of this feature.
var (
	ErrWrongPassword = lms.NewError(lms.Unauthenticated, "wrong_password") // or no such account: the answer does not tell
	ErrEmailTaken    = lms.NewError(lms.Conflict, "email_taken")
)

// How long a session lives: Idle without a request, Longest in any case.
const (
	Idle    = 30 * time.Minute
	Longest = 12 * time.Hour
)

// MinPassword is the least number of characters of a password.
const MinPassword = 8

var guards = pg.Guards{"logins_email_key": ErrEmailTaken}

// NewPerson is what an account is made from.
type NewPerson struct {
	Given, Family, Email, Password, Lang string
	Roles                                []lms.Role
}

func (n NewPerson) check() error {
	form := lms.ErrForm
	if !isName(n.Given) || !isName(n.Family) {
		form = form.WithField("name", "name_missing")
	}
	if a, err := mail.ParseAddress(n.Email); err != nil || a.Address != n.Email || len(n.Email) > 254 {
		form = form.WithField("email", "email_form")
	}
	if utf8.RuneCountInString(n.Password) < MinPassword {
		form = form.WithField("password", "password_short")
	}
	for _, r := range n.Roles {
		if !slices.Contains(lms.Roles, r) {
			form = form.WithField("roles", "role_unknown")
		}
	}
	if len(form.Fields) > 0 {
		return form
	}
	return nil
}

func isName(s string) bool {
	n := utf8.RuneCountInString(strings.TrimSpace(s))
	return 1 <= n && n <= 100
}

// Add makes a person with a MOPD ID and a login.
//
// Errors: lms.ErrForm with fields name, email, password or roles; ErrEmailTaken.
func (s *Service) Add(ctx context.Context, n NewPerson, now time.Time) (lms.Person, error) {
	if err := n.check(); err != nil {
		return lms.Person{}, err
	}
	hash := hashPassword(n.Password)
	var person lms.Person
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		id, err := insertPerson(ctx, tx, n, hash, now)
		if err != nil {
			return guards.Explain(err)
		}
		if err := giveMOPDID(ctx, tx, id, now); err != nil {
			return err
		}
		if err := insertAudit(ctx, tx, lms.AuditEntry{Action: "account added", Subject: id, At: now}); err != nil {
			return err
		}
		person, err = selectPerson(ctx, tx, id)
		return err
	})
	return person, err
}

// giveMOPDID draws free six-digit numbers until one is the person's.
func giveMOPDID(ctx context.Context, tx pgx.Tx, id lms.PersonID, now time.Time) error {
	for range 50 {
		n, err := rand.Int(rand.Reader, big.NewInt(900_000))
		if err != nil {
			return fmt.Errorf("draw MOPD ID: %w", err)
		}
		given, err := insertMOPDID(ctx, tx, id, lms.MOPDID(100_000+n.Int64()), now)
		if given || err != nil {
			return err
		}
	}
	return errors.New("no free MOPD ID found in 50 draws")
}

// Credentials are what somebody signs in with.
type Credentials struct {
	Email, Password string
	Former          string // token of the session that the browser had; "" if none
	From            string // network address
}

// SignIn opens a session and answers its token; the browser's former session ends.
// Whether the account is unknown or the password wrong costs the same work and reads
// the same.
//
// Errors: ErrWrongPassword.
func (s *Service) SignIn(ctx context.Context, c Credentials, now time.Time) (token string, err error) {
	id, hash, err := selectLogin(ctx, s.DB, strings.TrimSpace(c.Email))
	unknown := errors.Is(err, lms.ErrNotFound)
	if err != nil && !unknown {
		return "", err
	}
	if unknown {
		hash = decoy
	}
	right, err := verifyPassword(hash, c.Password)
	if err != nil {
		return "", err
	}
	if unknown || !right {
		return "", s.refuse(ctx, id, c.From, now)
	}
	if err := s.endFormer(ctx, c, now); err != nil {
		return "", err
	}
	token = newToken()
	return token, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := deleteOverSessions(ctx, tx, id, now.Add(-Idle), now.Add(-Longest)); err != nil {
			return err
		}
		if err := insertSession(ctx, tx, web.HashToken(token), id, now); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: id, Action: "signed in", Subject: id, At: now, From: c.From})
	})
}

// refuse writes the failed try down; id is 0 for an unknown account.
func (s *Service) refuse(ctx context.Context, id lms.PersonID, from string, now time.Time) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		return insertAudit(ctx, tx, lms.AuditEntry{Action: "sign-in refused", Subject: id, At: now, From: from})
	})
	if err != nil {
		return err
	}
	return ErrWrongPassword
}

func (s *Service) endFormer(ctx context.Context, c Credentials, now time.Time) error {
	if c.Former == "" {
		return nil
	}
	former, err := s.Viewer(ctx, c.Former, now)
	if errors.Is(err, lms.ErrUnauthenticated) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.SignOut(ctx, former.ID, c.Former, c.From, now)
}

// Viewer is the person signed in under a token, whose session it keeps alive.
//
// Errors: lms.ErrUnauthenticated.
func (s *Service) Viewer(ctx context.Context, token string, now time.Time) (lms.Person, error) {
	p, seen, err := selectViewer(ctx, s.DB, web.HashToken(token), now.Add(-Idle), now.Add(-Longest))
	if errors.Is(err, lms.ErrNotFound) {
		return p, lms.ErrUnauthenticated.Because(err)
	}
	if err == nil && now.Sub(seen) > time.Minute {
		err = touch(ctx, s.DB, web.HashToken(token), now)
	}
	return p, err
}

// Touch keeps a session alive while its course plays; tokenHash is the SHA-256 of
// its token. A session that is over does not come back to life.
//
// Errors: lms.ErrUnauthenticated.
func (s *Service) Touch(ctx context.Context, tx pgx.Tx, tokenHash []byte, now time.Time) error {
	return touch(ctx, tx, tokenHash, now)
}

func touch(ctx context.Context, db pg.Querier, tokenHash []byte, now time.Time) error {
	lives, err := touchSession(ctx, db, tokenHash, now, now.Add(-Idle), now.Add(-Longest))
	if err == nil && !lives {
		return lms.ErrUnauthenticated
	}
	return err
}

// SignOut ends a session, and the person's player wherever it runs.
func (s *Service) SignOut(ctx context.Context, p lms.PersonID, token, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, p); err != nil {
			return err
		}
		if err := s.Player.Fence(ctx, tx, p); err != nil {
			return err
		}
		if err := deleteSession(ctx, tx, web.HashToken(token)); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: p, Action: "signed out", Subject: p, At: now, From: from})
	})
}

// Person finds a person.
//
// Errors: lms.ErrNotFound.
func (s *Service) Person(ctx context.Context, tx pgx.Tx, id lms.PersonID) (lms.Person, error) {
	return selectPerson(ctx, tx, id)
}

// Audit writes a line of the audit trail in the caller's transaction.
func (s *Service) Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	return insertAudit(ctx, tx, e)
}

func newToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
