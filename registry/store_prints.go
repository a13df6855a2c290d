package registry

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func insertPrint(ctx context.Context, tx pgx.Tx, p Print, by lms.PersonID) error {
	return pg.Exec(ctx, tx, "keep print", `INSERT INTO registry.prints (code, person, year, through, known, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		p.Code, p.Person, p.Year, p.Through, p.Known, by, p.MadeAt)
}

// selectPrint is a print. It stays that of the profile under which it was made; whose that
// is today follows merges.
func selectPrint(ctx context.Context, db pg.Querier, code Code) (Print, error) {
	return pg.Row[Print](ctx, db, "select print", `SELECT code, person, (SELECT canonical FROM accounts.pub_identities i WHERE i.person = p.person) AS owner, year, through, known, made_at
		FROM registry.prints p WHERE code = $1`, code)
}
