package player

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestProgressAndTimeFollowAnEnrollmentToAnotherProfile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stays := lmstest.Person(t, w.db)
	const sessions = `INSERT INTO player.sessions (person, epoch, attempt, opened_at, seen_at, seq, seat_ms, device) VALUES ($1, $2, $3, now(), now(), 4, 1000, '')`
	exec := func(tx pgx.Tx, sql string, args ...any) {
		_, err := tx.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	other := lmstest.Enrollment(t, w.db, stays, lmstest.Course(t, w.db))
	var moved lms.AttemptID
	require.NoError(t, pgx.BeginFunc(t.Context(), w.db, func(tx pgx.Tx) (err error) {
		if moved, err = attemptOf(t.Context(), tx, w.active, lmstest.Now); err != nil {
			return err
		}
		stayed, err := attemptOf(t.Context(), tx, other, lmstest.Now)
		if err != nil {
			return err
		}
		for _, epoch := range []int{1, 3} {
			exec(tx, sessions, w.person.ID, epoch, moved)
			exec(tx, `INSERT INTO player.session_times VALUES ($1, $2, 'item-1', 250)`, w.person.ID, epoch)
		}
		exec(tx, sessions, stays.ID, 1, stayed)
		exec(tx, `INSERT INTO player.leases VALUES ($1, 4, $2, NULL, 1), ($3, 2, $4, NULL, 1)`, w.person.ID, moved, stays.ID, stayed)
		_, err = grantOf(t.Context(), tx, w.active, "abcdefghijklmnopqrstuvwxyz", lmstest.Now, lmstest.Now)
		return err
	}))
	require.NoError(t, pgx.BeginFunc(t.Context(), w.db, func(tx pgx.Tx) error {
		if err := w.s.Move(t.Context(), tx, []lms.EnrollmentID{w.active.ID}, w.person.ID, stays.ID); err != nil {
			return err
		}
		epoch, err := takeLease(t.Context(), tx, stays.ID, moved, []byte("token"), 1)
		require.NoError(t, err)
		require.EqualValues(t, 6, epoch, "no epoch comes twice")
		seat, err := selectSeat(t.Context(), tx, moved)
		require.NoError(t, err)
		require.EqualValues(t, 2000, seat)
		total, err := selectTotalTime(t.Context(), tx, moved, "item-1", epoch)
		require.NoError(t, err)
		require.EqualValues(t, 500, total)
		saved, err := selectSaved(t.Context(), tx, moved)
		require.Equal(t, map[int64]int64{3: 4, 5: 4}, saved)
		return err
	}))
	for _, table := range []string{"attempts", "grants", "sessions", "session_times"} {
		var left int
		require.NoError(t, w.db.QueryRow(t.Context(), `SELECT count(*) FROM player.`+table+` WHERE person = $1`, w.person.ID).Scan(&left))
		require.Zero(t, left, table)
	}
}
