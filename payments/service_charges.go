package payments

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// SyncCharge reads everything that happened to a charge from Stripe, and keeps and
// enters what is new of it. Doing it again changes nothing.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (s *Service) SyncCharge(ctx context.Context, charge string, now time.Time) error {
	h, err := s.stripe.history(ctx, charge)
	if err != nil {
		return err
	}
	id, err := s.orderOfCharge(ctx, h.Charge)
	if errors.Is(err, lms.ErrNotFound) {
		return s.keepStray(ctx, h, now)
	}
	if err != nil {
		return err
	}
	if _, err := s.Settle(ctx, id, now); err != nil {
		return err
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		o, err := s.lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := upsertCharge(ctx, tx, h.Charge, o.ID, now); err != nil {
			return err
		}
		if err := s.enter(ctx, tx, o, h.Moves, now); err != nil {
			return err
		}
		for _, r := range h.Refunds {
			if err := s.keepRefund(ctx, tx, o, h.Charge.ID, r, now); err != nil {
				return err
			}
		}
		for _, d := range h.Disputes {
			if err := upsertDispute(ctx, tx, d, o.ID, now); err != nil {
				return err
			}
		}
		return s.check(ctx, tx, o.ID, now)
	})
}

// orderOfCharge is the order that a charge pays: the one of its payment intent, or else
// the one that it names.
//
// Errors: lms.ErrNotFound.
func (s *Service) orderOfCharge(ctx context.Context, c Charge) (OrderID, error) {
	id, err := selectOrderIDByIntent(ctx, s.DB, c.PaymentIntent)
	if !errors.Is(err, lms.ErrNotFound) {
		return id, err
	}
	named, err := strconv.ParseInt(c.Order, 10, 64)
	if err != nil {
		return 0, lms.ErrNotFound.Because(err)
	}
	o, err := selectOrder(ctx, s.DB, OrderID(named))
	return o.ID, err
}

// keepStray enters a charge that pays no order here: it waits in suspense, and somebody
// is told.
func (s *Service) keepStray(ctx context.Context, h chargeHistory, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := upsertCharge(ctx, tx, h.Charge, 0, now); err != nil {
			return err
		}
		if err := s.enter(ctx, tx, Order{}, h.Moves, now); err != nil {
			return err
		}
		for _, d := range h.Disputes {
			if err := upsertDispute(ctx, tx, d, 0, now); err != nil {
				return err
			}
		}
		return s.checkAtLarge(ctx, tx, now)
	})
}

// enter keeps balance transactions and makes their entries.
func (s *Service) enter(ctx context.Context, tx pgx.Tx, o Order, moves []BalanceTransaction, now time.Time) error {
	earned := false
	if o.ID != 0 {
		if err := insertAccounts(ctx, tx, o.Course, o.Code); err != nil {
			return err
		}
		var err error
		if earned, err = hasEarned(ctx, tx, o.ID); err != nil {
			return err
		}
	}
	for _, t := range moves {
		if err := s.keepMove(ctx, tx, t, Origin{Order: o.ID, Course: o.Code, Earned: earned}, now); err != nil {
			return err
		}
	}
	return nil
}

// keepMove keeps a balance transaction and makes its entry.
func (s *Service) keepMove(ctx context.Context, tx pgx.Tx, t BalanceTransaction, o Origin, now time.Time) error {
	if err := upsertTransactions(ctx, tx, []BalanceTransaction{t}, now); err != nil {
		return err
	}
	_, err := insertEntry(ctx, tx, entryOf(t, o), now)
	return err
}

// keepRefund makes a refund here what Stripe says of it. The first word of one that
// finance asked for ends the enrollment, unless finance keeps it. One that nobody here
// asked for was made in Stripe's dashboard.
func (s *Service) keepRefund(ctx context.Context, tx pgx.Tx, o Order, charge string, r stripeRefund, now time.Time) error {
	here, err := selectRefundOf(ctx, tx, r)
	if errors.Is(err, lms.ErrNotFound) {
		here, err = insertForeignRefund(ctx, tx, o.ID, charge, r)
	}
	if err != nil {
		return err
	}
	was := here.State
	here.Stripe, here.State, here.Failure = r.ID, r.state(), r.Failure
	if err := updateRefund(ctx, tx, here, now); err != nil {
		return err
	}
	if err := noteRefunded(ctx, tx, charge); err != nil {
		return err
	}
	if was != RefundApproved || here.State == RefundFailed {
		return nil
	}
	if !here.KeepAccess {
		if err := s.revoke(ctx, tx, o, now); err != nil {
			return err
		}
	}
	return s.sendRefundNotice(ctx, tx, o, here)
}

// lock is an order with the lock of its payer, until the transaction ends.
func (s *Service) lock(ctx context.Context, tx pgx.Tx, id OrderID) (Order, error) {
	o, err := selectOrder(ctx, tx, id)
	if err != nil {
		return o, err
	}
	if err := pg.LockPerson(ctx, tx, o.Payer); err != nil {
		return o, err
	}
	return lockOrder(ctx, tx, id)
}

func orderObject(id OrderID) string { return fmt.Sprintf("order/%d", id) }
