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

const selectVersionOf = `
	SELECT v.id, v.course, c.code, v.n, v.state, v.title, v.launch, v.package_sha256, v.package_name, v.package_size,
	       v.content_size, v.file_count, v.warnings, v.published_at, v.retired_at, v.recorded_at
	FROM courses.versions v JOIN courses.courses c ON c.id = v.course`

func selectVersion(ctx context.Context, db pg.Querier, id lms.VersionID) (Version, error) {
	return pg.Row[Version](ctx, db, "version", selectVersionOf+` WHERE v.id = $1`, id)
}

func selectVersions(ctx context.Context, db pg.Querier, id lms.CourseID) ([]Version, error) {
	return pg.Rows[Version](ctx, db, "versions", selectVersionOf+` WHERE v.course = $1 ORDER BY v.n DESC`, id)
}

// publishedVersion is the zero Version if none is published.
func publishedVersion(ctx context.Context, db pg.Querier, id lms.CourseID) (Version, error) {
	found, err := pg.Rows[Version](ctx, db, "published version", selectVersionOf+` WHERE v.course = $1 AND v.state = 'published'`, id)
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
	id, err := pg.Value[lms.VersionID](ctx, tx, "insert version", `
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
	return guards.Explain(pg.Exec(ctx, tx, "update version", `
		UPDATE courses.versions SET state = $2,
		    published_at = CASE WHEN $2 = 'published' THEN $3 ELSE published_at END,
		    retired_at = CASE WHEN $2 = 'retired' THEN $3::timestamptz END
		WHERE id = $1`, id, state, now))
}

func selectContent(ctx context.Context, db pg.Querier, v lms.VersionID) (lms.Content, error) {
	return pg.Row[lms.Content](ctx, db, "content", `
		SELECT v.id AS version, v.course, c.title, v.standard, v.launch, v.activity, v.launch_data, v.mastery_score, v.max_time, v.time_limit
		FROM courses.versions v JOIN courses.courses c ON c.id = v.course WHERE v.id = $1`, v)
}

func selectFile(ctx context.Context, db pg.Querier, v lms.VersionID, path string) (lms.File, error) {
	type row struct {
		Path        string
		SHA256      digest
		Size        int64
		ContentType string
	}
	f, err := pg.Row[row](ctx, db, "file", `
		SELECT path, sha256, size, content_type FROM courses.files
		WHERE version = $1 AND lower(path) = lower($2) ORDER BY path = $2 DESC, path LIMIT 1`, v, path)
	return lms.File{Path: f.Path, SHA256: f.SHA256, Size: f.Size, ContentType: f.ContentType}, err
}

// wantBlobs names content that is about to be stored, before it is. It waits for a
// sweep that is removing some of it.
func wantBlobs(ctx context.Context, db pg.Execer, sums [][]byte, now time.Time) error {
	return pg.Exec(ctx, db, "want blobs", `
		INSERT INTO courses.blobs (sha256, wanted_at) SELECT DISTINCT s, $2::timestamptz FROM unnest($1::bytea[]) AS s ORDER BY s
		ON CONFLICT (sha256) DO UPDATE SET wanted_at = EXCLUDED.wanted_at`, sums, now)
}

// forgetBlobs takes out some of what nobody has wanted since an instant and no version
// has; the foreign keys of those that have one guard it.
func forgetBlobs(ctx context.Context, tx pgx.Tx, since time.Time, most int) ([]digest, error) {
	return pg.Values[digest](ctx, tx, "forget blobs", `
		DELETE FROM courses.blobs WHERE sha256 IN (
		    SELECT sha256 FROM courses.blobs b
		    WHERE wanted_at < $1 AND NOT EXISTS (SELECT FROM courses.files WHERE sha256 = b.sha256)
		      AND NOT EXISTS (SELECT FROM courses.versions WHERE package_sha256 = b.sha256)
		    LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING sha256`, since, most)
}

// digest is a SHA-256 in a bytea column.
type digest [32]byte

// ScanBytes reads the column.
func (d *digest) ScanBytes(raw []byte) error {
	if len(raw) != len(d) {
		return fmt.Errorf("a SHA-256 of %d bytes", len(raw))
	}
	copy(d[:], raw)
	return nil
}
