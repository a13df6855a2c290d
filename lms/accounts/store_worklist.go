package accounts

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func selectWaiting(ctx context.Context, db pg.Querier, kind ItemKind, limit, offset int) ([]Waiting, error) {
	return pg.Rows[Waiting](ctx, db, "select worklist", `SELECT w.id, w.kind, w.opened_at, coalesce((w.details ->> 'mopd_id')::integer, 0) AS mopd_id,
			coalesce((SELECT given || ' ' || family FROM accounts.names WHERE person = w.person ORDER BY recorded_at DESC LIMIT 1), '') AS name,
			coalesce((SELECT given || ' ' || family FROM accounts.names WHERE person = w.other ORDER BY recorded_at DESC LIMIT 1), '') AS other
		FROM accounts.worklist w WHERE w.closed_at IS NULL AND ($1 = '' OR w.kind = $1) 
		ORDER BY w.kind = 'claim' AND NOT EXISTS (SELECT FROM accounts.mopd_ids WHERE id = (w.details ->> 'mopd_id')::integer), w.opened_at, w.id LIMIT $2 OFFSET $3`,
		string(kind), limit, offset)
}

func countWaiting(ctx context.Context, db pg.Querier) (map[ItemKind]int, error) {
	type countRow struct {
		Kind  ItemKind
		Count int
	}
	rows, err := pg.Rows[countRow](ctx, db, "count worklist", `SELECT kind, count(*) AS count FROM accounts.worklist WHERE closed_at IS NULL GROUP BY kind`)
	counts := map[ItemKind]int{}
	for _, row := range rows {
		counts[row.Kind] = row.Count
	}
	return counts, err
}

func selectItem(ctx context.Context, db pg.Querier, id int64) (Item, error) {
	return pg.Row[Item](ctx, db, "select worklist item", `SELECT id, kind, coalesce(person, 0) AS person, coalesce(other, 0) AS other, details, opened_at, closed_at,
			coalesce((SELECT given || ' ' || family FROM accounts.names WHERE person = closed_by ORDER BY recorded_at DESC LIMIT 1), '') AS closed_by,
			coalesce(outcome, '') AS outcome, coalesce(reason, '') AS reason, pending, due_at
		FROM accounts.worklist WHERE id = $1`, id)
}

// updateItemPending keeps what is decided until it takes effect; nil is nothing.
func updateItemPending(ctx context.Context, tx pgx.Tx, id int64, p *Pending, due *time.Time) error {
	return pg.Exec(ctx, tx, "postpone worklist item", `UPDATE accounts.worklist SET pending = $2, due_at = $3 WHERE id = $1`, id, p, due)
}

func selectDueLinks(ctx context.Context, db pg.Querier, now time.Time) ([]int64, error) {
	return pg.Values[int64](ctx, db, "select due claim links", `SELECT id FROM accounts.worklist
		WHERE kind = 'claim' AND closed_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 1000`, now)
}

func insertItemStop(ctx context.Context, tx pgx.Tx, tokenHash []byte, item int64) error {
	return pg.Exec(ctx, tx, "insert stop", `INSERT INTO accounts.worklist_stops (token_hash, item) VALUES ($1, $2)`, tokenHash, item)
}

func deleteItemStops(ctx context.Context, tx pgx.Tx, item int64) error {
	return pg.Exec(ctx, tx, "delete stops", `DELETE FROM accounts.worklist_stops WHERE item = $1`, item)
}

// stoppable is an item whose decision can still be stopped.
type stoppable struct {
	ID     int64
	Kind   ItemKind
	Person lms.PersonID // 0 if nobody is known
}

func (i stoppable) object() string { return Item{ID: i.ID}.object() }

func selectStoppable(ctx context.Context, db pg.Querier, tokenHash []byte) (stoppable, error) {
	return pg.Row[stoppable](ctx, db, "select stop", `SELECT w.id, w.kind, coalesce(w.person, o.canonical, 0) AS person
		FROM accounts.worklist_stops s JOIN accounts.worklist w ON w.id = s.item
		LEFT JOIN accounts.mopd_ids i ON i.id = (w.details ->> 'mopd_id')::integer LEFT JOIN accounts.pub_identities o ON o.person = i.person
		WHERE s.token_hash = $1 AND w.closed_at IS NULL AND w.due_at IS NOT NULL`, tokenHash)
}

// stopItem closes an item whose decision waits; false if it did not wait any more.
func stopItem(ctx context.Context, tx pgx.Tx, id int64, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "stop worklist item", `UPDATE accounts.worklist SET closed_at = $2, outcome = 'stopped' WHERE id = $1 AND closed_at IS NULL AND due_at IS NOT NULL`, id, now)
}

// insertItem opens an item.
func insertItem(ctx context.Context, tx pgx.Tx, i Item, now time.Time) error {
	if i.Details == nil {
		i.Details = json.RawMessage("{}")
	}
	return pg.Exec(ctx, tx, "insert worklist item", `INSERT INTO accounts.worklist (kind, person, other, details, opened_at) VALUES ($1, nullif($2, 0), nullif($3, 0), $4, $5)`,
		i.Kind, int64(i.Person), int64(i.Other), i.Details, now)
}

func lockItem(ctx context.Context, tx pgx.Tx, id int64) error {
	return pg.Exec(ctx, tx, "lock worklist item", `SELECT FROM accounts.worklist WHERE id = $1 FOR UPDATE`, id)
}

func closeItem(ctx context.Context, tx pgx.Tx, id int64, by lms.PersonID, outcome, reason string, now time.Time) error {
	return pg.Exec(ctx, tx, "close worklist item", `UPDATE accounts.worklist SET closed_at = $5, closed_by = $2, outcome = $3, reason = $4 WHERE id = $1 AND closed_at IS NULL`,
		id, by, outcome, reason, now)
}

