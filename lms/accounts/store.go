package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

const personColumns = `p.id, i.id AS mopd_id, n.given, n.family, coalesce(l.email, '') AS email, p.lang, p.born,
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
	Born   lms.Date
	Roles  []lms.Role
}

func selectPerson(ctx context.Context, db pg.Querier, id lms.PersonID) (lms.Person, error) {
	row, err := pg.Row[personRow](ctx, db, "select person", `SELECT `+personColumns+` FROM `+personTables+` WHERE p.id = $1`, id)
	return lms.Person(row), err
}

func insertPerson(ctx context.Context, tx pgx.Tx, n NewPerson, now time.Time) (id lms.PersonID, err error) {
	lang := n.Lang
	if lang == "" {
		lang = "en"
	}
	if id, err = pg.Value[lms.PersonID](ctx, tx, "insert person", `INSERT INTO accounts.people (lang, born, recorded_at) VALUES ($1, $2, $3) RETURNING id`, lang, n.Born, now); err != nil {
		return 0, err
	}
	if err := insertName(ctx, tx, id, n.Given, n.Family, now); err != nil {
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

func insertName(ctx context.Context, tx pgx.Tx, p lms.PersonID, given, family string, now time.Time) error {
	return pg.Exec(ctx, tx, "insert name", `INSERT INTO accounts.names (person, given, family, recorded_at) VALUES ($1, $2, $3, $4)`, p, given, family, now)
}

func insertMOPDID(ctx context.Context, tx pgx.Tx, p lms.PersonID, id lms.MOPDID, now time.Time) (given bool, err error) {
	return pg.Changed(ctx, tx, "insert MOPD ID", `INSERT INTO accounts.mopd_ids (id, person, recorded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, id, p, now)
}

func insertLogin(ctx context.Context, tx pgx.Tx, p lms.PersonID, email, hash string, now time.Time) error {
	if err := pg.Exec(ctx, tx, "insert login", `INSERT INTO accounts.logins (person, email, password_hash) VALUES ($1, $2, $3)`, p, email, hash); err != nil {
		return err
	}
	return insertAddress(ctx, tx, p, email, now)
}

func insertAddress(ctx context.Context, tx pgx.Tx, p lms.PersonID, email string, now time.Time) error {
	return pg.Exec(ctx, tx, "insert address", `INSERT INTO accounts.addresses (person, email, recorded_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, p, email, now)
}

func updateEmail(ctx context.Context, tx pgx.Tx, p lms.PersonID, email string, now time.Time) error {
	if err := pg.Exec(ctx, tx, "update e-mail", `UPDATE accounts.logins SET email = $2 WHERE person = $1`, p, email); err != nil {
		return err
	}
	return insertAddress(ctx, tx, p, email, now)
}

func updatePassword(ctx context.Context, tx pgx.Tx, p lms.PersonID, hash string) error {
	return pg.Exec(ctx, tx, "update password", `UPDATE accounts.logins SET password_hash = $2 WHERE person = $1`, p, hash)
}

func updateLang(ctx context.Context, db pg.Execer, p lms.PersonID, lang string) error {
	return pg.Exec(ctx, db, "update language", `UPDATE accounts.people SET lang = $2 WHERE id = $1`, p, lang)
}

func selectPasswordHash(ctx context.Context, db pg.Querier, p lms.PersonID) (string, error) {
	return pg.Value[string](ctx, db, "select password", `SELECT password_hash FROM accounts.logins WHERE person = $1`, p)
}

// selectAddresses are all addresses on file, the one in use first.
func selectAddresses(ctx context.Context, db pg.Querier, p lms.PersonID) ([]string, error) {
	return pg.Values[string](ctx, db, "select addresses", `SELECT a.email FROM accounts.addresses a
		LEFT JOIN accounts.logins l ON l.person = a.person AND l.email = a.email
		WHERE a.person = $1 ORDER BY l.email IS NULL, a.recorded_at`, p)
}

func insertAudit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	return pg.Exec(ctx, tx, "insert audit", `INSERT INTO accounts.audit (at, actor, action, subject, object, note, origin)
		VALUES ($1, nullif($2, 0), $3, nullif($4, 0), $5, $6, $7)`, e.At, int64(e.Actor), e.Action, int64(e.Subject), e.Object, e.Note, e.From)
}
