package courses

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/courses/packages"
	"mopd/lms"
	"mopd/lms/pg"
)

var guards = pg.Guards{
	"courses_code_key":       ErrCodeTaken,
	"versions_one_published": ErrAlreadyPublished,
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// courseColumns are lms.Course's fields in their order, on day $1.
const courseColumns = `
	SELECT c.id, c.code, c.title, c.summary, c.sponsor, c.topics, c.series, c.fee_cents, c.safe_sleep,
	       coalesce(a.quarters, 0), coalesce(a.id, 0), coalesce(v.id, 0)
	FROM courses.courses c
	LEFT JOIN courses.versions v ON v.course = c.id AND v.state = 'published'
	LEFT JOIN LATERAL (
	    SELECT id, quarters FROM courses.current_approvals
	    WHERE course = c.id AND valid_from <= $1 AND (valid_until IS NULL OR valid_until > $1)
	    ORDER BY valid_from DESC, id DESC LIMIT 1) a ON true`

func selectCourse(ctx context.Context, tx querier, code string, day lms.Date) (lms.Course, error) {
	return one[lms.Course](ctx, tx, "course "+code, courseColumns+` WHERE c.code = $2`, day, code)
}

func selectCourses(ctx context.Context, tx querier, day lms.Date) ([]lms.Course, error) {
	return all[lms.Course](ctx, tx, "courses", courseColumns+` ORDER BY c.title, c.id`, day)
}

func insertCourse(ctx context.Context, tx pgx.Tx, f Facts, now time.Time) (lms.CourseID, error) {
	return one[lms.CourseID](ctx, tx, "insert course", `
		INSERT INTO courses.courses (code, title, summary, sponsor, topics, series, fee_cents, safe_sleep, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`, f.args(now)...)
}

func upsertCourse(ctx context.Context, tx pgx.Tx, f Facts, now time.Time) (lms.CourseID, error) {
	return one[lms.CourseID](ctx, tx, "save course", `
		INSERT INTO courses.courses (code, title, summary, sponsor, topics, series, fee_cents, safe_sleep, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (code) DO UPDATE SET title = $2, summary = $3, sponsor = $4, topics = $5, series = $6,
		    fee_cents = $7, safe_sleep = $8, recorded_at = $9
		RETURNING id`, f.args(now)...)
}

func updateCourse(ctx context.Context, tx pgx.Tx, f Facts, now time.Time) (lms.CourseID, error) {
	return one[lms.CourseID](ctx, tx, "update course", `
		UPDATE courses.courses SET title = $2, summary = $3, sponsor = $4, topics = $5, series = $6,
		    fee_cents = $7, safe_sleep = $8, recorded_at = $9
		WHERE code = $1 RETURNING id`, f.args(now)...)
}

func (f Facts) args(now time.Time) []any {
	return []any{f.Code, f.Title, f.Summary, f.Sponsor, f.Topics, f.Series, int64(f.Fee), f.SafeSleep, now}
}

// lockCourse makes changes of a course's versions wait for each other; it does not
// hold up who registers.
func lockCourse(ctx context.Context, tx pgx.Tx, id lms.CourseID) error {
	_, err := one[lms.CourseID](ctx, tx, "lock course", `SELECT id FROM courses.courses WHERE id = $1 FOR NO KEY UPDATE`, id)
	return err
}

func lockCourseOf(ctx context.Context, tx pgx.Tx, v lms.VersionID) (lms.CourseID, error) {
	return one[lms.CourseID](ctx, tx, "lock course of version", `
		SELECT id FROM courses.courses WHERE id = (SELECT course FROM courses.versions WHERE id = $1) FOR NO KEY UPDATE`, v)
}

// insertApproval adds nothing when the latest row of that number says the same.
func insertApproval(ctx context.Context, tx pgx.Tx, id lms.CourseID, a Approval, now time.Time) error {
	return exec(ctx, tx, "insert approval", `
		INSERT INTO courses.approvals (course, number, quarters, valid_from, valid_until, approver, recorded_at)
		SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (
		    SELECT 1 FROM courses.current_approvals
		    WHERE course = $1 AND number = $2 AND quarters = $3 AND valid_from = $4
		      AND valid_until IS NOT DISTINCT FROM $5 AND approver = $6)`,
		id, a.Number, int(a.Hours), a.From, a.Until, a.Approver, now)
}

// latestApproval is the one that an author edits; zero if there is none.
func latestApproval(ctx context.Context, tx querier, id lms.CourseID) (Approval, error) {
	found, err := all[Approval](ctx, tx, "approval", `
		SELECT number, quarters, valid_from, valid_until, approver FROM courses.current_approvals
		WHERE course = $1 ORDER BY valid_from DESC, id DESC LIMIT 1`, id)
	if err != nil || len(found) == 0 {
		return Approval{}, err
	}
	return found[0], nil
}

// hasApproval tells whether an approval is in force on a day or will be.
func hasApproval(ctx context.Context, tx querier, id lms.CourseID, day lms.Date) (bool, error) {
	return one[bool](ctx, tx, "approval", `
		SELECT EXISTS (SELECT 1 FROM courses.current_approvals WHERE course = $1 AND (valid_until IS NULL OR valid_until > $2))`, id, day)
}

// Version is a package that was taken in for a course.
type Version struct {
	ID            lms.VersionID
	Course        lms.CourseID
	Code          string // of the course
	N             int    // counts the versions of a course from 1
	State         VersionState
	Title         string // as the package says
	Launch        string
	PackageSHA256 digest
	PackageName   string
	PackageSize   int64 // in bytes, as the next
	ContentSize   int64
	FileCount     int
	Warnings      []packages.Warning
	PublishedAt   *time.Time
	RetiredAt     *time.Time
	RecordedAt    time.Time
}

const versionColumns = `
	SELECT v.id, v.course, c.code, v.n, v.state, v.title, v.launch, v.package_sha256, v.package_name, v.package_size,
	       v.content_size, v.file_count, v.warnings, v.published_at, v.retired_at, v.recorded_at
	FROM courses.versions v JOIN courses.courses c ON c.id = v.course`

func selectVersion(ctx context.Context, tx querier, id lms.VersionID) (Version, error) {
	return one[Version](ctx, tx, "version", versionColumns+` WHERE v.id = $1`, id)
}

func selectVersions(ctx context.Context, tx querier, id lms.CourseID) ([]Version, error) {
	return all[Version](ctx, tx, "versions", versionColumns+` WHERE v.course = $1 ORDER BY v.n DESC`, id)
}

// publishedVersion is the zero Version if none is published.
func publishedVersion(ctx context.Context, tx querier, id lms.CourseID) (Version, error) {
	found, err := all[Version](ctx, tx, "published version", versionColumns+` WHERE v.course = $1 AND v.state = 'published'`, id)
	if err != nil || len(found) == 0 {
		return Version{}, err
	}
	return found[0], nil
}

func insertVersion(ctx context.Context, tx pgx.Tx, course lms.CourseID, p *packages.Package, sum [32]byte, name string, now time.Time) (lms.VersionID, error) {
	warnings := p.Warnings
	if warnings == nil {
		warnings = []packages.Warning{}
	}
	m := p.Manifest
	id, err := one[lms.VersionID](ctx, tx, "insert version", `
		INSERT INTO courses.versions (course, n, standard, title, launch, activity, launch_data, mastery_score, max_time,
		    time_limit, package_sha256, package_name, package_size, content_size, file_count, warnings, recorded_at)
		SELECT $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
		FROM courses.versions WHERE course = $1 RETURNING id`,
		course, m.Standard, m.Title, m.Launch, m.Activity, m.LaunchData, m.MasteryScore, m.MaxTime,
		m.TimeLimit, sum[:], name, p.Size, p.Unpacked, len(p.Files), warnings, now)
	if err != nil {
		return 0, err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"courses", "files"}, []string{"version", "path", "sha256", "size", "content_type"},
		pgx.CopyFromSlice(len(p.Files), func(i int) ([]any, error) {
			f := p.Files[i]
			return []any{int64(id), f.Path, f.SHA256[:], f.Size, f.ContentType}, nil
		}))
	if err != nil {
		return 0, fmt.Errorf("insert files: %w", err)
	}
	return id, nil
}

