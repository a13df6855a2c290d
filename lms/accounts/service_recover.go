package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// recovery is an account on its way back to its person.
type recovery struct {
	ID       int64
	Person   lms.PersonID
	DueAt    *time.Time // nil until a registrar approves
	MailedAt *time.Time
}

// Recovering is how the viewer's own recovery stands.
type Recovering struct {
	Asked bool
	Due   *time.Time // nil until a registrar approves
}

// Recovering tells whether the viewer has asked to be let in without a second factor.
func (s *Service) Recovering(ctx context.Context, v lms.Viewer) (Recovering, error) {
	r, err := selectRecovery(ctx, s.DB, v.ID)
	if errors.Is(err, lms.ErrNotFound) {
		return Recovering{}, nil
	}
	return Recovering{err == nil, r.DueAt}, err
}

var perRecovery = pace{free: 2, base: time.Hour, most: 24 * time.Hour, forget: 7 * 24 * time.Hour}

// AskRecovery asks a registrar to let the viewer in, who has lost every second factor.
// The password was given before. Every address on file is told at once, with a link that
// stops it.
//
// Errors: lms.ErrForm with fields contact or note, ErrAskedBefore, ErrTooManyTries.
func (s *Service) AskRecovery(ctx context.Context, v lms.Viewer, contact, note, from string, now time.Time) error {
	ask, err := readContact(contact, note, now)
	if err != nil {
		return err
	}
	if err := take(ctx, s.DB, now, bucket{"recovery", []string{strconv.FormatInt(int64(v.ID), 10)}, perRecovery}); err != nil {
		return err
	}
	b, err := json.Marshal(details{Asks: []Contact{ask}})
	if err != nil {
		return fmt.Errorf("details of a recovery: %w", err)
	}
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := lapseRecoveries(ctx, tx, v.ID, now.Add(-toRecover.life()), now); err != nil {
			return err
		}
		id, err := insertRecovery(ctx, tx, v.ID, now)
		if err != nil {
			return err
		}
		if err := insertItem(ctx, tx, Item{Kind: RecoveryItem, Person: v.ID, Details: b}, now); err != nil {
			return err
		}
		if err := s.warn(ctx, tx, v.Person, id, "recovery_asked"); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "recovery_asked", Subject: v.ID, At: now, From: from})
	})
}

// warn mails to every address on file that an account is being recovered, each with a
// link that stops it.
func (s *Service) warn(ctx context.Context, tx pgx.Tx, p lms.Person, recovery int64, name string, args ...any) error {
	addresses, err := selectAddresses(ctx, tx, p.ID)
	if err != nil {
		return err
	}
	for _, to := range addresses {
		token := newToken()
		if err := insertStop(ctx, tx, web.HashToken(token), recovery); err != nil {
			return err
		}
		if err := s.Mail.Post(ctx, tx, s.recoveryLetter(to, p.Lang, name, "/recover/stop/"+token, args...)); err != nil {
			return err
		}
	}
	return nil
}

// recoveryLetter is a letter whose line has values in it.
func (s *Service) recoveryLetter(to, lang, name, path string, args ...any) mail.Letter {
	l := s.letter(to, lang, name, path)
	l.Lines = []string{s.Words.Text(lang, "mail."+name+".line", args...)}
	return l
}

// ApproveRecovery lets somebody in whose identity a registrar has checked, after a
// waiting time in which every address on file can stop it.
//
// Errors: those of decide, ErrNoRecovery.
func (s *Service) ApproveRecovery(ctx context.Context, v lms.Viewer, d Decision, now time.Time) error {
	due := now.Add(s.RecoveryWait)
	return s.decide(ctx, v, d, "approved", now, func(tx pgx.Tx, c Case) error {
		if c.Kind != RecoveryItem {
			return lms.ErrNotFound
		}
		r, err := selectRecovery(ctx, tx, c.Person.ID)
		if errors.Is(err, lms.ErrNotFound) {
			return ErrNoRecovery.Because(err)
		}
		if err != nil {
			return err
		}
		if err := updateRecoveryDue(ctx, tx, r.ID, due); err != nil {
			return err
		}
		return s.warn(ctx, tx, c.Person.Person, r.ID, "recovery_approved", "Due", due)
	})
}

