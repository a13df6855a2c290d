package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
	"mopd/lms/pg"
)

func selectCourseCodes(ctx context.Context, db pg.Querier) ([]string, error) {
	return pg.Values[string](ctx, db, "select course codes", `SELECT code FROM courses.pub_courses`)
}

// knownCourse is what of a course counts for a record.
type knownCourse struct {
	ID        lms.CourseID
	SafeSleep bool
}

func selectCourse(ctx context.Context, tx pgx.Tx, code string) (knownCourse, error) {
	return pg.Row[knownCourse](ctx, tx, "select course", `SELECT course AS id, safe_sleep FROM courses.pub_courses WHERE code = $1`, code)
}

func insertImport(ctx context.Context, tx pgx.Tx, name string, by lms.PersonID, now time.Time) (ImportID, error) {
	return pg.Value[ImportID](ctx, tx, "insert import", `INSERT INTO registry.imports (name, state, made_by, made_at) VALUES ($1, 'reading', nullif($2, 0), $3) RETURNING id`, name, by, now)
}

func insertImportRows(ctx context.Context, tx pgx.Tx, id ImportID, rows []Row) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"registry", "import_rows"}, []string{"import", "line", "mopd_id", "said", "outcome", "why", "done"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			r := rows[i]
			said, err := json.Marshal(r.Said)
			return []any{int64(id), r.Line, int(r.Said.MOPDID), said, string(r.Outcome), r.Why, r.Outcome == RowUnreadable}, err
		}))
	if err != nil {
		return fmt.Errorf("insert import rows: %w", err)
	}
	return nil
}

const imports = `SELECT i.id, i.name, i.state, i.tells, coalesce(i.made_by, 0) AS made_by, coalesce(i.ordered_by, 0) AS ordered_by, coalesce(p.given || ' ' || p.family, '') AS by_name,
		i.made_at, coalesce(i.undone_by, 0) AS undone_by, i.undone_note, r.rows, r.worked, r.changed
	FROM registry.imports i LEFT JOIN accounts.pub_people p ON p.person = coalesce(i.ordered_by, i.made_by)
	JOIN LATERAL (SELECT count(*) AS rows, count(*) FILTER (WHERE CASE i.state WHEN 'reading' THEN outcome <> '' WHEN 'checking' THEN done OR look = i.look WHEN 'undoing' THEN undone OR outcome NOT IN ('credited', 'held', 'denied', 'same', 'waiting') ELSE done END) AS worked,
			count(*) FILTER (WHERE ` + otherThanShown + `) AS changed
		FROM registry.import_rows r WHERE import = i.id) r ON true`

// otherThanShown is of a row of which something else became, or would become, than was
// shown, and that no registrar settled.
const otherThanShown = `r.shown <> '' AND r.resolved_by IS NULL AND (r.outcome, r.why) <> (r.shown, r.shown_why)`

func selectImport(ctx context.Context, db pg.Querier, id ImportID) (Import, error) {
	return pg.Row[Import](ctx, db, "select import", imports+` WHERE i.id = $1`, id)
}

// selectImports are files of records, the newest first.
func selectImports(ctx context.Context, db pg.Querier, limit, offset int) ([]Import, error) {
	return pg.Rows[Import](ctx, db, "select imports", imports+` ORDER BY i.id DESC LIMIT $1 OFFSET $2`, limit, offset)
}

// standingRows are rows as they stand today: of those that brought a credit, what the
// latest decision says.
const standingRows = `SELECT r.line, r.said, CASE WHEN r.done AND r.outcome IN ('credited', 'held', 'denied') THEN d.status ELSE r.outcome END AS outcome,
		CASE WHEN r.done AND r.outcome IN ('credited', 'held', 'denied') THEN d.reason ELSE r.why END AS why, coalesce(r.credit, 0) AS credit, r.note,
		CASE WHEN ` + otherThanShown + ` THEN r.shown ELSE '' END AS shown, CASE WHEN ` + otherThanShown + ` THEN r.shown_why ELSE '' END AS shown_why
	FROM registry.import_rows r LEFT JOIN LATERAL (SELECT status, reason FROM registry.decisions WHERE credit = r.credit ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true`

