package accounts

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

func (w *world) isOver(token string, now time.Time) {
	w.t.Helper()
	_, err := w.Viewer(w.t.Context(), token, now)
	require.ErrorIs(w.t, err, lms.ErrUnauthenticated)
}

func (w *world) touch(v lms.Viewer, now time.Time) error {
	return w.inTx(func(tx pgx.Tx) error { return w.Touch(w.t.Context(), tx, v.Session, now) })
}

func TestASessionEndsAfterThirtyMinutesWithoutARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, stage := range []lms.Stage{lms.Identified, lms.Enrolling, lms.SignedIn} {
		token := w.tokenOf(p, stage, lmstest.Now)
		now := lmstest.Now
		for _, pause := range []time.Duration{0, Idle - time.Second, Idle - time.Second} {
			now = now.Add(pause)
			w.viewer(token, now)
		}
		w.isOver(token, now.Add(Idle))
	}
}

func TestASessionEndsAfterTwelveHoursInAnyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.tokenOf(w.add(maya()), lms.SignedIn, lmstest.Now)
	for since := time.Duration(0); since < Longest; since += 20 * time.Minute {
		w.viewer(token, lmstest.Now.Add(since))
	}
	w.viewer(token, lmstest.Now.Add(Longest-time.Second))
	w.isOver(token, lmstest.Now.Add(Longest))
}

func TestAnotherStepMakesASessionNoYounger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	late := lmstest.Now.Add(Longest - time.Minute)
	opened, err := a.prove(v, a.code(late), late)
	require.NoError(t, err)
	w.viewer(opened.Token, lmstest.Now.Add(Longest-time.Second))
	w.isOver(opened.Token, lmstest.Now.Add(Longest))
}

func TestACourseThatPlaysKeepsItsSessionAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.tokenOf(w.add(maya()), lms.SignedIn, lmstest.Now)
	v := w.viewer(token, lmstest.Now)
	require.NoError(t, w.touch(v, lmstest.Now.Add(20*time.Minute)))
	require.NoError(t, w.touch(v, lmstest.Now.Add(10*time.Minute))) // an older one, late: it takes nothing back
	w.viewer(token, lmstest.Now.Add(45*time.Minute))
}

func TestASessionThatIsOverStaysOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, last := range []time.Duration{0, Longest - time.Minute} { // idle, and old
		token := w.tokenOf(p, lms.SignedIn, lmstest.Now)
		v := w.viewer(token, lmstest.Now)
		for at := time.Duration(0); at <= last; at += Idle - time.Minute {
			require.NoError(t, w.touch(v, lmstest.Now.Add(at)))
		}
		over := lmstest.Now.Add(min(last+Idle, Longest))
		require.ErrorIs(t, w.touch(v, over), lms.ErrUnauthenticated)
		w.isOver(token, over)
	}
}

func TestSigningOutEndsThatSessionAndThePlayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	here, there := w.tokenOf(p, lms.SignedIn, lmstest.Now), w.tokenOf(p, lms.SignedIn, lmstest.Now)
	require.NotEqual(t, here, there)
	v := w.viewer(here, lmstest.Now)
	require.NoError(t, w.SignOut(t.Context(), v, "", lmstest.Now))
	w.isOver(here, lmstest.Now)
	w.viewer(there, lmstest.Now)
	require.ErrorIs(t, w.touch(v, lmstest.Now), lms.ErrUnauthenticated)
	require.Equal(t, []lms.PersonID{p.ID}, w.fenced)
	require.Equal(t, 1, w.audited("signed_out"))
}

func TestSigningOutEverywhereEndsEverySessionOfThatPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, ana := w.add(maya()), w.add(named("Ana"))
	here, there, half, hers := w.tokenOf(p, lms.SignedIn, lmstest.Now), w.tokenOf(p, lms.SignedIn, lmstest.Now), w.tokenOf(p, lms.Identified, lmstest.Now), w.tokenOf(ana, lms.SignedIn, lmstest.Now)
	require.NoError(t, w.SignOutEverywhere(t.Context(), w.viewer(here, lmstest.Now), desk.From, lmstest.Now))
	for _, token := range []string{here, there, half} {
		w.isOver(token, lmstest.Now)
	}
	w.viewer(hers, lmstest.Now)
	require.Equal(t, []lms.PersonID{p.ID}, w.fenced)
	require.Equal(t, 1, w.audited("signed_out_everywhere"))
}

