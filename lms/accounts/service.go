package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of this feature.
var (
	ErrWrongPassword = lms.NewError(lms.Unauthenticated, "wrong_password") // or no such account: the answer does not tell
	ErrWrongCode     = lms.NewError(lms.Invalid, "wrong_code")             // or used, or too old
	ErrWrongPasskey  = lms.NewError(lms.Invalid, "wrong_passkey")
	ErrLinkOver      = lms.NewError(lms.NotFound, "link_over") // used, too old, or none of ours
	ErrEmailTaken    = lms.NewError(lms.Conflict, "email_taken")
	ErrLastFactor    = lms.NewError(lms.Conflict, "last_factor")
	ErrFactorExists  = lms.NewError(lms.Conflict, "factor_exists")
	ErrLastAdmin     = lms.NewError(lms.Conflict, "last_administrator")
)

var guards = pg.Guards{
	"logins_email_key":            ErrEmailTaken,
	"factors_keep_one":            ErrLastFactor,
	"factors_one_email":           ErrFactorExists,
	"factors_credential_key":      ErrFactorExists,
	"roles_keep_an_administrator": ErrLastAdmin,
	"factors_one_being_set_up":    ErrFactorExists,
	"merges_pkey":                 ErrMergedBefore,
	"merges_into_who_stays":       ErrMergedBefore,
	"merges_not_into_itself":      ErrMergeItself,
	"worklist_one_open_recovery":  ErrAskedBefore,
	"recoveries_one_open":         ErrAskedBefore,

	"sessions_not_disabled":            ErrDisabled,
	"disablings_pkey":                  ErrAccessChanged,
	"disablings_not_oneself":           ErrOwnAccount,
	"disablings_keep_an_administrator": ErrLastAdmin,
}

// NewPerson is what an account is made from.
type NewPerson struct {
	Given, Family, Email, Password, Lang string
	Born                                 lms.Date
	Roles                                []lms.Role
}

func (n NewPerson) check() error {
	form := lms.ErrForm
	if !isName(n.Given) || !isName(n.Family) {
		form = form.WithField("name", "name_missing")
	}
	if !isEmail(n.Email) {
		form = form.WithField("email", "email_form")
	}
	if code := checkPassword(n.Password, n.about()...); code != "" {
		form = form.WithField("password", code)
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

// about is what a password may not consist of.
func (n NewPerson) about() []string { return aboutPerson(n.Given, n.Family, n.Email, n.Born) }

func aboutPerson(given, family, email string, born lms.Date) []string {
	about := []string{given, family, given + family, email}
	if !born.IsZero() {
		about = append(about, strings.ReplaceAll(born.String(), "-", ""), fmt.Sprintf("%02d%02d%d", born.Month, born.Day, born.Year))
	}
	return about
}

// Add makes a person with a MOPD ID and a login, who confirms the address by a code and
// sets up a second factor when they sign in first.
//
// Errors: lms.ErrForm with fields name, email, password or roles; ErrEmailTaken.
func (s *Service) Add(ctx context.Context, n NewPerson, now time.Time) (lms.Person, error) {
	if err := n.check(); err != nil {
		return lms.Person{}, err
	}
	hash, err := s.hasher.hash(ctx, n.Password)
	if err != nil {
		return lms.Person{}, err
	}
	var person lms.Person
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		person, err = s.add(ctx, tx, n, hash, now)
		return err
	})
	return person, err
}

func (s *Service) add(ctx context.Context, tx pgx.Tx, n NewPerson, hash string, now time.Time) (lms.Person, error) {
	id, err := insertPerson(ctx, tx, n, now)
	if err != nil {
		return lms.Person{}, err
	}
	if err := insertLogin(ctx, tx, id, n.Email, hash, now); err != nil {
		return lms.Person{}, guards.Explain(err)
	}
	if err := s.giveMOPDID(ctx, tx, id, now); err != nil {
		return lms.Person{}, err
	}
	if err := insertAudit(ctx, tx, lms.AuditEntry{Action: "account_added", Subject: id, At: now}); err != nil {
		return lms.Person{}, err
	}
	return selectPerson(ctx, tx, id)
}

// giveMOPDID draws free numbers until one is the person's.
func (s *Service) giveMOPDID(ctx context.Context, tx pgx.Tx, id lms.PersonID, now time.Time) error {
	least := int64(100_000)
	most := least * 10
	for range s.MOPDDigits - 6 {
		least, most = most, most*10
	}
	for range 50 {
		n, err := rand.Int(rand.Reader, big.NewInt(most-least))
		if err != nil {
			return fmt.Errorf("draw MOPD ID: %w", err)
		}
		given, err := insertMOPDID(ctx, tx, id, lms.MOPDID(least+n.Int64()), now)
		if given || err != nil {
			return err
		}
	}
	return errors.New("no free MOPD ID found in 50 draws")
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

// Origin is where a request came from.
type Origin struct {
	From     string // network address
	Agent    string // what the browser calls itself
	Computer string // token by which the browser is known again; "" if it is not
}

func newToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
