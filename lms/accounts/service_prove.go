package accounts

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"mopd/lms"
	"mopd/lms/mail"
	"mopd/lms/web"
)

// Proof is a second factor as somebody gives it.
type Proof struct {
	Factor   int64           // 0: Code is a recovery code
	Code     string          // of an authenticator app, or one that was sent
	Passkey  json.RawMessage // what the browser answers for a passkey
	Remember bool            // this computer, for a while
	Origin
}

// afterReset is where guesses count in a session that a mailed link to a new password
// opened: who reads somebody's mail gets few, and who knows their old password cannot
// keep them from choosing another.
const afterReset = "after a reset"

// guesses is the count that a proof adds to.
func (s *Service) guesses(ctx context.Context, v lms.Viewer, p Proof) (bucket, error) {
	computer := web.HashToken(p.Computer)
	where, err := selectProver(ctx, s.DB, v.ID, v.Session, computer)
	switch {
	case err != nil:
		return bucket{}, err
	case where.Resets:
		return atFactor(v.ID, afterReset), nil
	case where.Known:
		return atFactor(v.ID, string(computer)), nil
	default:
		return atFactor(v.ID), nil
	}
}

func atFactor(p lms.PersonID, where ...string) bucket {
	return bucket{"second factor", append([]string{strconv.FormatInt(int64(p), 10)}, where...), perFactor}
}

// mailbox is the way of who has no factor yet: a code at the address that they signed up
// with. It leads no further than to setting one up.
var mailbox = Factor{ID: -1, Kind: ByEmail, Confirmed: true}

// Ways are the factors with which a viewer can go on, best first. Who has only weaker
// ones than they need begins with these, and sets up a better one next; but not after a
// reset, since whoever reads the mail would need nothing else.
func (s *Service) Ways(ctx context.Context, v lms.Viewer) ([]Factor, error) {
	factors, err := selectFactors(ctx, s.DB, v.ID)
	if err != nil {
		return nil, err
	}
	if ways := s.usable(v.Person, factors); len(ways) > 0 {
		return ways, nil
	}
	if !hasFactor(factors) {
		return []Factor{mailbox}, nil
	}
	where, err := selectProver(ctx, s.DB, v.ID, v.Session, nil)
	if err != nil || where.Resets {
		return nil, err
	}
	return slices.DeleteFunc(factors, func(f Factor) bool { return !f.Confirmed }), nil
}

// Resets tells whether a new password waits in the viewer's session for the second
// factor.
func (s *Service) Resets(ctx context.Context, v lms.Viewer) (bool, error) {
	where, err := selectProver(ctx, s.DB, v.ID, v.Session, nil)
	return where.Resets, err
}

// Prove takes a session further by a second factor: it is signed in from now on, or
// is proved anew. The token changes.
//
// Errors: ErrWrongCode, ErrWrongPasskey, ErrTooManyTries, ErrResetRequired,
// lms.ErrUnavailable.
func (s *Service) Prove(ctx context.Context, v lms.Viewer, p Proof, now time.Time) (Opened, error) {
	guesses, err := s.guesses(ctx, v, p)
	if err != nil {
		return Opened{}, err
	}
	if err := take(ctx, s.DB, now, guesses); err != nil {
		return Opened{}, err
	}
	check, err := s.checkProof(ctx, v, p, now)
	if err != nil {
		return Opened{}, s.refuseProof(ctx, v, p, err, now)
	}
	var opened Opened
	err = s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := check(tx); err != nil {
			return err
		}
		if err := forgive(ctx, tx, guesses); err != nil {
			return err
		}
		if err := s.stopRecovery(ctx, tx, v.ID, p.From, now); err != nil {
			return err
		}
		factors, err := selectFactors(ctx, tx, v.ID)
		if err != nil {
			return err
		}
		stage := lms.SignedIn
		if len(s.usable(v.Person, factors)) == 0 {
			stage = lms.Enrolling
		}
		if opened, err = s.advance(ctx, tx, v, stage, p.Origin, now); err != nil {
			return err
		}
		return s.know(ctx, tx, v, p, &opened, now)
	})
	if err != nil {
		return Opened{}, s.refuseProof(ctx, v, p, err, now)
	}
	return opened, nil
}

