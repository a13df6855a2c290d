package accounts

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// ProvedClaim is whose profile is about to be claimed by a code, with the address on
// file and the language that they chose.
//
// Errors: ErrLinkOver.
func (s *Service) ProvedClaim(ctx context.Context, token string, now time.Time) (p lms.Person, err error) {
	return p, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		p, err = s.provedClaim(ctx, tx, token, now)
		return err
	})
}

func (s *Service) provedClaim(ctx context.Context, tx pgx.Tx, token string, now time.Time) (lms.Person, error) {
	c, err := selectProvedClaim(ctx, tx, web.HashToken(token), now.Add(-claimProved))
	if errors.Is(err, lms.ErrNotFound) {
		return lms.Person{}, ErrLinkOver.Because(err)
	}
	if err != nil {
		return lms.Person{}, err
	}
	found, err := s.claimed(ctx, tx, c.typed())
	if errors.Is(err, lms.ErrNotFound) || err == nil && (!found.claimable() || found.Person != c.Person) {
		return lms.Person{}, ErrLinkOver.Because(err)
	}
	if err != nil {
		return lms.Person{}, err
	}
	p, err := selectPerson(ctx, tx, found.Person)
	p.Email, p.Lang = found.Email, c.Lang
	return p, err
}

// FinishClaim makes the login of a claimed profile, with the password chosen now, and
// opens a session in which a second factor is to be set up.
//
// Errors: ErrLinkOver, lms.ErrForm with field password, ErrEmailTaken,
// lms.ErrUnavailable.
func (s *Service) FinishClaim(ctx context.Context, token, password string, o Origin, now time.Time) (Opened, error) {
	p, err := s.ProvedClaim(ctx, token, now)
	if err != nil {
		return Opened{}, err
	}
	return s.letIn(ctx, p, password, o, now, func(tx pgx.Tx) error {
		used, err := deleteClaim(ctx, tx, web.HashToken(token))
		if err == nil && !used {
			return ErrLinkOver
		}
		return err
	})
}

// letIn gives a profile its login, marks it claimed and opens its first session. use
// uses up what led here.
//
// Errors: lms.ErrForm with field password, ErrEmailTaken, lms.ErrUnavailable, and
// ErrLinkOver if it was claimed meanwhile.
func (s *Service) letIn(ctx context.Context, p lms.Person, password string, o Origin, now time.Time, use func(pgx.Tx) error) (opened Opened, err error) {
	if code := checkPassword(password, aboutPerson(p.Given, p.Family, p.Email, p.Born)...); code != "" {
		return Opened{}, lms.ErrForm.WithField("password", code)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Opened{}, err
	}
	err = s.forPerson(ctx, p.ID, func(tx pgx.Tx) error {
		if err := use(tx); err != nil {
			return err
		}
		claimed, err := updateProfilesClaimed(ctx, tx, p.ID, now)
		if err != nil {
			return err
		}
		if !claimed {
			return ErrLinkOver
		}
		if err := insertLogin(ctx, tx, p.ID, p.Email, hash, now); err != nil {
			return err
		}
		if err := updateLang(ctx, tx, p.ID, p.Lang); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, p, "profile_claimed"); err != nil {
			return err
		}
		if err := s.settleClaims(ctx, tx, p.ID, now); err != nil {
			return err
		}
		if err := insertAudit(ctx, tx, lms.AuditEntry{Actor: p.ID, Action: "profile_claimed", Subject: p.ID, At: now, From: o.From}); err != nil {
			return err
		}
		opened, err = s.open(ctx, tx, newSession{person: p.ID, stage: lms.Enrolling, proved: true, origin: o}, now)
		return err
	})
	if errors.Is(err, ErrEmailTaken) {
		return Opened{}, cmp.Or(s.reportTaken(ctx, p, now), err)
	}
	return opened, err
}

// reportTaken lets a registrar see that the address of a profile has an account already.
func (s *Service) reportTaken(ctx context.Context, p lms.Person, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		login, err := selectLogin(ctx, tx, p.Email, nil)
		if err != nil {
			return err
		}
		return insertSamePerson(ctx, tx, p.ID, login.Person, now)
	})
}

// settleClaims ends what was still open about a profile that is claimed now: links,
// counts of tries, what a registrar was told.
func (s *Service) settleClaims(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) error {
	if err := voidLinks(ctx, tx, p, now, toClaim); err != nil {
		return err
	}
	ids, err := selectNumbers(ctx, tx, p)
	if err != nil {
		return err
	}
	tries := []bucket{claimCodes(p, nil)}
	for _, id := range ids {
		tries = append(tries, claimTries(id))
		if err := settleClaimItem(ctx, tx, id, now); err != nil {
			return err
		}
	}
	return forgive(ctx, tx, tries...)
}

// addressToClaim is what a link to claim a profile carries.
type addressToClaim struct {
	Email string `json:"email"`
	Lang  string `json:"lang"`
}

// LinkedClaim is whose profile a registrar's link claims, with the address that the
// login is made with.
//
// Errors: ErrLinkOver.
func (s *Service) LinkedClaim(ctx context.Context, token string, now time.Time) (lms.Person, error) {
	l, err := s.peek(ctx, s.DB, toClaim, token, now)
	if err != nil {
		return lms.Person{}, err
	}
	p, err := selectPerson(ctx, s.DB, l.Person)
	if err != nil {
		return p, err
	}
	var a addressToClaim
	err = json.Unmarshal(l.Data, &a)
	p.Email, p.Lang = a.Email, a.Lang
	return p, err
}

// FinishLinkedClaim is FinishClaim for a link that a registrar sent.
//
// Errors: ErrLinkOver, lms.ErrForm with field password, ErrEmailTaken,
// lms.ErrUnavailable.
func (s *Service) FinishLinkedClaim(ctx context.Context, token, password string, o Origin, now time.Time) (Opened, error) {
	p, err := s.LinkedClaim(ctx, token, now)
	if err != nil {
		return Opened{}, err
	}
	return s.letIn(ctx, p, password, o, now, func(tx pgx.Tx) error { return s.use(ctx, tx, toClaim, token, now) })
}
