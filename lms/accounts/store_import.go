package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectImported are those of the MOPD IDs that are in use, each with what was imported
// under it; nil if it was given otherwise.
func selectImported(ctx context.Context, tx pgx.Tx, ids []lms.MOPDID) (map[lms.MOPDID]*Imported, error) {
	type usedRow struct {
		ID   lms.MOPDID
		Said *Imported
	}
	rows, err := pg.Rows[usedRow](ctx, tx, "select imported", `SELECT i.id, p.said FROM accounts.mopd_ids i
		LEFT JOIN accounts.profiles p ON p.person = i.person AND p.said ->> 'mopd_id' = i.id::text WHERE i.id = ANY($1)`, ids)
	known := map[lms.MOPDID]*Imported{}
	for _, row := range rows {
		known[row.ID] = row.Said
	}
	return known, err
}

// insertImported writes people and their profiles down and gives their ids, in the same
// order.
func insertImported(ctx context.Context, tx pgx.Tx, fresh []Imported, now time.Time) ([]lms.PersonID, error) {
	people, err := pg.Values[lms.PersonID](ctx, tx, "draw ids", `SELECT nextval(pg_get_serial_sequence('accounts.people', 'id')) FROM generate_series(1, $1)`, len(fresh))
	if err != nil || len(fresh) == 0 {
		return people, err
	}
	given, family, email, said := make([]string, len(fresh)), make([]string, len(fresh)), make([]string, len(fresh)), make([]string, len(fresh))
	ids, born := make([]lms.MOPDID, len(fresh)), make([]lms.Date, len(fresh))
	for i, p := range fresh {
		b, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("imported person: %w", err)
		}
		ids[i], given[i], family[i], born[i], email[i], said[i] = p.MOPDID, p.Given, p.Family, p.Born, p.Email, string(b)
	}
	const rows = ` FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::date[], $6::text[], $7::text[]) r (person, mopd_id, given, family, born, email, said)`
	for _, sql := range []string{
		`INSERT INTO accounts.people (id, born, recorded_at) OVERRIDING SYSTEM VALUE SELECT person, born, $8` + rows,
		`INSERT INTO accounts.names (person, given, family, recorded_at) SELECT person, given, family, $8` + rows,
		`INSERT INTO accounts.mopd_ids (id, person, recorded_at) SELECT mopd_id, person, $8` + rows,
		`INSERT INTO accounts.addresses (person, email, recorded_at) SELECT person, email, $8` + rows + ` WHERE email <> ''`,
		`INSERT INTO accounts.profiles (person, email, said, imported_at) SELECT person, email, said::jsonb, $8` + rows,
		`INSERT INTO accounts.audit (at, action, subject, object, origin) SELECT $8, 'imported', person, 'mopd/' || mopd_id, ''` + rows,
	} {
		if err := pg.Exec(ctx, tx, "insert imported", sql, people, ids, given, family, born, email, said, now); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// insertImportItem lets a registrar see a row that differs from what is on file, once
// however often it is imported.
func insertImportItem(ctx context.Context, tx pgx.Tx, p Imported, why string, now time.Time) error {
	return pg.Exec(ctx, tx, "insert worklist item", `INSERT INTO accounts.worklist (kind, person, details, opened_at)
		SELECT 'import', i.person, jsonb_build_object('mopd_id', i.id, 'why', $2::text, 'said', $3::jsonb), $4 FROM accounts.mopd_ids i
		WHERE i.id = $1 AND NOT EXISTS (SELECT FROM accounts.worklist w WHERE w.kind = 'import' AND w.details ->> 'mopd_id' = $1::text AND w.details -> 'said' = $3::jsonb)`,
		p.MOPDID, why, p, now)
}

// selectHolder is who has a MOPD ID today.
//
// Errors: lms.ErrNotFound.
func selectHolder(ctx context.Context, tx pgx.Tx, id lms.MOPDID) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, tx, "select holder", `SELECT person FROM accounts.pub_mopd_ids WHERE mopd_id = $1`, id)
}
