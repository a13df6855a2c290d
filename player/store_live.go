package player

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

// --- the live player ---

type grantRow struct {
	Person     lms.PersonID
	Version    lms.VersionID
	Enrollment lms.EnrollmentID
}

// selectGrant finds what a content label may serve at an instant.
func selectGrant(ctx context.Context, db querier, label string, now time.Time) (grantRow, error) {
	return one[grantRow](ctx, db, "select grant", `SELECT person, version, enrollment FROM player.grants
		WHERE label = $1 AND expires_at > $2`, label, now)
}

// leaseRow is the person's lease, with the session that holds it: none after a
// fence without a successor.
type leaseRow struct {
	Epoch      int64
	Seq        int64
	Attempt    lms.AttemptID
	Enrollment lms.EnrollmentID
	TokenHash  []byte
	Session    lms.SessionID
	SeenAt     *time.Time
}

func selectLease(ctx context.Context, tx pgx.Tx, p lms.PersonID) (leaseRow, error) {
	return one[leaseRow](ctx, tx, "select lease", `SELECT l.epoch, coalesce(s.seq, 0) AS seq, l.attempt, a.enrollment, l.token_hash, l.session, s.seen_at
		FROM player.leases l JOIN player.attempts a ON a.id = l.attempt
		LEFT JOIN player.sessions s ON s.person = l.person AND s.epoch = l.epoch
		WHERE l.person = $1`, p)
}

// selectLive finds the person's live session. ErrNotFound: there is none.
func selectLive(ctx context.Context, tx pgx.Tx, p lms.PersonID) (Live, error) {
	return one[Live](ctx, tx, "select live session", `SELECT l.epoch, a.enrollment, s.device, s.opened_at AS since
		FROM player.leases l JOIN player.attempts a ON a.id = l.attempt
		JOIN player.sessions s ON s.person = l.person AND s.epoch = l.epoch
		WHERE l.person = $1 AND l.token_hash IS NOT NULL`, p)
}

// advance is the compare-and-set that lets one commit have one effect, in a session
// that holds the lease.
func advance(ctx context.Context, tx pgx.Tx, p lms.PersonID, epoch, seq int64) (bool, error) {
	n, err := exec(ctx, tx, "advance session", `UPDATE player.sessions s SET seq = $3 FROM player.leases l
		WHERE s.person = $1 AND s.epoch = $2 AND s.seq = $3 - 1 AND l.person = s.person AND l.epoch = s.epoch AND l.token_hash IS NOT NULL`, p, epoch, seq)
	return n == 1, err
}

func updateSeen(ctx context.Context, tx pgx.Tx, p lms.PersonID, epoch int64, now time.Time, seat time.Duration) error {
	_, err := exec(ctx, tx, "update session", `UPDATE player.sessions SET seen_at = greatest(seen_at, $3), seat_ms = seat_ms + $4
		WHERE person = $1 AND epoch = $2`, p, epoch, now, seat.Milliseconds())
	return err
}

// --- run-time data ---

type dataRow struct {
	Data     map[string]string
	Finished bool
}

func selectData(ctx context.Context, tx pgx.Tx, a lms.AttemptID, activity string) (dataRow, error) {
	return one[dataRow](ctx, tx, "select data", `SELECT data, finished FROM player.activity_data WHERE attempt = $1 AND activity = $2`, a, activity)
}

type lockedRow struct {
	dataRow
	Size int // bytes of the data as text
}

// lockData reads an activity's data to change it. ErrNotFound: the attempt has no
// such activity.
func lockData(ctx context.Context, tx pgx.Tx, a lms.AttemptID, activity string) (lockedRow, error) {
	return one[lockedRow](ctx, tx, "lock data", `SELECT data, finished, octet_length(data::text) AS size FROM player.activity_data
		WHERE attempt = $1 AND activity = $2 FOR UPDATE`, a, activity)
}

// updateData lays changes over an activity's data.
func updateData(ctx context.Context, tx pgx.Tx, a lms.AttemptID, activity string, changes map[string]string, finished bool) error {
	_, err := exec(ctx, tx, "update data", `UPDATE player.activity_data SET data = data || $3, finished = $4
		WHERE attempt = $1 AND activity = $2`, a, activity, changes, finished)
	return err
}

// upsertSessionTime sets the time that content reported for one session: reported
// again, it replaces. False: the session is not one of this attempt.
func upsertSessionTime(ctx context.Context, tx pgx.Tx, p lms.PersonID, a lms.AttemptID, epoch int64, activity string, centiseconds int64) (bool, error) {
	n, err := exec(ctx, tx, "upsert session time", `INSERT INTO player.session_times (person, epoch, activity, centiseconds)
		SELECT s.person, s.epoch, $4, $5 FROM player.sessions s WHERE s.person = $1 AND s.epoch = $3 AND s.attempt = $2
		ON CONFLICT (person, epoch, activity) DO UPDATE SET centiseconds = EXCLUDED.centiseconds`, p, a, epoch, activity, centiseconds)
	return n == 1, err
}

// selectTotalTime sums the session times of the attempt's sessions before an epoch,
// in hundredths of a second.
func selectTotalTime(ctx context.Context, tx pgx.Tx, a lms.AttemptID, activity string, before int64) (int64, error) {
	return scalar[int64](ctx, tx, "sum session times", `SELECT coalesce(sum(t.centiseconds), 0)::bigint
		FROM player.sessions s JOIN player.session_times t ON t.person = s.person AND t.epoch = s.epoch
		WHERE s.attempt = $1 AND t.activity = $2 AND s.epoch < $3`, a, activity, before)
}

// insertHeld holds a batch. False: the attempt has as much held as there may be.
func insertHeld(ctx context.Context, tx pgx.Tx, a lms.AttemptID, epoch int64, b Batch, why Held, now time.Time) (bool, error) {
	n, err := exec(ctx, tx, "hold commit", `INSERT INTO player.held_commits (attempt, epoch, seq, activity, of_epoch, finished, reason, changes, recorded_at, made_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $11
		WHERE octet_length($8::jsonb::text) + (SELECT coalesce(sum(octet_length(changes::text)), 0) FROM player.held_commits WHERE attempt = $1) <= $10`,
		a, epoch, b.Seq, b.Activity, b.OfEpoch, b.Over, why, b.Changes, now, maxHeld, b.made())
	return n == 1, err
}