// MailRecoveries mails the links of recoveries whose waiting time is over.
func (s *Service) MailRecoveries(ctx context.Context, now time.Time) error {
	due, err := selectDueRecoveries(ctx, s.DB, now)
	if err != nil {
		return err
	}
	for _, r := range due {
		if err := s.forPerson(ctx, r.Person, func(tx pgx.Tx) error { return s.mailRecovery(ctx, tx, r, now) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) mailRecovery(ctx context.Context, tx pgx.Tx, r recovery, now time.Time) error {
	waits, err := updateRecoveryMailed(ctx, tx, r.ID, now)
	if err != nil || !waits {
		return err
	}
	p, err := selectPerson(ctx, tx, r.Person)
	if err != nil {
		return err
	}
	return s.mailLink(ctx, tx, link{Purpose: toRecover, Person: p.ID}, nil, p.Email, p.Lang, now)
}

// CheckRecovery tells whether a mailed link lets somebody in.
//
// Errors: ErrLinkOver.
func (s *Service) CheckRecovery(ctx context.Context, token string, now time.Time) error {
	_, err := s.peek(ctx, s.DB, toRecover, token, now)
	return err
}

// Recover uses a mailed link up, with the password, and opens a session in which a
// second factor is set up that takes the place of every other.
//
// Errors: ErrLinkOver, ErrWrongPassword, ErrTooManyTries, ErrResetRequired, ErrDisabled,
// lms.ErrUnavailable.
func (s *Service) Recover(ctx context.Context, token, password string, o Origin, now time.Time) (opened Opened, err error) {
	l, err := s.peek(ctx, s.DB, toRecover, token, now)
	if err != nil {
		return Opened{}, err
	}
	p, err := selectPerson(ctx, s.DB, l.Person)
	if err != nil {
		return Opened{}, err
	}
	hash, err := selectPasswordHash(ctx, s.DB, p.ID)
	if err != nil {
		return Opened{}, err
	}
	guesses := Credentials{Email: p.Email, Origin: o}.guesses(false)
	if err := take(ctx, s.DB, now, guesses...); err != nil {
		return Opened{}, err
	}
	right, err := s.hasher.verify(ctx, hash, password)
	if err != nil {
		return Opened{}, err
	}
	if !right {
		return Opened{}, s.refuse(ctx, ErrWrongPassword, lms.AuditEntry{Action: "sign_in_refused", Subject: p.ID, At: now, From: o.From})
	}
	err = s.forPerson(ctx, p.ID, func(tx pgx.Tx) error {
		if err := forgive(ctx, tx, guesses...); err != nil {
			return err
		}
		if err := s.use(ctx, tx, toRecover, token, now); err != nil {
			return err
		}
		opened, err = s.comeBack(ctx, tx, p.ID, o, now)
		return err
	})
	return opened, err
}

// comeBack opens the session in which every factor is replaced; all others end, and no
// computer is remembered.
func (s *Service) comeBack(ctx context.Context, tx pgx.Tx, p lms.PersonID, o Origin, now time.Time) (Opened, error) {
	if err := endRecoveries(ctx, tx, p, "used", now); err != nil {
		return Opened{}, err
	}
	if err := s.endSessions(ctx, tx, p, 0, EndedRecovered, now); err != nil {
		return Opened{}, err
	}
	if err := deleteComputers(ctx, tx, p); err != nil {
		return Opened{}, err
	}
	if err := insertAudit(ctx, tx, lms.AuditEntry{Actor: p, Action: "recovered", Subject: p, At: now, From: o.From}); err != nil {
		return Opened{}, err
	}
	return s.open(ctx, tx, newSession{person: p, stage: lms.Enrolling, proved: true, replaces: true, origin: o}, now)
}

// stopRecovery ends a person's recovery, if there is one: they can sign in.
func (s *Service) stopRecovery(ctx context.Context, tx pgx.Tx, p lms.PersonID, from string, now time.Time) error {
	_, err := selectRecovery(ctx, tx, p)
	if errors.Is(err, lms.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := endRecoveries(ctx, tx, p, "stopped", now); err != nil {
		return err
	}
	if err := voidLinks(ctx, tx, p, now, toRecover); err != nil {
		return err
	}
	if err := settleRecoveryItems(ctx, tx, p, now); err != nil {
		return err
	}
	return insertAudit(ctx, tx, lms.AuditEntry{Action: "recovery_stopped", Subject: p, At: now, From: from})
}

// CheckStop tells whether there is still something to stop by a mailed link.
//
// Errors: ErrNoRecovery.
func (s *Service) CheckStop(ctx context.Context, token string) error {
	_, err := s.stoppable(ctx, s.DB, token)
	return err
}

func (s *Service) stoppable(ctx context.Context, db pg.Querier, token string) (lms.PersonID, error) {
	p, err := selectStop(ctx, db, web.HashToken(strings.TrimSpace(token)))
	if errors.Is(err, lms.ErrNotFound) {
		return 0, ErrNoRecovery.Because(err)
	}
	return p, err
}

// StopRecovery ends the recovery that a mailed link warned of.
//
// Errors: ErrNoRecovery.
func (s *Service) StopRecovery(ctx context.Context, token, from string, now time.Time) error {
	p, err := s.stoppable(ctx, s.DB, token)
	if err != nil {
		return err
	}
	return s.forPerson(ctx, p, func(tx pgx.Tx) error { return s.stopRecovery(ctx, tx, p, from, now) })
}
