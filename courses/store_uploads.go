package courses

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
	"mopd/lms/pg"
)

const uploadColumns = `
	SELECT u.id, u.course, c.code, u.filename, u.size, u.chunks, u.received, u.state, u.step, u.refusal, u.refusal_args, coalesce(u.version, 0) AS version
	FROM courses.uploads u JOIN courses.courses c ON c.id = u.course WHERE u.id = $1`

func selectUpload(ctx context.Context, db pg.Querier, id UploadID) (Upload, error) {
	return pg.Row[Upload](ctx, db, "upload", uploadColumns, id)
}

func selectUploadOf(ctx context.Context, db pg.Querier, person lms.PersonID, id UploadID) (Upload, error) {
	return pg.Row[Upload](ctx, db, "upload", uploadColumns+` AND u.person = $2`, id, person)
}

// lockUpload makes changes of an upload wait for each other.
func lockUpload(ctx context.Context, tx pgx.Tx, id UploadID) (Upload, error) {
	return pg.Row[Upload](ctx, tx, "lock upload", uploadColumns+` FOR NO KEY UPDATE OF u`, id)
}

func insertUpload(ctx context.Context, tx pgx.Tx, course lms.CourseID, person lms.PersonID, filename string, size int64, chunks int, now time.Time) (UploadID, error) {
	return pg.Value[UploadID](ctx, tx, "insert upload", `
		INSERT INTO courses.uploads (course, person, filename, size, chunks, recorded_at, touched_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id`, course, person, filename, size, chunks, now)
}

// receiveChunk remembers a chunk once. Errors: ErrUploadOver.
func receiveChunk(ctx context.Context, tx pgx.Tx, id UploadID, n int, now time.Time) error {
	received, err := pg.Changed(ctx, tx, "receive chunk", `
		UPDATE courses.uploads SET touched_at = $3,
		    received = CASE WHEN $2 = ANY (received) THEN received ELSE received || $2::integer END
		WHERE id = $1 AND state = 'receiving'`, id, n, now)
	if err == nil && !received {
		return ErrUploadOver
	}
	return err
}

func updateUpload(ctx context.Context, tx pgx.Tx, id UploadID, state UploadState, step Step, now time.Time) error {
	return pg.Exec(ctx, tx, "update upload", `UPDATE courses.uploads SET state = $2, step = $3, touched_at = $4 WHERE id = $1`, id, state, step, now)
}

func refuseUpload(ctx context.Context, tx pgx.Tx, id UploadID, why *lms.Error, now time.Time) error {
	args := why.Args
	if args == nil {
		args = map[string]any{}
	}
	return pg.Exec(ctx, tx, "refuse upload", `
		UPDATE courses.uploads SET state = 'refused', refusal = $2, refusal_args = $3, touched_at = $4
		WHERE id = $1 AND state = 'processing'`, id, why.Code, args, now)
}

func finishUpload(ctx context.Context, tx pgx.Tx, id UploadID, v lms.VersionID, now time.Time) error {
	return pg.Exec(ctx, tx, "finish upload", `
		UPDATE courses.uploads SET state = 'done', step = 'ready', version = $2, touched_at = $3 WHERE id = $1`, id, v, now)
}

// giveUpUploads ends uploads that nothing happened to since an instant.
func giveUpUploads(ctx context.Context, tx pgx.Tx, since, now time.Time) error {
	return pg.Exec(ctx, tx, "give up uploads", `
		UPDATE courses.uploads SET touched_at = $2,
		    state = CASE state WHEN 'receiving' THEN 'cancelled' ELSE 'refused' END,
		    refusal = CASE state WHEN 'receiving' THEN '' ELSE 'upload_failed' END
		WHERE state IN ('receiving', 'processing') AND (CASE state WHEN 'receiving' THEN touched_at ELSE recorded_at END) < $1`, since, now)
}

func reviveUploads(ctx context.Context, tx pgx.Tx, since, now time.Time) ([]UploadID, error) {
	return pg.Values[UploadID](ctx, tx, "revive uploads", `
		UPDATE courses.uploads SET touched_at = $2 WHERE state = 'processing' AND touched_at < $1 RETURNING id`, since, now)
}

func openUploads(ctx context.Context, db pg.Querier) ([]UploadID, error) {
	return pg.Values[UploadID](ctx, db, "open uploads", `SELECT id FROM courses.uploads WHERE state IN ('receiving', 'processing')`)
}

const releaseTime = 5 * time.Second

// claimUpload makes this run the only one that works on the upload; the claim ends
// with release, or with the process.
func claimUpload(ctx context.Context, db *pgxpool.Pool, id UploadID) (release func() error, mine bool, err error) {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("claim upload %d: %w", id, err)
	}
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('upload', $1))`, id).Scan(&mine)
	if err != nil || !mine {
		conn.Release()
		if err != nil {
			err = fmt.Errorf("claim upload %d: %w", id, err)
		}
		return nil, false, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
		defer cancel()
		_, err := conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended('upload', $1))`, id)
		if err != nil {
			return conn.Hijack().Close(ctx) // the lock goes with its connection
		}
		conn.Release()
		return nil
	}, true, nil
}
