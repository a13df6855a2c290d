package courses

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

var guards = pg.Guards{
	"courses_code_key":       ErrCodeTaken,
	"versions_one_published": ErrAlreadyPublished,
	"authors_keep_one":       ErrLastAuthor,
}

// selectCourseOn reads lms.Course as of day $1.
const selectCourseOn = `
	SELECT c.id, c.code, c.title, c.summary, c.sponsor, c.topics, c.series, c.fee_cents AS fee, c.safe_sleep,
	       coalesce(a.quarters, 0) AS hours, coalesce(a.id, 0) AS approval, a.valid_until AS approved_until, coalesce(v.id, 0) AS version
	FROM courses.courses c
	LEFT JOIN courses.versions v ON v.course = c.id AND v.state = 'published'
	LEFT JOIN LATERAL (
	    SELECT id, quarters, valid_until FROM courses.current_approvals
	    WHERE course = c.id AND valid_from <= $1 AND (valid_until IS NULL OR valid_until > $1)
	    ORDER BY valid_from DESC, id DESC LIMIT 1) a ON true`

func selectCourse(ctx context.Context, db pg.Querier, code string, day lms.Date) (lms.Course, error) {
	return pg.Row[lms.Course](ctx, db, "course "+code, selectCourseOn+` WHERE c.code = $2`, day, code)
}

// courseWithdrawn is true of a course c whose versions are all retired. One without a
// version opens soon.
const courseWithdrawn = `EXISTS (SELECT FROM courses.versions WHERE course = c.id)
	AND NOT EXISTS (SELECT FROM courses.versions WHERE course = c.id AND state <> 'retired')`

func isWithdrawn(ctx context.Context, db pg.Querier, id lms.CourseID) (bool, error) {
	return pg.Value[bool](ctx, db, "withdrawn course", `SELECT `+courseWithdrawn+` FROM courses.courses c WHERE c.id = $1`, id)
}

// selectCourses are those that are offered or will be.
func selectCourses(ctx context.Context, db pg.Querier, day lms.Date) ([]lms.Course, error) {
	return pg.Rows[lms.Course](ctx, db, "courses", selectCourseOn+` WHERE NOT (`+courseWithdrawn+`) ORDER BY c.title, c.id`, day)
}

func insertCourse(ctx context.Context, tx pgx.Tx, f Facts, now time.Time) (lms.CourseID, error) {
	id, err := pg.Value[lms.CourseID](ctx, tx, "insert course", `
		INSERT INTO courses.courses (code, title, summary, sponsor, topics, series, fee_cents, safe_sleep, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`, f.args(now)...)
	return id, guards.Explain(err)
}

func updateCourse(ctx context.Context, tx pgx.Tx, f Facts, now time.Time) error {
	return pg.Exec(ctx, tx, "update course", `
		UPDATE courses.courses SET title = $2, summary = $3, sponsor = $4, topics = $5, series = $6,
		    fee_cents = $7, safe_sleep = $8, recorded_at = $9
		WHERE code = $1`, f.args(now)...)
}

// knownTopics are the topics of other courses, those of most courses first.
func knownTopics(ctx context.Context, tx pgx.Tx, code string) ([]string, error) {
	return pg.Values[string](ctx, tx, "topics", `
		SELECT topic FROM courses.courses, unnest(topics) AS topic WHERE code <> $1
		GROUP BY topic ORDER BY count(*) DESC, topic`, code)
}

func (f Facts) args(now time.Time) []any {
	return []any{f.Code, f.Title, f.Summary, f.Sponsor, f.Topics, f.Series, int64(f.Fee), f.SafeSleep, now}
}

// lockCourse makes changes of a course's versions wait for each other; it does not
// hold up who registers.
func lockCourse(ctx context.Context, tx pgx.Tx, id lms.CourseID) error {
	_, err := pg.Value[lms.CourseID](ctx, tx, "lock course", `SELECT id FROM courses.courses WHERE id = $1 FOR NO KEY UPDATE`, id)
	return err
}

func lockCourseByCode(ctx context.Context, tx pgx.Tx, code string) (lms.CourseID, error) {
	return pg.Value[lms.CourseID](ctx, tx, "lock course "+code, `SELECT id FROM courses.courses WHERE code = $1 FOR NO KEY UPDATE`, code)
}

func lockCourseOf(ctx context.Context, tx pgx.Tx, v lms.VersionID) (lms.CourseID, error) {
	return pg.Value[lms.CourseID](ctx, tx, "lock course of version", `
		SELECT id FROM courses.courses WHERE id = (SELECT course FROM courses.versions WHERE id = $1) FOR NO KEY UPDATE`, v)
}

// insertApproval adds nothing when the latest row of that number says the same.
func insertApproval(ctx context.Context, tx pgx.Tx, id lms.CourseID, a Approval, now time.Time) error {
	return pg.Exec(ctx, tx, "insert approval", `
		INSERT INTO courses.approvals (course, number, quarters, valid_from, valid_until, approver, recorded_at)
		SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (
		    SELECT 1 FROM courses.current_approvals
		    WHERE course = $1 AND number = $2 AND quarters = $3 AND valid_from = $4
		      AND valid_until IS NOT DISTINCT FROM $5 AND approver = $6)`,
		id, a.Number, int(a.Hours), a.From, a.Until, a.Approver, now)
}

// endOtherApprovals ends those of other numbers in whose place an approval comes: on its
// first day, but not before today. What would have begun later is withdrawn.
func endOtherApprovals(ctx context.Context, tx pgx.Tx, id lms.CourseID, a Approval, today lms.Date, now time.Time) error {
	return pg.Exec(ctx, tx, "end approvals", `
		INSERT INTO courses.approvals (course, number, quarters, valid_from, valid_until, approver, recorded_at)
		SELECT course, number, quarters, valid_from, greatest(valid_from, $3, $5), approver, $6
		FROM courses.current_approvals
		WHERE course = $1 AND number <> $2 AND ($4::date IS NULL OR valid_from < $4)
		  AND (valid_until IS NULL OR valid_until > greatest(valid_from, $3::date, $5::date))`,
		id, a.Number, a.From, a.Until, today, now)
}

// latestApproval is the one that was said last, of a number if one is given; zero if
// there is none.
func latestApproval(ctx context.Context, db pg.Querier, id lms.CourseID, number string) (Approval, error) {
	found, err := pg.Rows[Approval](ctx, db, "approval", `
		SELECT number, quarters AS hours, valid_from AS "from", valid_until AS until, approver FROM courses.approvals
		WHERE course = $1 AND ($2 = '' OR number = $2) ORDER BY id DESC LIMIT 1`, id, number)
	if err != nil || len(found) == 0 {
		return Approval{}, err
	}
	return found[0], nil
}

// hasApproval tells whether an approval is in force on a day or will be.
func hasApproval(ctx context.Context, db pg.Querier, id lms.CourseID, day lms.Date) (bool, error) {
	return pg.Value[bool](ctx, db, "approval", `
		SELECT EXISTS (SELECT 1 FROM courses.current_approvals
		    WHERE course = $1 AND (valid_until IS NULL OR valid_until > greatest(valid_from, $2)))`, id, day)
}
