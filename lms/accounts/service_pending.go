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

// Pending is what a registrar decided that takes effect only after the waiting time.
type Pending struct {
	By     lms.PersonID `json:"by"`
	Reason string       `json:"reason"`
	Origin string       `json:"origin"` // network address
	From   lms.PersonID `json:"from"`   // the profile that goes, or is claimed
	Into   lms.PersonID `json:"into"`   // the profile that stays, of a merge
	Email  string       `json:"email"`  // of a claim link
	Lang   string       `json:"lang"`
}

// same tells whether two decisions do the same.
func (p Pending) same(other Pending) bool {
	return p.From == other.From && p.Into == other.Into && strings.EqualFold(p.Email, other.Email)
}

// postpone keeps a decision until its waiting time is over, and tells every address on
// file of the people in the item at once, each with a link that stops it. One that does
// something else than the decision before waits anew.
//
// Errors: ErrStillWaits.
func (s *Service) postpone(ctx context.Context, tx pgx.Tx, c Case, p Pending, letter string, now time.Time) error {
	if c.Pending != nil && c.Pending.same(p) {
		return ErrStillWaits.With("Due", *c.DueAt)
	}
	due := now.Add(s.RecoveryWait)
	if err := deleteItemStops(ctx, tx, c.ID); err != nil {
		return err
	}
	if err := updateItemPending(ctx, tx, c.ID, &p, &due); err != nil {
		return err
	}
	for _, d := range []*Dossier{c.Person, c.Other} {
		if d == nil {
			continue
		}
		for _, to := range d.Addresses {
			token := newToken()
			if err := insertItemStop(ctx, tx, web.HashToken(token), c.ID); err != nil {
				return err
			}
			if err := s.Mail.Post(ctx, tx, s.recoveryLetter(to, d.Lang, letter, "/stop/"+token, "Due", due)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ripe tells whether a decision may take effect: it was made before, and its waiting time
// is over.
func (i Item) ripe(p Pending, now time.Time) bool {
	return i.Pending != nil && i.Pending.same(p) && !now.Before(*i.DueAt)
}

// SendClaimLink mails a link that claims a profile to an address that the registrar has
// made sure of. If it is not on file and others are, it goes out after the waiting time.
//
// Errors: those of settle, lms.ErrForm with field email, ErrNotClaimable, ErrClaimStaff,
// ErrStillWaits.
func (s *Service) SendClaimLink(ctx context.Context, v lms.Viewer, d Decision, email string, now time.Time) error {
	email = strings.TrimSpace(email)
	if !isEmail(email) {
		return lms.ErrForm.WithField("email", "email_form")
	}
	own, err := selectAddresses(ctx, s.DB, v.ID)
	if err != nil {
		return err
	}
	if isAmong(append(own, v.Email), email) {
		return lms.ErrForm.WithField("email", "email_own")
	}
	return s.settle(ctx, v, d, now, func(tx pgx.Tx, c Case) (string, bool, error) {
		if err := c.canBeClaimed(); err != nil {
			return "", false, err
		}
		p := Pending{By: v.ID, Reason: d.Reason, Origin: d.From, From: c.Person.ID, Email: email, Lang: c.Person.Lang}
		if len(c.Tries) > 0 {
			p.Lang = c.Tries[len(c.Tries)-1].Lang
		}
		if len(c.Person.Addresses) > 0 && !isAmong(c.Person.Addresses, email) {
			return "link_waits", true, s.postpone(ctx, tx, c, p, "claim_link_waits", now)
		}
		return "link_sent", false, s.mailClaimLink(ctx, tx, c, p, now)
	})
}

func isAmong(addresses []string, email string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool { return strings.EqualFold(a, email) })
}

// canBeClaimed errors: ErrNotClaimable, ErrClaimStaff.
func (c Case) canBeClaimed() error {
	switch {
	case c.Kind != ClaimItem || c.Person == nil || !c.Person.Waits:
		return ErrNotClaimable
	case c.Person.Staff():
		return ErrClaimStaff
	default:
		return nil
	}
}

func (s *Service) mailClaimLink(ctx context.Context, tx pgx.Tx, c Case, p Pending, now time.Time) error {
	if err := voidLinks(ctx, tx, c.Person.ID, now, toClaim); err != nil {
		return err
	}
	return s.mailLink(ctx, tx, link{Purpose: toClaim, Person: c.Person.ID}, addressToClaim{p.Email, p.Lang}, p.Email, p.Lang, now)
}

// MailClaimLinks mails the claim links whose waiting time is over.
func (s *Service) MailClaimLinks(ctx context.Context, now time.Time) error {
	due, err := selectDueLinks(ctx, s.DB, now)
	if err != nil {
		return err
	}
	for _, id := range due {
		if err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error { return s.mailDueLink(ctx, tx, id, now) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) mailDueLink(ctx context.Context, tx pgx.Tx, id int64, now time.Time) error {
	c, err := s.readCase(ctx, tx, id)
	if err != nil {
		return err
	}
	people := c.people()
	if err := lockAll(ctx, tx, people...); err != nil {
		return err
	}
	if err := lockItem(ctx, tx, id); err != nil {
		return err
	}
	if c, err = s.readCase(ctx, tx, id); err != nil {
		return err
	}
	if !c.Open() || c.Pending == nil || !c.ripe(*c.Pending, now) || !slices.Equal(people, c.people()) {
		return nil // decided meanwhile, or looked at the next time
	}
	if c.canBeClaimed() != nil || c.Pending.From != c.Person.ID {
		return updateItemPending(ctx, tx, id, nil, nil) // a registrar decides anew
	}
	p := *c.Pending
	if err := s.mailClaimLink(ctx, tx, c, p, now); err != nil {
		return err
	}
	if err := closeItem(ctx, tx, id, p.By, "link_sent", p.Reason, now); err != nil {
		return err
	}
	return insertAudit(ctx, tx, lms.AuditEntry{Actor: p.By, Action: "claim_link_sent", Subject: c.Person.ID, Object: c.object(), Note: p.Reason, At: now, From: p.Origin})
}

// CheckItemStop tells what a mailed link still stops.
//
// Errors: ErrDecisionOver.
func (s *Service) CheckItemStop(ctx context.Context, token string) (ItemKind, error) {
	i, err := selectStoppable(ctx, s.DB, web.HashToken(strings.TrimSpace(token)))
	if errors.Is(err, lms.ErrNotFound) {
		return "", ErrDecisionOver.Because(err)
	}
	return i.Kind, err
}

// StopItem ends what a mailed link warned of: nothing takes effect.
//
// Errors: ErrDecisionOver.
func (s *Service) StopItem(ctx context.Context, token, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		i, err := selectStoppable(ctx, tx, web.HashToken(strings.TrimSpace(token)))
		if errors.Is(err, lms.ErrNotFound) {
			return ErrDecisionOver.Because(err)
		}
		if err != nil {
			return err
		}
		stopped, err := stopItem(ctx, tx, i.ID, now)
		if err != nil {
			return err
		}
		if !stopped {
			return ErrDecisionOver
		}
		if err := deleteItemStops(ctx, tx, i.ID); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Action: string(i.Kind) + "_stopped", Subject: i.Person, Object: i.object(), At: now, From: from})
	})
}
