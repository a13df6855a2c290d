package accounts

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// loginRow is an account as a sign-in finds it; Known tells whether the person signed
// in from that computer before.
type loginRow struct {
	Person          lms.PersonID
	PasswordHash    string
	Known           bool
	RememberedUntil *time.Time
}

func selectLogin(ctx context.Context, db pg.Querier, email string, computer []byte) (loginRow, error) {
	return pg.Row[loginRow](ctx, db, "select login", `SELECT l.person, l.password_hash, c.person IS NOT NULL AS known, c.remembered_until
		FROM accounts.logins l LEFT JOIN accounts.computers c ON c.person = l.person AND c.token_hash = $2
		WHERE lower(l.email) = lower($1)`, email, computer)
}

func selectViewer(ctx context.Context, db pg.Querier, tokenHash []byte, seenAfter, openedAfter time.Time) (lms.Viewer, time.Time, error) {
	row, err := pg.Row[struct {
		personRow
		Session  lms.SessionID
		Stage    lms.Stage
		ProvedAt *time.Time
		SeenAt   time.Time
	}](ctx, db, "select viewer", `SELECT `+personColumns+`, s.id AS session, s.stage, s.proved_at, s.seen_at
		FROM accounts.sessions s JOIN `+personTables+` ON p.id = s.person
		WHERE s.token_hash = $1 AND s.seen_at > $2 AND s.opened_at > $3`, tokenHash, seenAfter, openedAfter)
	v := lms.Viewer{Person: lms.Person(row.personRow), Session: row.Session, Stage: row.Stage}
	if row.ProvedAt != nil {
		v.ProvedAt = *row.ProvedAt
	}
	return v, row.SeenAt, err
}

func insertSession(ctx context.Context, tx pgx.Tx, tokenHash []byte, n newSession, now time.Time) error {
	return pg.Exec(ctx, tx, "insert session", `INSERT INTO accounts.sessions (token_hash, person, stage, proved_at, new_password, replaces, origin, agent, opened_at, seen_at)
		VALUES ($1, $2, $3, CASE WHEN $4 THEN $9::timestamptz END, nullif($5, ''), $6, $7, left($8, 300), $9, $9)`,
		tokenHash, n.person, n.stage, n.proved, n.newPassword, n.replaces, n.origin.From, strings.ToValidUTF8(n.origin.Agent, "?"), now)
}

// advanceSession takes a session to a stage under a new token and gives the password
// that waited for it, "" if none did.
func advanceSession(ctx context.Context, tx pgx.Tx, id lms.SessionID, tokenHash []byte, stage lms.Stage, now time.Time) (newPassword string, err error) {
	return pg.Value[string](ctx, tx, "advance session", `WITH former AS (SELECT id, new_password FROM accounts.sessions WHERE id = $1 FOR UPDATE)
		UPDATE accounts.sessions s SET token_hash = $2, stage = $3, proved_at = $4, seen_at = $4, challenge = NULL, replaces = false, new_password = NULL
		FROM former WHERE s.id = former.id RETURNING coalesce(former.new_password, '')`, id, tokenHash, stage, now)
}

// touchSession notes that a session is in use, at most once a minute, and tells
// whether it lives: a session that is over stays over.
func touchSession(ctx context.Context, db pg.Querier, id lms.SessionID, now, seenAfter, openedAfter time.Time) (lives bool, err error) {
	return pg.Value[bool](ctx, db, "touch session", `WITH living AS (
			SELECT id, seen_at FROM accounts.sessions WHERE id = $1 AND seen_at > $3 AND opened_at > $4
		), touched AS (
			UPDATE accounts.sessions s SET seen_at = greatest(s.seen_at, $2) FROM living l
			WHERE s.id = l.id AND l.seen_at + interval '1 minute' <= $2
		) SELECT EXISTS (SELECT FROM living)`, id, now, seenAfter, openedAfter)
}

