// Package courses is the author's house: the catalog, course packages on their way
// in, versions, publishing, and the files that the player serves. It never runs
// content and keeps no record of who took what. Start at Service.Publish, which does
// in one call what the author's pages do in several.
package courses

import (
	"context"
	"embed"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"mopd/lms"
	"mopd/lms/blob"
	"mopd/lms/jobs"
	"mopd/lms/web"
)

// Views are the templates and messages of this feature.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Payments tells what of the fees can be paid.
type Payments interface {
	// Offered tells whether fees can be paid at all.
	Offered() bool
	// Waiting is the path of each order of a person that waits to be paid or settled.
	Waiting(ctx context.Context, p lms.PersonID) (map[lms.CourseID]string, error)
}

// Registry tells what a course would do for somebody.
type Registry interface {
	// Would is for which years the hours of a course would count that is completed today.
	Would(ctx context.Context, p lms.PersonID, hours lms.Hours, now time.Time) ([]lms.YearHours, error)
}

// Standings tells what each course is to a person, for the catalog.
type Standings interface {
	Standings(ctx context.Context, p lms.PersonID, today lms.Date) (map[lms.CourseID]lms.Standing, error)
}

// Auditor writes the audit trail.
type Auditor interface {
	// Audit writes a line in the caller's transaction.
	Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error
}

// People finds who can become an author of a course.
type People interface {
	// FindAuthor finds somebody with the author's role.
	// Errors: lms.ErrNotFound.
	FindAuthor(ctx context.Context, tx pgx.Tx, emailOrMOPDID string) (lms.Person, error)
}

// Dependencies are what courses need of others.
type Dependencies struct {
	DB        *pgxpool.Pool
	Blobs     *blob.Store
	Jobs      jobs.Inserter
	Audit     Auditor
	People    People
	Standings Standings // for the pages alone
	Registry  Registry  // for the pages alone
	Payments  Payments  // for the pages alone
}

// Service holds the use cases.
type Service struct{ Dependencies }

// New makes the service.
func New(d Dependencies) *Service { return &Service{d} }

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/courses", lms.Browse, h.catalog)
	w.Get("/courses/:code", lms.Browse, h.course)

	a := authorHandlers{s, w}
	w.Get("/author", lms.Publish, a.list)
	w.Get("/author/courses/new", lms.Publish, a.newCourse)
	w.Post("/author/courses/new", lms.Publish, a.addCourse)
	w.Get("/author/courses/:code", lms.Publish, a.course)
	w.Get("/author/courses/:code/edit", lms.Publish, a.editCourse)
	w.Post("/author/courses/:code/edit", lms.Publish, a.saveCourse)
	w.Post("/author/courses/:code/authors", lms.Publish, a.addAuthor)
	w.Post("/author/courses/:code/authors/:person/remove", lms.Publish, a.removeAuthor)
	w.Get("/author/versions/:id/publish", lms.Publish, a.askReplace)
	w.Post("/author/versions/:id/publish", lms.Publish, a.publish)
	w.Get("/author/versions/:id/retire", lms.Publish, a.askRetire)
	w.Post("/author/versions/:id/retire", lms.Publish, a.retire)

	u := uploadHandlers{s, w}
	w.Post("/author/courses/:code/uploads", lms.Publish, u.begin)
	w.Get("/author/uploads/:id", lms.Publish, u.status)
	w.PutChunk("/author/uploads/:id/chunks/:n", lms.Publish, u.chunk)
	w.Post("/author/uploads/:id/finish", lms.Publish, u.finish)
	w.Post("/author/uploads/:id/cancel", lms.Publish, u.cancel)
	w.Post("/author/uploads/:id/dismiss", lms.Publish, u.dismiss)
}

// Workers registers the feature's jobs; now gives a job its instant.
func (s *Service) Workers(ws *river.Workers, now jobs.Clock) {
	river.AddWorker(ws, &processUpload{service: s, now: now})
	river.AddWorker(ws, &sweepUploads{service: s, now: now})
	river.AddWorker(ws, &sweepBlobs{service: s, now: now})
}

// Queues are where the feature's long jobs wait.
func (s *Service) Queues() []jobs.Queue { return []jobs.Queue{uploads} }

const (
	sweepUploadsEvery = time.Minute
	sweepBlobsEvery   = time.Hour
)

// Periodic are the feature's jobs that run by themselves.
func (s *Service) Periodic() []*river.PeriodicJob {
	every := func(interval time.Duration, args river.JobArgs) *river.PeriodicJob {
		return river.NewPeriodicJob(river.PeriodicInterval(interval), func() (river.JobArgs, *river.InsertOpts) { return args, nil },
			&river.PeriodicJobOpts{RunOnStart: true})
	}
	return []*river.PeriodicJob{every(sweepUploadsEvery, sweepUploadsArgs{}), every(sweepBlobsEvery, sweepBlobsArgs{})}
}
