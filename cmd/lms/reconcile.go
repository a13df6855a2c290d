package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"mopd/cmd/internal/app"
	"mopd/lms"
)

type reconcileCommand struct {
	app.Settings
	From string `help:"First day of the payouts, such as 2026-07-01; a week ago if not said."`
	To   string `help:"Last day; today if not said."`
}

// Run is called by kong.
func (c *reconcileCommand) Run(ctx context.Context, log *slog.Logger) error {
	if c.StripeKey == "" {
		return errors.New("no key of Stripe's API is set")
	}
	now := time.Now()
	from, through, err := c.days(lms.DateOf(now))
	if err != nil {
		return err
	}
	a, err := app.New(ctx, c.Settings, time.Now, log)
	if err != nil {
		return err
	}
	defer a.Close()
	done, err := a.Payments.Reconcile(ctx, from, through, now)
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