func TestAPersonSeesAndEndsTheirOwnSessionsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, ana := w.add(maya()), w.open(w.add(named("Ana")), lms.SignedIn, lmstest.Now)
	idle := w.open(p, lms.SignedIn, lmstest.Now)
	now := lmstest.Now.Add(Idle - time.Minute)
	there, here := w.open(p, lms.SignedIn, now), w.open(p, lms.SignedIn, now.Add(time.Minute))
	w.open(p, lms.Identified, now)
	now = now.Add(time.Minute)
	sessions, err := w.Sessions(t.Context(), p.ID, now)
	require.NoError(t, err)
	require.Len(t, sessions, 2, "neither those that are over nor those that have not begun")
	require.Equal(t, []lms.SessionID{here.Session, there.Session}, []lms.SessionID{sessions[0].ID, sessions[1].ID}, "the last used one first")
	require.Equal(t, "Chrome, Windows", sessions[0].Browser())

	require.ErrorIs(t, w.EndSession(t.Context(), ana, there.Session, desk.From, now), lms.ErrNotFound)
	require.NoError(t, w.EndSession(t.Context(), here, there.Session, desk.From, now))
	require.ErrorIs(t, w.touch(there, now), lms.ErrUnauthenticated)
	require.NoError(t, w.touch(here, now))
	require.ErrorIs(t, w.touch(idle, now), lms.ErrUnauthenticated)
	require.Equal(t, 1, w.audited("session_ended"))
}

func TestAGuessedTokenIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.tokenOf(w.add(maya()), lms.SignedIn, lmstest.Now)
	for _, guess := range []string{"", "x", token + "x", token[1:], "\x00", string(web.HashToken(token))} {
		w.isOver(guess, lmstest.Now)
	}
	seen := map[string]bool{}
	for range 1000 {
		token := newToken()
		require.Len(t, token, 43, "256 random bits")
		require.False(t, seen[token])
		seen[token] = true
	}
}

func TestABrowserMayCallItselfAnything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, agent := range []string{"", "\xff\xfe Safari/1", string(make([]rune, 0)) + "ñandú"} {
		require.NoError(t, w.guess(p.Email, password, Origin{Agent: agent}, lmstest.Now), "%q", agent)
	}
}

func TestSweepingRemovesWhatIsOverAndNothingThatLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	now := lmstest.Now
	w.hasCodes(v.Person)
	_, err := w.BeginAuthenticator(t.Context(), v, desk, now)
	require.NoError(t, err)
	limited := atAccount("nobody@example.org", "")[1]
	w.tried(limited, 100, now)
	w.tried(atFactor(v.ID), 7, now)
	w.known(v.Person, nil, now)
	w.resetLink(v.Email, now)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error { return upsertCode(t.Context(), tx, v, "email", w.hasher.decoy(), now) }))
	_, err = w.db.Exec(t.Context(), `DELETE FROM river.river_job`)
	require.NoError(t, err)

	tables := []string{"sessions", "codes", "links", "computers", "throttles", "factors", "recovery_codes"}
	week, year := 7*24*time.Hour, 400*24*time.Hour
	for _, c := range []struct {
		later time.Duration
		want  []int
	}{
		{0, []int{1, 1, 1, 1, 5, 2, 1}},
		{10*time.Minute - time.Second, []int{1, 1, 1, 1, 5, 2, 1}},
		{10 * time.Minute, []int{1, 0, 1, 1, 5, 2, 1}},
		{Idle, []int{0, 0, 1, 1, 5, 2, 1}},
		{2*24*time.Hour - time.Second, []int{0, 0, 1, 1, 5, 2, 1}},
		{2 * 24 * time.Hour, []int{0, 0, 0, 1, 5, 2, 1}},
		{week + time.Hour, []int{0, 0, 0, 1, 1, 2, 1}},
		{year - time.Second, []int{0, 0, 0, 1, 1, 2, 1}},
		{year, []int{0, 0, 0, 0, 1, 2, 1}}, // who is at the limit stays so
	} {
		require.NoError(t, w.Sweep(t.Context(), now.Add(c.later)))
		var left []int
		for _, table := range tables {
			left = append(left, w.count(`SELECT count(*) FROM accounts.`+table))
		}
		require.Equal(t, c.want, left, "%s: %v", c.later, tables)
	}
	require.ErrorIs(t, take(t.Context(), w.db, now.Add(year), limited), ErrResetRequired)
	later := now.Add(year)
	_, err = a.prove(w.open(v.Person, lms.Identified, later), a.code(later), later)
	require.NoError(t, err, "the account is as it was")
}
