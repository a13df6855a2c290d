package courses

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

const (
	uploadColumns = `u.id, u.course, c.code, u.filename, u.size, u.chunks, u.received, u.state, u.step, u.refusal, u.refusal_args,
	       coalesce(u.version, 0) AS version, u.run`
	selectUploadWith = `
	SELECT ` + uploadColumns + `
	FROM courses.uploads u JOIN courses.courses c ON c.id = u.course WHERE u.id = $1`
)

func selectUploadOf(ctx context.Context, db pg.Querier, person lms.PersonID, id UploadID) (Upload, error) {
	return pg.Row[Upload](ctx, db, "upload", selectUploadWith+` AND u.person = $2`, id, person)
}

// lockUpload makes changes of an upload wait for each other.
func lockUpload(ctx context.Context, tx pgx.Tx, id UploadID) (Upload, error) {
	return pg.Row[Upload](ctx, tx, "lock upload", selectUploadWith+` FOR NO KEY UPDATE OF u`, id)
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

// dismissUpload makes a refusal that was read a thing of the past.
func dismissUpload(ctx context.Context, db pg.Execer, id UploadID, now time.Time) error {
	return pg.Exec(ctx, db, "dismiss upload", `UPDATE courses.uploads SET state = 'cancelled', touched_at = $2 WHERE id = $1 AND state = 'refused'`, id, now)
}

// ownUpload is an upload as its author's page lists it.
type ownUpload struct {
	Upload
	RecordedAt, TouchedAt time.Time
}

// Percent tells how much of it has arrived.
func (u ownUpload) Percent() int { return 100 * len(u.Received) / u.Chunks }

// selectOwnUploads are a person's uploads for a course that are under way, without
// those that nothing was received of since an instant, and their last one whatever
// became of it; the latest first.
func selectOwnUploads(ctx context.Context, db pg.Querier, person lms.PersonID, course lms.CourseID, since time.Time) ([]ownUpload, error) {
	return pg.Rows[ownUpload](ctx, db, "own uploads", `
		SELECT `+uploadColumns+`, u.recorded_at, u.touched_at
		FROM courses.uploads u JOIN courses.courses c ON c.id = u.course
		WHERE u.course = $1 AND u.person = $2 AND (u.state = 'processing' OR u.state = 'receiving' AND u.touched_at > $3
		    OR u.id = (SELECT max(id) FROM courses.uploads WHERE course = $1 AND person = $2))
		ORDER BY u.id DESC`, course, person, since)
}

// giveUpUploads ends uploads that nothing happened to since an instant.
func giveUpUploads(ctx context.Context, tx pgx.Tx, since, now time.Time) error {
	return pg.Exec(ctx, tx, "give up uploads", `
		UPDATE courses.uploads SET touched_at = $2,
		    state = CASE state WHEN 'receiving' THEN 'cancelled' ELSE 'refused' END,
		    refusal = CASE state WHEN 'receiving' THEN '' ELSE 'upload_failed' END
		WHERE state IN ('receiving', 'processing') AND (CASE state WHEN 'receiving' THEN touched_at ELSE recorded_at END) < $1`, since, now)
}

// freeUploads frees those whose run was not heard of any more.
func freeUploads(ctx context.Context, tx pgx.Tx) ([]UploadID, error) {
	return pg.Values[UploadID](ctx, tx, "free uploads", `
		UPDATE courses.uploads SET held_until = NULL WHERE state = 'processing' AND held_until <= now() RETURNING id`)
}

func openUploads(ctx context.Context, db pg.Querier) ([]UploadID, error) {
	return pg.Values[UploadID](ctx, db, "open uploads", `SELECT id FROM courses.uploads WHERE state IN ('receiving', 'processing')`)
}

// claimUpload takes an upload in hand that has arrived, as its latest run. How long it
// stays in hand goes by the database's clock, the one that all processes share.
//
// Errors: errTaken.
func claimUpload(ctx context.Context, db pg.Querier, id UploadID, hold time.Duration) (Upload, error) {
	u, err := pg.Row[Upload](ctx, db, "claim upload", `
		UPDATE courses.uploads u SET run = u.run + 1, held_until = now() + $2
		FROM courses.courses c
		WHERE c.id = u.course AND u.id = $1 AND u.state <> 'receiving' AND (u.held_until IS NULL OR u.held_until <= now())
		RETURNING `+uploadColumns, id, hold)
	if errors.Is(err, lms.ErrNotFound) {
		err = errTaken
	}
	return u, err
}

// holdUpload keeps an upload in hand. Errors: errTaken.
func holdUpload(ctx context.Context, db pg.Execer, u Upload, hold time.Duration) error {
	held, err := pg.Changed(ctx, db, "hold upload", `UPDATE courses.uploads SET held_until = now() + $3 WHERE id = $1 AND run = $2`, u.ID, u.Run, hold)
	if err == nil && !held {
		return errTaken
	}
	return err
}

func releaseUpload(ctx context.Context, db pg.Execer, u Upload) error {
	return pg.Exec(ctx, db, "release upload", `UPDATE courses.uploads SET held_until = NULL WHERE id = $1 AND run = $2`, u.ID, u.Run)
}
