package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mopd/cmd/internal/app"
	"mopd/lms/accounts"
	"mopd/lms/pg"
	"mopd/lms/words"
	"mopd/registry"
)

type importCommands struct {
	Records importRecordsCommand `cmd:"" help:"Bring records of training from elsewhere. It may be run again: what is there is left as it is."`
	People  importPeopleCommand  `cmd:"" help:"Import people of an earlier registry, who may then claim their profiles. It may be run again: what is there is left as it is."`
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

type importRecordsCommand struct {
	app.Settings
	Preview bool   `help:"Only tell what would become of the rows; it can be looked at and imported on the page of imports."`
	Tell    bool   `help:"Tell the people by e-mail."`
	File    string `arg:"" help:"CSV file with the columns mopd_id, given, family, title, hours and completed_on; also sponsor, course_code, starts, ends, safe_sleep and reference." type:"existingfile"`
}

// Run is called by kong.
func (c *importRecordsCommand) Run(ctx context.Context, log *slog.Logger) error {
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	a, err := app.New(ctx, c.Settings, time.Now, log)
	if err != nil {
		return err
	}
	defer a.Close()
	id, err := a.Registry.ReadImport(ctx, 0, filepath.Base(c.File), file, "", time.Now())
	if err != nil {
		return err
	}
	if err := workImport(ctx, a.Registry, id); err != nil {
		return err
	}
	if !c.Preview {
		if err := a.Registry.OrderImport(ctx, 0, id, c.Tell, "", time.Now()); err != nil {
			return err
		}
		if err := workImport(ctx, a.Registry, id); err != nil {
			return err
		}
		imp, err := a.Registry.Import(ctx, id)
		if err != nil {
			return err
		}
		if imp.State == registry.ImportReady {
			return fmt.Errorf("nothing was imported: of %d rows something else would become than a moment before; look at them on the page of imports", imp.Changed)
		}
	}
	return tellImport(ctx, a, id)
}

// workImport works an import to its end, beside workers that may do so too.
func workImport(ctx context.Context, r *registry.Service, id registry.ImportID) error {
	for {
		if ended, err := r.WorkImport(ctx, id, time.Now()); ended || err != nil {
			return err
		}
	}
}

// tellImport prints what became of an import's rows.
func tellImport(ctx context.Context, a *app.App, id registry.ImportID) error {
	catalog, err := words.Load(app.Views())
	if err != nil {
		return err
	}
	counts, err := a.Registry.ImportOutcomes(ctx, id)
	if err != nil {
		return err
	}
	for _, o := range registry.Outcomes {
		if counts[o] > 0 {
			fmt.Printf("%6d  %s\n", counts[o], catalog.Text("en", "registry.outcome."+string(o)))
		}
	}
	unread, err := a.Registry.UnreadableRows(ctx, id)
	for _, row := range unread {
		fmt.Fprintf(os.Stderr, "line %d: %s\n", row.Line, catalog.Text("en", row.WhyKey()))
	}
	if err == nil && len(unread) > 0 {
		err = fmt.Errorf("%d rows cannot be read", counts[registry.RowUnreadable])
	}
	return err
}
