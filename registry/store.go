package registry

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// The sources of credits.
const (
	sourceEnrollment = "enrollment"
	sourceImport     = "import" // a record from elsewhere
)

func reference(e lms.EnrollmentID) string { return strconv.FormatInt(int64(e), 10) }

func selectPolicies(ctx context.Context, tx pgx.Tx) (lms.Policies, error) {
	return pg.Rows[lms.Policy](ctx, tx, "select policies", `SELECT id, kind, value, effective_from AS "from" FROM registry.policies ORDER BY effective_from, id`)
}

func selectBlocks(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Block, error) {
	rows, err := tx.Query(ctx, `SELECT course, lower(during), upper(during) FROM registry.credit_blocks WHERE person = $1`, p)
	if err != nil {
		return nil, fmt.Errorf("select blocks: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b lms.Block, err error) {
		err = row.Scan(&b.Course, &b.During.From, &b.During.Until)
		return b, err
	})
}

const completion = `c.enrollment, c.person, c.course, c.title, c.sponsor, c.quarters AS hours, c.completed_at AS at`

const unposted = `NOT EXISTS (SELECT FROM registry.credits r WHERE r.source = 'enrollment' AND r.reference = c.enrollment::text)`

// selectUnposted is a person's completions without a credit, oldest first.
func selectUnposted(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Completion, error) {
	return pg.Rows[lms.Completion](ctx, tx, "select unposted", `SELECT `+completion+` FROM enrollments.pub_completions c
		WHERE c.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) AND `+unposted+` ORDER BY c.completed_at, c.enrollment`, p)
}

// selectUnpostedBefore is the oldest completions without a credit, of anybody.
func selectUnpostedBefore(ctx context.Context, tx pgx.Tx, before time.Time) ([]lms.EnrollmentID, error) {
	return pg.Values[lms.EnrollmentID](ctx, tx, "select unposted", `SELECT c.enrollment FROM enrollments.pub_completions c
		WHERE c.completed_at < $1 AND `+unposted+` ORDER BY c.completed_at LIMIT 1000`, before)
}

func selectCompletion(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) (lms.Completion, error) {
	return pg.Row[lms.Completion](ctx, tx, "select completion", `SELECT `+completion+` FROM enrollments.pub_completions c WHERE c.enrollment = $1`, e)
}

func selectStatus(ctx context.Context, tx pgx.Tx, source, reference string) (lms.CreditStatus, error) {
	return pg.Value[lms.CreditStatus](ctx, tx, "select status", `SELECT d.status FROM registry.credits c JOIN registry.decisions d ON d.credit = c.id
		WHERE c.source = $1 AND c.reference = $2 ORDER BY d.recorded_at DESC, d.id DESC LIMIT 1`, source, reference)
}

// afterPrints is the first instant after the moments of somebody's printed reports.
const afterPrints = `SELECT max(p.known) + interval '1 microsecond' FROM accounts.pub_identities i JOIN accounts.pub_identities o ON o.canonical = i.canonical JOIN registry.prints p ON p.person = o.person`

func insertCredit(ctx context.Context, tx pgx.Tx, c claim, now time.Time) (lms.CreditID, error) {
	starts, ends := c.Session.times()
	return pg.Value[lms.CreditID](ctx, tx, "insert credit", `INSERT INTO registry.credits (source, reference, person, course, safe_sleep, title, sponsor, quarters, earned_on, earned_at, session, record, recorded_at)
		VALUES ($1, $2, $3, nullif($4, 0), $5 OR coalesce((SELECT safe_sleep FROM courses.pub_courses WHERE course = $4), false), $6, $7, $8, $9, $10,
			CASE WHEN $11::timestamptz IS NOT NULL THEN tstzrange($11, $12) END, $13, greatest($14, (`+afterPrints+` WHERE i.person = $3))) RETURNING id`,
		c.Source, c.Reference, c.Person, c.Course, c.SafeSleep, c.Title, c.Sponsor, c.Hours, lms.DateOf(c.EarnedAt), c.EarnedAt, starts, ends, c.Record, now)
}

// insertDecision keeps a decision as the latest one, with whether the completion renews safe
// sleep training by it, also if it waited for the person's
// lock while another was made, or while a report was printed that does not say it.
func insertDecision(ctx context.Context, tx pgx.Tx, id lms.CreditID, d decision, now time.Time) error {
	args := map[string]string{}
	if !d.From.IsZero() {
		args["From"] = d.From.String()
	}
	if err := pg.Exec(ctx, tx, "insert decision", `INSERT INTO registry.decisions (credit, status, quarters, reason, reason_args, policy, recorded_at, decided_by, note)
		VALUES ($1, $2, $3, $4, $5, $6, greatest($7, (SELECT max(recorded_at) + interval '1 microsecond' FROM registry.decisions WHERE credit = $1), (`+afterPrints+` JOIN registry.credits c ON c.person = i.person WHERE c.id = $1)), nullif($8, 0), $9)`, id, d.Status, d.Hours, d.Reason, args, d.Policy, now, d.By, d.Note); err != nil {
		return err
	}
	if !renews(d.Status, d.Reason) {
		return pg.Exec(ctx, tx, "delete renewal", `DELETE FROM registry.renewals WHERE credit = $1`, id)
	}
	return pg.Exec(ctx, tx, "insert renewal", `INSERT INTO registry.renewals (credit, person, earned_on)
		SELECT id, person, earned_on FROM registry.credits WHERE id = $1 AND safe_sleep ON CONFLICT DO NOTHING`, id)
}

func insertBlock(ctx context.Context, tx pgx.Tx, id lms.CreditID, p lms.PersonID, c lms.CourseID, during lms.DateRange) error {
	return pg.Exec(ctx, tx, "insert block", `INSERT INTO registry.credit_blocks (credit, person, course, during) VALUES ($1, $2, $3, daterange($4, $5))`,
		id, p, c, during.From, during.Until)
}

func insertEmployments(ctx context.Context, tx pgx.Tx, list []lms.Employment, now time.Time) error {
	people, employers := make([]lms.PersonID, len(list)), make([]string, len(list))
	hired, sources := make([]lms.Date, len(list)), make([]string, len(list))
	for i, e := range list {
		people[i], employers[i], hired[i], sources[i] = e.Person, e.Employer, e.HiredOn, e.Source
	}
	return pg.Exec(ctx, tx, "insert employments", `INSERT INTO registry.employments (person, employer, hired_on, source, recorded_at)
		SELECT person, employer, hired_on, source, $5 FROM unnest($1::bigint[], $2::text[], $3::date[], $4::text[]) e (person, employer, hired_on, source)`,
		people, employers, hired, sources, now)
}
