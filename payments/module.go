// Package payments is finance's house: hosted checkout, webhooks, a double-entry
// ledger, refunds, disputes and reconciliation. Stripe holds every card and tells what
// happened to money; this package never sees a card, never takes an event's word for
// how something stands (it asks again), and never edits what is in the ledger. Start at
// Service.Checkout and Service.Settle.
package payments

import (
	"context"
	"embed"
	"log/slog"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/mail"
	"mopd/lms/web"
	"mopd/lms/words"
)

// Views are the templates and messages of this feature.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Enrollments are what a seat becomes.
type Enrollments interface {
	// CanRegister finds a course that somebody may register for on a day.
	// Errors: lms.ErrNotFound, lms.ErrCourseNotOpen, lms.ErrAlreadyEnrolled,
	// lms.ErrEarnsAgain unless accepted, lms.ErrUnauthenticated.
	CanRegister(ctx context.Context, tx pgx.Tx, p lms.PersonID, code string, acceptNoCredit bool, today lms.Date) (lms.Course, error)
	// Admit enrolls somebody in a course as it was when they ordered it.
	// Errors: lms.ErrAlreadyEnrolled, lms.ErrUnauthenticated.
	Admit(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.Course, now time.Time) (lms.EnrollmentID, error)
	// Enrollment errors: lms.ErrNotFound.
	Enrollment(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.Enrollment, error)
	// Revoke ends an open enrollment, and tells whether it is ended now.
	// Errors: lms.ErrNotFound.
	Revoke(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (ended bool, err error)
}

// Accounts know people and keep the audit trail.
type Accounts interface {
	// Person errors: lms.ErrNotFound.
	Person(ctx context.Context, tx pgx.Tx, id lms.PersonID) (lms.Person, error)
	Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error
}

// Mailer takes a letter in the transaction that causes it.
type Mailer interface {
	Post(ctx context.Context, tx pgx.Tx, l mail.Letter) error
}

// Settings are what a deployment decides.
type Settings struct {
	AppURL         *url.URL
	Key            string   // secret key of Stripe's API; "" while paying is not offered
	APIURL         string   // of Stripe's API; "" is the real one
	WebhookSecrets []string // of the webhook endpoint: the one in use, and during a rotation the next
}

// Dependencies are what payments need of others.
type Dependencies struct {
	Settings
	DB          *pgxpool.Pool
	Jobs        jobs.Inserter
	Mail        Mailer
	Words       *words.Catalog
	Enrollments Enrollments
	Accounts    Accounts
	Log         *slog.Logger
}

// Service holds the use cases.
type Service struct {
	Dependencies
	stripe *gateway
}

// New makes the service.
func New(d Dependencies) *Service {
	return &Service{d, newGateway(d.Key, d.APIURL, d.Log)}
}

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Hook("/stripe/webhook", h.webhook)
	w.Get("/orders", lms.Learn, h.orders)
	w.Get("/orders/:id", lms.Learn, h.order)
	w.Get("/orders/:id/state", lms.Learn, h.state)
	w.Post("/orders/:id/pay", lms.Learn, h.pay)
	w.Post("/orders/:id/cancel", lms.Learn, h.cancel)

	w.Get("/finance", lms.ReadMoney, h.finance)
	w.Get("/finance/entries", lms.ReadMoney, h.entries)
	w.Download("/finance/entries.csv", lms.ReadMoney, h.exportEntries)
	w.Download("/finance/orders.csv", lms.ReadMoney, h.exportOrders)
	w.Download("/finance/payouts.csv", lms.ReadMoney, h.exportPayouts)
	w.Get("/finance/settings", lms.ReadMoney, h.settings)
	w.Post("/finance/settings/accounts", lms.MoveMoney, h.nameAccounts)
	w.Post("/finance/settings/books", lms.MoveMoney, h.closeBooks)
	w.Post("/finance/settings/rates", lms.MoveMoney, h.setRate)
	w.Get("/finance/orders", lms.ReadMoney, h.financeOrders)
	w.Get("/finance/orders/:id", lms.ReadMoney, h.financeOrder)
	w.Post("/finance/orders/:id/refund", lms.MoveMoney, h.askRefund)
	w.Post("/finance/orders/:id/end", lms.MoveMoney, h.endAccess)
	w.Get("/finance/refunds/:id", lms.ReadMoney, h.refund)
	w.Post("/finance/refunds/:id", lms.MoveMoney, h.decideRefund)
	w.Get("/finance/payouts", lms.ReadMoney, h.payouts)
	w.Get("/finance/payouts/:id", lms.ReadMoney, h.payout)
	w.Get("/finance/exceptions", lms.ReadMoney, h.exceptions)
	w.Get("/finance/exceptions/:id", lms.ReadMoney, h.exception)
	w.Post("/finance/exceptions/:id", lms.MoveMoney, h.workException)
}

// Workers registers the feature's jobs; now gives a job its instant.
func (s *Service) Workers(ws *river.Workers, now jobs.Clock) {
	river.AddWorker(ws, &processEvent{service: s, now: now})
	river.AddWorker(ws, &syncPayout{service: s, now: now})
	river.AddWorker(ws, &sendRefund{service: s, now: now})
	river.AddWorker(ws, &reconcile{service: s, now: now})
	river.AddWorker(ws, &catchUp{service: s, now: now})
}