func (s *Service) refuseProof(ctx context.Context, v lms.Viewer, p Proof, err error, now time.Time) error {
	if !errors.Is(err, ErrWrongCode) && !errors.Is(err, ErrWrongPasskey) {
		return err
	}
	return s.refuse(ctx, err, lms.AuditEntry{Action: "second_factor_refused", Subject: v.ID, At: now, From: p.From})
}

// advance takes a session to a stage under a fresh token. A password that waited for
// the second factor is in force from now on, and every other session ends.
func (s *Service) advance(ctx context.Context, tx pgx.Tx, v lms.Viewer, stage lms.Stage, o Origin, now time.Time) (Opened, error) {
	token := newToken()
	newPassword, err := advanceSession(ctx, tx, v.Session, web.HashToken(token), stage, now)
	if errors.Is(err, lms.ErrNotFound) {
		return Opened{}, lms.ErrUnauthenticated.Because(err)
	}
	if err != nil {
		return Opened{}, err
	}
	if newPassword != "" {
		if err := s.putInForce(ctx, tx, v.Person, newPassword, v.Session, o.From, now); err != nil {
			return Opened{}, err
		}
	}
	action := "proved"
	if v.Stage != lms.SignedIn && stage == lms.SignedIn {
		action = "signed_in"
	}
	return Opened{Token: token, Stage: stage}, insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: action, Subject: v.ID, At: now, From: o.From})
}

// know makes the browser one in which the person signed in before. A token by which it
// was not known for them is replaced, since somebody else may have put it there; for
// whom it was known, the browser is so by the new one.
func (s *Service) know(ctx context.Context, tx pgx.Tx, v lms.Viewer, p Proof, opened *Opened, now time.Time) error {
	token := p.Computer
	known, err := isKnown(ctx, tx, v.ID, web.HashToken(token))
	if err != nil {
		return err
	}
	if !known {
		token = newToken()
		opened.Computer = token
		if err := updateComputer(ctx, tx, web.HashToken(p.Computer), web.HashToken(token)); err != nil {
			return err
		}
	}
	var until *time.Time
	if p.Remember && !v.Staff() {
		until = new(now.Add(rememberFor))
	}
	return upsertComputer(ctx, tx, web.HashToken(token), v.ID, until, now)
}

// checkProof looks at a proof outside of any transaction, since hashing takes its
// time, and answers with what is left to do inside one: to use it up.
func (s *Service) checkProof(ctx context.Context, v lms.Viewer, p Proof, now time.Time) (use func(pgx.Tx) error, err error) {
	if p.Factor == 0 {
		return s.checkRecoveryCode(ctx, v.ID, p.Code, now)
	}
	ways, err := s.Ways(ctx, v)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(ways, func(f Factor) bool { return f.ID == p.Factor })
	if i < 0 {
		return nil, ErrWrongCode
	}
	switch f := ways[i]; f.Kind {
	case Authenticator:
		return s.checkAuthenticator(ctx, f.ID, p.Code, now)
	case Passkey:
		return s.checkPasskey(ctx, v, p.Passkey, now)
	default:
		check, err := s.checkSent(ctx, v, string(f.Kind), p.Code, now)
		return func(tx pgx.Tx) error {
			if err := check(tx); err != nil {
				return err
			}
			return touchFactor(ctx, tx, f.ID, now)
		}, err
	}
}

// checkAuthenticator finds the time step of a code, RFC 6238 §5.2: each step counts
// once, and none before one that was used.
func (s *Service) checkAuthenticator(ctx context.Context, factor int64, code string, now time.Time) (func(pgx.Tx) error, error) {
	sealed, err := selectSecret(ctx, s.DB, factor)
	if err != nil {
		return nil, err
	}
	secret, err := s.Keys.Open(sealed, secretContext(factor))
	if err != nil {
		return nil, fmt.Errorf("secret of factor %d: %w", factor, err)
	}
	step, ok := stepOf(digits(code), string(secret), now)
	if !ok {
		return nil, ErrWrongCode
	}
	return func(tx pgx.Tx) error {
		used, err := useStep(ctx, tx, factor, step, now)
		if err == nil && !used {
			return ErrWrongCode
		}
		return err
	}, nil
}

func secretContext(factor int64) string { return fmt.Sprintf("authenticator/%d", factor) }

