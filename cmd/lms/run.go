package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"mopd/cmd/internal/app"
	"mopd/migrations"
)

type serveCommand struct {
	app.Settings
	Listen    string `help:"Address to listen on." env:"LISTEN" default:":8080"`
	NoMigrate bool   `help:"Leave the database's schema alone."`
}

// Run is called by kong.
func (c *serveCommand) Run(ctx context.Context, log *slog.Logger) error {
	a, err := start(ctx, c.Settings, c.NoMigrate, log)
	if err != nil {
		return err
	}
	defer a.Close()
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	log.Info("serving", "address", l.Addr().String(), "url", c.AppURL)
	return a.Serve(ctx, l)
}

type workCommand struct {
	app.Settings
	NoMigrate bool `help:"Leave the database's schema alone."`
}

// Run is called by kong.
func (c *workCommand) Run(ctx context.Context, log *slog.Logger) error {
	a, err := start(ctx, c.Settings, c.NoMigrate, log)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Work(ctx)
}

// start wires the product on a database that has the schema.
func start(ctx context.Context, s app.Settings, noMigrate bool, log *slog.Logger) (*app.App, error) {
	if !noMigrate {
		if err := migrations.Up(ctx, s.DatabaseURL, log); err != nil {
			return nil, err
		}
	}
	return app.New(ctx, s, time.Now, log)
}

type migrateCommand struct {
	DatabaseURL string `help:"Postgres to bring up to date." env:"DATABASE_URL" required:"" placeholder:"postgres://…"`
}

// Run is called by kong.
func (c *migrateCommand) Run(ctx context.Context, log *slog.Logger) error {
	return migrations.Up(ctx, c.DatabaseURL, log)
}

type doctorCommand struct{ app.Settings }

// Run is called by kong.
func (c *doctorCommand) Run(ctx context.Context, log *slog.Logger) error {
	have, want, err := migrations.Version(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	fmt.Printf("database: reached, schema %d of %d\n", have, want)
	if have < want {
		return errors.New("the database is behind this program: run lms migrate")
	}
	a, err := app.New(ctx, c.Settings, time.Now, log)
	if err != nil {
		return err
	}
	defer a.Close()
	fmt.Printf("object store: bucket %s reached\n", c.S3Bucket)
	if err := a.Mail.Reach(ctx); err != nil {
		return err
	}
	fmt.Printf("mail server: %s reached\n", a.Mail.Server())
	if a.Mail.CanText() {
		fmt.Printf("text messages: through %s\n", c.TextGatewayURL)
	} else {
		fmt.Println("text messages: none, no gateway is set")
	}
	if a.PDF != nil {
		fmt.Printf("PDF files: made by %s\n", a.PDF.Program())
	} else {
		fmt.Println("PDF files: none, there is no Chromium")
	}
	fmt.Printf("application: %s, content at %s\n", c.AppURL, a.Web.ContentURL("LABEL"))
	fmt.Println("all is well")
	return nil
}
