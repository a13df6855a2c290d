package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// Credentials are what somebody signs in with first.
type Credentials struct {
	Email, Password string
	Former          string // token of the session that the browser had; "" if none
	Origin
}

// Opened is a session that has got one step further.
type Opened struct {
	Token    string // of the session from now on
	Stage    lms.Stage
	Computer string // token by which the browser is known from now on; "" if nothing changes
}

// Paces of guessing. At most a hundred wrong tries in a row are ever looked at, then a
// new password is asked for (NIST SP 800-63B-4 §3.2.2). A browser in which the person
// signed in before has a count of its own, so that nobody can lock them out of it.
var (
	perPair    = pace{free: 5, base: 2 * time.Second, most: 15 * time.Minute, forget: 24 * time.Hour}
	perNetwork = pace{free: 200, base: time.Second, most: 30 * time.Second, forget: 15 * time.Minute, shared: true}
	perAccount = pace{free: 100, base: time.Second, most: time.Second, forget: 24 * time.Hour, limit: 100}
	perKnown   = pace{free: 10, base: 2 * time.Second, most: time.Minute, forget: 24 * time.Hour, limit: 100}
	perFactor  = pace{free: 5, base: 2 * time.Second, most: 15 * time.Minute, forget: 24 * time.Hour, limit: 100}
	perTexts   = pace{free: 20, base: time.Minute, most: 10 * time.Minute, forget: time.Hour}
	perSending = pace{free: 3, base: 30 * time.Second, most: 10 * time.Minute, forget: time.Hour}
)

// guesses are the counts that a try to sign in adds to.
func (c Credentials) guesses(known bool) []bucket {
	account, network := strings.ToLower(strings.TrimSpace(c.Email)), networkOf(c.From)
	if known {
		return []bucket{atKnown(account, web.HashToken(c.Computer))}
	}
	list := atAccount(account, network)
	for _, network := range networksOf(c.From) {
		list = append(list, bucket{"password, network", []string{network}, perNetwork})
	}
	return list
}

func atAccount(account, network string) []bucket {
	return []bucket{
		{"password, account and network", []string{account, network}, perPair},
		{"password, account", []string{account}, perAccount},
	}
}

func atKnown(account string, computer []byte) bucket {
	return bucket{"password, known computer", []string{account, string(computer)}, perKnown}
}

// atPerson are the counts of guesses that a new password of a person makes void: at it
// and at the second factor, wherever they were made.
func atPerson(p lms.Person, from string, computers [][]byte) []bucket {
	account := strings.ToLower(p.Email)
	list := append(atAccount(account, networkOf(from)), atFactor(p.ID), atFactor(p.ID, afterReset))
	for _, c := range computers {
		list = append(list, atKnown(account, c), atFactor(p.ID, string(c)))
	}
	return list
}

