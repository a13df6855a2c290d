package player

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// grantAfter is how long a content grant outlasts the completion window.
const grantAfter = 30 * 24 * time.Hour

// Fence ends a person's live player from this instant: its next call is refused.
// What it has not sent stays in its journal.
func (s *Service) Fence(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	if err := pg.LockPerson(ctx, tx, p); err != nil {
		return err
	}
	return fenceLease(ctx, tx, p)
}

// SeatTime is how long a person has been in the seat of an enrollment, over all its
// sessions: what the bar of the player shows. 0 before the first launch.
func (s *Service) SeatTime(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (time.Duration, error) {
	ms, err := selectSeatOf(ctx, tx, id)
	return time.Duration(ms) * time.Millisecond, err
}

// mine finds an enrollment that belongs to the person.
func (s *Service) mine(ctx context.Context, tx pgx.Tx, p lms.PersonID, id lms.EnrollmentID) (lms.Enrollment, error) {
	e, err := s.Enrollments.Enrollment(ctx, tx, id)
	if err != nil {
		return e, err
	}
	if e.Person != p {
		return lms.Enrollment{}, lms.ErrNotFound
	}
	return e, nil
}

// gate tells why the player may not open an enrollment, in the order in which a
// person can do something about it.
func (s *Service) gate(ctx context.Context, tx pgx.Tx, e lms.Enrollment, now time.Time) error {
	today := lms.DateOf(now)
	if err := lms.CanLaunch(e, today); err != nil {
		return err
	}
	if attested, err := selectAttested(ctx, tx, e, today); err != nil {
		return err
	} else if !attested {
		return errAttestation
	}
	refusal := s.Registry.CanEarn(ctx, tx, e.Person, e.Course, today)
	if !errors.Is(refusal, lms.ErrEarnsAgain) {
		return refusal
	}
	if accepted, err := selectNoCredit(ctx, tx, e, earnsAgain(refusal)); err != nil || accepted {
		return err
	}
	return refusal
}

// earnsAgain is the day that an ErrEarnsAgain names; the zero Date if none.
func earnsAgain(err error) lms.Date {
	e, ok := lms.AsError(err)
	if !ok {
		return lms.Date{}
	}
	from, _ := e.Args["From"].(lms.Date)
	return from
}

// Check finds a person's enrollment and tells whether the player may open it.
//
// Errors: lms.ErrNotFound; beside the enrollment, why it may not: those of
// lms.CanLaunch, errAttestation, lms.ErrEarnsAgain (with From).
func (s *Service) Check(ctx context.Context, p lms.PersonID, id lms.EnrollmentID, now time.Time) (e lms.Enrollment, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if e, err = s.mine(ctx, tx, p, id); err != nil {
			return err
		}
		return s.gate(ctx, tx, e, now)
	})
	return e, err
}

// Attest stores that the person confirmed the attestation of today, in the wording
// and language that they read.
//
// Errors: lms.ErrNotFound, those of lms.CanLaunch.
func (s *Service) Attest(ctx context.Context, p lms.PersonID, id lms.EnrollmentID, lang string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		e, err := s.mine(ctx, tx, p, id)
		if err != nil {
			return err
		}
		if err := lms.CanLaunch(e, lms.DateOf(now)); err != nil {
			return err
		}
		return insertAttestation(ctx, tx, e, lms.DateOf(now), lang, now)
	})
}

// AcceptNoCredit stores that the person knows from which day the course can earn
// again and goes on for no credit. It does nothing if the course can earn.
//
// Errors: lms.ErrNotFound, those of lms.CanLaunch.
func (s *Service) AcceptNoCredit(ctx context.Context, p lms.PersonID, id lms.EnrollmentID, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		e, err := s.mine(ctx, tx, p, id)
		if err != nil {
			return err
		}
		today := lms.DateOf(now)
		if err := lms.CanLaunch(e, today); err != nil {
			return err
		}
		refusal := s.Registry.CanEarn(ctx, tx, p, e.Course, today)
		if !errors.Is(refusal, lms.ErrEarnsAgain) {
			return refusal
		}
		return insertNoCredit(ctx, tx, e, earnsAgain(refusal), now)
	})
}

// LaunchRequest is who launches what, and from where.
type LaunchRequest struct {
	Person     lms.PersonID
	Enrollment lms.EnrollmentID
	Session    lms.SessionID // of the application
	Device     Device
	From       string // network address, for the audit trail
}

