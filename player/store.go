package player

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// querier is the pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func one[T any](ctx context.Context, db querier, what, sql string, args ...any) (T, error) {
	var row T
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return row, fmt.Errorf("%s: %w", what, err)
	}
	if row, err = pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])); err != nil {
		return row, fmt.Errorf("%s: %w", what, err)
	}
	return row, nil
}

func scalar[T any](ctx context.Context, tx pgx.Tx, what, sql string, args ...any) (v T, err error) {
	if err := tx.QueryRow(ctx, sql, args...).Scan(&v); err != nil {
		return v, fmt.Errorf("%s: %w", what, err)
	}
	return v, nil
}

func exec(ctx context.Context, tx pgx.Tx, what, sql string, args ...any) (int64, error) {
	tag, err := tx.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return tag.RowsAffected(), nil
}

// --- before a launch ---

func selectAttested(ctx context.Context, tx pgx.Tx, e lms.Enrollment, day lms.Date) (bool, error) {
	return scalar[bool](ctx, tx, "select attestation", `SELECT EXISTS (SELECT FROM player.attestations
		WHERE person = $1 AND enrollment = $2 AND day = $3)`, e.Person, e.ID, day)
}

func insertAttestation(ctx context.Context, tx pgx.Tx, e lms.Enrollment, day lms.Date, lang string, now time.Time) error {
	_, err := exec(ctx, tx, "insert attestation", `INSERT INTO player.attestations (person, enrollment, day, wording, lang, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`, e.Person, e.ID, day, Wording, lang, now)
	return err
}

func selectNoCredit(ctx context.Context, tx pgx.Tx, e lms.Enrollment, earnsAgain lms.Date) (bool, error) {
	return scalar[bool](ctx, tx, "select choice", `SELECT EXISTS (SELECT FROM player.no_credit_choices
		WHERE person = $1 AND enrollment = $2 AND earns_again = $3)`, e.Person, e.ID, earnsAgain)
}

func insertNoCredit(ctx context.Context, tx pgx.Tx, e lms.Enrollment, earnsAgain lms.Date, now time.Time) error {
	_, err := exec(ctx, tx, "insert choice", `INSERT INTO player.no_credit_choices (person, enrollment, earns_again, recorded_at)
		VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, e.Person, e.ID, earnsAgain, now)
	return err
}

// --- the launch ---

// attemptOf is the enrollment's attempt for credit, made at its first launch.
func attemptOf(ctx context.Context, tx pgx.Tx, e lms.Enrollment, now time.Time) (lms.AttemptID, error) {
	if _, err := exec(ctx, tx, "insert attempt", `INSERT INTO player.attempts (person, enrollment, version, mode, n, recorded_at)
		VALUES ($1, $2, $3, 'credit', 1, $4) ON CONFLICT ON CONSTRAINT attempts_enrollment_mode_n_key DO NOTHING`,
		e.Person, e.ID, e.Version, now); err != nil {
		return 0, err
	}
	return scalar[lms.AttemptID](ctx, tx, "select attempt", `SELECT id FROM player.attempts
		WHERE enrollment = $1 AND mode = 'credit' AND n = 1`, e.ID)
}

func insertActivity(ctx context.Context, tx pgx.Tx, a lms.AttemptID, activity string) error {
	_, err := exec(ctx, tx, "insert activity", `INSERT INTO player.activity_data (attempt, activity) VALUES ($1, $2) ON CONFLICT DO NOTHING`, a, activity)
	return err
}

// grantOf is the label of the enrollment's content grant; fresh becomes it when
// there is none yet.
func grantOf(ctx context.Context, tx pgx.Tx, e lms.Enrollment, fresh string, expires, now time.Time) (string, error) {
	return scalar[string](ctx, tx, "grant content", `INSERT INTO player.grants (label, person, version, mode, enrollment, expires_at, recorded_at)
		VALUES ($1, $2, $3, 'credit', $4, $5, $6)
		ON CONFLICT ON CONSTRAINT grants_enrollment_mode_version_key DO UPDATE SET expires_at = EXCLUDED.expires_at
		RETURNING label`, fresh, e.Person, e.Version, e.ID, expires, now)
}

// takeLease makes the caller the person's one live player and gives its epoch.
func takeLease(ctx context.Context, tx pgx.Tx, p lms.PersonID, a lms.AttemptID, tokenHash []byte, session lms.SessionID) (int64, error) {
	return scalar[int64](ctx, tx, "take lease", `INSERT INTO player.leases AS l (person, epoch, attempt, token_hash, session)
		VALUES ($1, 1, $2, $3, $4)
		ON CONFLICT (person) DO UPDATE SET epoch = l.epoch + 1, attempt = EXCLUDED.attempt,
			token_hash = EXCLUDED.token_hash, session = EXCLUDED.session
		RETURNING epoch`, p, a, tokenHash, session)
}

// fenceLease leaves the person without a live player.
func fenceLease(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	_, err := exec(ctx, tx, "fence lease", `UPDATE player.leases SET epoch = epoch + 1, token_hash = NULL
		WHERE person = $1 AND token_hash IS NOT NULL`, p)
	return err
}

func insertSession(ctx context.Context, tx pgx.Tx, p lms.PersonID, epoch int64, a lms.AttemptID, device string, now time.Time) error {
	_, err := exec(ctx, tx, "insert session", `INSERT INTO player.sessions (person, epoch, attempt, opened_at, seen_at, device)
		VALUES ($1, $2, $3, $4, $4, $5)`, p, epoch, a, now, device)
	return err
}

// selectSaved is, for each session of an attempt, the last number that the server
// has acknowledged.
func selectSaved(ctx context.Context, tx pgx.Tx, a lms.AttemptID) (map[int64]int64, error) {
	rows, err := tx.Query(ctx, `SELECT epoch, seq FROM player.sessions WHERE attempt = $1 AND seq > 0`, a)
	if err != nil {
		return nil, fmt.Errorf("select sessions: %w", err)
	}
	saved := map[int64]int64{}
	var epoch, seq int64
	if _, err := pgx.ForEachRow(rows, []any{&epoch, &seq}, func() error { saved[epoch] = seq; return nil }); err != nil {
		return nil, fmt.Errorf("select sessions: %w", err)
	}
	return saved, nil
}

func selectSeat(ctx context.Context, tx pgx.Tx, a lms.AttemptID) (int64, error) {
	return scalar[int64](ctx, tx, "sum seat time", `SELECT coalesce(sum(seat_ms), 0)::bigint FROM player.sessions WHERE attempt = $1`, a)
}

func selectSeatOf(ctx context.Context, tx pgx.Tx, e lms.EnrollmentID) (int64, error) {
	return scalar[int64](ctx, tx, "sum seat time of enrollment", `SELECT coalesce(sum(s.seat_ms), 0)::bigint
		FROM player.attempts a JOIN player.sessions s ON s.attempt = a.id WHERE a.enrollment = $1 AND a.mode = 'credit' AND a.n = 1`, e)
}
