package courses

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/courses/packages"
	"mopd/lms"
	"mopd/lms/pg"
)

// PublishRequest is a course with a package to publish.
type PublishRequest struct {
	Facts          // an empty Title is taken from the package; without an approval, the course's own must hold
	Name    string // of the package's file
	Package io.ReaderAt
	Size    int64  // in bytes
	Author  string // becomes one of the course's authors: e-mail address or MOPD ID; "" adds none
}

// Publish makes or updates a course and makes the package its published version. A
// package that is the published version already makes no new one. Nothing is stored
// unless the whole package is sound.
//
// Errors: lms.ErrForm with Fields, the refusals of courses/packages, lms.ErrForbidden,
// ErrCodeTaken (by a course that is not the actor's, too), ErrNoSuchAuthor,
// ErrNoApproval, lms.ErrUnavailable.
func (s *Service) Publish(ctx context.Context, actor Actor, r PublishRequest, now time.Time) (id lms.VersionID, err error) {
	p, err := packages.Read(ctx, r.Package, r.Size, packages.Usual)
	if err != nil {
		return 0, err
	}
	if r.Title == "" {
		r.Title = p.Manifest.Title
	}
	facts := r.Facts.tidy()
	if err := facts.check(); err != nil {
		return 0, err
	}
	sum, err := s.keep(ctx, p, r.Package, r.Size, now)
	if err != nil {
		return 0, err
	}
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		course, err := s.edit(ctx, tx, actor, facts, now)
		if errors.Is(err, lms.ErrNotFound) {
			course, err = s.add(ctx, tx, actor, facts, now)
		}
		if err != nil {
			return err
		}
		if r.Author != "" {
			if err := s.addAuthor(ctx, tx, actor, course, r.Author, now); err != nil {
				return err
			}
		}
		current, err := publishedVersion(ctx, tx, course)
		if err != nil {
			return err
		}
		if current.ID != 0 && current.PackageSHA256 == sum {
			id = current.ID
			return nil
		}
		if id, err = insertVersion(ctx, tx, course, p, sum, r.Name, now); err != nil {
			return err
		}
		return s.publish(ctx, tx, actor, course, id, current.ID, now)
	})
	return id, err
}

// AddCourse makes a course without a version: the catalog shows that it opens soon.
// Who adds it is its author.
//
// Errors: lms.ErrForm with Fields, lms.ErrForbidden, ErrCodeTaken.
func (s *Service) AddCourse(ctx context.Context, actor Actor, f Facts, now time.Time) (id lms.CourseID, err error) {
	f = f.tidy()
	if err := f.check(); err != nil {
		return 0, err
	}
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		id, err = s.add(ctx, tx, actor, f, now)
		return err
	})
	return id, err
}

func (s *Service) add(ctx context.Context, tx pgx.Tx, actor Actor, f Facts, now time.Time) (lms.CourseID, error) {
	if !actor.may() {
		return 0, lms.ErrForbidden
	}
	known, err := knownTopics(ctx, tx, f.Code)
	if err != nil {
		return 0, err
	}
	id, err := insertCourse(ctx, tx, f.spelled(known), now)
	if err != nil {
		return 0, err
	}
	if err := s.saved(ctx, tx, actor, id, f, now); err != nil {
		return 0, err
	}
	if actor.system {
		return id, nil
	}
	return id, s.becomes(ctx, tx, actor, id, actor.person(), now)
}

// Facts are what is said about a course, with its approval of a number, or the one that
// was said last when number is "".
//
// Errors: lms.ErrNotFound.
func (s *Service) Facts(ctx context.Context, code, number string) (Facts, error) {
	c, err := selectCourse(ctx, s.DB, tidyCode(code), lms.Date{})
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Code: c.Code, Title: c.Title, Summary: c.Summary, Sponsor: c.Sponsor, Topics: c.Topics, Series: c.Series, Fee: c.Fee, SafeSleep: c.SafeSleep}
	f.Approval, err = latestApproval(ctx, s.DB, c.ID, strings.TrimSpace(number))
	return f, err
}

// EditCourse changes what is said about a course; its code stays.
//
// Errors: lms.ErrForm with Fields, lms.ErrNotFound.
func (s *Service) EditCourse(ctx context.Context, actor Actor, f Facts, now time.Time) error {
	f = f.tidy()
	if err := f.check(); err != nil {
		return err
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		_, err := s.edit(ctx, tx, actor, f, now)
		return err
	})
}

// edit leaves the course locked.
func (s *Service) edit(ctx context.Context, tx pgx.Tx, actor Actor, f Facts, now time.Time) (lms.CourseID, error) {
	id, err := lockOwnCourse(ctx, tx, actor, f.Code)
	if err != nil {
		return 0, err
	}
	known, err := knownTopics(ctx, tx, f.Code)
	if err != nil {
		return 0, err
	}
	if err := updateCourse(ctx, tx, f.spelled(known), now); err != nil {
		return 0, err
	}
	return id, s.saved(ctx, tx, actor, id, f, now)
}

