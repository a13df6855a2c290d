package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"mopd/cmd/internal/app"
	"mopd/lms/accounts"
	"mopd/lms/pg"
	"mopd/lms/words"
	"mopd/registry"
)

type importCommands struct {
	People importPeopleCommand `cmd:"" help:"Import people of an earlier registry, who may then claim their profiles. It may be run again: what is there is left as it is."`
}

type importPeopleCommand struct {
	DatabaseURL string `help:"Postgres that keeps the accounts." env:"DATABASE_URL" required:"" placeholder:"postgres://…"`
	File        string `arg:"" help:"CSV file with the columns mopd_id, given, family, born, email and hired_on." type:"existingfile"`
}

// Run is called by kong.
func (c *importPeopleCommand) Run(ctx context.Context, _ *slog.Logger) (err error) {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	db, err := pg.Open(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	people, err := accounts.New(accounts.Dependencies{DB: db, Registry: registry.New(registry.Dependencies{DB: db})})
	if err != nil {
		return err
	}
	catalog, err := words.Load(app.Views())
	if err != nil {
		return err
	}
	done, err := people.ImportPeople(ctx, file, time.Now())
	for _, p := range done.Problems {
		fmt.Fprintf(os.Stderr, "line %d: %s\n", p.Line, catalog.Sentence("en", p.Why))
	}
	fmt.Printf("%d imported, %d there already, %d not imported\n", done.Added, done.Same, len(done.Problems))
	if err != nil {
		return err
	}
	if len(done.Problems) > 0 {
		return fmt.Errorf("%d rows were not imported", len(done.Problems))
	}
	return nil
}
