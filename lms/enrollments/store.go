package enrollments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Whose an enrollment is follows the profile under which somebody registered.
const columns = `id, (SELECT canonical FROM accounts.pub_identities o WHERE o.person = enrollments.person) AS person, course, version, title, sponsor, quarters AS hours, state, registered_on, last_day, first_launched, completed_at`

func selectEnrollments(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Enrollment, error) {
	return pg.Rows[lms.Enrollment](ctx, tx, "select enrollments",
		`SELECT `+columns+` FROM enrollments.enrollments
		WHERE person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY registered_on, id`, p)
}

func selectEnrollment(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.Enrollment, error) {
	return pg.Row[lms.Enrollment](ctx, tx, "select enrollment", `SELECT `+columns+` FROM enrollments.enrollments WHERE id = $1`, id)
}

func selectWindow(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (rule string, e lms.Enrollment, err error) {
	row, err := pg.Row[struct {
		lms.Enrollment
		WindowRule string
	}](ctx, tx, "select window", `SELECT `+columns+`, window_rule FROM enrollments.enrollments WHERE id = $1`, id)
	return row.WindowRule, row.Enrollment, err
}

func insertEnrollment(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.Course, window lms.Policy, on, last lms.Date, now time.Time) (lms.EnrollmentID, error) {
	return pg.Value[lms.EnrollmentID](ctx, tx, "insert enrollment", `INSERT INTO enrollments.enrollments
		(person, course, version, title, sponsor, quarters, state, registered_on, window_policy, window_rule, last_day, recorded_at, fee)
		VALUES ($1, $2, $3, $4, $5, $6, 'ready', $7, $8, $9, $10, $11, $12) RETURNING id`,
		p, c.ID, c.Version, c.Title, c.Sponsor, c.Hours, on, window.ID, window.Value, last, now, c.Fee)
}

func updateActive(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, now time.Time) error {
	return pg.Exec(ctx, tx, "start enrollment", `UPDATE enrollments.enrollments SET state = 'active', started_at = coalesce(started_at, $2) WHERE id = $1 AND state = 'ready'`, id, now)
}

func updateReady(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) error {
	return pg.Exec(ctx, tx, "set aside enrollment", `UPDATE enrollments.enrollments SET state = 'ready' WHERE id = $1 AND state = 'active'`, id)
}

func updateFirstLaunched(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, day, last lms.Date) error {
	return pg.Exec(ctx, tx, "note first launch of enrollment", `UPDATE enrollments.enrollments SET first_launched = $2, last_day = greatest($3, extended_to) WHERE id = $1`, id, day, last)
}

func updateCompleted(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, at time.Time) error {
	return pg.Exec(ctx, tx, "complete enrollment", `UPDATE enrollments.enrollments SET state = 'completed', completed_at = $2 WHERE id = $1 AND state = 'active'`, id, at)
}

func updateExpired(ctx context.Context, tx pgx.Tx, p lms.PersonID, today lms.Date) error {
	return pg.Exec(ctx, tx, "expire enrollment", `UPDATE enrollments.enrollments SET state = 'expired' WHERE person = $1 AND state IN ('ready', 'active') AND last_day < $2`, p, today)
}

func updateRevoked(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) error {
	return pg.Exec(ctx, tx, "revoke enrollment", `UPDATE enrollments.enrollments SET state = 'revoked' WHERE id = $1 AND state IN ('ready', 'active')`, id)
}

// updateMoved makes enrollments those of a profile, ready to go on with.
func updateMoved(ctx context.Context, tx pgx.Tx, ids []lms.EnrollmentID, into lms.PersonID) error {
	return pg.Exec(ctx, tx, "move enrollments", `UPDATE enrollments.enrollments SET state = 'ready', person = $2 WHERE id = ANY($1)`, ids, into)
}

func updateEnded(ctx context.Context, tx pgx.Tx, ids []lms.EnrollmentID) error {
	return pg.Exec(ctx, tx, "end enrollments", `UPDATE enrollments.enrollments SET state = 'expired' WHERE id = ANY($1)`, ids)
}

// selectWho is who a person is today: themselves, or who they were merged into.
func selectWho(ctx context.Context, tx pgx.Tx, p lms.PersonID) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, tx, "select identity", `SELECT canonical FROM accounts.pub_identities WHERE person = $1`, p)
}