// selectWho is who a person is today: themselves, or who they were merged into.
func selectWho(ctx context.Context, db pg.Querier, p lms.PersonID) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, db, "select identity", `SELECT canonical FROM accounts.pub_identities WHERE person = $1`, p)
}

// selectHeldNames are all names that a person held under any profile, the newest first.
func selectHeldNames(ctx context.Context, db pg.Querier, p lms.PersonID) ([]string, error) {
	return pg.Values[string](ctx, db, "select names", `SELECT n.given || ' ' || n.family FROM accounts.names n JOIN accounts.pub_identities o ON o.person = n.person
		WHERE o.canonical = $1 GROUP BY 1 ORDER BY bool_or(n.person = $1) DESC, max(n.recorded_at) DESC`, p)
}

// selectAccess tells whether somebody can sign in to a profile, and whether it waits to
// be claimed.
func selectAccess(ctx context.Context, db pg.Querier, p lms.PersonID) (login, waits bool, err error) {
	type accessRow struct{ Login, Waits bool }
	row, err := pg.Row[accessRow](ctx, db, "select access", `SELECT EXISTS (SELECT FROM accounts.logins WHERE person = $1) AS login,
		NOT EXISTS (SELECT FROM accounts.logins WHERE person = $1) AND EXISTS (SELECT FROM accounts.profiles f JOIN accounts.pub_identities o ON o.person = f.person
			WHERE o.canonical = $1 AND f.claimed_at IS NULL) AS waits`, p)
	return row.Login, row.Waits, err
}

// namesake is a profile with the same birth date.
type namesake struct {
	Person lms.PersonID
	Given  string
	Family string
}

// selectBornOn are the names of everybody else who was born on a day.
func selectBornOn(ctx context.Context, tx pgx.Tx, born lms.Date, not lms.PersonID) ([]namesake, error) {
	return pg.Rows[namesake](ctx, tx, "select born on", `SELECT o.canonical AS person, n.given, n.family FROM accounts.people p
		JOIN accounts.pub_identities o ON o.person = p.id JOIN accounts.names n ON n.person = p.id
		WHERE p.born = $1 AND o.canonical <> $2 ORDER BY o.canonical`, born, not)
}

// insertSamePerson opens an item about two profiles, once.
func insertSamePerson(ctx context.Context, tx pgx.Tx, p, other lms.PersonID, now time.Time) error {
	return pg.Exec(ctx, tx, "insert worklist item", `INSERT INTO accounts.worklist (kind, person, other, opened_at)
		SELECT 'same_person', $1, $2, $3 WHERE NOT EXISTS (SELECT FROM accounts.worklist WHERE kind = 'same_person' AND (person, other) IN (($1, $2), ($2, $1)))`, p, other, now)
}

// --- a merge ---

func insertMerge(ctx context.Context, tx pgx.Tx, from, into, by lms.PersonID, reason string, now time.Time) error {
	return pg.Exec(ctx, tx, "insert merge", `INSERT INTO accounts.merges (from_person, into_person, recorded_at, by_person, reason) VALUES ($1, $2, $3, $4, $5)`, from, into, now, by, reason)
}

// moveAddresses keeps the addresses of one profile on file for the other.
func moveAddresses(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) error {
	return pg.Exec(ctx, tx, "copy addresses", `INSERT INTO accounts.addresses (person, email, recorded_at)
		SELECT $2, email, recorded_at FROM accounts.addresses WHERE person = $1 ON CONFLICT DO NOTHING`, from, into)
}

// moveLogin makes the way in to one profile that of the other, which has none.
func moveLogin(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) error {
	for _, sql := range []string{
		`UPDATE accounts.logins SET person = $2 WHERE person = $1`,
		`UPDATE accounts.factors SET person = $2 WHERE person = $1`,
		`UPDATE accounts.recovery_codes SET person = $2 WHERE person = $1`,
		`UPDATE accounts.computers SET person = $2 WHERE person = $1`,
	} {
		if err := pg.Exec(ctx, tx, "move login", sql, from, into); err != nil {
			return err
		}
	}
	return nil
}

// deleteLogin removes every way in to a profile.
func deleteLogin(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	for _, sql := range []string{
		`DELETE FROM accounts.logins WHERE person = $1`,
		`DELETE FROM accounts.factors WHERE person = $1`,
		`DELETE FROM accounts.recovery_codes WHERE person = $1`,
		`DELETE FROM accounts.codes WHERE person = $1`,
		`DELETE FROM accounts.computers WHERE person = $1`,
		`DELETE FROM accounts.links WHERE person = $1`,
	} {
		if err := pg.Exec(ctx, tx, "delete login", sql, p); err != nil {
			return err
		}
	}
	return nil
}

// settleMerged closes what was still open about profiles that are one now.
func settleMerged(ctx context.Context, tx pgx.Tx, into lms.PersonID, now time.Time) error {
	if err := pg.Exec(ctx, tx, "settle worklist", `UPDATE accounts.worklist w SET closed_at = $2, outcome = 'merged' FROM accounts.pub_identities a, accounts.pub_identities b
		WHERE w.kind = 'same_person' AND w.closed_at IS NULL AND a.person = w.person AND b.person = w.other AND a.canonical = $1 AND b.canonical = $1`, into, now); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "settle recoveries", `UPDATE accounts.worklist w SET closed_at = $2, outcome = 'merged' FROM accounts.pub_identities o
		WHERE w.kind = 'recovery' AND w.closed_at IS NULL AND o.person = w.person AND o.canonical = $1 AND o.person <> $1`, into, now)
}
