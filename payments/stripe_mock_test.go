package payments

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mockBinary is the program, in the version that the Makefile names.
var mockBinary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("make", "-C", "..", "bin/stripe-mock").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("install stripe-mock: %w\n%s", err, out)
	}
	return "../bin/stripe-mock", nil
})

// mock starts Stripe's own checker of requests, which knows the description of its API
// and keeps no state.
func mock(t *testing.T) *gateway {
	t.Helper()
	bin, err := mockBinary()
	require.NoError(t, err)
	address := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return l.Addr().String()
	}
	plain, secure := address(), address()
	cmd := exec.Command(bin, "-http-addr", plain, "-https-addr", secure, "-strict-version-check")
	cmd.Stdout, cmd.Stderr = io.Discard, t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // killed
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", plain)
		if err == nil {
			require.NoError(t, conn.Close())
			break
		}
		require.NoError(t, ctx.Err(), "stripe-mock does not answer: %v", err)
	}
	return newGateway("sk_test_123", "http://"+plain, slog.New(slog.DiscardHandler))
}

func TestEveryRequestHasTheShapeThatStripeExpects(t *testing.T) {
	t.Parallel()
	g := mock(t)
	ctx := t.Context()
	order := Order{ID: 7, Lang: "es", Key: "5b1f7a1e-0000-4000-8000-000000000001", ExpiresAt: time.Now().Add(checkoutTime),
		OrderLine: OrderLine{Title: "Fire safety", Price: 500, Quantity: 1}}
	for what, call := range map[string]func() error{
		"checkout": func() error {
			_, _, err := g.checkout(ctx, order, "maya@example.org", "https://learn.example.org/orders/7?paid={CHECKOUT_SESSION_ID}", "https://learn.example.org/orders/7")
			return err
		},
		"session":           func() error { _, err := g.session(ctx, "cs_test_1"); return err },
		"order of session":  func() error { _, err := g.orderOf(ctx, "cs_test_1"); return err },
		"expire":            func() error { _, err := g.expire(ctx, "cs_test_1"); return err },
		"history":           func() error { _, err := g.history(ctx, "ch_1"); return err },
		"refund":            func() error { return g.refund(ctx, Refund{ID: 1, Order: 7, Charge: "ch_1", Amount: 500, Key: "k"}) },
		"charge of refund":  func() error { _, err := g.chargeOfRefund(ctx, "re_1"); return err },
		"charge of dispute": func() error { _, err := g.chargeOfDispute(ctx, "dp_1"); return err },
		"payout":            func() error { _, _, err := g.payout(ctx, "po_1"); return err },
		"payouts":           func() error { _, err := g.payouts(ctx, time.Now().Add(-time.Hour), time.Now()); return err },
		"account":           func() error { _, err := g.account(); return err },
		"events": func() error {
			err := g.events(ctx, time.Now().Add(-time.Hour), time.Now(), func([]Event) error { return nil })
			if err != nil && strings.Contains(err.Error(), "read event") {
				return nil // the checker's events are about nothing
			}
			return err
		},
		"lines of a payout": func() error {
			return g.payoutLines(ctx, "po_1", func([]BalanceTransaction) error { return nil })
		},
	} {
		require.NoError(t, call(), what)
	}
}

func TestTheCheckerRefusesWhatStripeDoesNotKnow(t *testing.T) {
	t.Parallel()
	g := mock(t)
	odd := Order{ID: 7, Lang: "no such language", ExpiresAt: time.Now(), OrderLine: OrderLine{Title: "x", Price: 500, Quantity: 1}}
	_, _, err := g.checkout(t.Context(), odd, "maya@example.org", "https://learn.example.org", "https://learn.example.org")
	require.Error(t, err, "so that the other test can fail")
	require.NotErrorIs(t, err, ErrStripeSilent)
}