const importRows = `SELECT r.line, r.said, r.outcome, r.why, coalesce(r.credit, 0) AS credit, r.note, '' AS shown, '' AS shown_why FROM registry.import_rows r JOIN registry.imports i ON i.id = r.import`

// stillToWork is of a row that its import's state has still to work.
const stillToWork = `CASE i.state WHEN 'reading' THEN r.outcome = '' WHEN 'checking' THEN NOT r.done AND r.look < i.look WHEN 'importing' THEN NOT r.done
	WHEN 'undoing' THEN NOT r.undone AND r.outcome IN ('credited', 'held', 'denied', 'same', 'waiting') ELSE false END`

// selectImportGroup is rows about one person that come next after a line, if the
// import is still in a state.
func selectImportGroup(ctx context.Context, db pg.Querier, id ImportID, state ImportState, after int) ([]Row, error) {
	return pg.Rows[Row](ctx, db, "select rows of person", `WITH next AS (
			SELECT r.mopd_id FROM registry.import_rows r JOIN registry.imports i ON i.id = r.import
			WHERE r.import = $1 AND r.line > $3 AND i.state = $2 AND (`+stillToWork+`) ORDER BY r.line LIMIT 1
		) `+importRows+` WHERE r.import = $1 AND (`+stillToWork+`) AND r.mopd_id IN (
			SELECT mopd_id FROM next UNION SELECT a.mopd_id FROM accounts.pub_mopd_ids a JOIN accounts.pub_mopd_ids b ON b.person = a.person JOIN next n ON n.mopd_id = b.mopd_id
		) ORDER BY r.line LIMIT $4`, id, state, after, rowsAtATime)
}

// selectImportRowsLocked locks those of the rows that are still to be worked.
func selectImportRowsLocked(ctx context.Context, tx pgx.Tx, id ImportID, state ImportState, rows []Row) ([]Row, error) {
	lines := make([]int, len(rows))
	for i, r := range rows {
		lines[i] = r.Line
	}
	return pg.Rows[Row](ctx, tx, "lock rows", importRows+` WHERE r.import = $1 AND i.state = $2 AND r.line = ANY($3) AND (`+stillToWork+`) ORDER BY r.line FOR UPDATE OF r`, id, state, lines)
}

func selectRowLocked(ctx context.Context, tx pgx.Tx, id ImportID, line int) (Row, error) {
	return pg.Row[Row](ctx, tx, "lock row", importRows+` WHERE r.import = $1 AND r.line = $2 AND r.done FOR UPDATE OF r`, id, line)
}

func selectRow(ctx context.Context, db pg.Querier, id ImportID, line int) (Row, error) {
	return pg.Row[Row](ctx, db, "select row", standingRows+` WHERE r.import = $1 AND r.line = $2`, id, line)
}

// selectRows are some of an import's rows, with an outcome, with another one than was
// shown or, for "", with any.
func selectRows(ctx context.Context, db pg.Querier, id ImportID, o Outcome, limit, offset int) ([]Row, error) {
	return pg.Rows[Row](ctx, db, "select rows", `SELECT * FROM (`+standingRows+` WHERE r.import = $1) r WHERE $2 = '' OR r.outcome = $2 OR $2 = 'changed' AND r.shown <> '' ORDER BY r.line LIMIT $3 OFFSET $4`, id, o, limit, offset)
}

type outcomeCount struct {
	Outcome Outcome
	Rows    int
}

func selectOutcomes(ctx context.Context, db pg.Querier, id ImportID) (map[Outcome]int, error) {
	list, err := pg.Rows[outcomeCount](ctx, db, "count outcomes", `SELECT outcome, count(*) AS rows FROM (`+standingRows+` WHERE r.import = $1) r GROUP BY outcome`, id)
	counts := map[Outcome]int{}
	for _, c := range list {
		counts[c.Outcome] = c.Rows
	}
	return counts, err
}

// WaitingRow is where a row stands that waits for a registrar.
type WaitingRow struct {
	Import ImportID
	Line   int
}

