package payments

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// The first and the last order there can be.
const (
	firstOrder OrderID = 1
	lastOrder  OrderID = math.MaxInt64
)

// check finds what is wrong with an order.
func (s *Service) check(ctx context.Context, db pg.Execer, id OrderID, now time.Time) error {
	return raiseOfOrder(ctx, db, s.stripe.live, id, now)
}

// checkAtLarge finds what is wrong with what belongs to no order, and is new.
func (s *Service) checkAtLarge(ctx context.Context, db pg.Execer, now time.Time) error {
	return raiseAtLarge(ctx, db, s.stripe.live, now.Add(-checkedBack), now)
}

// checkedBack is how far back orders are looked through every few minutes; all of them
// are every night.
const checkedBack = 48 * time.Hour

// CheckLatest finds what is wrong with the orders of the last days and those charged in
// them, and with what belongs to no order.
func (s *Service) CheckLatest(ctx context.Context, now time.Time) error {
	since := now.Add(-checkedBack)
	first, err := selectSince(ctx, s.DB, since)
	if err != nil {
		return err
	}
	older, err := selectChargedSince(ctx, s.DB, first, since)
	if err != nil {
		return err
	}
	for _, id := range older {
		err = errors.Join(err, s.check(ctx, s.DB, id, now))
	}
	return errors.Join(err, s.checkFrom(ctx, first, since, now))
}

// CheckAll finds what is wrong with anything that is kept.
func (s *Service) CheckAll(ctx context.Context, now time.Time) error {
	return s.checkFrom(ctx, firstOrder, firstDay.Start(), now)
}

// checkFrom finds what is wrong with an order and all after it, and with what belongs to
// none since an instant.
func (s *Service) checkFrom(ctx context.Context, first OrderID, since, now time.Time) error {
	return errors.Join(
		pg.InTx(ctx, s.DB, func(tx pgx.Tx) error { return raiseOfOrders(ctx, tx, s.stripe.live, first, now) }),
		pg.InTx(ctx, s.DB, func(tx pgx.Tx) error { return raiseAtLarge(ctx, tx, s.stripe.live, since, now) }))
}

// How far back events are listed at least every night, and at most ever, since Stripe
// keeps them no longer; and how long a webhook may be on its way before it counts as
// missed.
const (
	listedNightly = 7 * 24 * time.Hour
	listedMost    = 30 * 24 * time.Hour
	listedAgain   = time.Hour // before the last listing's end
	onItsWay      = 2 * time.Minute
)

// ListMissed asks Stripe for the events since an instant, and works those of which no
// webhook has told.
//
// Errors: ErrStripeSilent.
func (s *Service) ListMissed(ctx context.Context, since, now time.Time) error {
	until := now.Add(-onItsWay)
	err := s.stripe.events(ctx, since, until, func(page []Event) error {
		missed, err := selectMissed(ctx, s.DB, page)
		for _, e := range page {
			if err == nil && slices.Contains(missed, e.ID) {
				err = s.keep(ctx, e, now)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return updateListed(ctx, s.DB, until)
}

// listLatest lists on from where the last listing ended. What an account did before it
// was this product's is not its business.
func (s *Service) listLatest(ctx context.Context, now time.Time) error {
	listed, err := selectListed(ctx, s.DB)
	if errors.Is(err, lms.ErrNotFound) {
		listed, err = now, nil
	}
	if err != nil {
		return err
	}
	since := listed.Add(-listedAgain)
	if earliest := now.Add(-listedMost); since.Before(earliest) {
		since = earliest
	}
	return s.ListMissed(ctx, since, now)
}

// noteAccount notes which account at Stripe answers to the key.
//
// Errors: ErrStripeSilent.
func (s *Service) noteAccount(ctx context.Context, now time.Time) error {
	id, err := s.stripe.account()
	if err != nil || id == "" {
		return err
	}
	return insertAccount(ctx, s.DB, id, now)
}

// CloseBooks closes the books through a day of the past: what belongs to it or an
// earlier one is from then on entered on an open day. An earlier day opens them again.
//
// Errors: lms.ErrForm with field through.
func (s *Service) CloseBooks(ctx context.Context, v lms.Viewer, through lms.Date, from string, now time.Time) error {
	if !through.Before(lms.DateOf(now)) {
		return lms.ErrForm.WithField("through", "books_through")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := updateBooks(ctx, tx, through); err != nil {
			return err
		}
		return s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "books_closed", Object: "books", Note: through.String(), At: now, From: from})
	})
}

// stepTime bounds each step of catching up, so that one that hangs leaves time for the
// others.
const stepTime = 50 * time.Second

// CatchUp does what should have happened by now: what is wrong is told, events are worked
// that were missed or whose job was lost, and orders whose time is over are settled.
//
// Errors: ErrStripeSilent.
func (s *Service) CatchUp(ctx context.Context, now time.Time) (err error) {
	for _, step := range []func(context.Context, time.Time) error{s.CheckLatest, s.listLatest, s.ProcessMissed, s.SettleLapsed} {
		bounded, done := context.WithTimeout(ctx, stepTime)
		err = errors.Join(err, step(bounded, now))
		done()
	}
	return err
}
