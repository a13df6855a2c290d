// Package app wires the product, once: the commands and the journeys' tests boot
// this same object. It decides nothing itself. Start at New.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"mopd/courses"
	"mopd/lms/accounts"
	"mopd/lms/blob"
	"mopd/lms/enrollments"
	"mopd/lms/jobs"
	"mopd/lms/mail"
	"mopd/lms/pdf"
	"mopd/lms/pg"
	"mopd/lms/secrets"
	"mopd/lms/web"
	"mopd/lms/words"
	"mopd/payments"
	"mopd/player"
	"mopd/registry"
)

// Stores say where facts and bytes are kept.
type Stores struct {
	DatabaseURL string `help:"Postgres to keep every fact in." env:"DATABASE_URL" required:"" placeholder:"postgres://…"`
	S3Endpoint  string `help:"Object store, host and port." env:"S3_ENDPOINT" required:"" placeholder:"minio:9000"`
	S3AccessKey string `help:"Access key of the object store." env:"S3_ACCESS_KEY" required:"" placeholder:"…"`
	S3SecretKey string `help:"Secret key of the object store." env:"S3_SECRET_KEY" required:"" placeholder:"…"`
	S3Bucket    string `help:"Bucket that holds every byte of course content." env:"S3_BUCKET" default:"courses"`
	S3TLS       bool   `help:"Speak TLS to the object store." env:"S3_TLS" name:"s3-tls"`
}

// Open connects to both.
func (s Stores) Open(ctx context.Context) (*pgxpool.Pool, *blob.Store, error) {
	db, err := pg.Open(ctx, s.DatabaseURL)
	if err != nil {
		return nil, nil, err
	}
	blobs, err := blob.Open(ctx, blob.Config{Endpoint: s.S3Endpoint, AccessKey: s.S3AccessKey, SecretKey: s.S3SecretKey, Bucket: s.S3Bucket, Secure: s.S3TLS})
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, blobs, nil
}

// Settings are what a deployment decides.
type Settings struct {
	Stores
	AppURL         string        `help:"Origin of the application, as browsers see it." env:"APP_URL" required:"" placeholder:"https://learn.example.org"`
	ContentHost    string        `help:"Host under which each grant of course content gets a host of its own; needs wildcard DNS and a wildcard certificate." env:"CONTENT_HOST" required:"" placeholder:"content.example.org"`
	SecretKey      string        `help:"Secret of 32 characters at least, the same for every process; signs the tokens that protect forms." env:"SECRET_KEY" required:"" placeholder:"…"`
	EmailCodes     bool          `help:"Let caregivers get the codes of their second step by e-mail." env:"EMAIL_CODES" default:"true" negatable:""`
	MOPDDigits     int           `help:"Digits of new MOPD IDs, 6 to 9." env:"MOPD_ID_DIGITS" name:"mopd-id-digits" default:"6"`
	RecoveryWait   time.Duration `help:"How long somebody who lost every second step waits for a way back in, once a registrar has approved." env:"RECOVERY_WAIT" default:"72h"`
	Help           string        `help:"How people reach somebody who helps, shown at the foot of every page." env:"HELP_CONTACT" placeholder:"573-555-0100, help@example.org"`
	TrustedProxies []string      `help:"Addresses of reverse proxies whose X-Forwarded-For counts." env:"TRUSTED_PROXIES"`

	DataKeys       []string `help:"Keys that encrypt secrets at rest, the same for every process; the first one seals, all open. lms key makes one." env:"DATA_KEYS" required:"" placeholder:"id:base64"`
	SMTPURL        string   `help:"Mail server, smtp:// with STARTTLS or smtps://." name:"smtp-url" env:"SMTP_URL" required:"" placeholder:"smtp://user:password@host:587"`
	MailFrom       string   `help:"Sender of every e-mail." env:"MAIL_FROM" required:"" placeholder:"Child Care Training <no-reply@example.org>"`
	StripeKey      string   `help:"Secret key of Stripe's API; without it courses with a fee are listed and not sold." env:"STRIPE_SECRET_KEY" placeholder:"sk_live_…"`
	StripeSecrets  []string `help:"Signing secrets of the webhook endpoint /stripe/webhook; two while one replaces the other." env:"STRIPE_WEBHOOK_SECRETS" placeholder:"whsec_…"`
	StripeURL      string   `help:"Stripe's API, where it is not the real one." name:"stripe-url" env:"STRIPE_URL" placeholder:"http://…"`
	CheckoutOrigin string   `help:"Origin of Stripe's hosted Checkout page." env:"STRIPE_CHECKOUT_ORIGIN" default:"https://checkout.stripe.com"`

	TextGatewayURL   string `help:"Gateway that takes text messages as JSON; without it none are sent." name:"text-gateway-url" env:"TEXT_GATEWAY_URL" placeholder:"https://…"`
	TextGatewayToken string `help:"Bearer token for the gateway." env:"TEXT_GATEWAY_TOKEN" placeholder:"…"`

	Chromium string `help:"Chromium that makes PDF files of reports; looked for in PATH if not set, none: no PDF is made." env:"CHROMIUM" placeholder:"/usr/bin/chromium"`
}

