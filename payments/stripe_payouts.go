package payments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v76"

	"mopd/lms"
)

// Payout is what Stripe pays out to the bank, as it tells it.
type Payout struct {
	ID         string
	Amount     lms.Money
	Status     string // pending, in_transit, paid, failed or canceled
	Automatic  bool   // only automatic ones can be itemized
	Reconciled bool   // every line can be read
	Failure    string
	ArrivesOn  lms.Date
	CreatedAt  time.Time
}

// payout reads a payout with what it moved itself, and when it failed, back.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (g *gateway) payout(ctx context.Context, id string) (Payout, []BalanceTransaction, error) {
	p := &stripe.PayoutParams{}
	p.Context = ctx
	p.AddExpand("balance_transaction")
	p.AddExpand("failure_balance_transaction")
	found, err := g.api.Payouts.Get(id, p)
	if err != nil {
		return Payout{}, nil, missing("read a payout", err)
	}
	payout := payoutOf(found)
	var moves []BalanceTransaction
	for _, t := range []*stripe.BalanceTransaction{found.BalanceTransaction, found.FailureBalanceTransaction} {
		if t != nil && t.ReportingCategory != "" {
			moves = append(moves, transactionOf(t))
		}
	}
	return payout, moves, nil
}

func payoutOf(p *stripe.Payout) Payout {
	return Payout{
		ID: p.ID, Amount: lms.Money(p.Amount), Status: string(p.Status), Automatic: p.Automatic, Reconciled: p.ReconciliationStatus == stripe.PayoutReconciliationStatusCompleted, Failure: string(p.FailureCode),
		ArrivesOn: arrivalDay(time.Unix(p.ArrivalDate, 0)), CreatedAt: time.Unix(p.Created, 0),
	}
}

// payouts is the payouts made in a stretch of time, the newest first.
//
// Errors: ErrStripeSilent.
func (g *gateway) payouts(ctx context.Context, from, until time.Time) (list []Payout, err error) {
	p := &stripe.PayoutListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: from.Unix(), LesserThan: until.Unix()}}
	p.Context = ctx
	p.Limit = stripe.Int64(mostOfStripe)
	i := g.api.Payouts.List(p)
	for i.Next() {
		list = append(list, payoutOf(i.Payout()))
	}
	return list, silent("list payouts", i.Err())
}

// account is the id of the account at Stripe that answers to the key; "" if a restricted
// key may not read it.
//
// Errors: ErrStripeSilent.
func (g *gateway) account() (string, error) {
	a, err := g.api.Accounts.Get()
	if refusal, ok := errors.AsType[*stripe.Error](err); ok && refusal.HTTPStatusCode == http.StatusForbidden {
		return "", nil
	}
	if err != nil {
		return "", silent("read the account", err)
	}
	return a.ID, nil
}

// events gives the events with an effect that were made in a stretch of time, the newest
// first, a page at a time.
//
// Errors: ErrStripeSilent, and what each gives.
func (g *gateway) events(ctx context.Context, from, until time.Time, each func([]Event) error) error {
	p := &stripe.EventListParams{CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: from.Unix(), LesserThan: until.Unix()}, Types: stripe.StringSlice(slices.Sorted(maps.Keys(eventTypes)))}
	p.Context = ctx
	p.Limit = stripe.Int64(mostOfStripe)
	i := g.api.Events.List(p)
	var page []Event
	for i.Next() {
		payload, err := json.Marshal(i.Event())
		if err != nil {
			return fmt.Errorf("keep a listed event: %w", err)
		}
		e, err := readEvent(payload)
		if err != nil {
			return err
		}
		e.Via = "list"
		if page = append(page, e); len(page) == mostOfStripe {
			if err := each(page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := i.Err(); err != nil {
		return silent("list events", err)
	}
	return each(page)
}

// mostOfStripe is how many objects Stripe gives on one page.
const mostOfStripe = 100

// payoutLines gives the balance transactions that a payout carried, a page at a time.
//
// Errors: ErrStripeSilent, and what each gives.
func (g *gateway) payoutLines(ctx context.Context, payout string, each func([]BalanceTransaction) error) error {
	p := &stripe.BalanceTransactionListParams{Payout: stripe.String(payout)}
	p.Context = ctx
	p.Limit = stripe.Int64(mostOfStripe)
	i := g.api.BalanceTransactions.List(p)
	var page []BalanceTransaction
	for i.Next() {
		t := transactionOf(i.BalanceTransaction())
		t.Payout = payout
		if page = append(page, t); len(page) == mostOfStripe {
			if err := each(page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := i.Err(); err != nil {
		return silent("list the lines of a payout", err)
	}
	return each(page)
}
