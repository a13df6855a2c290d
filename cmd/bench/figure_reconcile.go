package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"mopd/lms"
	"mopd/payments"
)

const (
	reconcileCharges = 10_000
	reconcileLost    = 0.01           // part of the charges whose webhooks were lost
	reconcileAgo     = 26 * time.Hour // the webhooks of that day are no longer on their way
	reconcileLimit   = 5 * time.Minute
	watchEvery       = 5 * time.Millisecond // what is missed of the memory is its growth after the last look
)

// measureReconcile is how long "lms reconcile", a process of its own, takes for a payout
// of 10,000 charges of the day before, and how much memory it needs at most. Of one in a
// hundred no webhook has told, so that it is read and settled here for the first time.
// The orders are made, paid and settled by the services; the webhooks of all the others
// are kept as if they had come, by the database alone, since only that they did counts.
// The baseline is reading the payout's lines from the stand-in, and keeping nothing.
func measureReconcile(ctx context.Context, g *ground) (readings []reading, err error) {
	charges := g.times(reconcileCharges)
	err = g.play(ctx, false, func(ctx context.Context, p *product) error {
		payout, err := p.payOut(ctx, g, charges)
		if err != nil {
			return err
		}
		start := time.Now()
		lines, err := p.readPayout(ctx, payout)
		baseline := time.Since(start)
		if err != nil {
			return err
		}
		if lines != charges+1 {
			return fmt.Errorf("the payout has %d lines at the stand-in, not %d and its own", lines, charges)
		}
		g.tell("  the payout is reconciled")
		took, peak, err := p.runReconcile(ctx, g)
		if err != nil {
			return err
		}
		readings = []reading{
			{name: "reconcile_10k_s", value: took.Seconds(), unit: "s", baseline: baseline.Seconds(), goal: 30},
			{name: "reconcile_10k_rss", value: peak, unit: "MB", goal: 300},
		}
		return errors.Join(wrongPayout(ctx, p.DB, payout, charges), wrongSales(ctx, p.DB, charges))
	})
	return readings, err
}

// payOut has a payout carry so many charges.
func (p *product) payOut(ctx context.Context, g *ground, charges int) (payout string, err error) {
	now := time.Now()
	then := now.Add(-reconcileAgo)
	p.till.MoveTo(then)
	if err := p.publish(ctx, 500, then); err != nil {
		return "", err
	}
	people, err := insertPeople(ctx, p.DB, charges, then)
	if err != nil {
		return "", err
	}
	known := charges - int(math.Ceil(float64(charges)*reconcileLost))
	g.tell("  %d people order and pay", charges)
	err = p.sell(ctx, people[:known], then, func(ctx context.Context, o payments.Order) error {
		_, err := p.Payments.Settle(ctx, o.ID, then)
		return err
	})
	if err != nil {
		return "", err
	}
	for _, kind := range []string{"checkout.session.completed", "charge.succeeded"} {
		if err := p.events(ctx, kind, func(page []event) error { return insertEvents(ctx, p.DB, page, then) }); err != nil {
			return "", err
		}
	}
	if err := p.sell(ctx, people[known:], then, func(context.Context, payments.Order) error { return nil }); err != nil {
		return "", err
	}
	if payout, err = p.till.ClosePayout(); err != nil {
		return "", fmt.Errorf("pay out: %w", err)
	}
	if err := p.till.PayPayout(payout); err != nil {
		return "", fmt.Errorf("pay out: %w", err)
	}
	p.till.MoveTo(now)
	return payout, nil
}

// readPayout counts the lines of a payout at the stand-in.
func (p *product) readPayout(ctx context.Context, payout string) (lines int, err error) {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: stripe.String(p.till.URL)})
	api := client.New(tillKey, &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
	params := &stripe.BalanceTransactionListParams{Payout: stripe.String(payout)}
	params.Context = ctx
	params.Limit = stripe.Int64(100)
	i := api.BalanceTransactions.List(params)
	for i.Next() {
		lines++
	}
	if err := i.Err(); err != nil {
		return lines, fmt.Errorf("read the payout: %w", err)
	}
	return lines, nil
}

// runReconcile runs "lms reconcile", and gives how long it took and the megabytes that
// were resident at most.
func (p *product) runReconcile(ctx context.Context, g *ground) (took time.Duration, peak float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileLimit)
	defer cancel()
	today := lms.DateOf(time.Now())
	cmd := exec.CommandContext(ctx, g.lms, "reconcile", "--from", today.AddDays(-2).String(), "--to", today.String())
	cmd.Env, cmd.Stdout, cmd.Stderr = p.environ(), g.progress, g.progress
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, fmt.Errorf("start the product: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			took := time.Since(start)
			if err != nil {
				return took, peak, fmt.Errorf("reconcile: %w", err)
			}
			if peak == 0 {
				return took, peak, errors.New("reconcile: how much memory it took cannot be read")
			}
			return took, peak, nil
		case <-ticker.C:
			peak = max(peak, peakOf(cmd.Process.Pid))
		}
	}
}
