package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// Viewer is the person whose session has a token; it keeps the session alive.
//
// Errors: lms.ErrUnauthenticated.
func (s *Service) Viewer(ctx context.Context, token string, now time.Time) (lms.Viewer, error) {
	v, seen, err := selectViewer(ctx, s.DB, web.HashToken(token), now.Add(-Idle), now.Add(-Longest))
	if errors.Is(err, lms.ErrNotFound) {
		return v, lms.ErrUnauthenticated.Because(err)
	}
	if err == nil && now.Sub(seen) > time.Minute {
		err = touch(ctx, s.DB, v.Session, now)
	}
	return v, err
}

// Touch keeps a session alive while its course plays. A session that is over does not
// come back to life.
//
// Errors: lms.ErrUnauthenticated.
func (s *Service) Touch(ctx context.Context, tx pgx.Tx, id lms.SessionID, now time.Time) error {
	return touch(ctx, tx, id, now)
}

func touch(ctx context.Context, db pg.Querier, id lms.SessionID, now time.Time) error {
	lives, err := touchSession(ctx, db, id, now, now.Add(-Idle), now.Add(-Longest))
	if err == nil && !lives {
		return lms.ErrUnauthenticated
	}
	return err
}

// SignOut ends a session, and the person's player wherever it runs.
func (s *Service) SignOut(ctx context.Context, v lms.Viewer, from string, now time.Time) error {
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := s.Player.Fence(ctx, tx, v.ID); err != nil {
			return err
		}
		if err := deleteSession(ctx, tx, v.ID, v.Session, now); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "signed_out", Subject: v.ID, At: now, From: from})
	})
}

// SignOutEverywhere ends every session of the viewer, this one too, and forgets the
// computers in which they signed in.
func (s *Service) SignOutEverywhere(ctx context.Context, v lms.Viewer, from string, now time.Time) error {
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := s.endSessions(ctx, tx, v.ID, 0, EndedElsewhere, now); err != nil {
			return err
		}
		if err := deleteComputers(ctx, tx, v.ID); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "signed_out_everywhere", Subject: v.ID, At: now, From: from})
	})
}

// EndSession ends one of the viewer's own sessions.
//
// Errors: lms.ErrNotFound.
func (s *Service) EndSession(ctx context.Context, v lms.Viewer, id lms.SessionID, from string, now time.Time) error {
	return s.forPerson(ctx, v.ID, func(tx pgx.Tx) error {
		if err := s.Player.Fence(ctx, tx, v.ID); err != nil {
			return err
		}
		if err := deleteSession(ctx, tx, v.ID, id, now); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "session_ended", Subject: v.ID, At: now, From: from})
	})
}

// endSessions ends all sessions of a person but one, and their player; keep 0 ends
// all. Why is what the sign-in page says in their browsers.
func (s *Service) endSessions(ctx context.Context, tx pgx.Tx, p lms.PersonID, keep lms.SessionID, why Ended, now time.Time) error {
	if err := s.Player.Fence(ctx, tx, p); err != nil {
		return err
	}
	return deleteSessions(ctx, tx, p, keep, why, now)
}

// Ended is why a session ended.
type Ended string

// Why sessions end.
const (
	EndedIdle      Ended = "idle"          // no request for Idle
	EndedOld       Ended = "age"           // Longest had passed
	EndedElsewhere Ended = "elsewhere"     // signed out by its person, here or from another browser
	EndedPassword  Ended = "password"      // a new one is in force
	EndedRoles     Ended = "roles"         // they were changed
	EndedByAdmin   Ended = "administrator" // who ended all sessions of the person
	EndedDisabled  Ended = "disabled"      // the account was disabled
	EndedRecovered Ended = "recovered"     // a registrar let the person in again
	EndedMerged    Ended = "merged"        // the profile is part of another one
)

// Ended is why the session of a token ended: only who has its cookie learns it. "" if
// there was none, it lives, or it is long past.
func (s *Service) Ended(ctx context.Context, token string, now time.Time) (Ended, error) {
	why, err := selectEnded(ctx, s.DB, web.HashToken(token), now.Add(-Idle), now.Add(-Longest))
	if errors.Is(err, lms.ErrNotFound) {
		return "", nil
	}
	return why, err
}

// Session is one of a person's sessions, as they see it.
type Session struct {
	ID       lms.SessionID
	OpenedAt time.Time
	SeenAt   time.Time
	Origin   string
	Agent    string
}

// Browser is the browser of the session in a few words.
func (s Session) Browser() string { return agentName(s.Agent) }

// Sessions are a person's sessions that live, the last used first.
func (s *Service) Sessions(ctx context.Context, p lms.PersonID, now time.Time) ([]Session, error) {
	return selectSessions(ctx, s.DB, p, now.Add(-Idle), now.Add(-Longest))
}

// forPerson runs fn in a transaction that has the person's lock.
func (s *Service) forPerson(ctx context.Context, p lms.PersonID, fn func(pgx.Tx) error) error {
	return guards.Explain(pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, p); err != nil {
			return err
		}
		return fn(tx)
	})) // some constraints speak when the transaction ends
}

// Sweep removes sessions, codes, links and counts of tries that are over, and computers
// that nobody signed in from for as long as browsers remember. Why a session ended is
// kept for a while.
func (s *Service) Sweep(ctx context.Context, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := deleteOldThrottles(ctx, tx, now.Add(-7*24*time.Hour)); err != nil {
			return err
		}
		if err := deleteOldClaims(ctx, tx, now.Add(-2*linkLife)); err != nil {
			return err
		}
		if err := sweepOver(ctx, tx, 0, now.Add(-Idle), now.Add(-Longest), now); err != nil {
			return err
		}
		return sweepSessions(ctx, tx, now.Add(-endedKept), now.Add(-codeLife), now.Add(-2*linkLife), now.Add(-computerLife))
	})
}
