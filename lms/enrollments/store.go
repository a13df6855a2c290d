package enrollments

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

const columns = `id, person, course, version, title, sponsor, quarters AS hours, state, registered_on, last_day, first_launched, completed_at`

func selectEnrollments(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Enrollment, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM enrollments.enrollments WHERE person = $1 ORDER BY registered_on, id`, p)
	if err != nil {
		return nil, fmt.Errorf("select enrollments: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[lms.Enrollment])
}

func selectEnrollment(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.Enrollment, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM enrollments.enrollments WHERE id = $1`, id)
	if err != nil {
		return lms.Enrollment{}, fmt.Errorf("select enrollment: %w", err)
	}
	return pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[lms.Enrollment]))
}

func selectWindow(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (rule string, e lms.Enrollment, err error) {
	if e, err = selectEnrollment(ctx, tx, id); err != nil {
		return "", e, err
	}
	err = tx.QueryRow(ctx, `SELECT window_rule FROM enrollments.enrollments WHERE id = $1`, id).Scan(&rule)
	return rule, e, err
}

func insertEnrollment(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.Course, window lms.Policy, on, last lms.Date, now time.Time) (id lms.EnrollmentID, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO enrollments.enrollments
		(person, course, version, title, sponsor, quarters, state, registered_on, window_policy, window_rule, last_day, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, 'ready', $7, $8, $9, $10, $11) RETURNING id`,
		p, c.ID, c.Version, c.Title, c.Sponsor, c.Hours, on, window.ID, window.Value, last, now).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("insert enrollment: %w", err)
	}
	return id, nil
}

func updateActive(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, now time.Time) error {
	return exec(ctx, tx, "start", `UPDATE enrollments.enrollments SET state = 'active', started_at = coalesce(started_at, $2) WHERE id = $1 AND state = 'ready'`, id, now)
}

func updateReady(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) error {
	return exec(ctx, tx, "set aside", `UPDATE enrollments.enrollments SET state = 'ready' WHERE id = $1 AND state = 'active'`, id)
}

func updateFirstLaunched(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, day, last lms.Date) error {
	return exec(ctx, tx, "note first launch", `UPDATE enrollments.enrollments SET first_launched = $2, last_day = $3 WHERE id = $1`, id, day, last)
}

func updateCompleted(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, at time.Time) error {
	return exec(ctx, tx, "complete", `UPDATE enrollments.enrollments SET state = 'completed', completed_at = $2 WHERE id = $1 AND state = 'active'`, id, at)
}

func updateExpired(ctx context.Context, tx pgx.Tx, p lms.PersonID, today lms.Date) error {
	return exec(ctx, tx, "expire", `UPDATE enrollments.enrollments SET state = 'expired' WHERE person = $1 AND state IN ('ready', 'active') AND last_day < $2`, p, today)
}

func exec(ctx context.Context, tx pgx.Tx, what, sql string, args ...any) error {
	if _, err := tx.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%s enrollment: %w", what, err)
	}
	return nil
}