// App is the whole product in one process.
type App struct {
	DB          *pgxpool.Pool
	Blobs       *blob.Store
	Web         *web.Server
	Accounts    *accounts.Service
	Courses     *courses.Service
	Enrollments *enrollments.Service
	Player      *player.Service
	Registry    *registry.Service
	Payments    *payments.Service
	Mail        *mail.Outbox
	Keys        *secrets.Keyring
	PDF         *pdf.Printer // nil if there is no Chromium

	jobs *jobs.Client
	now  func() time.Time
	log  *slog.Logger
}

// Extra is what a demo or a test shows beside the product.
type Extra struct {
	Name   string // of its templates, as a feature's
	Views  fs.FS
	Routes func(*web.Server)
}

// New connects the product to its database and object store and wires its features.
// Time is what now says.
func New(ctx context.Context, s Settings, now func() time.Time, log *slog.Logger, extras ...Extra) (*App, error) {
	appURL, err := url.Parse(s.AppURL)
	if err != nil {
		return nil, fmt.Errorf("application URL: %w", err)
	}
	a := &App{now: now, log: log}
	if a.Keys, err = secrets.Parse(s.DataKeys); err != nil {
		return nil, err
	}
	if a.PDF, err = pdf.Find(s.Chromium); err != nil {
		return nil, err
	}
	if a.DB, a.Blobs, err = s.Open(ctx); err != nil {
		return nil, err
	}
	if a.jobs, err = jobs.NewInserter(a.DB, log); err != nil {
		a.Close()
		return nil, err
	}
	if a.Mail, err = mail.New(mail.Config{SMTPURL: s.SMTPURL, From: s.MailFrom, Gateway: s.gateway(), Jobs: a.jobs, Keys: a.Keys}); err != nil {
		a.Close()
		return nil, err
	}
	if err := a.wire(appURL, s); err != nil {
		a.Close()
		return nil, err
	}
	views := Views()
	for _, e := range extras {
		views[e.Name] = e.Views
	}
	a.Web, err = web.New(web.Config{
		AppURL: appURL, ContentHost: s.ContentHost, Secret: []byte(s.SecretKey), TrustedProxies: s.TrustedProxies,
		Now: now, Log: log, Help: s.Help, FormTargets: []string{s.CheckoutOrigin}, Sessions: a.Accounts, Speak: a.Accounts.ChooseLanguage, Views: views,
	})
	if err != nil {
		a.Close()
		return nil, err
	}
	for _, feature := range []interface{ Routes(*web.Server) }{a.Accounts, a.Courses, a.Enrollments, a.Player, a.Registry, a.Payments} {
		feature.Routes(a.Web)
	}
	for _, e := range extras {
		e.Routes(a.Web)
	}
	return a, nil
}

// gateway is where text messages go, or nil.
func (s Settings) gateway() mail.Gateway {
	if s.TextGatewayURL == "" {
		return nil
	}
	return mail.HTTPGateway{URL: s.TextGatewayURL, Token: s.TextGatewayToken}
}

