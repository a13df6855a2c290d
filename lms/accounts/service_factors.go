package accounts

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"mopd/lms"
	"mopd/lms/mail"
)

// Factors are a person's factors, also those being set up.
func (s *Service) Factors(ctx context.Context, p lms.PersonID) ([]Factor, error) {
	return selectFactors(ctx, s.DB, p)
}

// factor finds one of the viewer's own factors.
//
// Errors: lms.ErrNotFound.
func (s *Service) factor(ctx context.Context, v lms.Viewer, id int64) (Factor, error) {
	factors, err := selectFactors(ctx, s.DB, v.ID)
	if err != nil {
		return Factor{}, err
	}
	i := slices.IndexFunc(factors, func(f Factor) bool { return f.ID == id })
	if i < 0 {
		return Factor{}, lms.ErrNotFound
	}
	return factors[i], nil
}

// SetUp is what comes of a factor that was set up.
type SetUp struct {
	Opened
	RecoveryCodes []string // to be shown this once; none if the person has some
}

// setUp adds or confirms a factor and takes the session further. The first factor
// brings the recovery codes.
func (s *Service) setUp(ctx context.Context, v lms.Viewer, o Origin, now time.Time, confirm func(pgx.Tx) (int64, error)) (SetUp, error) {
	left, err := countKeptCodes(ctx, s.DB, v.ID, v.Session)
	if err != nil {
		return SetUp{}, err
	}
	var codes, hashes []string
	if left == 0 {
		if codes, hashes, err = s.makeRecoveryCodes(ctx); err != nil {
			return SetUp{}, err
		}
	}
	done := SetUp{RecoveryCodes: codes}
	err = s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		id, err := confirm(tx)
		if err != nil {
			return err
		}
		if err := deleteReplaced(ctx, tx, v.ID, v.Session, id); err != nil {
			return err
		}
		// A password alone let them in: from now on it takes a second factor.
		if err := deleteEnrolling(ctx, tx, v.ID, v.Session, now); err != nil {
			return err
		}
		if done.Opened, err = s.advance(ctx, tx, v, lms.SignedIn, o, now); err != nil {
			return err
		}
		if err := s.know(ctx, tx, v, Proof{Origin: o}, &done.Opened, now); err != nil {
			return err
		}
		if left == 0 {
			if err := replaceRecoveryCodes(ctx, tx, v.ID, hashes, now); err != nil {
				return err
			}
		}
		if err := s.tell(ctx, tx, v.Person, "factor_added"); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "factor_added", Subject: v.ID, Object: fmt.Sprintf("factor/%d", id), At: now, From: o.From})
	})
	return done, err
}

// BeginAuthenticator makes a secret for an authenticator app; a former one that was
// not confirmed is void.
func (s *Service) BeginAuthenticator(ctx context.Context, v lms.Viewer, o Origin, now time.Time) (id int64, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: s.Words.Text("en", "site.name"), AccountName: v.Email, SecretSize: 20})
	if err != nil {
		return 0, fmt.Errorf("make an authenticator secret: %w", err)
	}
	return id, s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := deleteUnconfirmed(ctx, tx, v.ID, Authenticator); err != nil {
			return err
		}
		id, err = s.insertAuthenticator(ctx, tx, v.ID, key.Secret(), "", now) // the app is on another device
		return err
	})
}

func (s *Service) insertAuthenticator(ctx context.Context, tx pgx.Tx, p lms.PersonID, secret, label string, now time.Time) (int64, error) {
	id, err := insertAuthenticator(ctx, tx, p, label, now)
	if err != nil {
		return 0, err
	}
	return id, updateSecret(ctx, tx, id, s.Keys.Seal([]byte(secret), secretContext(id)))
}

// Equip gives a person a second factor without asking them, for accounts that a
// deployment makes: an authenticator app that holds the secret (base 32) already, or,
// without one, codes by e-mail. Who has a factor keeps it.
func (s *Service) Equip(ctx context.Context, p lms.PersonID, secret string, now time.Time) error {
	return s.forPerson(ctx, p, func(tx pgx.Tx) error {
		factors, err := selectFactors(ctx, tx, p)
		if err != nil || len(factors) > 0 {
			return err
		}
		if secret == "" {
			_, err = insertEmailFactor(ctx, tx, p, now)
			return err
		}
		id, err := s.insertAuthenticator(ctx, tx, p, secret, "", now)
		if err != nil {
			return err
		}
		return confirmFactor(ctx, tx, id, now)
	})
}

