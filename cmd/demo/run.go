package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"mopd/cmd/internal/app"
	"mopd/cmd/internal/mailbox"
	"mopd/cmd/internal/parts"
	"mopd/lms/pg/pglocal"
	"mopd/lms/secrets"
	"mopd/migrations"
)

type runCommand struct {
	Data        string `help:"Folder that keeps everything (default: demo-data here, or /var/lib/mopd-demo where Postgres could not enter it)." env:"DEMO_DATA" type:"path"`
	Port        int    `help:"Port on this machine." default:"8080" env:"DEMO_PORT"`
	DatabaseURL string `help:"Use a database on another Postgres; the demo makes it, and refuses one that it did not make." env:"DEMO_DATABASE_URL"`
}

const stopLimit = 15 * time.Second

// Run is called by kong. It serves until ctx ends and then stops in order.
func (c *runCommand) Run(ctx context.Context) (err error) {
	if c.Data == "" {
		c.Data = defaultData()
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return fmt.Errorf("demo folder: %w", err)
	}
	log, closeLog, err := logTo(filepath.Join(c.Data, "demo.log"))
	if err != nil {
		return err
	}
	defer closeLog()

	fmt.Println("Starting the demo …")
	settings, caught, stop, err := c.parts(ctx)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, settings.DatabaseURL, log); err != nil {
		return err
	}
	l, err := listen(c.Port)
	if err != nil {
		return err
	}
	till, err := openTill(c, &settings, log)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, settings, time.Now, log, app.Extra{Name: "mailbox", Views: mailbox.Views, Routes: caught.Routes})
	if err != nil {
		return err
	}
	defer a.Close()
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return till.Run(ctx) })
	running.Go(func() error {
		if err := seed(ctx, a, caught.Apps.Secret, time.Now()); err != nil {
			return fmt.Errorf("fill the demo: %w", err)
		}
		if err := seedMonth(ctx, a, till, time.Now()); err != nil {
			return fmt.Errorf("play the demo's month: %w", err)
		}
		running.Go(func() error { return a.Serve(ctx, l) })
		running.Go(func() error { return a.Work(ctx) })
		c.tell(settings.AppURL)
		return nil
	})
	err = running.Wait()
	fmt.Println("\nStopped. Everything is kept in " + c.Data)
	return err
}

func (c *runCommand) tell(url string) {
	fmt.Printf("\n  Open %s in Chrome, Edge or Firefox on this computer.\n\n  Sign in with the password %q as\n", url, demoPassword)
	for _, p := range people {
		fmt.Printf("    %-28s %s\n", p.Email, p.what)
	}
	fmt.Printf("\n  The second step of signing in, and whatever is mailed or texted, is at\n    %s/demo/mail\n", url)
	fmt.Printf("\n  What Stripe does next, such as a dispute or a payout, is decided at\n    http://localhost:%d/control\n", c.Port+1)
	fmt.Printf("\n  Everything is kept in %s\n  Ctrl-C stops.\n\n", c.Data)
}

// parts starts what the product stands on. stop ends what was started, also after
// an error.
func (c *runCommand) parts(ctx context.Context) (s app.Settings, caught *mailbox.Mailbox, stop func() error, err error) {
	var stops []func(context.Context) error
	stop = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		var err error
		for i := len(stops) - 1; i >= 0; i-- {
			err = errors.Join(err, stops[i](ctx))
		}
		return err
	}
	s = app.Settings{AppURL: fmt.Sprintf("http://localhost:%d", c.Port), ContentHost: "localhost", EmailCodes: true, Help: "573-555-0100, help@demo.example", Stores: app.Stores{S3Bucket: "courses"}}
	if s.SecretKey, err = keep(filepath.Join(c.Data, "secret-key"), newSecret); err != nil {
		return s, caught, stop, err
	}
	if s.S3SecretKey, err = keep(filepath.Join(c.Data, "store-key"), newSecret); err != nil {
		return s, caught, stop, err
	}
	s.S3AccessKey = "demo"
	dataKey, err := keep(filepath.Join(c.Data, "data-key"), secrets.NewKey)
	if err != nil {
		return s, caught, stop, err
	}
	s.DataKeys = []string{dataKey}

	if caught, err = mailbox.Start(ctx); err != nil {
		return s, caught, stop, err
	}
	stops = append(stops, func(context.Context) error { caught.Stop(); return nil })
	if caught.Apps.Secret, err = keep(filepath.Join(c.Data, "authenticator-secret"), newAppSecret); err != nil {
		return s, caught, stop, err
	}
	caught.Apps.Owners = staff()
	s.SMTPURL, s.TextGatewayURL, s.TextGatewayToken = caught.SMTPURL(), caught.TextURL(), caught.TextToken()
	s.MailFrom = "Child Care Training <no-reply@demo.example>"

	if s.DatabaseURL = c.DatabaseURL; s.DatabaseURL != "" {
		if err := ownDatabase(ctx, s.DatabaseURL); err != nil {
			return s, caught, stop, err
		}
	} else {
		cluster, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(c.Data, "postgres"), Durable: true})
		if err != nil {
			return s, caught, stop, err
		}
		stops = append(stops, cluster.Stop)
		s.DatabaseURL = cluster.URL("postgres")
	}

	self, err := os.Executable()
	if err != nil {
		return s, caught, stop, fmt.Errorf("find this program: %w", err)
	}
	store, address, err := parts.StartStore(ctx, self, filepath.Join(c.Data, "store"), s.S3AccessKey, s.S3SecretKey)
	if err != nil {
		return s, caught, stop, err
	}
	stops = append(stops, func(ctx context.Context) error { return store.Stop(ctx, syscall.SIGTERM) })
	s.S3Endpoint = address
	return s, caught, stop, nil
}

// keep reads the secret in a file, which it makes when it is missing.
func keep(file string, fresh func() string) (string, error) {
	switch b, err := os.ReadFile(file); {
	case err == nil:
		return string(b), nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("demo secret: %w", err)
	}
	secret := fresh()
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return "", fmt.Errorf("demo secret: %w", err)
	}
	return secret, nil
}

// newAppSecret is a secret for an authenticator app (RFC 4226 §4, 160 bits).
func newAppSecret() string {
	b := make([]byte, 20)
	rand.Read(b)
	return base32.StdEncoding.EncodeToString(b)
}

func newSecret() string { return rand.Text() + rand.Text() }

// defaultData is demo-data in this folder, unless Postgres, which never runs as
// root, could not enter it.
func defaultData() string {
	const elsewhere = "/var/lib/mopd-demo"
	here, err := filepath.Abs("demo-data")
	if err != nil {
		return elsewhere
	}
	if os.Geteuid() != 0 {
		return here
	}
	for dir := filepath.Dir(here); dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 {
			return elsewhere
		}
	}
	return here
}

func logTo(file string) (*slog.Logger, func() error, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("demo log: %w", err)
	}
	return slog.New(slog.NewTextHandler(f, nil)), f.Close, nil
}
