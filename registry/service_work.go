package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// ErrWorkMoved is of a version of somebody's work that another one has replaced.
var ErrWorkMoved = lms.NewError(lms.Conflict, "work_moved")

// WorkID is the key of a version of somebody's work.
type WorkID int64

// Work is what is known of somebody's work at one employer.
type Work struct {
	ID         WorkID
	Employer   string
	HiredOn    lms.Date // zero if it is not known
	LeftOn     lms.Date // last day; zero: it goes on
	Source     string
	RecordedAt time.Time
	ByName     string // "" if no registrar
	Note       string
}

// WorkChange is what a registrar records of somebody's work.
type WorkChange struct {
	Person   lms.PersonID
	Replaces WorkID // the version that it corrects; 0: another employer
	Employer string
	HiredOn  lms.Date
	LeftOn   lms.Date
	Note     string // why
}

func (c WorkChange) check() error {
	switch {
	case c.HiredOn.IsZero():
		return lms.ErrForm.WithField("hired", "work_hired")
	case !c.LeftOn.IsZero() && c.LeftOn.Before(c.HiredOn):
		return lms.ErrForm.WithField("left", "work_left")
	case strings.TrimSpace(c.Note) == "":
		return lms.ErrForm.WithField("note", "work_note")
	}
	return nil
}

// Works are the newest versions of what is known of somebody's work.
func (s *Service) Works(ctx context.Context, p lms.PersonID) ([]Work, error) {
	return selectWorks(ctx, s.DB, p)
}

// RecordWork records a newer version of somebody's work, or work at another employer.
// Earlier versions stay for reports of earlier moments.
//
// Errors: lms.ErrNotFound, lms.ErrForm with fields hired, left and note, ErrOwnCredit,
// ErrWorkMoved.
func (s *Service) RecordWork(ctx context.Context, v lms.Viewer, c WorkChange, from string, now time.Time) error {
	if err := c.check(); err != nil {
		return err
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		who, err := lockWho(ctx, tx, c.Person)
		if err != nil {
			return err
		}
		if who == v.ID {
			return ErrOwnCredit
		}
		c.Person, c.Note = who, strings.TrimSpace(c.Note)
		if c.Replaces != 0 {
			if _, err := selectWork(ctx, tx, who, c.Replaces); err != nil {
				return err
			}
		}
		if err := insertWork(ctx, tx, c, v.ID, now); err != nil {
			return guards.Explain(err)
		}
		note := fmt.Sprintf("%s: %s", c.HiredOn, c.Note)
		if !c.LeftOn.IsZero() {
			note = fmt.Sprintf("%s–%s: %s", c.HiredOn, c.LeftOn, c.Note)
		}
		return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "work_recorded", Subject: who, Object: c.Employer, Note: note, At: now, From: from})
	})
}
