package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

const sourceEnrollment = "enrollment"

func reference(e lms.EnrollmentID) string { return strconv.FormatInt(int64(e), 10) }

func selectPolicies(ctx context.Context, tx pgx.Tx) (lms.Policies, error) {
	rows, err := tx.Query(ctx, `SELECT id, kind, value, effective_from AS "from" FROM registry.policies ORDER BY effective_from, id`)
	if err != nil {
		return nil, fmt.Errorf("select policies: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[lms.Policy])
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
	rows, err := tx.Query(ctx, `SELECT `+completion+` FROM enrollments.pub_completions c
		WHERE c.person = $1 AND `+unposted+` ORDER BY c.completed_at, c.enrollment`, p)
	if err != nil {
		return nil, fmt.Errorf("select unposted: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[lms.Completion])
}

// selectUnpostedBefore is the oldest completions without a credit, of anybody.
func selectUnpostedBefore(ctx context.Context, tx pgx.Tx, before time.Time) ([]lms.EnrollmentID, error) {
	rows, err := tx.Query(ctx, `SELECT c.enrollment FROM enrollments.pub_completions c
		WHERE c.completed_at < $1 AND `+unposted+` ORDER BY c.completed_at LIMIT 1000`, before)
	if err != nil {
		return nil, fmt.Errorf("select unposted: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[lms.EnrollmentID])
}

func selectCompletion(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) (lms.Completion, error) {
	rows, err := tx.Query(ctx, `SELECT `+completion+` FROM enrollments.pub_completions c WHERE c.enrollment = $1`, e)
	if err != nil {
		return lms.Completion{}, fmt.Errorf("select completion: %w", err)
	}
	return pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[lms.Completion]))
}

func selectStatus(ctx context.Context, tx pgx.Tx, source, reference string) (lms.CreditStatus, error) {
	rows, err := tx.Query(ctx, `SELECT d.status FROM registry.credits c JOIN registry.decisions d ON d.credit = c.id
		WHERE c.source = $1 AND c.reference = $2 ORDER BY d.recorded_at DESC, d.id DESC LIMIT 1`, source, reference)
	if err != nil {
		return "", fmt.Errorf("select status: %w", err)
	}
	return pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowTo[lms.CreditStatus]))
}

func insertCredit(ctx context.Context, tx pgx.Tx, c lms.Completion, now time.Time) (id lms.CreditID, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO registry.credits (source, reference, person, title, sponsor, quarters, earned_on, earned_at, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
		sourceEnrollment, reference(c.Enrollment), c.Person, c.Title, c.Sponsor, c.Hours, lms.DateOf(c.At), c.At, now).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert credit: %w", err)
	}
	return id, nil
}

func insertDecision(ctx context.Context, tx pgx.Tx, id lms.CreditID, d decision, now time.Time) error {
	args := map[string]string{}
	if !d.From.IsZero() {
		args["From"] = d.From.String()
	}
	if _, err := tx.Exec(ctx, `INSERT INTO registry.decisions (credit, status, quarters, reason, reason_args, policy, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, d.Status, d.Hours, d.Reason, args, d.Policy, now); err != nil {
		return fmt.Errorf("insert decision: %w", err)
	}
	return nil
}

func insertBlock(ctx context.Context, tx pgx.Tx, id lms.CreditID, c lms.Completion, during lms.DateRange) error {
	if _, err := tx.Exec(ctx, `INSERT INTO registry.credit_blocks (credit, person, course, during) VALUES ($1, $2, $3, daterange($4, $5))`,
		id, c.Person, c.Course, during.From, during.Until); err != nil {
		return fmt.Errorf("insert block: %w", err)
	}
	return nil
}

// creditRow is a credit with what its latest decision says.
type creditRow struct {
	ID         lms.CreditID
	EarnedOn   lms.Date
	Title      string
	Sponsor    string
	Claimed    lms.Hours
	Hours      lms.Hours
	Status     lms.CreditStatus
	Reason     string
	ReasonArgs json.RawMessage
}

func selectCredits(ctx context.Context, tx pgx.Tx, p lms.PersonID, year int) ([]creditRow, error) {
	rows, err := tx.Query(ctx, `SELECT c.id, c.earned_on, c.title, c.sponsor, c.quarters AS claimed,
			d.quarters AS hours, d.status, d.reason, d.reason_args
		FROM registry.credits c
		JOIN LATERAL (SELECT * FROM registry.decisions WHERE credit = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true
		WHERE c.person = $1 AND c.earned_on >= make_date($2, 1, 1) AND c.earned_on < make_date($2 + 1, 1, 1)
		ORDER BY c.earned_at, c.id`, p, year)
	if err != nil {
		return nil, fmt.Errorf("select credits: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[creditRow])
}