// selectNextWaiting is the first row that waits after one, or the first of all.
//
// Errors: lms.ErrNotFound.
func selectNextWaiting(ctx context.Context, db pg.Querier, after WaitingRow) (WaitingRow, error) {
	return pg.Row[WaitingRow](ctx, db, "select next waiting row", `SELECT import, line FROM registry.import_rows WHERE done AND outcome = 'waiting'
		ORDER BY (import, line) > ($1, $2) DESC, import, line LIMIT 1`, after.Import, after.Line)
}

func countWaitingRows(ctx context.Context, db pg.Querier) (int, error) {
	return pg.Value[int](ctx, db, "count waiting rows", `SELECT count(*) FROM registry.import_rows WHERE done AND outcome = 'waiting'`)
}

func updateImportState(ctx context.Context, tx pgx.Tx, id ImportID, from, to ImportState) error {
	return moved(pg.Value[ImportID](ctx, tx, "update import", `UPDATE registry.imports SET state = $3 WHERE id = $1 AND state = $2 RETURNING id`, id, from, to))
}

func updateImportOrdered(ctx context.Context, tx pgx.Tx, id ImportID, by lms.PersonID, tells bool) error {
	return moved(pg.Value[ImportID](ctx, tx, "order import", `UPDATE registry.imports SET state = 'checking', look = look + 1, ordered_by = nullif($2, 0), tells = $3 WHERE id = $1 AND state = 'ready' RETURNING id`, id, by, tells))
}

// updateSeen keeps that what became of rows was seen by who orders the import: those that
// failed in an earlier check are not foreseen again.
func updateSeen(ctx context.Context, tx pgx.Tx, id ImportID) error {
	return pg.Exec(ctx, tx, "keep what was seen", `UPDATE registry.import_rows SET shown = outcome, shown_why = why WHERE import = $1 AND done AND shown <> ''`, id)
}

func updateImportUndone(ctx context.Context, tx pgx.Tx, id ImportID, by lms.PersonID, note string) error {
	return moved(pg.Value[ImportID](ctx, tx, "undo import", `UPDATE registry.imports SET state = 'undoing', undone_by = $2, undone_note = $3 WHERE id = $1 AND state = 'imported' RETURNING id`, id, by, note))
}

// moved tells of an import that was not in the state that it was to leave.
func moved(_ ImportID, err error) error {
	if errors.Is(err, lms.ErrNotFound) {
		return ErrImportState.Because(err)
	}
	return err
}

// columns are what rows say of their end, as columns of a statement.
func columns(rows []Row) (lines []int, outcomes, whys []string, credits []lms.CreditID) {
	for _, r := range rows {
		lines, outcomes, whys, credits = append(lines, r.Line), append(outcomes, string(r.Outcome)), append(whys, r.Why), append(credits, r.Credit)
	}
	return lines, outcomes, whys, credits
}

// updateForeseen keeps what would become of rows, beside what was shown before.
func updateForeseen(ctx context.Context, db *pgxpool.Pool, id ImportID, state ImportState, rows []Row) error {
	lines, outcomes, whys, _ := columns(rows)
	return pg.InTx(ctx, db, func(tx pgx.Tx) error {
		return pg.Exec(ctx, tx, "keep what is foreseen", `UPDATE registry.import_rows r SET outcome = u.outcome, why = u.why, shown = r.outcome, shown_why = r.why, look = i.look
			FROM registry.imports i, unnest($2::integer[], $3::text[], $4::text[]) u (line, outcome, why)
			WHERE r.import = $1 AND i.id = $1 AND i.state = $5 AND r.line = u.line AND (`+stillToWork+`)`, id, lines, outcomes, whys, state)
	})
}

// updateTaken keeps what became of rows, with the credits that they say.
func updateTaken(ctx context.Context, tx pgx.Tx, id ImportID, rows []Row) error {
	lines, outcomes, whys, credits := columns(rows)
	return pg.Exec(ctx, tx, "keep what became", `UPDATE registry.import_rows r SET outcome = u.outcome, why = u.why, done = true,
			credit = CASE WHEN u.outcome IN ('credited', 'held', 'denied', 'same') THEN nullif(u.credit, 0) END
		FROM unnest($2::integer[], $3::text[], $4::text[], $5::bigint[]) u (line, outcome, why, credit) WHERE r.import = $1 AND r.line = u.line`, id, lines, outcomes, whys, credits)
}

