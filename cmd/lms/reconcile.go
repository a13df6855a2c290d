package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/payments"
)

type reconcileCommand struct {
	DatabaseURL string `help:"Postgres that keeps the ledger." env:"DATABASE_URL" required:"" placeholder:"postgres://…"`
	StripeKey   string `help:"Key of Stripe's API." env:"STRIPE_SECRET_KEY" required:"" placeholder:"sk_live_…"`
	StripeURL   string `help:"Stripe's API, where it is not the real one." name:"stripe-url" env:"STRIPE_URL" placeholder:"http://…"`
	From        string `help:"First day of the payouts, such as 2026-07-01; a week ago if not said."`
	To          string `help:"Last day; today if not said."`
}

// Run is called by kong.
func (c *reconcileCommand) Run(ctx context.Context, log *slog.Logger) error {
	now := time.Now()
	from, through, err := c.days(lms.DateOf(now))
	if err != nil {
		return err
	}
	db, err := pg.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	service := payments.New(payments.Dependencies{DB: db, Log: log, Settings: payments.Settings{Key: c.StripeKey, APIURL: c.StripeURL}})
	done, err := service.Reconcile(ctx, from, through, now)
	fmt.Printf("%d payouts with %d lines read, %d are the sum of their lines; %d exceptions are open\n", done.Payouts, done.Lines, done.Tied, done.Exceptions)
	return err
}

func (c *reconcileCommand) days(today lms.Date) (from, through lms.Date, err error) {
	from, through = today.AddDays(-7), today
	if c.From != "" {
		if from, err = lms.ParseDate(c.From); err != nil {
			return from, through, err
		}
	}
	if c.To != "" {
		if through, err = lms.ParseDate(c.To); err != nil {
			return from, through, err
		}
	}
	if through.Before(from) {
		return from, through, fmt.Errorf("the last day, %s, is before the first, %s", through, from)
	}
	return from, through, nil
}
