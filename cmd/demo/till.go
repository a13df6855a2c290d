package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"mopd/cmd/internal/app"
	"mopd/payments/stripesim"
)

// till stands in for Stripe, on the port beside the demo's: pages on which orders are
// paid keep their addresses over a restart.
type till struct {
	*stripesim.Sim
	listener net.Listener
}

const tillKey = "sk_test_demo"

func listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("port %d is taken; choose another one with --port: %w", port, err)
	}
	return l, nil
}

// openTill starts the stand-in and points the settings at it.
func openTill(c *runCommand, s *app.Settings, log *slog.Logger) (*till, error) {
	l, err := listen(c.Port + 1)
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("http://localhost:%d", c.Port+1)
	sim, err := stripesim.New(stripesim.Config{Now: time.Now, Key: tillKey, URL: url, File: filepath.Join(c.Data, "stripe.json"), Log: log})
	if err != nil {
		return nil, err
	}
	s.StripeKey, s.StripeURL, s.CheckoutOrigin = tillKey, url, url
	s.StripeSecrets = []string{sim.Endpoint(s.AppURL + "/stripe/webhook")}
	return &till{sim, l}, nil
}

// run answers until ctx ends.
func (t *till) run(ctx context.Context) error {
	server := &http.Server{Handler: t.Handler(), ReadHeaderTimeout: 10 * time.Second}
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return t.Sim.Run(ctx) })
	running.Go(func() error {
		if err := server.Serve(t.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the stand-in for Stripe: %w", err)
		}
		return nil
	})
	running.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return running.Wait()
}
