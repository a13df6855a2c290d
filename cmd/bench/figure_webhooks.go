package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"

	"mopd/payments"
)

const (
	webhookOrders = 2000
	webhookTimes  = 3 // that each event is sent
	perSecond     = 50
	drainLimit    = 10 * time.Minute
)

// measureWebhooks is how long Stripe waits for the answer to a webhook: 2,000 orders are
// paid, the event of each is sent three times in any order, 50 a second, while jobs work
// what came, all of it from a cold start. The baseline is a page that does nothing, as often a second while nothing
// else happens, half before and half after. In the end every order has to be paid, once.
func measureWebhooks(ctx context.Context, g *ground) (readings []reading, err error) {
	orders := g.times(webhookOrders)
	err = g.play(ctx, true, func(ctx context.Context, p *product) error {
		now := time.Now()
		if err := p.publish(ctx, 500, now); err != nil {
			return err
		}
		people, err := insertPeople(ctx, p.DB, orders, now)
		if err != nil {
			return err
		}
		g.tell("  %d people order and pay", orders)
		err = p.sell(ctx, people, now, func(context.Context, payments.Order) error { return nil })
		if err != nil {
			return err
		}
		var hooks []event
		err = p.events(ctx, "checkout.session.completed", func(page []event) error {
			hooks = append(hooks, page...)
			return nil
		})
		if err != nil {
			return err
		}
		if len(hooks) != orders {
			return fmt.Errorf("%d orders were paid, and the stand-in tells of %d", orders, len(hooks))
		}
		hooks = slices.Repeat(hooks, webhookTimes)
		rand.Shuffle(len(hooks), func(i, j int) { hooks[i], hooks[j] = hooks[j], hooks[i] })

		quiet, err := p.paceTrivial(ctx, max(10, orders/4))
		if err != nil {
			return err
		}
		g.tell("  %d webhooks, %d a second", len(hooks), perSecond)
		took, err := pace(ctx, len(hooks), perSecond, func(ctx context.Context, i int) error { return p.sendWebhook(ctx, hooks[i]) })
		if err != nil {
			return err
		}
		sent := time.Now()
		if err := p.drained(ctx); err != nil {
			return err
		}
		g.tell("  half were answered within %.1f ms, the slowest in %.1f ms; the jobs were done %.1f s after the last", percentile(took, 0.5), percentile(took, 1), time.Since(sent).Seconds())
		again, err := p.paceTrivial(ctx, max(10, orders/4))
		if err != nil {
			return err
		}
		readings = []reading{{name: "webhook_p99", value: percentile(took, 0.99), unit: "ms", baseline: percentile(slices.Concat(quiet, again), 0.99), goal: 1000}}
		return wrongSales(ctx, p.DB, orders)
	})
	return readings, err
}

// paceTrivial asks for a page that does nothing.
func (p *product) paceTrivial(ctx context.Context, count int) ([]time.Duration, error) {
	return pace(ctx, count, perSecond, func(ctx context.Context, _ int) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.settings.AppURL+"/healthz", nil)
		if err != nil {
			return fmt.Errorf("ask for a page: %w", err)
		}
		return send(r)
	})
}

// sendWebhook sends an event, signed just now, as Stripe does.
func (p *product) sendWebhook(ctx context.Context, e event) error {
	signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: e, Secret: webhookSecret})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.settings.AppURL+"/stripe/webhook", bytes.NewReader(e))
	if err != nil {
		return fmt.Errorf("send a webhook: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Stripe-Signature", signed.Header)
	return send(r)
}

// drained waits until nothing is left for the jobs to do.
func (p *product) drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		left, err := countUndone(ctx, p.DB)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d jobs are not done: %w", left, ctx.Err())
		case <-ticker.C:
		}
	}
}
