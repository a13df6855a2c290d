// Package enrollments registers people for courses and keeps the rule of one
// active course at a time: register, start, set aside, complete, expire. It knows
// nothing of what happens inside a course (player) or of the record (registry).
// Start at Service.Register.
package enrollments

import (
	"context"
	"embed"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
	"mopd/lms/mail"
	"mopd/lms/web"
	"mopd/lms/words"
)

// Views are the templates and messages of this feature.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Courses finds what a person registers for.
type Courses interface {
	// Open are the courses that are open for registration on a day.
	Open(ctx context.Context, tx pgx.Tx, day lms.Date) ([]lms.Course, error)
	// Course finds a course with its version and approval on a day.
	// Errors: lms.ErrNotFound.
	Course(ctx context.Context, tx pgx.Tx, code string, day lms.Date) (lms.Course, error)
}

// Registry is the record of credits and policies.
type Registry interface {
	Policies(ctx context.Context, tx pgx.Tx) (lms.Policies, error)
	// CanEarn errors: lms.ErrEarnsAgain.
	CanEarn(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.CourseID, day lms.Date) error
	// EarnsAgain is the first creditable day of each course that would earn nothing on a day.
	EarnsAgain(ctx context.Context, tx pgx.Tx, p lms.PersonID, day lms.Date) (map[lms.CourseID]lms.Date, error)
	EnqueuePosting(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) error
	// Standing is how somebody's year stands. Errors: lms.ErrNotFound.
	Standing(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (lms.YearStanding, error)
	// Work is how much on record waits for a registrar.
	Work(ctx context.Context) (lms.RecordsWaiting, error)
	// SafeSleep is how somebody's safe sleep training stands. Errors: lms.ErrNotFound.
	SafeSleep(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (lms.SafeSleep, error)
}

// Player runs the courses: it stops one that is set aside, and knows the time spent in it.
type Player interface {
	Fence(ctx context.Context, tx pgx.Tx, p lms.PersonID) error
	// SeatTime is how long somebody has been in the seat of an enrollment.
	SeatTime(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (time.Duration, error)
	// Move makes what was done in enrollments another profile's.
	Move(ctx context.Context, tx pgx.Tx, ids []lms.EnrollmentID, from, into lms.PersonID) error
}

// Payments sell seats.
type Payments interface {
	// Offered tells whether fees can be paid at all.
	Offered() bool
	// Checkout is where the fee of a course is paid.
	// Errors: lms.ErrPaymentNotOpen and those of Service.Register.
	Checkout(ctx context.Context, p lms.Purchase, now time.Time) (address string, err error)
}

// Auditor writes the audit trail.
type Auditor interface {
	Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error
}

// People know who somebody is.
type People interface {
	// Person errors: lms.ErrNotFound.
	Person(ctx context.Context, tx pgx.Tx, id lms.PersonID) (lms.Person, error)
	// LookAtPerson is Person for somebody who looks after people; that they looked is
	// written down. Errors: lms.ErrNotFound.
	LookAtPerson(ctx context.Context, v lms.Viewer, id lms.PersonID, from string, now time.Time) (lms.Person, error)
}

// Mailer takes a letter in the transaction that causes it.
type Mailer interface {
	Post(ctx context.Context, tx pgx.Tx, l mail.Letter) error
}

// Dependencies are what enrollments need of others.
type Dependencies struct {
	DB       *pgxpool.Pool
	Courses  Courses
	Registry Registry
	Player   Player
	Payments Payments
	Audit    Auditor
	People   People
	Mail     Mailer
	Words    *words.Catalog
	AppURL   *url.URL
}

// Service holds the use cases.
type Service struct{ Dependencies }

// New makes the service.
func New(d Dependencies) *Service { return &Service{d} }

// Routes hangs the feature's pages on the application.
func (s *Service) Routes(w *web.Server) {
	h := handlers{s, w}
	w.Get("/", lms.Browse, h.home)
	w.Get("/my-courses", lms.Learn, h.myCourses)
	w.Get("/plan", lms.Learn, h.plan)
	w.Get("/plan.ics", lms.Learn, h.planCalendar)
	w.Post("/courses/:code/register", lms.Learn, h.register)
	w.Post("/enrollments/:id/start", lms.Learn, h.start)
	w.Post("/enrollments/:id/set-aside", lms.Learn, h.setAside)

	w.Get("/people/:id/enrollments", lms.LookUp, h.personsCourses)
	w.Get("/people/:id/enrollments/:enrollment", lms.Correct, h.extendForm)
	w.Post("/people/:id/enrollments/:enrollment", lms.Correct, h.extend)
}
