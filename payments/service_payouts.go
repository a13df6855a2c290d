package payments

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// SyncPayout reads a payout from Stripe with everything that it carried, keeps and
// enters what is new of it, and tells where it is not the sum of its lines. Doing it
// again changes nothing.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (s *Service) SyncPayout(ctx context.Context, id string, now time.Time) error {
	p, moves, err := s.stripe.payout(ctx, id)
	if err != nil {
		return err
	}
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := upsertPayout(ctx, tx, p, now); err != nil {
			return err
		}
		for _, t := range moves {
			t.Payout = payoutOfMove(t, p)
			origin := Origin{ArriveOn: p.ArrivesOn}
			if t.Category != "payout" {
				origin = Origin{} // what failed came back on a day of its own
			}
			if err := s.keepMove(ctx, tx, t, origin, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.Reconciled {
		if err := s.readLines(ctx, p, now); err != nil {
			return err
		}
	}
	return s.checkAtLarge(ctx, s.DB, now)
}

func (s *Service) enqueuePayout(ctx context.Context, id string) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		_, err := s.Jobs.InsertTx(ctx, tx, SyncPayoutArgs{Payout: id}, nil)
		return err
	})
}

// payoutOfMove is the payout that carried a move: its own is not carried by another,
// and what a failed one gave back will be.
func payoutOfMove(t BalanceTransaction, p Payout) string {
	if t.Category == "payout" {
		return p.ID
	}
	return ""
}

// readLines reads what a payout carried.
func (s *Service) readLines(ctx context.Context, p Payout, now time.Time) error {
	var lines int
	var sum lms.Money
	err := s.stripe.payoutLines(ctx, p.ID, func(page []BalanceTransaction) error {
		for _, t := range page {
			if t.Category != "payout" {
				lines, sum = lines+1, sum+t.Net
			}
		}
		if err := s.readUnknown(ctx, page, now); err != nil {
			return err
		}
		return s.keepPage(ctx, page, now)
	})
	if err != nil {
		return err
	}
	return updateReconciled(ctx, s.DB, p.ID, lines, sum, now)
}

// readUnknown reads the charges that the lines of a page are about and that were never
// heard of: their webhooks were lost, or are still to come.
func (s *Service) readUnknown(ctx context.Context, page []BalanceTransaction, now time.Time) error {
	missing, err := selectWithoutEntry(ctx, s.DB, page)
	if err != nil {
		return err
	}
	for _, t := range page {
		if known, absent := missing[t.ID]; !absent || known != 0 {
			continue
		}
		charge, err := s.chargeOf(ctx, t)
		if charge != "" && err == nil {
			err = s.SyncCharge(ctx, charge, now)
		}
		if err != nil && !errors.Is(err, lms.ErrNotFound) {
			return err
		}
	}
	return nil
}

// chargeOf is the charge that a balance transaction is about; "" if it is about none.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (s *Service) chargeOf(ctx context.Context, t BalanceTransaction) (string, error) {
	switch t.Category {
	case "charge":
		return t.Source, nil
	case "refund", "refund_failure":
		return s.stripe.chargeOfRefund(ctx, t.Source)
	case "dispute", "dispute_reversal":
		return s.stripe.chargeOfDispute(ctx, t.Source)
	}
	return "", nil
}

// keepPage keeps the balance transactions of one page, and enters those that no entry
// is made of.
func (s *Service) keepPage(ctx context.Context, page []BalanceTransaction, now time.Time) error {
	if len(page) == 0 {
		return nil
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := upsertTransactions(ctx, tx, page, now); err != nil {
			return err
		}
		missing, err := selectWithoutEntry(ctx, tx, page)
		if err != nil {
			return err
		}
		for _, t := range page {
			known, absent := missing[t.ID]
			if !absent || t.Category == "payout" {
				continue
			}
			var o Order
			if known != 0 {
				if o, err = selectOrder(ctx, tx, known); err != nil {
					return err
				}
			}
			if err := s.enter(ctx, tx, o, []BalanceTransaction{t}, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkTime bounds the checks of everything.
const checkTime = 5 * time.Minute

// Reconciled is what a reconciliation read.
type Reconciled struct {
	Payouts    int
	Lines      int
	Tied       int // payouts that are the sum of their lines
	Exceptions int // open now, of any age
}

// Reconcile reads the payouts that were made in a stretch of days, with everything
// that they carried, asks for the events that no webhook told of, and finds what is
// wrong with anything that is kept.
//
// Errors: ErrStripeSilent.
func (s *Service) Reconcile(ctx context.Context, from, through lms.Date, now time.Time) (done Reconciled, err error) {
	payouts, err := s.stripe.payouts(ctx, from.Start(), through.End())
	for _, p := range payouts {
		if syncErr := s.SyncPayout(ctx, p.ID, now); syncErr != nil {
			err = errors.Join(err, syncErr)
			continue
		}
		kept, readErr := selectPayout(ctx, s.DB, p.ID)
		err = errors.Join(err, readErr)
		done.Payouts, done.Lines = done.Payouts+1, done.Lines+kept.Lines
		if kept.Ties() {
			done.Tied++
		}
	}
	err = errors.Join(err, s.noteAccount(ctx, now), s.ListMissed(ctx, now.Add(-listedNightly), now))
	// Also when Stripe was so slow that the time is over.
	checking, stop := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	defer stop()
	err = errors.Join(err, s.CheckAll(checking, now))
	open, countErr := countOpen(ctx, s.DB)
	done.Exceptions = open
	return done, errors.Join(err, countErr)
}
