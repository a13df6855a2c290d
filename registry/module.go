// Package registry is the record: credits with the decisions about them, the
// policies in force, and the training report that is the proof of training. Facts
// here are never edited: a correction is a newer decision. Start at Service.Post.
package registry

import (
	"context"
	"embed"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/web"
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

// Dependencies are what the registry needs of others.
type Dependencies struct {
	DB    *pgxpool.Pool
	Jobs  jobs.Inserter
	Audit Auditor
}

// Service holds the use cases.
type Service struct{ Dependencies }

// New makes the service.
func New(d Dependencies) *Service { return &Service{d} }

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/report", lms.Learn, h.report)
}

// Workers registers the feature's jobs; now gives a job its instant.
func (s *Service) Workers(ws *river.Workers, now jobs.Clock) {
	river.AddWorker(ws, &postCredit{service: s, now: now})
	river.AddWorker(ws, &postMissing{service: s, now: now})
}
