// Command lms is the product: it serves pages, works jobs, brings the database up
// to date, and publishes courses and adds accounts from the command line.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"mopd/cmd/internal/app"
	"mopd/lms/words"
)

type commands struct {
	LogLevel slog.Level `help:"Least level that is logged: DEBUG, INFO, WARN or ERROR." env:"LOG_LEVEL" default:"INFO"`

	Serve     serveCommand     `cmd:"" help:"Serve pages and course content."`
	Work      workCommand      `cmd:"" help:"Work jobs: post credits, process uploads, send mail."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database to the schema of this program."`
	Publish   publishCommand   `cmd:"" help:"Publish a course package."`
	User      userCommands     `cmd:"" help:"Accounts."`
	Import    importCommands   `cmd:"" help:"Bring data of an earlier registry."`
	Reconcile reconcileCommand `cmd:"" help:"Read the payouts of a stretch of days from Stripe, with everything that they carried, and tell what does not fit."`
	Key       keyCommands      `cmd:"" help:"Keys that encrypt secrets at rest."`
	Doctor    doctorCommand    `cmd:"" help:"Check settings, database, object store and mail server, and say what is wrong."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c, kong.Name("lms"), kong.Description("The learning management system for child-care caregivers."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.UsageOnError())
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	if err := parsed.Run(log); err != nil {
		parsed.Fatalf("%s", words.Explain(app.Views(), "en", err))
	}
}
