package player

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestALaunchNeedsTodaysAttestation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.tryLaunch(computer)
	require.ErrorIs(t, err, errAttestation)
	w.attest()
	w.attest() // twice is once
	_, err = w.tryLaunch(computer)
	require.NoError(t, err)
	w.pass(24 * time.Hour)
	_, err = w.tryLaunch(computer)
	require.ErrorIs(t, err, errAttestation)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.attestations WHERE wording = $1 AND lang = 'en'`, Wording))
}

func TestAPhoneOrTabletDoesNotLaunch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.attest()
	_, err := w.tryLaunch(Device{Name: "Safari, iPhone"})
	require.ErrorIs(t, err, errComputer)
	require.Zero(t, w.count(`SELECT count(*) FROM player.leases`))
}

func TestSomebodyElsesCourseIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.attest()
	w.person = lmstest.Person(t, w.db)
	_, err := w.tryLaunch(computer)
	require.ErrorIs(t, err, lms.ErrNotFound)
	_, err = w.s.Status(t.Context(), w.person.ID, w.active.ID)
	require.ErrorIs(t, err, lms.ErrNotFound)
}

func TestAfterTheLastDayNothingLaunches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = w.active.LastDay.End().Add(-time.Second)
	w.launch()
	w.now = w.active.LastDay.End()
	_, err := w.tryLaunch(computer)
	require.ErrorIs(t, err, lms.ErrWindowOver)
}

func TestACourseThatEarnsNothingAsksOnceBeforeItOpens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.attest()
	w.blockedUntil = lmstest.Today.AddDays(10)
	_, err := w.tryLaunch(computer)
	require.ErrorIs(t, err, lms.ErrEarnsAgain)
	require.Equal(t, w.blockedUntil, earnsAgain(err))
	require.NoError(t, w.s.AcceptNoCredit(t.Context(), w.person.ID, w.active.ID, w.now))
	_, err = w.tryLaunch(computer)
	require.NoError(t, err)
	// Another date is another question.
	w.blockedUntil = lmstest.Today.AddDays(20)
	_, err = w.tryLaunch(computer)
	require.ErrorIs(t, err, lms.ErrEarnsAgain)
}

func TestALaunchIsInTheAuditTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.launch()
	require.Len(t, w.audit, 1)
	require.Equal(t, "launch", w.audit[0].Action)
	require.Equal(t, w.person.ID, w.audit[0].Subject)
	require.Equal(t, "192.0.2.1", w.audit[0].From)
}

func TestANewerPlayerFencesTheOlderAndSaysWhereItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.launch()
	old.set("cmi.suspend_data", "one")
	w.pass(time.Minute)
	fresh := w.launch()
	require.Equal(t, old.l.Epoch+1, fresh.l.Epoch)
	require.Equal(t, old.l.Label, fresh.l.Label, "the same course keeps its origin, and with it its journal")
	require.NotEqual(t, old.l.Token, fresh.l.Token)
	require.Equal(t, map[int64]int64{old.l.Epoch: 1}, fresh.l.Saved)

	_, err := old.send(old.next("cmi.suspend_data", "two"))
	require.ErrorIs(t, err, lms.ErrFenced)
	live := w.live()
	require.Equal(t, "Chrome, Windows", live.Device)
	require.Equal(t, fresh.l.Epoch, live.Epoch)
	require.True(t, w.now.Equal(live.Since))
	_, err = w.s.Beat(t.Context(), old.bearer(), w.now)
	require.ErrorIs(t, err, lms.ErrFenced)
	require.Equal(t, "one", fresh.state().Data["cmi.suspend_data"])
}

func TestATokenOrLabelThatIsNotTheirsIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	wrong := s.bearer()
	wrong.Token += "x"
	require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
		require.NoError(t, pg.LockPerson(t.Context(), tx, w.person.ID))
		_, err := w.s.Beat(t.Context(), wrong, w.now) // it does not wait for the person's lock
		require.ErrorIs(t, err, lms.ErrFenced)
		e, _ := lms.AsError(err)
		require.Empty(t, e.Args, "and it learns nothing of the live player")
		return nil
	}))
	wrong = s.bearer()
	wrong.Epoch++
	_, err := w.s.Beat(t.Context(), wrong, w.now)
	require.ErrorIs(t, err, lms.ErrFenced)
	wrong = s.bearer()
	wrong.Label = "a23456789012345678901234567"[:26]
	_, err = w.s.Beat(t.Context(), wrong, w.now)
	require.ErrorIs(t, err, lms.ErrNotFound)
}

func TestSettingAsideOrSigningOutEndsThePlayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fence() // nobody plays: nothing happens
	s := w.launch()
	w.pass(time.Minute)
	w.fence()
	_, err := s.send(s.next("cmi.suspend_data", "late"))
	require.ErrorIs(t, err, lms.ErrFenced)
	require.Nil(t, w.live(), "nobody else plays")
	require.Equal(t, s.l.Epoch+2, w.launch().l.Epoch, "an epoch is never used twice")
}

func TestAPlayerIsToldWhenItIsAnotherCourseThatIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, active := w.launch(), w.active
	w.fence() // set aside
	_, err := w.db.Exec(t.Context(), `UPDATE enrollments.enrollments SET state = 'ready' WHERE id = $1`, active.ID)
	require.NoError(t, err)
	w.active = lmstest.Enrollment(t, w.db, w.person, lmstest.Course(t, w.db), func(e *lms.Enrollment) { e.State = lms.Active })
	w.launch()
	_, err = first.send(first.next("cmi.suspend_data", "late"))
	require.ErrorIs(t, err, lms.ErrFenced)
	live := w.live()
	require.Equal(t, w.active.ID, live.Enrollment)
	require.NotEqual(t, active.ID, live.Enrollment)
	require.Equal(t, "Chrome, Windows", live.Device)
	w.fence() // signed out: no course is open
	_, err = first.send(first.next("cmi.suspend_data", "late"))
	require.ErrorIs(t, err, lms.ErrFenced)
}

// A race is timed, so it runs alone.
func TestOfManyLaunchesAtOnceOnePlayerIsLive(t *testing.T) {
	w := newWorld(t)
	w.attest()
	all := make([]Launched, lmstest.Racers)
	for i, err := range lmstest.Race(t, w.db, func(i int) (err error) {
		all[i], err = w.tryLaunch(computer)
		return err
	}) {
		require.NoError(t, err, "launch %d", i)
	}
	live, epochs := 0, map[int64]bool{}
	for _, l := range all {
		epochs[l.Epoch] = true
		s := &session{w, l, 0}
		if _, err := s.send(s.next("cmi.suspend_data", "mine")); err == nil {
			live++
		} else {
			require.ErrorIs(t, err, lms.ErrFenced)
		}
	}
	require.Equal(t, 1, live)
	require.Len(t, epochs, lmstest.Racers)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.attempts`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.grants`))
}

func TestContentIsServedUntilThirtyDaysAfterTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	end := w.active.LastDay.End().Add(grantAfter)
	_, err := w.s.grant(t.Context(), s.l.Label, end.Add(-time.Second))
	require.NoError(t, err)
	_, err = w.s.grant(t.Context(), s.l.Label, end)
	require.ErrorIs(t, err, lms.ErrNotFound)
}
