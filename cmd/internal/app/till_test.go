package app_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/payments/stripesim"
)

// till is a stand-in for Stripe on an address of its own.
type till struct{ *stripesim.Sim }

// newTill opens a stand-in whose webhooks go out by a client; nil is the usual one.
func newTill(t testing.TB, c *clock, hooks *http.Client) *till {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	sim, err := stripesim.New(stripesim.Config{Now: c.Now, Key: "sk_test_box", URL: "http://" + l.Addr().String(), Client: hooks})
	require.NoError(t, err)
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- server.Serve(l) }()
	go func() { done <- sim.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := server.Close(); err != nil {
			t.Errorf("stop the stand-in for Stripe: %v", err)
		}
		<-done
		<-done
	})
	return &till{sim}
}
