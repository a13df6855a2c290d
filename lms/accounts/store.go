package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

const personColumns = `p.id, i.id AS mopd_id, n.given, n.family, coalesce(l.email, '') AS email, p.lang,
	ARRAY(SELECT r.role FROM accounts.roles r WHERE r.person = p.id ORDER BY r.role) AS roles`

const personTables = `accounts.people p
	JOIN LATERAL (SELECT id FROM accounts.mopd_ids WHERE person = p.id ORDER BY recorded_at DESC, id LIMIT 1) i ON true
	JOIN LATERAL (SELECT given, family FROM accounts.names WHERE person = p.id ORDER BY recorded_at DESC LIMIT 1) n ON true
	LEFT JOIN accounts.logins l ON l.person = p.id`

type personRow struct {
	ID     lms.PersonID
	MOPDID lms.MOPDID `db:"mopd_id"`
	Given  string
	Family string
	Email  string
	Lang   string
	Roles  []lms.Role
}

func selectPerson(ctx context.Context, db pg.Querier, id lms.PersonID) (lms.Person, error) {
	row, err := pg.Row[personRow](ctx, db, "select person", `SELECT `+personColumns+` FROM `+personTables+` WHERE p.id = $1`, id)
	return lms.Person(row), err
}

func selectViewer(ctx context.Context, db pg.Querier, tokenHash []byte, seenAfter, openedAfter time.Time) (lms.Person, time.Time, error) {
	row, err := pg.Row[struct {
		personRow
		SeenAt time.Time
	}](ctx, db, "select viewer", `SELECT `+personColumns+`, s.seen_at FROM accounts.sessions s JOIN `+personTables+` ON p.id = s.person
		WHERE s.token_hash = $1 AND s.seen_at > $2 AND s.opened_at > $3`, tokenHash, seenAfter, openedAfter)
	return lms.Person(row.personRow), row.SeenAt, err
}

func selectLogin(ctx context.Context, db pg.Querier, email string) (lms.PersonID, string, error) {
	row, err := pg.Row[struct {
		Person       lms.PersonID
		PasswordHash string
	}](ctx, db, "select login", `SELECT person, password_hash FROM accounts.logins WHERE lower(email) = lower($1)`, email)
	return row.Person, row.PasswordHash, err
}

func insertPerson(ctx context.Context, tx pgx.Tx, n NewPerson, hash string, now time.Time) (id lms.PersonID, err error) {
	lang := n.Lang
	if lang == "" {
		lang = "en"
	}
	if id, err = pg.Value[lms.PersonID](ctx, tx, "insert person", `INSERT INTO accounts.people (lang, recorded_at) VALUES ($1, $2) RETURNING id`, lang, now); err != nil {
		return 0, err
	}
	if err := pg.Exec(ctx, tx, "insert name", `INSERT INTO accounts.names (person, given, family, recorded_at) VALUES ($1, $2, $3, $4)`, id, n.Given, n.Family, now); err != nil {
		return 0, err
	}
	if err := pg.Exec(ctx, tx, "insert login", `INSERT INTO accounts.logins (person, email, password_hash) VALUES ($1, $2, $3)`, id, n.Email, hash); err != nil {
		return 0, err
	}
	for _, role := range n.Roles {
		if role == lms.Caregiver {
			continue // everybody is
		}
		if err := pg.Exec(ctx, tx, "insert role", `INSERT INTO accounts.roles (person, role) VALUES ($1, $2)`, id, role); err != nil {
			return 0, err
		}
	}
	return id, nil
}

func insertMOPDID(ctx context.Context, tx pgx.Tx, p lms.PersonID, id lms.MOPDID, now time.Time) (given bool, err error) {
	return pg.Changed(ctx, tx, "insert MOPD ID", `INSERT INTO accounts.mopd_ids (id, person, recorded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, id, p, now)
}

func insertSession(ctx context.Context, tx pgx.Tx, tokenHash []byte, p lms.PersonID, now time.Time) error {
	return pg.Exec(ctx, tx, "insert session", `INSERT INTO accounts.sessions (token_hash, person, opened_at, seen_at) VALUES ($1, $2, $3, $3)`, tokenHash, p, now)
}

// touchSession notes that a session is in use, at most once a minute, and tells
// whether it lives: a session that is over stays over.
func touchSession(ctx context.Context, db pg.Querier, tokenHash []byte, now, seenAfter, openedAfter time.Time) (lives bool, err error) {
	return pg.Value[bool](ctx, db, "touch session", `WITH living AS (
			SELECT token_hash, seen_at FROM accounts.sessions WHERE token_hash = $1 AND seen_at > $3 AND opened_at > $4
		), touched AS (
			UPDATE accounts.sessions s SET seen_at = greatest(s.seen_at, $2) FROM living l
			WHERE s.token_hash = l.token_hash AND l.seen_at + interval '1 minute' <= $2
		) SELECT EXISTS (SELECT FROM living)`, tokenHash, now, seenAfter, openedAfter)
}

// deleteOverSessions removes the person's sessions that are over.
func deleteOverSessions(ctx context.Context, tx pgx.Tx, p lms.PersonID, seenBy, openedBy time.Time) error {
	return pg.Exec(ctx, tx, "delete sessions", `DELETE FROM accounts.sessions WHERE person = $1 AND (seen_at <= $2 OR opened_at <= $3)`, p, seenBy, openedBy)
}

func deleteSession(ctx context.Context, tx pgx.Tx, tokenHash []byte) error {
	return pg.Exec(ctx, tx, "delete session", `DELETE FROM accounts.sessions WHERE token_hash = $1`, tokenHash)
}

func insertAudit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	return pg.Exec(ctx, tx, "insert audit", `INSERT INTO accounts.audit (at, actor, action, subject, object, origin)
		VALUES ($1, nullif($2, 0), $3, nullif($4, 0), $5, $6)`, e.At, int64(e.Actor), e.Action, int64(e.Subject), e.Object, e.From)
}