func selectSessions(ctx context.Context, db pg.Querier, p lms.PersonID, seenAfter, openedAfter time.Time) ([]Session, error) {
	return pg.Rows[Session](ctx, db, "select sessions", `SELECT id, opened_at, seen_at, origin, agent FROM accounts.sessions
		WHERE person = $1 AND stage = 'signed_in' AND seen_at > $2 AND opened_at > $3 ORDER BY seen_at DESC, id DESC`, p, seenAfter, openedAfter)
}

// deleteSessions removes all sessions of a person but one, and keeps why for who has
// their cookies.
func deleteSessions(ctx context.Context, tx pgx.Tx, p lms.PersonID, keep lms.SessionID, why Ended, now time.Time) error {
	return pg.Exec(ctx, tx, "delete sessions", `WITH ended AS (DELETE FROM accounts.sessions WHERE person = $1 AND id <> $2 RETURNING token_hash)
		INSERT INTO accounts.ended_sessions (token_hash, why, ended_at) SELECT token_hash, $3, $4 FROM ended`, p, keep, why, now)
}

// deleteEnrolling removes the sessions but one in which somebody was to set up a first
// factor.
func deleteEnrolling(ctx context.Context, tx pgx.Tx, p lms.PersonID, keep lms.SessionID, now time.Time) error {
	return pg.Exec(ctx, tx, "delete sessions", `WITH ended AS (DELETE FROM accounts.sessions WHERE person = $1 AND id <> $2 AND stage = 'enrolling' RETURNING token_hash)
		INSERT INTO accounts.ended_sessions (token_hash, why, ended_at) SELECT token_hash, 'elsewhere', $3 FROM ended`, p, keep, now)
}

// deleteSession errors: lms.ErrNotFound.
func deleteSession(ctx context.Context, tx pgx.Tx, p lms.PersonID, id lms.SessionID, now time.Time) error {
	found, err := pg.Changed(ctx, tx, "delete session", `WITH ended AS (DELETE FROM accounts.sessions WHERE person = $1 AND id = $2 RETURNING token_hash)
		INSERT INTO accounts.ended_sessions (token_hash, why, ended_at) SELECT token_hash, 'elsewhere', $3 FROM ended`, p, id, now)
	if err == nil && !found {
		return lms.ErrNotFound
	}
	return err
}

// proverRow says where somebody gives a second factor: in a browser in which they
// signed in before, in a session that a link to a new password opened.
type proverRow struct{ Known, Resets bool }

func selectProver(ctx context.Context, db pg.Querier, p lms.PersonID, session lms.SessionID, computer []byte) (proverRow, error) {
	return pg.Row[proverRow](ctx, db, "select prover", `SELECT EXISTS (SELECT FROM accounts.computers WHERE person = $1 AND token_hash = $3) AS known,
		EXISTS (SELECT FROM accounts.sessions WHERE id = $2 AND new_password IS NOT NULL) AS resets`, p, session, computer)
}

func isKnown(ctx context.Context, db pg.Querier, p lms.PersonID, computer []byte) (bool, error) {
	return pg.Value[bool](ctx, db, "select computer", `SELECT EXISTS (SELECT FROM accounts.computers WHERE person = $1 AND token_hash = $2)`, p, computer)
}

// upsertComputer notes that a person signed in from a computer; what was remembered
// there stays so unless it is remembered anew.
func upsertComputer(ctx context.Context, tx pgx.Tx, tokenHash []byte, p lms.PersonID, until *time.Time, now time.Time) error {
	return pg.Exec(ctx, tx, "upsert computer", `INSERT INTO accounts.computers AS c (token_hash, person, remembered_until, seen_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (token_hash, person) DO UPDATE SET remembered_until = coalesce(EXCLUDED.remembered_until, c.remembered_until), seen_at = EXCLUDED.seen_at`,
		tokenHash, p, until, now)
}