// saved does what belongs to every change of what is said about a course.
func (s *Service) saved(ctx context.Context, tx pgx.Tx, actor Actor, id lms.CourseID, f Facts, now time.Time) error {
	if err := saveApproval(ctx, tx, id, f.Approval, now); err != nil {
		return err
	}
	return s.audit(ctx, tx, actor, "course_saved", fmt.Sprintf("course/%d", id), now)
}

// saveApproval records an approval unless it is none or stands so already. From today
// on, one approval at most is in force on a day: the one that was said last.
func saveApproval(ctx context.Context, tx pgx.Tx, id lms.CourseID, a Approval, now time.Time) error {
	if a == (Approval{}) {
		return nil
	}
	// In this order, so that the approval is the latest.
	if err := endOtherApprovals(ctx, tx, id, a, lms.DateOf(now), now); err != nil {
		return err
	}
	return insertApproval(ctx, tx, id, a, now)
}

// PublishVersion makes a version its course's published one and retires the one
// before, which is replaces: 0 if there was none. Who is enrolled keeps theirs.
//
// Errors: lms.ErrNotFound, ErrAlreadyPublished, ErrNoApproval.
func (s *Service) PublishVersion(ctx context.Context, actor Actor, v, replaces lms.VersionID, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		course, err := lockOwnCourseOf(ctx, tx, actor, v)
		if err != nil {
			return err
		}
		return s.publish(ctx, tx, actor, course, v, replaces, now)
	})
}

// publish expects the course locked.
func (s *Service) publish(ctx context.Context, tx pgx.Tx, actor Actor, course lms.CourseID, v, replaces lms.VersionID, now time.Time) error {
	current, err := publishedVersion(ctx, tx, course)
	if err != nil {
		return err
	}
	approved, err := hasApproval(ctx, tx, course, lms.DateOf(now))
	if err != nil {
		return err
	}
	if err := canPublish(v, current.ID, replaces, approved); err != nil {
		return err
	}
	if current.ID != 0 {
		if err := s.setState(ctx, tx, actor, current.ID, Retired, now); err != nil {
			return err
		}
	}
	return s.setState(ctx, tx, actor, v, Published, now)
}

// Retire takes a version out: nobody can register for it any more, and who is
// enrolled finishes it.
//
// Errors: lms.ErrNotFound, ErrAlreadyRetired.
func (s *Service) Retire(ctx context.Context, actor Actor, v lms.VersionID, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if _, err := lockOwnCourseOf(ctx, tx, actor, v); err != nil {
			return err
		}
		version, err := selectVersion(ctx, tx, v)
		if err != nil {
			return err
		}
		if version.State == Retired {
			return ErrAlreadyRetired
		}
		return s.setState(ctx, tx, actor, v, Retired, now)
	})
}

func (s *Service) setState(ctx context.Context, tx pgx.Tx, actor Actor, v lms.VersionID, state VersionState, now time.Time) error {
	if err := updateVersionState(ctx, tx, v, state, now); err != nil {
		return err
	}
	return s.audit(ctx, tx, actor, "version_"+string(state), fmt.Sprintf("version/%d", v), now)
}

func (s *Service) audit(ctx context.Context, tx pgx.Tx, actor Actor, action, object string, now time.Time) error {
	return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: actor.person(), Action: action, Object: object, At: now, From: actor.From})
}

// Course finds a course with its published version and the approval in force on a day.
//
// Errors: lms.ErrNotFound.
func (s *Service) Course(ctx context.Context, tx pgx.Tx, code string, day lms.Date) (lms.Course, error) {
	return selectCourse(ctx, tx, code, day)
}

// Open are the courses that are open for registration on a day.
func (s *Service) Open(ctx context.Context, tx pgx.Tx, day lms.Date) ([]lms.Course, error) {
	all, err := selectCourses(ctx, tx, day)
	return slices.DeleteFunc(all, func(c lms.Course) bool { return !c.OpenForRegistration() }), err
}

// Content is what the player needs to know of a version, whatever its state.
//
// Errors: lms.ErrNotFound.
func (s *Service) Content(ctx context.Context, tx pgx.Tx, v lms.VersionID) (lms.Content, error) {
	return selectContent(ctx, tx, v)
}

// File finds a file of a version by its path; where none is spelled so, the one
// that differs in letter case alone, as on the computers of many authors.
//
// Errors: lms.ErrNotFound.
func (s *Service) File(ctx context.Context, v lms.VersionID, path string) (lms.File, error) {
	return selectFile(ctx, s.DB, v, path)
}
