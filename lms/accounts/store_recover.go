package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// insertRecovery begins one; a person has one at a time.
func insertRecovery(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (int64, error) {
	return pg.Value[int64](ctx, tx, "insert recovery", `INSERT INTO accounts.recoveries (person, asked_at) VALUES ($1, $2) RETURNING id`, p, now)
}

// selectRecovery finds the one that has not ended.
func selectRecovery(ctx context.Context, db pg.Querier, p lms.PersonID) (recovery, error) {
	return pg.Row[recovery](ctx, db, "select recovery", `SELECT id, person, due_at, mailed_at FROM accounts.recoveries WHERE person = $1 AND ended_at IS NULL`, p)
}

func selectDueRecoveries(ctx context.Context, db pg.Querier, now time.Time) ([]recovery, error) {
	return pg.Rows[recovery](ctx, db, "select due recoveries", `SELECT id, person, due_at, mailed_at FROM accounts.recoveries
		WHERE ended_at IS NULL AND mailed_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 1000`, now)
}

func updateRecoveryDue(ctx context.Context, tx pgx.Tx, id int64, due time.Time) error {
	return pg.Exec(ctx, tx, "approve recovery", `UPDATE accounts.recoveries SET due_at = $2 WHERE id = $1`, id, due)
}

// updateRecoveryMailed notes that the link goes out; false if it did before, or the
// recovery has ended.
func updateRecoveryMailed(ctx context.Context, tx pgx.Tx, id int64, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "mail recovery", `UPDATE accounts.recoveries SET mailed_at = $2 WHERE id = $1 AND ended_at IS NULL AND mailed_at IS NULL AND due_at <= $2`, id, now)
}

func endRecoveries(ctx context.Context, tx pgx.Tx, p lms.PersonID, outcome string, now time.Time) error {
	if err := pg.Exec(ctx, tx, "delete stops", `DELETE FROM accounts.recovery_stops WHERE recovery IN (SELECT id FROM accounts.recoveries WHERE person = $1 AND ended_at IS NULL)`, p); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "end recovery", `UPDATE accounts.recoveries SET ended_at = $3, outcome = $2 WHERE person = $1 AND ended_at IS NULL`, p, outcome, now)
}

// lapseRecoveries ends one whose link was mailed and not used in time.
func lapseRecoveries(ctx context.Context, tx pgx.Tx, p lms.PersonID, mailedBy, now time.Time) error {
	const over = `person = $1 AND ended_at IS NULL AND mailed_at <= $2`
	if err := pg.Exec(ctx, tx, "delete stops", `DELETE FROM accounts.recovery_stops WHERE recovery IN (SELECT id FROM accounts.recoveries WHERE `+over+`)`, p, mailedBy); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "end recovery", `UPDATE accounts.recoveries SET ended_at = $3, outcome = 'lapsed' WHERE `+over, p, mailedBy, now)
}

func settleRecoveryItems(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) error {
	return pg.Exec(ctx, tx, "settle worklist item", `UPDATE accounts.worklist SET closed_at = $2, outcome = 'stopped' WHERE kind = 'recovery' AND person = $1 AND closed_at IS NULL`, p, now)
}

func insertStop(ctx context.Context, tx pgx.Tx, tokenHash []byte, recovery int64) error {
	return pg.Exec(ctx, tx, "insert stop", `INSERT INTO accounts.recovery_stops (token_hash, recovery) VALUES ($1, $2)`, tokenHash, recovery)
}

// selectStop is whose recovery a link stops.
func selectStop(ctx context.Context, db pg.Querier, tokenHash []byte) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, db, "select stop", `SELECT r.person FROM accounts.recovery_stops s JOIN accounts.recoveries r ON r.id = s.recovery
		WHERE s.token_hash = $1 AND r.ended_at IS NULL`, tokenHash)
}

// countKeptCodes is how many recovery codes are left, none where the session replaces
// them.
func countKeptCodes(ctx context.Context, db pg.Querier, p lms.PersonID, session lms.SessionID) (int, error) {
	return pg.Value[int](ctx, db, "count recovery codes", `SELECT count(*) FROM accounts.recovery_codes WHERE person = $1 AND used_at IS NULL
		AND NOT EXISTS (SELECT FROM accounts.sessions WHERE id = $2 AND person = $1 AND replaces)`, p, session)
}
