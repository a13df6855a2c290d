// Package registry is the record: credits with the decisions about them, the
// policies in force, and the training report that is the proof of training. Facts
// here are never edited: a correction is a newer decision. Start at Service.Post.
package registry

import (
	"context"
	"embed"
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

// Auditor writes the audit trail.
type Auditor interface {
	// Audit writes a line in the caller's transaction.
	Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error
}

// People know who somebody is.
type People interface {
	// Person errors: lms.ErrNotFound.
	Person(ctx context.Context, tx pgx.Tx, id lms.PersonID) (lms.Person, error)
	// LookAtPerson is Person for somebody who looks after people; that they looked is
	// written down. Errors: lms.ErrNotFound.
	LookAtPerson(ctx context.Context, v lms.Viewer, id lms.PersonID, from string, now time.Time) (lms.Person, error)
	// Holder is who has a MOPD ID today, and whether they hold or held a name.
	// Errors: lms.ErrNotFound.
	Holder(ctx context.Context, tx pgx.Tx, id lms.MOPDID, given, family string) (p lms.Person, held bool, err error)
	// Find is those whom a search of people finds, nobody for "". That somebody searched is
	// written down.
	Find(ctx context.Context, v lms.Viewer, typed, from string, now time.Time) ([]lms.PersonID, error)
	// Namesakes are some of the people who hold or held a name.
	Namesakes(ctx context.Context, tx pgx.Tx, given, family string) ([]lms.Person, error)
}

// Mailer takes letters and text messages in the transaction that causes them.
type Mailer interface {
	Post(ctx context.Context, tx pgx.Tx, l mail.Letter) error
	PostText(ctx context.Context, tx pgx.Tx, t mail.Text) error
	// CanText tells whether text messages can be sent.
	CanText() bool
}

// PDF makes a file of a page that is whole in itself.
type PDF interface {
	// Print errors: lms.ErrUnavailable.
	Print(ctx context.Context, html string) ([]byte, error)
}

// Dependencies are what the registry needs of others.
type Dependencies struct {
	DB     *pgxpool.Pool
	Jobs   jobs.Inserter
	Audit  Auditor
	People People
	Mail   Mailer
	Words  *words.Catalog
	AppURL *url.URL
	PDF    PDF // nil: none is made, and reports are printed by the browser
}

// Service holds the use cases.
type Service struct{ Dependencies }

// New makes the service.
func New(d Dependencies) *Service { return &Service{d} }

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/report", lms.Learn, h.report)
	w.Download("/report.csv", lms.Learn, h.reportCSV)
	w.Get("/report/safe-sleep", lms.Learn, h.safeSleep)
	w.Get("/people/:id/safe-sleep", lms.LookUp, h.safeSleepOfPerson)
	w.Get("/report/credits/:id/review", lms.Learn, h.reviewForm)
	w.Post("/report/credits/:id/review", lms.Learn, h.askReview)

	w.Post("/report/print", lms.Learn, h.makePrint)
	w.Get("/report/printed/:code", lms.Learn, h.printed)
	w.Download("/report/printed/:code/report.pdf", lms.Learn, h.printedPDF)
	w.Get("/verify", lms.Browse, h.verify)

	w.Get("/records", lms.Identify, h.waiting)
	w.Get("/people/:id/record", lms.LookUp, h.recordOf)
	w.Download("/people/:id/record.csv", lms.LookUp, h.recordCSV)
	w.Download("/people/:id/record.pdf", lms.LookUp, h.recordPDF)
	w.Get("/people/:id/work", lms.LookUp, h.work)
	w.Post("/people/:id/work", lms.Correct, h.recordWork)
	w.Get("/policies", lms.LookUp, h.policies)
	w.Get("/policies/:kind", lms.Identify, h.policyForm)
	w.Post("/policies/:kind", lms.Correct, h.draftPolicy)
	w.Get("/policies/drafts/:id", lms.Identify, h.policyDraft)
	w.Get("/policies/drafts/:id/state", lms.Identify, h.policyDraftState)
	w.Post("/policies/drafts/:id", lms.Correct, h.changePolicy)
	w.Get("/records/imports", lms.Identify, h.imports)
	w.Post("/records/imports", lms.Identify, h.pasteImport)
	w.PutChunk("/records/imports/files/:name", lms.Identify, h.putImport)
	w.Get("/records/imports/:id", lms.Identify, h.importOf)
	w.Post("/records/imports/:id/order", lms.Correct, h.orderImport)
	w.Post("/records/imports/:id/drop", lms.Identify, h.dropImport)
	w.Post("/records/imports/:id/undo", lms.Correct, h.undoImport)
	w.Get("/records/imports/:id/rows/:line", lms.Correct, h.row)
	w.Post("/records/imports/:id/rows/:line", lms.Correct, h.resolveRow)
	w.Get("/records/rows", lms.Identify, h.nextRow)
	w.Get("/records/next", lms.Correct, h.nextCredit)
	w.Get("/records/safe-sleep", lms.Identify, h.sleepers)
	w.Download("/records/safe-sleep.csv", lms.Identify, h.sleepersCSV)
	w.Get("/records/:id", lms.Correct, h.credit)
	w.Post("/records/:id", lms.Correct, h.decide)
}

// Workers registers the feature's jobs; now gives a job its instant.
func (s *Service) Workers(ws *river.Workers, now jobs.Clock) {
	river.AddWorker(ws, &postCredit{service: s, now: now})
	river.AddWorker(ws, &previewPolicy{service: s, now: now})
	river.AddWorker(ws, &postMissing{service: s, now: now})
	river.AddWorker(ws, &workImport{service: s, now: now})
	river.AddWorker(ws, &remind{service: s, now: now})
}
