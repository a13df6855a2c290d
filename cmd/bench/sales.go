package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"mopd/lms"
	"mopd/payments"
	"mopd/payments/stripesim"
)

func stripeConfig(url string, log *slog.Logger) stripesim.Config {
	return stripesim.Config{Now: time.Now, Key: tillKey, URL: url, Log: log}
}

// sell has each of a number of people register for the course and pay its fee at the
// stand-in, by what the pages call too. What then happens to each order is up to paid.
func (p *product) sell(ctx context.Context, people []lms.Person, now time.Time, paid func(context.Context, payments.Order) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for _, person := range people {
		group.Go(func() error {
			if _, err := p.Payments.Checkout(ctx, lms.Purchase{Person: person, Code: courseCode, Lang: "en"}, now); err != nil {
				return err
			}
			mine, err := p.Payments.Orders(ctx, person.ID)
			if err != nil {
				return err
			}
			if err := p.till.Pay(mine[0].Session, stripesim.CardThatPays); err != nil {
				return fmt.Errorf("pay: %w", err)
			}
			return paid(ctx, mine[0])
		})
	}
	return group.Wait()
}

// event is an event of the stand-in's: what its webhook carries, byte for byte.
type event = json.RawMessage

// events gives the events of a type that the stand-in has made, a page at a time.
func (p *product) events(ctx context.Context, kind string, each func([]event) error) error {
	after := ""
	for more := true; more; {
		query := url.Values{"type": {kind}, "limit": {"100"}}
		if after != "" {
			query.Set("starting_after", after)
		}
		var page struct {
			More bool    `json:"has_more"`
			Data []event `json:"data"`
		}
		if err := p.ask(ctx, "/v1/events?"+query.Encode(), &page); err != nil {
			return err
		}
		if more = page.More; len(page.Data) == 0 {
			return nil
		}
		var last struct{ ID string }
		if err := json.Unmarshal(page.Data[len(page.Data)-1], &last); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		after = last.ID
		if err := each(page.Data); err != nil {
			return err
		}
	}
	return nil
}

// ask reads something from the stand-in.
func (p *product) ask(ctx context.Context, path string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.till.URL+path, nil)
	if err != nil {
		return fmt.Errorf("ask the stand-in: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+tillKey)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("ask the stand-in: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the stand-in: %s %w", res.Status, err)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("ask the stand-in: %w", err)
	}
	return nil
}
