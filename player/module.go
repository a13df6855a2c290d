// Package player is the caregiver's house: it launches a course, answers its
// run-time calls, keeps every answer, measures seat time and decides completion.
// One person has one live player; whatever it has not saved, it says so. It never
// decides credit (registry) or who may be in which course (enrollments). The
// browser's half is static/src/player. Start at Service.Launch, then Commit.
package player

import (
	"context"
	"embed"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
	"mopd/lms/web"
)

// Views are the templates and messages of this feature.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Courses knows what there is to play.
type Courses interface {
	// Content is what the player needs to know of a version.
	// Errors: lms.ErrNotFound.
	Content(ctx context.Context, tx pgx.Tx, v lms.VersionID) (lms.Content, error)
	// File finds one file of a version.
	// Errors: lms.ErrNotFound.
	File(ctx context.Context, v lms.VersionID, path string) (lms.File, error)
}

// Enrollments knows who takes what, and until when.
type Enrollments interface {
	// Enrollment errors: lms.ErrNotFound.
	Enrollment(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.Enrollment, error)
	// Launched notes a launch; only the first one counts.
	Launched(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, day lms.Date) error
	// Complete ends an enrollment with a completion and makes its credit come.
	// Errors: lms.ErrAlreadyCompleted, lms.ErrWindowOver, lms.ErrNotActive.
	Complete(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, at time.Time) error
}

// Registry is the record of credits.
type Registry interface {
	// CanEarn errors: lms.ErrEarnsAgain, with the first creditable day as From.
	CanEarn(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.CourseID, day lms.Date) error
	// Posted is what was decided of an enrollment's credit; "" while nothing is.
	Posted(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) (lms.CreditStatus, error)
}

// Accounts knows people, their sessions and the audit trail.
type Accounts interface {
	// Person errors: lms.ErrNotFound.
	Person(ctx context.Context, tx pgx.Tx, id lms.PersonID) (lms.Person, error)
	Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error
	// Touch keeps an application session alive.
	// Errors: lms.ErrUnauthenticated when it is over.
	Touch(ctx context.Context, tx pgx.Tx, id lms.SessionID, now time.Time) error
}

// Blobs holds the bytes of course content.
type Blobs interface {
	// Get reads length bytes from an offset on; all the rest when length is negative.
	// Errors: lms.ErrNotFound, lms.ErrUnavailable.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
}

// Dependencies are what the player needs of others.
type Dependencies struct {
	DB          *pgxpool.Pool
	Courses     Courses
	Enrollments Enrollments
	Registry    Registry
	Accounts    Accounts
	Blobs       Blobs
	Random      io.Reader // of tokens and labels; crypto/rand.Reader in the product
}

// Service holds the use cases.
type Service struct{ Dependencies }

// New makes the service.
func New(d Dependencies) *Service { return &Service{d} }

// Routes hangs the player on both origins: the shell on the application, the frame,
// the run-time and the course's files on the content hosts.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/learn/:enrollment", lms.Learn, h.open)
	w.Post("/learn/:enrollment/attest", lms.Learn, h.attest)
	w.Post("/learn/:enrollment/no-credit", lms.Learn, h.acceptNoCredit)
	w.Post("/learn/:enrollment/launch", lms.Learn, h.launch)
	w.Get("/learn/:enrollment/status", lms.Learn, h.status)

	content := w.Content()
	content.Use(h.guardContent)
	content.Get("/.frame/", h.frame)
	content.Get("/.frame/frame.js", h.frameScript)
	content.Post("/.rt/state", h.state)
	content.Post("/.rt/commit", h.commit)
	content.Post("/.rt/heartbeat", h.heartbeat)
	content.Get("/*", h.file)
}
