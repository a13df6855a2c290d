package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"mopd/lms"
	"mopd/lms/accounts"
	"mopd/lms/pg"
)

type userCommands struct {
	Add userAddCommand `cmd:"" help:"Add an account. The password is read from the first line of standard input."`
}

type userAddCommand struct {
	DatabaseURL string     `help:"Postgres that keeps the accounts." env:"DATABASE_URL" required:"" placeholder:"postgres://…"`
	Email       string     `help:"E-mail address to sign in with." required:""`
	Given       string     `help:"First name." required:""`
	Family      string     `help:"Last name." required:""`
	Lang        string     `help:"Language of the person's pages." enum:"en,es" default:"en"`
	Role        []lms.Role `help:"Role beyond caregiver: director, trainer, author, finance, registrar, inspector, help_desk or administrator. May be repeated."`
}

// Run is called by kong.
func (c *userAddCommand) Run(ctx context.Context, _ *slog.Logger) error {
	fmt.Fprintf(os.Stderr, "Password for %s: ", c.Email)
	line := bufio.NewScanner(os.Stdin)
	if !line.Scan() {
		return errors.New("no password on standard input")
	}
	db, err := pg.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	people, err := accounts.New(accounts.Dependencies{DB: db})
	if err != nil {
		return err
	}
	p, err := people.Add(ctx, accounts.NewPerson{
		Given: c.Given, Family: c.Family, Email: c.Email, Password: line.Text(), Lang: c.Lang, Roles: c.Role,
	}, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("%s has MOPD ID %d\n", p.Email, p.MOPDID)
	return nil
}