// Launched is what the shell needs to run the course. The token is nowhere else:
// the server keeps its hash.
type Launched struct {
	Label      string           `json:"-"`
	Token      string           `json:"token"`
	Epoch      int64            `json:"epoch"`
	Enrollment lms.EnrollmentID `json:"enrollment"`
	Attempt    lms.AttemptID    `json:"attempt"`
	Saved      map[int64]int64  `json:"saved"` // session epoch -> last number acknowledged in it
	SeatMS     int64            `json:"seat_ms"`
	Title      string           `json:"title"`
	Learner    lms.MOPDID       `json:"learner"`
	Ends       time.Time        `json:"ends"` // first instant after the completion window
	Now        time.Time        `json:"now"`
}

// Launch makes the caller the person's one live player. Any earlier one is fenced
// from this instant.
//
// Errors: lms.ErrNotFound, errComputer, and why the player may not open (Check).
func (s *Service) Launch(ctx context.Context, r LaunchRequest, now time.Time) (l Launched, err error) {
	if !r.Device.Computer {
		return Launched{}, errComputer
	}
	secret, err := s.random(32)
	if err != nil {
		return Launched{}, err
	}
	fresh, err := s.freshLabel()
	if err != nil {
		return Launched{}, err
	}
	l.Token, l.Now = base64.RawURLEncoding.EncodeToString(secret), now
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, r.Person); err != nil {
			return err
		}
		e, err := s.mine(ctx, tx, r.Person, r.Enrollment)
		if err != nil {
			return err
		}
		if err := s.gate(ctx, tx, e, now); err != nil {
			return err
		}
		if err := s.Enrollments.Launched(ctx, tx, e.ID, lms.DateOf(now)); err != nil {
			return err
		}
		// A first launch may move the end of the window.
		if e, err = s.mine(ctx, tx, r.Person, r.Enrollment); err != nil {
			return err
		}
		return s.open(ctx, tx, e, r, fresh, now, &l)
	})
	if err != nil {
		return Launched{}, err
	}
	return l, nil
}

// open writes the new session and fills in what the shell needs of it.
func (s *Service) open(ctx context.Context, tx pgx.Tx, e lms.Enrollment, r LaunchRequest, fresh string, now time.Time, l *Launched) error {
	content, err := s.Courses.Content(ctx, tx, e.Version)
	if err != nil {
		return err
	}
	person, err := s.Accounts.Person(ctx, tx, e.Person)
	if err != nil {
		return err
	}
	attempt, err := attemptOf(ctx, tx, e, now)
	if err != nil {
		return err
	}
	if err := insertActivity(ctx, tx, attempt, content.Activity); err != nil {
		return err
	}
	if l.Label, err = grantOf(ctx, tx, e, fresh, e.LastDay.End().Add(grantAfter), now); err != nil {
		return err
	}
	if l.Epoch, err = takeLease(ctx, tx, e.Person, attempt, web.HashToken(l.Token), r.Session); err != nil {
		return err
	}
	if err := insertSession(ctx, tx, e.Person, l.Epoch, attempt, r.Device.Name, now); err != nil {
		return err
	}
	if l.Saved, err = selectSaved(ctx, tx, attempt); err != nil {
		return err
	}
	if l.SeatMS, err = selectSeat(ctx, tx, attempt); err != nil {
		return err
	}
	l.Enrollment, l.Attempt = e.ID, attempt
	l.Title, l.Learner, l.Ends = e.Title, person.MOPDID, e.LastDay.End()
	return s.Accounts.Audit(ctx, tx, lms.AuditEntry{
		Actor: e.Person, Action: "launch", Subject: e.Person,
		Object: fmt.Sprintf("enrollment/%d", e.ID), At: now, From: r.From,
	})
}

// Status is where a course stands, for the shell: the word of its frame, in which the
// course runs too, is no proof.
type Status struct {
	Completed bool             `json:"completed"`
	Posted    lms.CreditStatus `json:"posted"` // "" while it is not
	Live      *Live            `json:"live,omitempty"`
}

// Live is the session of a person's one live player, in whichever course.
type Live struct {
	Epoch      int64            `json:"epoch"`
	Enrollment lms.EnrollmentID `json:"enrollment"`
	Device     string           `json:"device"`
	Since      time.Time        `json:"since"`
}

// Status tells where a person's enrollment and its credit stand, and which player of
// the person is live.
//
// Errors: lms.ErrNotFound.
func (s *Service) Status(ctx context.Context, p lms.PersonID, id lms.EnrollmentID) (st Status, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		st = Status{}
		e, err := s.mine(ctx, tx, p, id)
		if err != nil {
			return err
		}
		if st.Completed = e.State == lms.Completed; st.Completed {
			if st.Posted, err = s.Registry.Posted(ctx, tx, id); err != nil {
				return err
			}
		}
		live, err := selectLive(ctx, tx, p)
		if errors.Is(err, lms.ErrNotFound) {
			return nil
		}
		st.Live = &live
		return err
	})
	if err != nil {
		return Status{}, err
	}
	return st, nil
}
