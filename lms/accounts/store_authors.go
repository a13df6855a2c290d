package accounts

import (
	"context"

	"mopd/lms"
	"mopd/lms/pg"
)

const selectAuthor = `SELECT ` + personColumns + ` FROM ` + personTables + `
	WHERE EXISTS (SELECT FROM accounts.roles WHERE person = p.id AND role = 'author')`

func selectAuthorByEmail(ctx context.Context, db pg.Querier, email string) (lms.Person, error) {
	row, err := pg.Row[personRow](ctx, db, "author", selectAuthor+` AND lower(l.email) = lower($1)`, email)
	return lms.Person(row), err
}

// selectAuthorByMOPDID finds a person by any number that they have or had.
func selectAuthorByMOPDID(ctx context.Context, db pg.Querier, id lms.MOPDID) (lms.Person, error) {
	row, err := pg.Row[personRow](ctx, db, "author", selectAuthor+` AND p.id = (SELECT person FROM accounts.mopd_ids WHERE id = $1)`, id)
	return lms.Person(row), err
}