// Reseal seals the secrets of authenticator apps anew that another key than the first
// one sealed, and tells how many there were. A secret that changes meanwhile is sealed
// by the first key anyway.
func (s *Service) Reseal(ctx context.Context) (n int, err error) {
	for after := int64(0); ; {
		batch, err := selectSecrets(ctx, s.DB, after)
		if err != nil || len(batch) == 0 {
			return n, err
		}
		for _, f := range batch {
			after = f.ID
			if !s.Keys.NeedsReseal(f.Secret) {
				continue
			}
			secret, err := s.Keys.Open(f.Secret, secretContext(f.ID))
			if err != nil {
				return n, fmt.Errorf("secret of factor %d: %w", f.ID, err)
			}
			if err := replaceSecret(ctx, s.DB, f.ID, f.Secret, s.Keys.Seal(secret, secretContext(f.ID))); err != nil {
				return n, err
			}
			n++
		}
	}
}

// AuthenticatorKey is the key that an authenticator app reads from the QR code, while
// it is being set up.
//
// Errors: lms.ErrNotFound.
func (s *Service) AuthenticatorKey(ctx context.Context, v lms.Viewer, id int64) (*otp.Key, error) {
	f, err := s.factor(ctx, v, id)
	if err != nil {
		return nil, err
	}
	if f.Kind != Authenticator || f.Confirmed {
		return nil, lms.ErrNotFound
	}
	sealed, err := selectSecret(ctx, s.DB, id)
	if err != nil {
		return nil, err
	}
	secret, err := s.Keys.Open(sealed, secretContext(id))
	if err != nil {
		return nil, fmt.Errorf("secret of factor %d: %w", id, err)
	}
	return authenticatorKey(s.Words.Text(v.Lang, "site.name"), v.Email, string(secret))
}

func authenticatorKey(issuer, account, secret string) (*otp.Key, error) {
	raw, err := base32NoPad.DecodeString(secret)
	if err != nil {
		return nil, fmt.Errorf("authenticator secret: %w", err)
	}
	return totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: raw})
}

// BeginText sends a code to a phone number, to be sure that it is the person's.
//
// Errors: lms.ErrForm with field phone, ErrTooManyTries, lms.ErrNotFound where text
// messages are not offered.
func (s *Service) BeginText(ctx context.Context, v lms.Viewer, written string, o Origin, now time.Time) (id int64, err error) {
	if !s.offered(v.Person, ByText) {
		return 0, lms.ErrNotFound
	}
	phone, ok := phoneNumber(written)
	if !ok {
		return 0, lms.ErrForm.WithField("phone", "phone_form")
	}
	err = take(ctx, s.DB, now, bucket{"texts to a number", []string{phone}, perSending}, bucket{"texts from a network", []string{networkOf(o.From)}, perTexts})
	if err != nil {
		return 0, err
	}
	return id, s.send(ctx, v, "phone", now, func(tx pgx.Tx, code string) error {
		if err := deleteUnconfirmed(ctx, tx, v.ID, ByText); err != nil {
			return err
		}
		if id, err = insertPhone(ctx, tx, v.ID, phone, agentName(o.Agent), now); err != nil {
			return err
		}
		return s.Mail.PostText(ctx, tx, mail.Text{To: phone, Body: s.Words.Text(v.Lang, "mail.code.text", "Code", code)})
	})
}

// ConfirmFactor ends the setting up of an authenticator app or a phone number by a
// code of it.
//
// Errors: lms.ErrNotFound, ErrWrongCode, ErrTooManyTries.
func (s *Service) ConfirmFactor(ctx context.Context, v lms.Viewer, id int64, code string, o Origin, now time.Time) (SetUp, error) {
	f, err := s.factor(ctx, v, id)
	if err != nil {
		return SetUp{}, err
	}
	if f.Confirmed {
		return SetUp{}, ErrFactorExists
	}
	if err := take(ctx, s.DB, now, bucket{"factor set up", []string{fmt.Sprint(v.ID)}, pace{free: 10, base: 2 * time.Second, most: time.Minute, forget: time.Hour}}); err != nil {
		return SetUp{}, err
	}
	var use func(pgx.Tx) error
	if f.Kind == Authenticator {
		use, err = s.checkAuthenticator(ctx, id, code, now)
	} else {
		use, err = s.checkSent(ctx, v, "phone", code, now)
	}
	if err != nil {
		return SetUp{}, err
	}
	return s.setUp(ctx, v, o, now, func(tx pgx.Tx) (int64, error) {
		if err := use(tx); err != nil {
			return 0, err
		}
		return id, confirmFactor(ctx, tx, id, now)
	})
}

