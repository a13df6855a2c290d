package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

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

func selectPerson(ctx context.Context, db querier, id lms.PersonID) (lms.Person, error) {
	rows, err := db.Query(ctx, `SELECT `+personColumns+` FROM `+personTables+` WHERE p.id = $1`, id)
	if err != nil {
		return lms.Person{}, fmt.Errorf("select person: %w", err)
	}
	row, err := pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[personRow]))
	return lms.Person(row), err
}

func selectViewer(ctx context.Context, db querier, tokenHash []byte, seenAfter, openedAfter time.Time) (lms.Person, time.Time, error) {
	rows, err := db.Query(ctx, `SELECT `+personColumns+`, s.seen_at FROM accounts.sessions s JOIN `+personTables+` ON p.id = s.person
		WHERE s.token_hash = $1 AND s.seen_at > $2 AND s.opened_at > $3`, tokenHash, seenAfter, openedAfter)
	if err != nil {
		return lms.Person{}, time.Time{}, fmt.Errorf("select viewer: %w", err)
	}
	row, err := pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[struct {
		personRow
		SeenAt time.Time
	}]))
	return lms.Person(row.personRow), row.SeenAt, err
}

func selectLogin(ctx context.Context, db querier, email string) (lms.PersonID, string, error) {
	rows, err := db.Query(ctx, `SELECT person, password_hash FROM accounts.logins WHERE lower(email) = lower($1)`, email)
	if err != nil {
		return 0, "", fmt.Errorf("select login: %w", err)
	}
	row, err := pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[struct {
		Person       lms.PersonID
		PasswordHash string
	}]))
	return row.Person, row.PasswordHash, err
}

func insertPerson(ctx context.Context, tx pgx.Tx, n NewPerson, hash string, now time.Time) (id lms.PersonID, err error) {
	lang := n.Lang
	if lang == "" {
		lang = "en"
	}
	if err := tx.QueryRow(ctx, `INSERT INTO accounts.people (lang, recorded_at) VALUES ($1, $2) RETURNING id`, lang, now).Scan(&id); err != nil {
		return 0, fmt.Errorf("insert person: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO accounts.names (person, given, family, recorded_at) VALUES ($1, $2, $3, $4)`, id, n.Given, n.Family, now); err != nil {
		return 0, fmt.Errorf("insert name: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO accounts.logins (person, email, password_hash) VALUES ($1, $2, $3)`, id, n.Email, hash); err != nil {
		return 0, fmt.Errorf("insert login: %w", err)
	}
	for _, role := range n.Roles {
		if role == lms.Caregiver {
			continue // everybody is
		}
		if _, err := tx.Exec(ctx, `INSERT INTO accounts.roles (person, role) VALUES ($1, $2)`, id, role); err != nil {
			return 0, fmt.Errorf("insert role: %w", err)
		}
	}
	return id, nil
}

func insertMOPDID(ctx context.Context, tx pgx.Tx, p lms.PersonID, id lms.MOPDID, now time.Time) (given bool, err error) {
	tag, err := tx.Exec(ctx, `INSERT INTO accounts.mopd_ids (id, person, recorded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, id, p, now)
	if err != nil {
		return false, fmt.Errorf("insert MOPD ID: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

func insertSession(ctx context.Context, tx pgx.Tx, tokenHash []byte, p lms.PersonID, now time.Time) error {
	if _, err := tx.Exec(ctx, `INSERT INTO accounts.sessions (token_hash, person, opened_at, seen_at) VALUES ($1, $2, $3, $3)`, tokenHash, p, now); err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

// touchSession notes that a session is in use, at most once a minute, and tells
// whether it lives: a session that is over stays over.
func touchSession(ctx context.Context, db querier, tokenHash []byte, now, seenAfter, openedAfter time.Time) (lives bool, err error) {
	rows, err := db.Query(ctx, `WITH living AS (
			SELECT token_hash, seen_at FROM accounts.sessions WHERE token_hash = $1 AND seen_at > $3 AND opened_at > $4
		), touched AS (
			UPDATE accounts.sessions s SET seen_at = greatest(s.seen_at, $2) FROM living l
			WHERE s.token_hash = l.token_hash AND l.seen_at + interval '1 minute' <= $2
		) SELECT EXISTS (SELECT FROM living)`, tokenHash, now, seenAfter, openedAfter)
	if err == nil {
		lives, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
	}
	if err != nil {
		return false, fmt.Errorf("touch session: %w", err)
	}
	return lives, nil
}

// deleteOverSessions removes the person's sessions that are over.
func deleteOverSessions(ctx context.Context, tx pgx.Tx, p lms.PersonID, seenBy, openedBy time.Time) error {
	if _, err := tx.Exec(ctx, `DELETE FROM accounts.sessions WHERE person = $1 AND (seen_at <= $2 OR opened_at <= $3)`, p, seenBy, openedBy); err != nil {
		return fmt.Errorf("delete sessions: %w", err)
	}
	return nil
}

func deleteSession(ctx context.Context, tx pgx.Tx, tokenHash []byte) error {
	if _, err := tx.Exec(ctx, `DELETE FROM accounts.sessions WHERE token_hash = $1`, tokenHash); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

func insertAudit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	if _, err := tx.Exec(ctx, `INSERT INTO accounts.audit (at, actor, action, subject, object, origin)
		VALUES ($1, nullif($2, 0), $3, nullif($4, 0), $5, $6)`, e.At, int64(e.Actor), e.Action, int64(e.Subject), e.Object, e.From); err != nil {
		return fmt.Errorf("insert audit: %w", err)
	}
	return nil
}