func updateVersionState(ctx context.Context, tx pgx.Tx, id lms.VersionID, state VersionState, now time.Time) error {
	return exec(ctx, tx, "update version", `
		UPDATE courses.versions SET state = $2,
		    published_at = CASE WHEN $2 = 'published' THEN $3 ELSE published_at END,
		    retired_at = CASE WHEN $2 = 'retired' THEN $3::timestamptz END
		WHERE id = $1`, id, state, now)
}

func selectContent(ctx context.Context, tx querier, v lms.VersionID) (lms.Content, error) {
	return one[lms.Content](ctx, tx, "content", `
		SELECT v.id, v.course, c.title, v.standard, v.launch, v.activity, v.launch_data, v.mastery_score, v.max_time, v.time_limit
		FROM courses.versions v JOIN courses.courses c ON c.id = v.course WHERE v.id = $1`, v)
}

func selectFile(ctx context.Context, tx querier, v lms.VersionID, path string) (lms.File, error) {
	type row struct {
		Path        string
		SHA256      digest
		Size        int64
		ContentType string
	}
	f, err := one[row](ctx, tx, "file", `
		SELECT path, sha256, size, content_type FROM courses.files
		WHERE version = $1 AND lower(path) = lower($2) ORDER BY path = $2 DESC, path LIMIT 1`, v, path)
	return lms.File{Path: f.Path, SHA256: f.SHA256, Size: f.Size, ContentType: f.ContentType}, err
}

// authorRow is a course in the author's list.
type authorRow struct {
	Code     string
	Title    string
	Hours    lms.Hours // of the approval in force; 0 if none
	Versions int
	State    VersionState // of its furthest version; "" if it has none
}

func selectAuthorRows(ctx context.Context, tx querier, day lms.Date) ([]authorRow, error) {
	return all[authorRow](ctx, tx, "courses", `
		SELECT c.code, c.title, c.quarters, count(v.id),
		       CASE WHEN bool_or(v.state = 'published') THEN 'published' WHEN bool_or(v.state = 'draft') THEN 'draft'
		            WHEN count(v.id) > 0 THEN 'retired' ELSE '' END
		FROM (`+courseColumns+`) AS c (id, code, title, summary, sponsor, topics, series, fee_cents, safe_sleep, quarters, approval, version)
		LEFT JOIN courses.versions v ON v.course = c.id
		GROUP BY c.id, c.code, c.title, c.quarters ORDER BY c.title, c.id`, day)
}