// AddEmail lets a caregiver get codes at their address, which was confirmed when they
// signed up.
//
// Errors: lms.ErrNotFound where that is not offered, ErrFactorExists.
func (s *Service) AddEmail(ctx context.Context, v lms.Viewer, o Origin, now time.Time) (SetUp, error) {
	if !s.offered(v.Person, ByEmail) {
		return SetUp{}, lms.ErrNotFound
	}
	return s.setUp(ctx, v, o, now, func(tx pgx.Tx) (int64, error) { return insertEmailFactor(ctx, tx, v.ID, now) })
}

// RemoveFactor removes one of the viewer's factors.
//
// Errors: lms.ErrNotFound, ErrLastFactor.
func (s *Service) RemoveFactor(ctx context.Context, v lms.Viewer, id int64, from string, now time.Time) error {
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		factors, err := selectFactors(ctx, tx, v.ID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(factors, func(f Factor) bool { return f.ID == id }) {
			return lms.ErrNotFound
		}
		if err := s.canRemove(v.Person, factors, id); err != nil {
			return err
		}
		if err := deleteFactor(ctx, tx, v.ID, id); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, v.Person, "factor_removed"); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "factor_removed", Subject: v.ID, Object: fmt.Sprintf("factor/%d", id), At: now, From: from})
	})
}

// NewRecoveryCodes replaces the viewer's recovery codes; they are to be shown this
// once.
func (s *Service) NewRecoveryCodes(ctx context.Context, v lms.Viewer, from string, now time.Time) ([]string, error) {
	if err := take(ctx, s.DB, now, bucket{"recovery codes made", []string{fmt.Sprint(v.ID)}, perSending}); err != nil {
		return nil, err
	}
	codes, hashes, err := s.makeRecoveryCodes(ctx)
	if err != nil {
		return nil, err
	}
	return codes, s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := touch(ctx, tx, v.Session, now); err != nil { // it may have been ended meanwhile
			return err
		}
		if err := replaceRecoveryCodes(ctx, tx, v.ID, hashes, now); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, v.Person, "recovery_codes_made"); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "recovery_codes_made", Subject: v.ID, At: now, From: from})
	})
}

// RecoveryCodesLeft is how many of the person's recovery codes are not used yet.
func (s *Service) RecoveryCodesLeft(ctx context.Context, p lms.PersonID) (int, error) {
	return countRecoveryCodes(ctx, s.DB, p)
}

// recoveryAlphabet has no letter that looks like another or like a digit (Crockford's
// base 32): 12 of them are 60 bits.
const recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// makeRecoveryCodes makes a set of codes with their hashes under one salt, so that a
// code is looked for by a single derivation.
func (s *Service) makeRecoveryCodes(ctx context.Context) (codes, hashes []string, err error) {
	salt := newSalt()
	for range codesPerSet {
		b := make([]byte, 12)
		rand.Read(b)
		for i := range b {
			b[i] = recoveryAlphabet[b[i]%32]
		}
		code := string(b)
		hash, err := s.hasher.hashWith(ctx, code, salt)
		if err != nil {
			return nil, nil, err
		}
		codes, hashes = append(codes, strings.Join([]string{code[:4], code[4:8], code[8:]}, "-")), append(hashes, hash)
	}
	return codes, hashes, nil
}

func (s *Service) checkRecoveryCode(ctx context.Context, p lms.PersonID, code string, now time.Time) (func(pgx.Tx) error, error) {
	hashes, err := selectRecoveryCodes(ctx, s.DB, p)
	if err != nil {
		return nil, err
	}
	match, err := s.hasher.find(ctx, hashes, recoveryForm(code))
	if err != nil {
		return nil, err
	}
	if match == "" {
		return nil, ErrWrongCode
	}
	return func(tx pgx.Tx) error {
		used, err := useRecoveryCode(ctx, tx, p, match, now)
		if err == nil && !used {
			return ErrWrongCode
		}
		if err != nil {
			return err
		}
		person, err := selectPerson(ctx, tx, p)
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, person, "recovery_code_used")
	}, nil
}
