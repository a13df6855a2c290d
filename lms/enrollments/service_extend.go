package enrollments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
	"mopd/lms/pg"
)

// Refusals of those who give more time.
var (
	ErrWindowMoved = lms.NewError(lms.Conflict, "window_moved") // it has another last day meanwhile
	ErrOwnWindow   = lms.NewError(lms.Forbidden, "own_window")  // nobody gives themselves more time
)

// noteLength is the most that a note may have, in characters.
const noteLength = 1000

// Extension is more time that a registrar gives for a course (rules §4).
type Extension struct {
	Enrollment lms.EnrollmentID
	Was        lms.Date // the last day that the registrar saw
	LastDay    lms.Date
	Note       string // why; the person reads it
}

// Extended is an extension on record.
type Extended struct {
	Enrollment lms.EnrollmentID
	Was        lms.Date
	LastDay    lms.Date
	RecordedAt time.Time
	ByName     string
	Note       string
}

// Extend moves the last day of an enrollment, and tells its person. One that had expired
// is ready again, its progress kept.
//
// Errors: lms.ErrNotFound, lms.ErrForm with fields last_day and note, ErrOwnWindow,
// ErrWindowMoved, lms.ErrAlreadyCompleted, lms.ErrRefunded, lms.ErrAlreadyEnrolled.
func (s *Service) Extend(ctx context.Context, v lms.Viewer, x Extension, from string, now time.Time) error {
	if x.Note = strings.TrimSpace(x.Note); x.Note == "" || len([]rune(x.Note)) > noteLength {
		return lms.ErrForm.WithField("note", "extension_note")
	}
	today := lms.DateOf(now)
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		before, err := selectEnrollment(ctx, tx, x.Enrollment)
		if err != nil {
			return err
		}
		if before.Person == v.ID {
			return ErrOwnWindow
		}
		if err := pg.LockPerson(ctx, tx, before.Person); err != nil {
			return err
		}
		if err := updateExpired(ctx, tx, before.Person, today); err != nil {
			return err
		}
		mine, err := selectEnrollments(ctx, tx, before.Person)
		if err != nil {
			return err
		}
		e, err := find(mine, x.Enrollment)
		if err != nil || e.LastDay != x.Was {
			return ErrWindowMoved.Because(err) // merged away, or extended, while this waited
		}
		if err := lms.CanExtend(e, mine, x.LastDay, today); err != nil {
			return err
		}
		if err := insertExtension(ctx, tx, x, v.ID, now); err != nil {
			return guards.Explain(err)
		}
		if err := updateExtended(ctx, tx, e.ID, x.LastDay); err != nil {
			return err
		}
		if e.State == lms.Expired {
			if err := s.reopen(ctx, tx, e); err != nil {
				return err
			}
		}
		if err := s.Audit.Audit(ctx, tx, lms.AuditEntry{
			Actor: v.ID, Action: "window_extended", Subject: e.Person, Object: fmt.Sprintf("enrollment/%d", e.ID), Note: fmt.Sprintf("%s: %s", x.LastDay, x.Note), At: now, From: from,
		}); err != nil {
			return err
		}
		return s.tellExtended(ctx, tx, e, x)
	})
}

// reopen makes an expired enrollment ready, under the profile that its person has today.
func (s *Service) reopen(ctx context.Context, tx pgx.Tx, e lms.Enrollment) error {
	under, err := selectProfile(ctx, tx, e.ID)
	if err != nil {
		return err
	}
	ids := []lms.EnrollmentID{e.ID}
	if under != e.Person {
		if err := s.Player.Fence(ctx, tx, e.Person); err != nil {
			return err
		}
		if err := s.Player.Move(ctx, tx, ids, under, e.Person); err != nil {
			return err
		}
	}
	return guards.Explain(updateMoved(ctx, tx, ids, e.Person))
}

func (s *Service) tellExtended(ctx context.Context, tx pgx.Tx, e lms.Enrollment, x Extension) error {
	p, err := s.People.Person(ctx, tx, e.Person)
	if err != nil || p.Email == "" {
		return err
	}
	text := func(part string) string {
		return s.Words.Text(p.Lang, "mail.extended."+part, "Title", e.Title, "Last", x.LastDay, "Note", x.Note)
	}
	return s.Mail.Post(ctx, tx, mail.Letter{
		To: p.Email, Lang: p.Lang, Subject: text("subject"), Lines: []string{text("line"), text("note")},
		Button: &mail.Button{Label: text("button"), URL: s.AppURL.Scheme + "://" + s.AppURL.Host + "/my-courses"},
	})
}
