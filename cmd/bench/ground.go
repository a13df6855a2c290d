package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"mopd/cmd/demo/coursekit"
	"mopd/cmd/internal/app"
	"mopd/cmd/internal/mailbox"
	"mopd/cmd/internal/parts"
	"mopd/courses"
	"mopd/lms"
	"mopd/lms/pg/pglocal"
	"mopd/lms/secrets"
	"mopd/migrations"
)

// ground is what products are booted on.
type ground struct {
	admin    string     // database of a Postgres server in which others can be made
	store    app.Stores // object store
	lms      string     // the product's program
	scale    float64
	progress io.Writer
}

const stopLimit = 15 * time.Second

// breakGround starts a Postgres server that keeps what it commits, as a real one does,
// and the object store that the program "demo" holds. stop ends both.
func breakGround(ctx context.Context, dir, demo string) (g *ground, stop func() error, err error) {
	cluster, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "postgres"), Durable: true})
	if err != nil {
		return nil, nil, err
	}
	stops := []func(context.Context) error{cluster.Stop}
	stop = func() (err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		for _, s := range stops {
			err = errors.Join(err, s(ctx))
		}
		return err
	}
	g = &ground{admin: cluster.URL("postgres"), store: app.Stores{S3AccessKey: rand.Text(), S3SecretKey: rand.Text()}}
	if demo, err = filepath.Abs(demo); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	store, address, err := parts.StartStore(ctx, demo, filepath.Join(dir, "store"), g.store.S3AccessKey, g.store.S3SecretKey)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	stops = append(stops, func(ctx context.Context) error { return store.Stop(ctx, syscall.SIGTERM) })
	g.store.S3Endpoint = address
	return g, stop, nil
}

// tell says how far the measuring is.
func (g *ground) tell(format string, args ...any) { fmt.Fprintf(g.progress, format+"\n", args...) }

// times is a count at the scale of the run.
func (g *ground) times(count int) int { return max(1, int(float64(count)*g.scale)) }

// product is the real thing, running on a database and a bucket of its own.
type product struct {
	*app.App
	settings app.Settings
	till     *parts.Till // has no webhook endpoint: it sends nothing by itself
}

const (
	tillKey       = "sk_test_bench"
	webhookSecret = "whsec_bench"
)

// play boots a product, has it serve, and work jobs if work says so, while something is
// measured, and ends it.
func (g *ground) play(ctx context.Context, work bool, measure func(context.Context, *product) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	log := slog.New(slog.NewTextHandler(g.progress, &slog.HandlerOptions{Level: slog.LevelWarn}))
	caught, err := mailbox.Start(ctx)
	if err != nil {
		return err
	}
	defer caught.Stop()
	here, there, err := listenTwice(ctx)
	if err != nil {
		return err
	}
	defer here.Close() // if nothing came to serve on them
	defer there.Close()
	url, stripe := "http://"+localhost(here), "http://"+localhost(there)
	name := "bench" + strings.ToLower(rand.Text())
	p := &product{settings: app.Settings{
		Stores: g.store, AppURL: url, ContentHost: "localhost", SecretKey: rand.Text() + rand.Text(), EmailCodes: true, DataKeys: []string{secrets.NewKey()},
		SMTPURL: caught.SMTPURL(), MailFrom: "Child Care Training <no-reply@example.org>",
		StripeKey: tillKey, StripeURL: stripe, CheckoutOrigin: stripe, StripeSecrets: []string{webhookSecret},
	}}
	p.settings.S3Bucket = name
	if p.settings.DatabaseURL, err = makeDatabase(ctx, g.admin, name); err != nil {
		return err
	}
	if err := migrations.Up(ctx, p.settings.DatabaseURL, log); err != nil {
		return err
	}
	if p.till, err = parts.OpenTill(there, stripeConfig(stripe, log)); err != nil {
		return err
	}
	if p.App, err = app.New(ctx, p.settings, time.Now, log); err != nil {
		return err
	}
	defer p.Close()

	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return p.till.Run(ctx) })
	running.Go(func() error { return p.Serve(ctx, here) })
	if work {
		running.Go(func() error { return p.Work(ctx) })
	}
	running.Go(func() error {
		defer stop()
		return measure(ctx, p)
	})
	return running.Wait()
}

func listenTwice(ctx context.Context) (here, there net.Listener, err error) {
	var lc net.ListenConfig
	if here, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	if there, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("listen: %w", err), here.Close())
	}
	return here, there, nil
}

func localhost(l net.Listener) string {
	return fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

// environ is the environment of a process that is to work on the same product.
func (p *product) environ() []string {
	s := p.settings
	return append(os.Environ(), "DATABASE_URL="+s.DatabaseURL, "S3_ENDPOINT="+s.S3Endpoint, "S3_ACCESS_KEY="+s.S3AccessKey, "S3_SECRET_KEY="+s.S3SecretKey, "S3_BUCKET="+s.S3Bucket,
		"APP_URL="+s.AppURL, "CONTENT_HOST="+s.ContentHost, "SECRET_KEY="+s.SecretKey, "DATA_KEYS="+strings.Join(s.DataKeys, ","), "SMTP_URL="+s.SMTPURL, "MAIL_FROM="+s.MailFrom,
		"STRIPE_SECRET_KEY="+s.StripeKey, "STRIPE_URL="+s.StripeURL, "STRIPE_CHECKOUT_ORIGIN="+s.CheckoutOrigin, "STRIPE_WEBHOOK_SECRETS="+strings.Join(s.StripeSecrets, ","))
}

const (
	courseCode  = "POI-101"
	courseTitle = "Poison Prevention"
)

// publish publishes a course.
func (p *product) publish(ctx context.Context, fee lms.Money, now time.Time) error {
	var pkg bytes.Buffer
	if err := coursekit.Build(courseCode, &pkg); err != nil {
		return err
	}
	_, err := p.Courses.Publish(ctx, courses.System, courses.PublishRequest{
		Facts: courses.Facts{
			Code: courseCode, Title: courseTitle, Sponsor: "Missouri training", Fee: fee,
			Approval: courses.Approval{Number: "A-1", Hours: 4, From: lms.DateOf(now).AddDays(-365), Approver: "DESE"},
		},
		Name: courseCode + ".zip", Package: bytes.NewReader(pkg.Bytes()), Size: int64(pkg.Len()),
	}, now)
	return err
}
