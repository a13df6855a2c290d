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
		if disabled, err := s.answerDisabled(ctx, tx, login.Person, r.Email, r.Lang); err != nil || disabled {
			return err
		}
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
