package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms/pg"
)

// lockThrottles locks the rows of the keys until the transaction ends, and makes those
// that are missing. It takes them in the order of their keys, so that nobody waits for
// who waits for them.
func lockThrottles(ctx context.Context, tx pgx.Tx, keys [][]byte, now time.Time) error {
	return pg.Exec(ctx, tx, "lock throttles", `INSERT INTO accounts.throttles (key, tries, recent, last_at, next_at)
		SELECT key, 0, 0, $2, $2 FROM unnest($1::bytea[]) key ORDER BY key
		ON CONFLICT (key) DO UPDATE SET key = excluded.key WHERE false`, keys, now)
}

// selectThrottles are the tallies of the keys, in their order. It reads what those who
// held the locks before have written, which lockThrottles cannot: it began earlier.
func selectThrottles(ctx context.Context, tx pgx.Tx, keys [][]byte) ([]tally, error) {
	return pg.Rows[tally](ctx, tx, "select throttles", `SELECT t.tries, t.recent, t.last_at, t.next_at
		FROM unnest($1::bytea[]) WITH ORDINALITY k (key, n) JOIN accounts.throttles t ON t.key = k.key ORDER BY k.n`, keys)
}

func updateThrottle(ctx context.Context, tx pgx.Tx, key []byte, t tally) error {
	return pg.Exec(ctx, tx, "update throttle", `UPDATE accounts.throttles SET tries = $2, recent = $3, last_at = $4, next_at = $5 WHERE key = $1`,
		key, t.Tries, t.Recent, t.LastAt, t.NextAt)
}

// deleteThrottles removes the tallies of the keys, but of the shared ones one try alone.
func deleteThrottles(ctx context.Context, tx pgx.Tx, keys, shared [][]byte) error {
	return pg.Exec(ctx, tx, "delete throttles", `WITH locked AS MATERIALIZED (
			SELECT key FROM accounts.throttles WHERE key = ANY($1) ORDER BY key FOR UPDATE
		), taken_back AS (
			UPDATE accounts.throttles t SET tries = greatest(tries - 1, 0), recent = greatest(recent - 1, 0)
			FROM locked l WHERE t.key = l.key AND t.key = ANY($2)
		) DELETE FROM accounts.throttles t USING locked l WHERE t.key = l.key AND t.key <> ALL(coalesce($2, '{}'))`, keys, shared)
}

// deleteOldThrottles removes the tallies whose waits were over before an instant, but not
// those at their limit, which only a success removes. The instant lies at least the
// longest forget of a pace back. A row that is in use is left for the next time.
func deleteOldThrottles(ctx context.Context, db pg.Execer, before time.Time) error {
	return pg.Exec(ctx, db, "delete old throttles", `DELETE FROM accounts.throttles WHERE key IN (
			SELECT key FROM accounts.throttles WHERE next_at < $1 FOR UPDATE SKIP LOCKED)`, before)
}
