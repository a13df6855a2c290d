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
	"mopd/lms/web"
)

// purpose is what a mailed link is for.
type purpose string

const (
	toSignUp  purpose = "sign_up"
	toReset   purpose = "reset"
	toEmail   purpose = "email"
	toClaim   purpose = "claim"   // a profile of the earlier registry
	toRecover purpose = "recover" // an account whose factors are lost
)

func (p purpose) life() time.Duration {
	if p == toReset {
		return resetLife
	}
	return linkLife
}

// link is a link that was mailed.
type link struct {
	Purpose purpose
	Person  lms.PersonID // 0 while there is none
	Data    json.RawMessage
}

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

// request is what somebody who is not signed in asked for. It is answered by mail
// alone, from a job: the page says and does the same whether an account exists or not.
type request struct {
	Purpose purpose `json:"purpose"`
	Email   string  `json:"email"`
	Lang    string  `json:"lang"`
	SignUp  SignUp  `json:"sign_up"`
	Claim   []byte  `json:"claim"` // hash of its token
}

var (
	perRequest        = pace{free: 3, base: time.Minute, most: 30 * time.Minute, forget: 2 * time.Hour}
	perRequestNetwork = pace{free: 30, base: 5 * time.Second, most: time.Minute, forget: time.Hour}
	// Whoever asks, an address gets no more than this, and always often enough that the
	// last link which it got still works.
	perMailed = pace{free: 5, base: 5 * time.Minute, most: 20 * time.Minute, forget: 2 * time.Hour}
)

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

func (s *Service) ask(ctx context.Context, r request, from string, now time.Time) error {
	asked := []bucket{{"mail asked for", []string{string(r.Purpose), strings.ToLower(r.Email), networkOf(from)}, perRequest}}
	for _, network := range networksOf(from) {
		asked = append(asked, bucket{"mail asked for, network", []string{network}, perRequestNetwork})
	}
	if err := take(ctx, s.DB, now, asked...); err != nil {
		return err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		_, err := s.Jobs.InsertTx(ctx, tx, AnswerRequestArgs{Sealed: s.Keys.Seal(b, requestContext)}, nil)
		return err
	})
}

const requestContext = "request"

// answer mails what a request asked for.
func (s *Service) answer(ctx context.Context, tx pgx.Tx, r request, now time.Time) error {
	if r.Purpose == toClaim {
		return s.answerClaim(ctx, tx, r.Claim, now)
	}
	login, err := selectLogin(ctx, tx, r.Email, nil)
	exists := err == nil
	if err != nil && !errors.Is(err, lms.ErrNotFound) {
		return err
	}
	err = take(ctx, s.DB, now, bucket{"mail sent", []string{string(r.Purpose), strings.ToLower(r.Email)}, perMailed})
	if errors.Is(err, ErrTooManyTries) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case r.Purpose == toSignUp && exists:
		return s.Mail.Post(ctx, tx, s.letter(r.Email, r.Lang, "account_exists", "/forgot"))
	case r.Purpose == toSignUp:
		return s.mailLink(ctx, tx, link{Purpose: toSignUp}, r.SignUp, r.Email, r.Lang, now)
	case r.Purpose == toReset && exists:
		return s.mailLink(ctx, tx, link{Purpose: toReset, Person: login.Person}, nil, r.Email, r.Lang, now)
	default:
		return nil
	}
}

var pathOf = map[purpose]string{toSignUp: "/sign-up/", toReset: "/reset/", toEmail: "/account/email/", toClaim: "/claim/link/", toRecover: "/recover/"}

// mailLink makes a link with what it carries and mails it.
func (s *Service) mailLink(ctx context.Context, tx pgx.Tx, l link, data any, to, lang string, now time.Time) error {
	b := []byte("{}")
	if data != nil {
		var err error
		if b, err = json.Marshal(data); err != nil {
			return fmt.Errorf("data of a link: %w", err)
		}
	}
	token := newToken()
	if err := insertLink(ctx, tx, web.HashToken(token), l.Purpose, l.Person, b, now); err != nil {
		return err
	}
	return s.Mail.Post(ctx, tx, s.letter(to, lang, string(l.Purpose), pathOf[l.Purpose]+token))
}

// peek looks at a link without using it.
//
// Errors: ErrLinkOver.
func (s *Service) peek(ctx context.Context, db pg.Querier, p purpose, token string, now time.Time) (link, error) {
	l, err := selectLink(ctx, db, web.HashToken(token), p, now.Add(-p.life()))
	if errors.Is(err, lms.ErrNotFound) {
		return l, ErrLinkOver.Because(err)
	}
	return l, err
}

// use uses a link up, in the transaction of what it is for.
//
// Errors: ErrLinkOver.
func (s *Service) use(ctx context.Context, tx pgx.Tx, p purpose, token string, now time.Time) error {
	used, err := useLink(ctx, tx, web.HashToken(token), p, now, now.Add(-p.life()))
	if err == nil && !used {
		return ErrLinkOver
	}
	return err
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
// Errors: ErrLinkOver, lms.ErrForm with field password, lms.ErrUnavailable.
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
	if err := s.endSessions(ctx, tx, p.ID, keep); err != nil {
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