func updateResolved(ctx context.Context, tx pgx.Tx, id ImportID, row Row, by lms.PersonID, note string) error {
	return pg.Exec(ctx, tx, "resolve row", `UPDATE registry.import_rows SET outcome = $3, why = $4, credit = CASE WHEN $3 IN ('credited', 'held', 'denied', 'same') THEN nullif($5, 0) END, resolved_by = $6, note = $7
		WHERE import = $1 AND line = $2`, id, row.Line, row.Outcome, row.Why, row.Credit, by, note)
}

// updateTakenBack keeps that rows were undone; who still waited waits no longer.
func updateTakenBack(ctx context.Context, tx pgx.Tx, imp Import, rows []Row) error {
	lines, _, _, _ := columns(rows)
	return pg.Exec(ctx, tx, "keep what is undone", `UPDATE registry.import_rows SET undone = true, outcome = CASE outcome WHEN 'waiting' THEN 'dismissed' ELSE outcome END,
			resolved_by = CASE outcome WHEN 'waiting' THEN $3 ELSE resolved_by END, note = CASE outcome WHEN 'waiting' THEN $4 ELSE note END
		WHERE import = $1 AND line = ANY($2)`, imp.ID, lines, imp.UndoneBy, imp.UndoneNote)
}

// selectThere is somebody's records from elsewhere, the oldest first.
func selectThere(ctx context.Context, tx pgx.Tx, who lms.PersonID) ([]there, error) {
	return pg.Rows[there](ctx, tx, "select records from elsewhere", `SELECT c.id, c.title, c.quarters AS hours, c.earned_on, coalesce(c.course, 0) AS course, c.safe_sleep, c.record, lower(c.session) AS starts, upper(c.session) AS ends, d.reason, b.denied
		FROM registry.credits c JOIN LATERAL (SELECT reason FROM registry.decisions WHERE credit = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true
			JOIN LATERAL (SELECT status = 'denied' AND decided_by IS NOT NULL AS denied FROM registry.decisions WHERE credit = c.id AND reason <> 'undone' ORDER BY recorded_at DESC, id DESC LIMIT 1) b ON true
		WHERE c.source = 'import' AND c.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY c.id`, who)
}

// selectDenial is the denial of somebody that was the last word about a credit before it
// was undone.
func selectDenial(ctx context.Context, tx pgx.Tx, id lms.CreditID) (decision, error) {
	d, err := pg.Row[struct {
		Reason string
		Policy lms.PolicyID
		By     lms.PersonID
		Note   string
	}](ctx, tx, "select denial", `SELECT reason, policy, decided_by AS by, note FROM registry.decisions
		WHERE credit = $1 AND reason <> 'undone' ORDER BY recorded_at DESC, id DESC LIMIT 1`, id)
	return decision{Status: lms.Denied, Reason: d.Reason, Policy: d.Policy, By: d.By, Note: d.Note}, err
}

// isVouchedFor tells whether another import that stands says a credit too.
func isVouchedFor(ctx context.Context, tx pgx.Tx, id lms.CreditID, but ImportID) (bool, error) {
	return pg.Value[bool](ctx, tx, "select who says a credit", `SELECT EXISTS (SELECT FROM registry.import_rows WHERE credit = $1 AND import <> $2 AND done AND NOT undone)`, id, but)
}

// updateFailed lets rows that cannot be worked not stop the others. Those that another
// worker has worked meanwhile stay as they are, and what cannot be undone stands as it did.
func updateFailed(ctx context.Context, tx pgx.Tx, id ImportID, rows []Row) error {
	lines, _, _, _ := columns(rows)
	return pg.Exec(ctx, tx, "keep that rows failed", `UPDATE registry.import_rows r SET shown = r.outcome, shown_why = r.why, done = true, undone = true,
			outcome = CASE WHEN r.credit IS NULL THEN 'failed' ELSE r.outcome END, why = CASE WHEN r.credit IS NULL THEN 'record_failed' ELSE r.why END
		FROM registry.imports i WHERE r.import = $1 AND i.id = $1 AND r.line = ANY($2) AND (`+stillToWork+`)`, id, lines)
}