// SignIn looks at a password and opens a session, which a second factor takes further;
// the browser's former session ends. Whether the account is unknown or the password
// wrong costs the same work and reads the same.
//
// Errors: ErrWrongPassword, ErrTooManyTries, ErrResetRequired, ErrDisabled,
// lms.ErrUnavailable.
func (s *Service) SignIn(ctx context.Context, c Credentials, now time.Time) (Opened, error) {
	login, err := s.findLogin(ctx, c)
	unknown := errors.Is(err, lms.ErrNotFound)
	if err != nil && !unknown {
		return Opened{}, err
	}
	guesses := c.guesses(login.Known)
	if err := take(ctx, s.DB, now, guesses...); err != nil {
		return Opened{}, err
	}
	if unknown {
		login.PasswordHash = s.hasher.decoy()
	}
	right, err := s.hasher.verify(ctx, login.PasswordHash, c.Password)
	if err != nil {
		return Opened{}, err
	}
	refused := lms.AuditEntry{Action: "sign_in_refused", Subject: login.Person, At: now, From: c.From}
	if unknown || !right {
		return Opened{}, s.refuse(ctx, ErrWrongPassword, refused)
	}
	if err := s.endFormer(ctx, c, now); err != nil {
		return Opened{}, err
	}
	rehashed := ""
	if s.hasher.needsRehash(login.PasswordHash) {
		if rehashed, err = s.hasher.hash(ctx, c.Password); err != nil {
			return Opened{}, err
		}
	}
	var opened Opened
	err = s.forPerson(ctx, login.Person, func(tx pgx.Tx) error {
		current, err := selectLogin(ctx, tx, strings.TrimSpace(c.Email), web.HashToken(c.Computer))
		if errors.Is(err, lms.ErrNotFound) || err == nil && current.PasswordHash != login.PasswordHash {
			return ErrWrongPassword // it was changed while it was looked at
		}
		if err != nil {
			return err
		}
		if err := forgive(ctx, tx, guesses...); err != nil {
			return err
		}
		if rehashed != "" {
			if err := updatePassword(ctx, tx, login.Person, rehashed); err != nil {
				return err
			}
		}
		p, err := selectPerson(ctx, tx, login.Person)
		if err != nil {
			return err
		}
		factors, err := selectFactors(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		remembered := current.RememberedUntil != nil && current.RememberedUntil.After(now) && !p.Staff()
		stage := firstStage(factors, remembered)
		if stage == lms.SignedIn {
			if err := s.stopRecovery(ctx, tx, p.ID, c.From, now); err != nil {
				return err
			}
		}
		opened, err = s.open(ctx, tx, newSession{person: p.ID, stage: stage, origin: c.Origin}, now)
		return err
	})
	if errors.Is(err, ErrWrongPassword) {
		return Opened{}, s.refuse(ctx, err, refused)
	}
	if errors.Is(err, ErrDisabled) {
		return Opened{}, s.refuse(ctx, err, lms.AuditEntry{Action: "disabled_refused", Subject: login.Person, At: now, From: c.From})
	}
	return opened, err
}

// findLogin finds the account of an address. An address that none has, such as one in
// letters that Postgres and Go make small in different ways, finds nothing: one account
// has one count of guesses.
//
// Errors: lms.ErrNotFound.
func (s *Service) findLogin(ctx context.Context, c Credentials) (loginRow, error) {
	email := strings.TrimSpace(c.Email)
	if !isASCII(email) {
		return loginRow{}, lms.ErrNotFound
	}
	return selectLogin(ctx, s.DB, email, web.HashToken(c.Computer))
}

// isStill makes sure, under the person's lock, that the password that was looked at is
// in force: it may have been changed since, and every session ended.
//
// Errors: ErrWrongPassword.
func isStill(ctx context.Context, tx pgx.Tx, p lms.PersonID, hash string) error {
	now, err := selectPasswordHash(ctx, tx, p)
	if err == nil && now != hash {
		return ErrWrongPassword
	}
	return err
}

// firstStage is how far a password leads by itself.
func firstStage(factors []Factor, remembered bool) lms.Stage {
	if remembered && hasFactor(factors) {
		return lms.SignedIn
	}
	return lms.Identified
}

func hasFactor(factors []Factor) bool {
	return slices.ContainsFunc(factors, func(f Factor) bool { return f.Confirmed })
}

// newSession is a session about to be opened.
type newSession struct {
	person      lms.PersonID
	stage       lms.Stage
	proved      bool   // a link that was just mailed led here, or a second factor
	newPassword string // hash that a second factor puts in force
	replaces    bool   // the factor set up here takes the place of every other
	origin      Origin
}

// open writes a new session down.
//
// Errors: ErrDisabled.
func (s *Service) open(ctx context.Context, tx pgx.Tx, n newSession, now time.Time) (Opened, error) {
	if err := letNobodyIn(ctx, tx, n.person); err != nil {
		return Opened{}, err
	}
	if err := sweepOver(ctx, tx, n.person, now.Add(-Idle), now.Add(-Longest), now); err != nil {
		return Opened{}, err
	}
	token := newToken()
	if err := insertSession(ctx, tx, web.HashToken(token), n, now); err != nil {
		return Opened{}, err
	}
	action := "password_given"
	if n.stage == lms.SignedIn {
		action = "signed_in"
	}
	return Opened{Token: token, Stage: n.stage}, insertAudit(ctx, tx, lms.AuditEntry{Actor: n.person, Action: action, Subject: n.person, At: now, From: n.origin.From})
}

// refuse writes a refused try down and answers with its reason.
func (s *Service) refuse(ctx context.Context, reason error, e lms.AuditEntry) error {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error { return insertAudit(ctx, tx, e) })
	if err != nil {
		return err
	}
	return reason
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
	if err := s.SignOut(ctx, former, c.From, now); !errors.Is(err, lms.ErrNotFound) { // a second click ended it
		return err
	}
	return nil
}
