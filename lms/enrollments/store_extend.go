package enrollments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func insertExtension(ctx context.Context, tx pgx.Tx, x Extension, by lms.PersonID, now time.Time) error {
	return pg.Exec(ctx, tx, "insert extension", `INSERT INTO enrollments.extensions (enrollment, was, last_day, recorded_at, recorded_by, note)
		VALUES ($1, $2, $3, $4, $5, $6)`, x.Enrollment, x.Was, x.LastDay, now, by, x.Note)
}

func updateExtended(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, to lms.Date) error {
	return pg.Exec(ctx, tx, "extend enrollment", `UPDATE enrollments.enrollments SET extended_to = $2, last_day = $2 WHERE id = $1`, id, to)
}

// selectProfile is the profile under which an enrollment stands.
func selectProfile(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, tx, "select profile of enrollment", `SELECT person FROM enrollments.enrollments WHERE id = $1`, id)
}

// selectExtensions are those of a person's enrollments, the oldest first.
func selectExtensions(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]Extended, error) {
	return pg.Rows[Extended](ctx, tx, "select extensions", `SELECT x.enrollment, x.was, x.last_day, x.recorded_at, b.given || ' ' || b.family AS by_name, x.note
		FROM enrollments.extensions x JOIN enrollments.enrollments e ON e.id = x.enrollment JOIN accounts.pub_people b ON b.person = x.recorded_by
		WHERE e.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY x.id`, p)
}