// stepOf is the time step whose code it is, of those that count at an instant.
func stepOf(code, secret string, now time.Time) (int64, bool) {
	for skew := -totpSkew; skew <= totpSkew; skew++ {
		at := now.Add(time.Duration(skew*totpPeriod) * time.Second)
		right, err := totp.ValidateCustom(code, secret, at, totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix})
		if err == nil && right {
			return at.Unix() / totpPeriod, true
		}
	}
	return 0, false
}

// SendCode sends a fresh code by e-mail or text message; an older one is void.
//
// Errors: lms.ErrNotFound, ErrTooManyTries.
func (s *Service) SendCode(ctx context.Context, v lms.Viewer, factor int64, lang string, now time.Time) error {
	ways, err := s.Ways(ctx, v)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(ways, func(f Factor) bool { return f.ID == factor })
	if i < 0 || ways[i].Kind.Strong() {
		return lms.ErrNotFound
	}
	f := ways[i]
	return s.send(ctx, v, string(f.Kind), now, func(tx pgx.Tx, code string) error {
		if f.Kind == ByText {
			return s.Mail.PostText(ctx, tx, mail.Text{To: f.Phone, Body: s.Words.Text(lang, "mail.code.text", "Code", code)})
		}
		return s.Mail.Post(ctx, tx, s.codeLetter(v.Email, lang, code))
	})
}

// send makes a code for a purpose and hands it to post, in one transaction.
func (s *Service) send(ctx context.Context, v lms.Viewer, purpose string, now time.Time, post func(tx pgx.Tx, code string) error) error {
	if err := take(ctx, s.DB, now, bucket{"code sent", []string{strconv.FormatInt(int64(v.ID), 10)}, perSending}); err != nil {
		return err
	}
	code, err := newCode()
	if err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, code)
	if err != nil {
		return err
	}
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := upsertCode(ctx, tx, v, purpose, hash, now); err != nil {
			return err
		}
		return post(tx, code)
	})
}

// newCode is six random digits.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("draw a code: %w", err)
	}
	return fmt.Sprintf("%06d", n.Int64()), nil
}

// checkSent looks at a code that was sent. Each try is counted before it is looked at.
func (s *Service) checkSent(ctx context.Context, v lms.Viewer, purpose, code string, now time.Time) (func(pgx.Tx) error, error) {
	hash, err := countCodeTry(ctx, s.DB, v, purpose, codeTries, now.Add(-codeLife))
	if errors.Is(err, lms.ErrNotFound) {
		return nil, ErrWrongCode.Because(err)
	}
	if err != nil {
		return nil, err
	}
	right, err := s.hasher.verify(ctx, hash, digits(code))
	if err != nil {
		return nil, err
	}
	if !right {
		return nil, ErrWrongCode
	}
	return func(tx pgx.Tx) error {
		used, err := deleteCode(ctx, tx, v, purpose, hash)
		if err == nil && !used {
			return ErrWrongCode
		}
		return err
	}, nil
}

// PasskeyRequest asks the browser for one of the viewer's passkeys; the challenge is
// for one answer.
//
// Errors: lms.ErrNotFound when they have none.
func (s *Service) PasskeyRequest(ctx context.Context, v lms.Viewer, now time.Time) (*protocol.CredentialAssertion, error) {
	user, err := s.passkeyUser(ctx, v.Person)
	if err != nil {
		return nil, err
	}
	if len(user.credentials) == 0 {
		return nil, lms.ErrNotFound
	}
	options, challenge, err := s.passkeys.BeginLogin(user, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return options, s.keepChallenge(ctx, v, challenge, now)
}

func (s *Service) checkPasskey(ctx context.Context, v lms.Viewer, answer []byte, now time.Time) (func(pgx.Tx) error, error) {
	challenge, err := s.takeChallenge(ctx, v, now)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, ErrWrongPasskey.Because(err)
	}
	user, err := s.passkeyUser(ctx, v.Person)
	if err != nil {
		return nil, err
	}
	if err := s.resolveHandle(ctx, parsed, user); err != nil {
		return nil, err
	}
	credential, err := s.passkeys.ValidateLogin(user, challenge, parsed)
	if err != nil {
		return nil, ErrWrongPasskey.Because(err)
	}
	if credential.Authenticator.CloneWarning {
		return nil, ErrWrongPasskey.Because(errors.New("its counter went back: it may have been copied"))
	}
	return func(tx pgx.Tx) error { return updateCredential(ctx, tx, v.ID, credential, now) }, nil
}
