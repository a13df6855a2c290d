package courses

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Actor is who does something. The zero Actor is nobody, who may do nothing.
type Actor struct {
	Viewer *lms.Viewer
	From   string // network address
	system bool
}

// System is the product itself, as at the command line: it may do everything, and what
// it adds has no author unless one is named.
var System = Actor{system: true}

func (a Actor) may(objects ...lms.Object) bool {
	return a.system || lms.May(a.Viewer, lms.Publish, objects...)
}

// person is 0 for the system, and for nobody.
func (a Actor) person() lms.PersonID {
	if a.Viewer == nil {
		return 0
	}
	return a.Viewer.ID
}

var errNotTheirs = errors.New("the course is others'")

// own refuses a course that is not the actor's. Everything that an actor does to a
// course passes here.
//
// Errors: lms.ErrNotFound: they do not learn that it is there.
func own(ctx context.Context, db pg.Querier, actor Actor, id lms.CourseID) error {
	authors, err := selectAuthorIDs(ctx, db, id)
	if err == nil && !actor.may(lms.Object{Owners: authors}) {
		return lms.ErrNotFound.Because(errNotTheirs)
	}
	return err
}

// courseOf finds a course of the actor's.
func courseOf(ctx context.Context, db pg.Querier, actor Actor, code string, day lms.Date) (lms.Course, error) {
	c, err := selectCourse(ctx, db, tidyCode(code), day)
	if err != nil {
		return c, err
	}
	return c, own(ctx, db, actor, c.ID)
}

// versionOf finds a version of a course of the actor's.
func versionOf(ctx context.Context, db pg.Querier, actor Actor, id lms.VersionID) (Version, error) {
	v, err := selectVersion(ctx, db, id)
	if err != nil {
		return v, err
	}
	return v, own(ctx, db, actor, v.Course)
}

// uploadOf finds an upload of the actor's own, for a course of theirs.
func uploadOf(ctx context.Context, db pg.Querier, actor Actor, id UploadID) (Upload, error) {
	u, err := selectUploadOf(ctx, db, actor.person(), id)
	if err != nil {
		return u, err
	}
	return u, own(ctx, db, actor, u.Course)
}

// lockOwnCourse locks a course of the actor's: whose it is stays so until the
// transaction ends.
func lockOwnCourse(ctx context.Context, tx pgx.Tx, actor Actor, code string) (lms.CourseID, error) {
	id, err := lockCourseByCode(ctx, tx, tidyCode(code))
	if err != nil {
		return 0, err
	}
	return id, own(ctx, tx, actor, id)
}

func lockOwnCourseOf(ctx context.Context, tx pgx.Tx, actor Actor, v lms.VersionID) (lms.CourseID, error) {
	id, err := lockCourseOf(ctx, tx, v)
	if err != nil {
		return 0, err
	}
	return id, own(ctx, tx, actor, id)
}

// AddAuthor makes somebody with the author's role an author of a course. Who is one
// stays one.
//
// Errors: lms.ErrNotFound, ErrNoSuchAuthor.
func (s *Service) AddAuthor(ctx context.Context, actor Actor, code, emailOrMOPDID string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		course, err := lockOwnCourse(ctx, tx, actor, code)
		if err != nil {
			return err
		}
		return s.addAuthor(ctx, tx, actor, course, emailOrMOPDID, now)
	})
}

func (s *Service) addAuthor(ctx context.Context, tx pgx.Tx, actor Actor, course lms.CourseID, emailOrMOPDID string, now time.Time) error {
	p, err := s.People.FindAuthor(ctx, tx, emailOrMOPDID)
	if errors.Is(err, lms.ErrNotFound) {
		return ErrNoSuchAuthor.Because(err)
	}
	if err != nil {
		return err
	}
	return s.becomes(ctx, tx, actor, course, p.ID, now)
}

func (s *Service) becomes(ctx context.Context, tx pgx.Tx, actor Actor, course lms.CourseID, p lms.PersonID, now time.Time) error {
	added, err := insertAuthor(ctx, tx, course, p, now)
	if err != nil || !added {
		return err
	}
	return s.auditAuthor(ctx, tx, actor, "author_added", course, p, now)
}

// RemoveAuthor takes somebody, or the actor themselves, out of a course's authors.
//
// Errors: lms.ErrNotFound, ErrLastAuthor.
func (s *Service) RemoveAuthor(ctx context.Context, actor Actor, code string, p lms.PersonID, now time.Time) error {
	return guards.Explain(pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		course, err := lockOwnCourse(ctx, tx, actor, code)
		if err != nil {
			return err
		}
		authors, err := selectAuthorIDs(ctx, tx, course)
		if err != nil {
			return err
		}
		if err := canLeave(authors, p); err != nil {
			return err
		}
		if err := deleteAuthor(ctx, tx, course, p); err != nil {
			return err
		}
		return s.auditAuthor(ctx, tx, actor, "author_removed", course, p, now)
	}))
}

func (s *Service) auditAuthor(ctx context.Context, tx pgx.Tx, actor Actor, action string, course lms.CourseID, p lms.PersonID, now time.Time) error {
	return s.Audit.Audit(ctx, tx, lms.AuditEntry{
		Actor: actor.person(), Action: action, Subject: p, Object: fmt.Sprintf("course/%d", course), At: now, From: actor.From,
	})
}
