package main

import (
	"context"
	"fmt"

	"mopd/lms/accounts"
	"mopd/lms/pg"
	"mopd/lms/secrets"
)

type keyCommands struct {
	New    newKeyCommand    `cmd:"" default:"1" help:"Print a fresh entry for DATA_KEYS (the default)."`
	Rotate rotateKeyCommand `cmd:"" help:"Seal every secret anew under the first of DATA_KEYS, so that the others can go."`
}

type newKeyCommand struct{}

// Run is called by kong.
func (c *newKeyCommand) Run() error {
	fmt.Println(secrets.NewKey())
	return nil
}

type rotateKeyCommand struct {
	DatabaseURL string   `help:"Postgres that keeps the secrets." env:"DATABASE_URL" required:"" placeholder:"postgres://…"`
	DataKeys    []string `help:"Keys that encrypt secrets at rest; the first one seals." env:"DATA_KEYS" required:"" placeholder:"id:base64"`
}

// Run is called by kong.
func (c *rotateKeyCommand) Run(ctx context.Context) error {
	keys, err := secrets.Parse(c.DataKeys)
	if err != nil {
		return err
	}
	db, err := pg.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	people, err := accounts.New(accounts.Dependencies{DB: db, Keys: keys})
	if err != nil {
		return err
	}
	n, err := people.Reseal(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d secrets are sealed anew. Mail that is still waiting may need the older keys for a day.\n", n)
	return nil
}
