package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectDisabling is the zero Disabling of who may sign in.
func selectDisabling(ctx context.Context, db pg.Querier, p lms.PersonID) (Disabling, error) {
	d, err := pg.Row[Disabling](ctx, db, "select disabling", `SELECT d.recorded_at AS at, d.by_person AS by, n.given || ' ' || n.family AS by_name, d.reason
		FROM accounts.disablings d JOIN accounts.pub_people n ON n.person = d.by_person WHERE d.person = $1`, p)
	if errors.Is(err, lms.ErrNotFound) {
		return Disabling{}, nil
	}
	return d, err
}

func insertDisabling(ctx context.Context, tx pgx.Tx, p, by lms.PersonID, reason string, now time.Time) error {
	return pg.Exec(ctx, tx, "disable account", `INSERT INTO accounts.disablings (person, by_person, reason, recorded_at) VALUES ($1, $2, $3, $4)`, p, by, reason, now)
}

// deleteDisabling is false of who may sign in.
func deleteDisabling(ctx context.Context, tx pgx.Tx, p lms.PersonID) (bool, error) {
	return pg.Changed(ctx, tx, "enable account", `DELETE FROM accounts.disablings WHERE person = $1`, p)
}