// wire makes the features and hands each what it needs of the others.
func (a *App) wire(appURL *url.URL, s Settings) error {
	catalog, err := words.Load(Views())
	if err != nil {
		return err
	}
	a.Accounts, err = accounts.New(accounts.Dependencies{
		DB: a.DB, Jobs: a.jobs, Mail: a.Mail, Keys: a.Keys, Words: catalog,
		Settings: accounts.Settings{AppURL: appURL, EmailCodes: s.EmailCodes, MOPDDigits: s.MOPDDigits, RecoveryWait: s.RecoveryWait},
	})
	if err != nil {
		return err
	}
	a.Courses = courses.New(courses.Dependencies{DB: a.DB, Blobs: a.Blobs, Jobs: a.jobs, Audit: a.Accounts, People: a.Accounts})
	a.Registry = registry.New(registry.Dependencies{DB: a.DB, Jobs: a.jobs, Audit: a.Accounts, People: a.Accounts, Mail: a.Mail, Words: catalog, AppURL: appURL})
	if a.PDF != nil {
		a.Registry.PDF = a.PDF
	}
	a.Enrollments = enrollments.New(enrollments.Dependencies{DB: a.DB, Courses: a.Courses, Registry: a.Registry, Audit: a.Accounts, People: a.Accounts, Mail: a.Mail, Words: catalog, AppURL: appURL})
	a.Player = player.New(player.Dependencies{
		DB: a.DB, Courses: a.Courses, Enrollments: a.Enrollments, Registry: a.Registry, Accounts: a.Accounts, Blobs: a.Blobs, Random: rand.Reader,
	})
	a.Accounts.Player, a.Enrollments.Player = a.Player, a.Player
	a.Accounts.Registry, a.Accounts.Enrollments = a.Registry, a.Enrollments
	a.Payments = payments.New(payments.Dependencies{
		DB: a.DB, Jobs: a.jobs, Mail: a.Mail, Words: catalog, Enrollments: a.Enrollments, Accounts: a.Accounts, Log: a.log,
		Settings: payments.Settings{AppURL: appURL, Key: s.StripeKey, APIURL: s.StripeURL, WebhookSecrets: s.StripeSecrets},
	})
	a.Enrollments.Payments = a.Payments
	a.Courses.Standings, a.Courses.Registry, a.Courses.Payments = a.Enrollments, a.Registry, a.Payments
	return nil
}

// Views are the templates and messages of every feature.
func Views() map[string]fs.FS {
	return map[string]fs.FS{
		"web": web.Views, "accounts": accounts.Views, "courses": courses.Views, "enrollments": enrollments.Views, "player": player.Views, "registry": registry.Views, "payments": payments.Views,
	}
}

// Serve answers requests on the listener until ctx ends, then lets those under way
// finish.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := a.Web.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			a.log.Info("stopped with answers still under way")
			err = nil
		}
		stopped <- err
	}()
	if err := a.Web.Serve(l); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return <-stopped
}

// Work works jobs until ctx ends, then lets those under way finish.
func (a *App) Work(ctx context.Context) error {
	workers := river.NewWorkers()
	a.Registry.Workers(workers, a.now)
	a.Courses.Workers(workers, a.now)
	a.Accounts.Workers(workers, a.now)
	a.Payments.Workers(workers, a.now)
	a.Mail.Workers(workers)
	periodic := slices.Concat(a.Registry.Periodic(a.now), a.Courses.Periodic(), a.Accounts.Periodic(), a.Payments.Periodic())
	client, err := jobs.NewWorker(a.DB, workers, periodic, a.log, slices.Concat(a.Courses.Queues(), a.Mail.Queues())...)
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start working: %w", err)
	}
	a.log.Info("working jobs")
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobs.Timeout+5*time.Second)
	defer cancel()
	if err := client.Stop(grace); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	// What takes longer is broken off and done again by another worker.
	now, cancelNow := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancelNow()
	if err := client.StopAndCancel(now); err != nil {
		return fmt.Errorf("stop working: %w", err)
	}
	return nil
}

// Close gives the connections back and ends Chromium.
func (a *App) Close() {
	if a.PDF != nil {
		a.PDF.Close()
	}
	a.DB.Close()
}
