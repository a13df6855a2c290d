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
	return raiseOfOrders(ctx, db, s.stripe.live, id, id, now)
}

// checkedBack is how far back orders are looked through every few minutes; all of them
// are every night.
const checkedBack = 48 * time.Hour

// CheckLatest finds what is wrong with the orders of the last days, and with what
// belongs to no order.
func (s *Service) CheckLatest(ctx context.Context, now time.Time) error {
	first, err := selectSince(ctx, s.DB, now.Add(-checkedBack))
	if err != nil {
		return err
	}
	return s.checkFrom(ctx, first, now)
}

// checkFrom finds what is wrong with an order and all after it, and with what belongs to
// none.
func (s *Service) checkFrom(ctx context.Context, first OrderID, now time.Time) error {
	if err := raiseOfOrders(ctx, s.DB, s.stripe.live, first, lastOrder, now); err != nil {
		return err
	}
	return raiseAtLarge(ctx, s.DB, s.stripe.live, now)
}

// How far back events are listed every few minutes and every night, and how long a
// webhook may be on its way before it counts as missed.
const (
	listedOften   = 2 * time.Hour
	listedNightly = 7 * 24 * time.Hour
	onItsWay      = 5 * time.Minute
)

// ListMissed asks Stripe for the events since an instant, and works those of which no
// webhook has told.
//
// Errors: ErrStripeSilent.
func (s *Service) ListMissed(ctx context.Context, since, now time.Time) error {
	return s.stripe.events(ctx, since, now.Add(-onItsWay), func(page []Event) error {
		missed, err := selectMissed(ctx, s.DB, page)
		for _, e := range page {
			if err == nil && slices.Contains(missed, e.ID) {
				err = s.keep(ctx, e, now)
			}
		}
		return err
	})
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

// Books is the day through which the books are closed.
func (s *Service) Books(ctx context.Context) (lms.Date, error) { return selectBooks(ctx, s.DB) }

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

// CatchUp does what should have happened by now: orders whose time is over are settled,
// events are worked that were missed or whose job was lost, and what is wrong is told.
//
// Errors: ErrStripeSilent.
func (s *Service) CatchUp(ctx context.Context, now time.Time) error {
	return errors.Join(s.SettleLapsed(ctx, now), s.ListMissed(ctx, now.Add(-listedOften), now), s.ProcessMissed(ctx, now), s.CheckLatest(ctx, now))
}
