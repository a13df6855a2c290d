package main

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"mopd/cmd/internal/app"
	"mopd/cmd/internal/parts"
	"mopd/payments/stripesim"
)

// till stands in for Stripe, on the port beside the demo's: pages on which orders are
// paid keep their addresses over a restart.
type till = parts.Till

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
	t, err := parts.OpenTill(l, stripesim.Config{Now: time.Now, Key: tillKey, URL: url, File: filepath.Join(c.Data, "stripe.json"), Log: log})
	if err != nil {
		return nil, err
	}
	s.StripeKey, s.StripeURL, s.CheckoutOrigin = tillKey, url, url
	s.StripeSecrets = []string{t.Endpoint(s.AppURL + "/stripe/webhook")}
	return t, nil
}