// updateComputer gives a browser another token, whoever signed in there.
func updateComputer(ctx context.Context, tx pgx.Tx, tokenHash, newHash []byte) error {
	return pg.Exec(ctx, tx, "update computer", `UPDATE accounts.computers SET token_hash = $2 WHERE token_hash = $1`, tokenHash, newHash)
}

func selectComputers(ctx context.Context, db pg.Querier, p lms.PersonID) ([][]byte, error) {
	return pg.Values[[]byte](ctx, db, "select computers", `SELECT token_hash FROM accounts.computers WHERE person = $1`, p)
}

// forgetFactors has every computer of a person ask for the second factor again.
func forgetFactors(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	return pg.Exec(ctx, tx, "forget factors", `UPDATE accounts.computers SET remembered_until = NULL WHERE person = $1`, p)
}

func deleteComputers(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	return pg.Exec(ctx, tx, "delete computers", `DELETE FROM accounts.computers WHERE person = $1`, p)
}

func updateChallenge(ctx context.Context, db pg.Execer, id lms.SessionID, challenge []byte) error {
	return pg.Exec(ctx, db, "update challenge", `UPDATE accounts.sessions SET challenge = $2 WHERE id = $1`, id, challenge)
}

// takeChallenge gives the challenge of a session to one taker alone.
func takeChallenge(ctx context.Context, db pg.Querier, id lms.SessionID) ([]byte, error) {
	return pg.Value[[]byte](ctx, db, "take challenge", `WITH former AS (SELECT id, challenge FROM accounts.sessions WHERE id = $1 AND challenge IS NOT NULL FOR UPDATE)
		UPDATE accounts.sessions s SET challenge = NULL FROM former WHERE s.id = former.id RETURNING former.challenge`, id)
}

// whyOver is why a session is over by itself, $1 and $2 being the latest instants at which
// one that is over was seen and opened: what came first.
const whyOver = `CASE WHEN seen_at - $1::timestamptz <= opened_at - $2::timestamptz THEN 'idle' ELSE 'age' END`

// selectEnded is why the session of a token ended.
//
// Errors: lms.ErrNotFound.
func selectEnded(ctx context.Context, db pg.Querier, tokenHash []byte, seenBy, openedBy time.Time) (Ended, error) {
	return pg.Value[Ended](ctx, db, "select ended session", `SELECT why FROM accounts.ended_sessions WHERE token_hash = $3
		UNION ALL SELECT `+whyOver+` FROM accounts.sessions WHERE token_hash = $3 AND (seen_at <= $1 OR opened_at <= $2)`, seenBy, openedBy, tokenHash)
}

// sweepOver removes the sessions that are over, of one person or, 0, of all.
func sweepOver(ctx context.Context, tx pgx.Tx, p lms.PersonID, seenBy, openedBy, now time.Time) error {
	return pg.Exec(ctx, tx, "sweep sessions", `WITH ended AS (
			DELETE FROM accounts.sessions WHERE (seen_at <= $1 OR opened_at <= $2) AND ($3 = 0 OR person = $3) RETURNING token_hash, `+whyOver+` AS why
		) INSERT INTO accounts.ended_sessions (token_hash, why, ended_at) SELECT token_hash, why, $4 FROM ended`, seenBy, openedBy, p, now)
}

// sweepSessions removes what no one can use any more.
func sweepSessions(ctx context.Context, tx pgx.Tx, endedBy, codesBy, linksBy, computersBy time.Time) error {
	if err := pg.Exec(ctx, tx, "sweep ended sessions", `DELETE FROM accounts.ended_sessions WHERE ended_at <= $1`, endedBy); err != nil {
		return err
	}
	if err := pg.Exec(ctx, tx, "sweep codes", `DELETE FROM accounts.codes WHERE made_at <= $1`, codesBy); err != nil {
		return err
	}
	if err := pg.Exec(ctx, tx, "sweep links", `DELETE FROM accounts.links WHERE made_at <= $1`, linksBy); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "sweep computers", `DELETE FROM accounts.computers WHERE seen_at <= $1`, computersBy)
}
