package accounts

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

// starts are instants shortly before the clocks of Missouri do something odd.
func starts(t *testing.T) map[string]time.Time {
	t.Helper()
	central, err := time.LoadLocation("America/Chicago")
	require.NoError(t, err)
	fall := time.Date(2026, 11, 1, 6, 55, 0, 0, time.UTC).In(central) // 1:55, the first time
	require.Equal(t, "01:55 CDT", fall.Format("15:04 MST"))
	return map[string]time.Time{
		"before midnight":                time.Date(2026, 6, 30, 23, 55, 0, 0, central),
		"before midnight of the year":    time.Date(2026, 12, 31, 23, 55, 0, 0, central),
		"before midnight of UTC":         time.Date(2026, 6, 30, 23, 55, 0, 0, time.UTC),
		"before the hour that is missed": time.Date(2026, 3, 8, 1, 55, 0, 0, central),
		"before the hour that is twice":  fall,
		"in it, the second time":         fall.Add(time.Hour),
	}
}

// Half an hour is half an hour, whatever the clock on the wall shows.
func TestTimesAreElapsedTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	const code = "123456"
	hash := cheap(t, code)
	for name, start := range starts(t) {
		idle, long := w.tokenOf(v.Person, lms.SignedIn, start), w.tokenOf(v.Person, lms.SignedIn, start)
		for at := time.Duration(0); at < Longest; at += 25 * time.Minute {
			w.viewer(long, start.Add(at))
		}
		links := map[purpose]string{toReset: newToken(), toEmail: newToken(), toSignUp: newToken()}
		computer := newToken()
		require.NoError(t, w.inTx(func(tx pgx.Tx) error {
			for purpose, token := range links {
				if err := insertLink(t.Context(), tx, web.HashToken(token), purpose, v.ID, []byte(`{"email": "new@example.org"}`), start); err != nil {
					return err
				}
			}
			if err := upsertComputer(t.Context(), tx, web.HashToken(computer), v.ID, new(start.Add(rememberFor)), start); err != nil {
				return err
			}
			return upsertCode(t.Context(), tx, v, "email", hash, start)
		}))
		proved := v
		proved.ProvedAt = start
		for _, c := range []struct {
			what  string
			life  time.Duration
			check func(now time.Time) error
		}{
			{"a session", 30 * time.Minute, func(now time.Time) error { // without being used
				_, _, err := selectViewer(t.Context(), w.db, web.HashToken(idle), now.Add(-Idle), now.Add(-Longest))
				return err
			}},
			{"a session in use", 12 * time.Hour, func(now time.Time) error { _, err := w.Viewer(t.Context(), long, now); return err }},
			{"a link to a password", 30 * time.Minute, func(now time.Time) error { return w.CheckReset(t.Context(), links[toReset], now) }},
			{"a link to an address", 24 * time.Hour, func(now time.Time) error { _, err := w.PendingEmail(t.Context(), v, links[toEmail], now); return err }},
			{"a link to an account", 24 * time.Hour, func(now time.Time) error { _, err := w.PendingSignUp(t.Context(), links[toSignUp], now); return err }},
			{"a code", 10 * time.Minute, func(now time.Time) error {
				_, err := w.checkSent(t.Context(), v, "email", code, now)
				return err
			}},
			{"a proof", 10 * time.Minute, func(now time.Time) error { return lms.Refusal(&proved, lms.Secure, now) }},
			{"a wait", 0, func(now time.Time) error {
				b := bucket{"clock", []string{name, now.String()}, pace{free: 1, base: 10 * time.Minute, most: time.Hour, forget: 24 * time.Hour}}
				require.NoError(t, take(t.Context(), w.db, start, b))
				require.ErrorIs(t, take(t.Context(), w.db, start.Add(10*time.Minute-time.Second), b), ErrTooManyTries)
				require.NoError(t, take(t.Context(), w.db, start.Add(10*time.Minute), b))
				return nil
			}},
		} {
			require.NoError(t, c.check(start.Add(c.life-time.Second)), "%s: %s", name, c.what)
			if c.life > 0 {
				require.Error(t, c.check(start.Add(c.life)), "%s: %s", name, c.what)
			}
		}
		login, err := selectLogin(t.Context(), w.db, v.Email, web.HashToken(computer))
		require.NoError(t, err)
		require.True(t, login.RememberedUntil.Equal(start.Add(30*24*time.Hour)), name)
	}
}

func TestAnAuthenticatorAppWorksWhileTheClocksChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, start := range starts(t) {
		n := maya()
		n.Email = fmt.Sprintf("maya%d@example.org", start.Unix())
		v, a := w.signedIn(n, start)
		for _, later := range []time.Duration{0, 3 * time.Minute, 6 * time.Minute, time.Hour, time.Hour + 6*time.Minute} {
			now := start.Add(later)
			_, err := a.prove(v, a.code(now.UTC()), now)
			require.NoError(t, err, "%s: %s later", name, later)
			_, err = a.prove(v, a.code(now), now)
			require.ErrorIs(t, err, ErrWrongCode, "%s: %s later, again", name, later)
		}
		_, err := a.prove(v, a.code(start), start.Add(2*time.Hour))
		require.ErrorIs(t, err, ErrWrongCode, name)
	}
}

// A server whose clock was set back neither revives nor ends anything.
func TestAClockThatIsSetBackReusesNoCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	_, err := a.prove(v, a.code(lmstest.Now), lmstest.Now)
	require.NoError(t, err)
	back := lmstest.Now.Add(-time.Hour)
	_, err = a.prove(v, a.code(back), back)
	require.ErrorIs(t, err, ErrWrongCode)
	require.NoError(t, w.touch(v, back))
}
