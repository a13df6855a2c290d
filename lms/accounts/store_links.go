package accounts

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func insertLink(ctx context.Context, tx pgx.Tx, tokenHash []byte, what purpose, p lms.PersonID, data json.RawMessage, now time.Time) error {
	return pg.Exec(ctx, tx, "insert link", `INSERT INTO accounts.links (token_hash, purpose, person, data, made_at) VALUES ($1, $2, nullif($3, 0), $4, $5)`,
		tokenHash, what, int64(p), data, now)
}

func selectLink(ctx context.Context, db pg.Querier, tokenHash []byte, what purpose, madeAfter time.Time) (link, error) {
	return pg.Row[link](ctx, db, "select link", `SELECT purpose, coalesce(person, 0) AS person, data FROM accounts.links
		WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND made_at > $3`, tokenHash, what, madeAfter)
}

// useLink uses a link up: of many who try, one succeeds.
func useLink(ctx context.Context, tx pgx.Tx, tokenHash []byte, what purpose, now, madeAfter time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "use link", `UPDATE accounts.links SET used_at = $3 WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND made_at > $4`,
		tokenHash, what, now, madeAfter)
}

// voidLinks makes what was mailed to a person for some purposes useless.
func voidLinks(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time, what ...purpose) error {
	return pg.Exec(ctx, tx, "void links", `UPDATE accounts.links SET used_at = $2 WHERE person = $1 AND purpose = ANY($3) AND used_at IS NULL`, p, now, what)
}
