package player

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestChangesMergeOverWhatWasSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	require.Equal(t, "ab-initio", s.state().Entry)
	s.set("cmi.core.lesson_location", "1", "cmi.suspend_data", "a")
	saved := s.set("cmi.core.lesson_location", "2")
	require.Equal(t, int64(2), saved.Seq)
	st := s.state()
	require.Equal(t, map[string]string{"cmi.core.lesson_location": "2", "cmi.suspend_data": "a"}, st.Data)
	require.Equal(t, w.person.SortName(), st.StudentName)
}

func TestACommitSentTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	first := s.next("cmi.suspend_data", "first")
	_, err := s.send(first)
	require.NoError(t, err)
	s.set("cmi.suspend_data", "second")
	saved, err := s.send(first)
	require.NoError(t, err)
	require.Equal(t, int64(2), saved.Seq)
	require.Equal(t, "second", s.state().Data["cmi.suspend_data"])
}

func TestACommitThatSkipsOneIsToldWhatIsSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	s.set("cmi.suspend_data", "1")
	skipped := s.next("cmi.suspend_data", "2")
	last := s.next("cmi.suspend_data", "3")
	_, err := s.send(last)
	require.ErrorIs(t, err, errGap)
	e, _ := lms.AsError(err)
	require.Equal(t, int64(1), e.Args["Seq"])
	require.Equal(t, "1", s.state().Data["cmi.suspend_data"])
	// All that is not acknowledged, in one request, duplicates included.
	saved, err := s.send(last, Batch{Seq: 1, Activity: "item-1", Changes: map[string]string{"cmi.suspend_data": "other"}}, skipped)
	require.NoError(t, err)
	require.Equal(t, int64(3), saved.Seq)
	require.Equal(t, "3", s.state().Data["cmi.suspend_data"])
}

// A race is timed, so it runs alone.
func TestOfManyCommitsUnderOneNumberOneHasAnEffect(t *testing.T) {
	w := newWorld(t)
	s := w.launch()
	for i, err := range lmstest.Race(t, w.db, func(i int) error {
		saved, err := s.send(Batch{Seq: 1, Changes: map[string]string{"cmi.suspend_data": numbered(i), elementStatus: "completed"}})
		if err == nil && saved.Seq != 1 {
			t.Errorf("commit %d: acknowledged %d", i, saved.Seq)
		}
		return err
	}) {
		require.NoError(t, err, "commit %d", i)
	}
	require.Equal(t, 1, w.count(`SELECT seq FROM player.sessions`))
	require.Equal(t, lms.Completed, w.state())
}

func TestTheDatabaseAloneLetsANumberHaveOneEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	effects := 0
	for range 3 {
		tx, err := w.db.Begin(t.Context())
		require.NoError(t, err)
		advanced, err := advance(t.Context(), tx, w.person.ID, s.l.Epoch, 1)
		require.NoError(t, err)
		if advanced {
			effects++
		}
		require.NoError(t, tx.Commit(t.Context()))
	}
	require.Equal(t, 1, effects)
}

func TestCompletedOrPassedCompletesAndStands(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"completed", "passed"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.launch()
			require.False(t, s.set(elementStatus, "incomplete").Completed)
			w.pass(time.Minute)
			saved := s.set(elementStatus, status)
			require.True(t, saved.Completed)
			at := w.now
			w.pass(time.Minute)
			saved = s.finish(elementStatus, "incomplete")
			require.True(t, saved.Completed)
			require.Equal(t, lms.Completed, w.state())
			require.Equal(t, 1, w.count(`SELECT count(*) FROM enrollments.enrollments WHERE completed_at = $1`, at))
			st, err := w.s.Status(t.Context(), w.person.ID, w.active.ID)
			require.NoError(t, err)
			require.Equal(t, lms.Credited, st.Posted)
		})
	}
}

func TestTheMasteryScoreDecidesWhetherAFinishedLessonCompletes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]lms.EnrollmentState{"79.9": lms.Active, "80": lms.Completed} {
		t.Run(raw, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.content.MasteryScore = "80"
			s := w.launch()
			require.Equal(t, raw == "80", s.set(elementRaw, raw, elementStatus, "completed").Completed)
			s.finish(elementExit, "")
			require.Equal(t, want, w.state())
			require.Equal(t, map[bool]string{true: "passed", false: "failed"}[want == lms.Completed], s.state().Data[elementStatus])
		})
	}
}

func TestALessonThatNeverSaysItsStatusCompletesAtANormalEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	s.finish("cmi.suspend_data", "x", elementExit, "suspend")
	require.Equal(t, lms.Active, w.state())
	require.Equal(t, "resume", w.launch().state().Entry)
}

func TestEntryTellsHowTheLastVisitEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	s.set(elementStatus, "incomplete")
	s = w.launch()
	require.Equal(t, "resume", s.state().Entry, "the visit broke off")
	s.finish(elementExit, "")
	s = w.launch()
	require.Equal(t, "", s.state().Entry)
	s.finish(elementExit, "suspend")
	require.Equal(t, "resume", w.launch().state().Entry)
}

func TestTotalTimeIsTheSumOfEarlierSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.launch()
	first.set(elementSession, "0000:10:00.00")
	first.set(elementSession, "0000:12:30.50") // reported again, it replaces
	require.Equal(t, "0000:00:00.00", first.state().TotalTime, "not the time of this session")
	second := w.launch()
	require.Equal(t, "0000:12:30.50", second.state().TotalTime)
	second.set(elementSession, "00:05:00")
	require.Equal(t, "0000:17:30.50", w.launch().state().TotalTime)
}

func TestAJournalDrainedLaterCorrectsItsOwnSessionsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.launch()
	first.set(elementSession, "0000:10:00")
	second := w.launch()
	drained := second.next(elementSession, "0000:20:00", "cmi.suspend_data", "left")
	drained.OfEpoch = first.l.Epoch
	_, err := second.send(drained)
	require.NoError(t, err)
	second.set(elementSession, "0000:01:00")
	third := w.launch()
	require.Equal(t, "0000:21:00.00", third.state().TotalTime)
	require.Equal(t, "left", third.state().Data["cmi.suspend_data"])
	require.Equal(t, map[int64]int64{first.l.Epoch: 1, second.l.Epoch: 2}, third.l.Saved)
}

// held is what is put aside of changes that could not be read.
func (w *world) held() int {
	w.t.Helper()
	return w.count(`SELECT count(*) FROM player.held_commits WHERE reason = 'unreadable'`)
}

func TestWhatCannotBeReadIsHeldAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*Batch)
		taken bool // the rest of the batch counts
	}{
		"no element of the run-time":      {func(b *Batch) { b.Changes["adl.nav.request"] = "continue" }, true},
		"an element of a very long name":  {func(b *Batch) { b.Changes["cmi."+strings.Repeat("x", maxElement)] = "x" }, true},
		"a value of too many characters":  {func(b *Batch) { b.Changes["cmi.comments"] = strings.Repeat("é", maxValue+1) }, true},
		"a value that no database stores": {func(b *Batch) { b.Changes["cmi.comments"] = "a\x00b" }, true},
		"an element that none stores":     {func(b *Batch) { b.Changes["cmi.\x00"] = "x" }, true},
		"time that is none":               {func(b *Batch) { b.Changes[elementSession] = "1h" }, true},
		"time of somebody else's session": {func(b *Batch) { b.Changes[elementSession], b.OfEpoch = "0000:20:00", 2 }, true},
		"an activity that is not there":   {func(b *Batch) { b.Activity = "item-9" }, false},
		"an activity that none stores":    {func(b *Batch) { b.Activity = "item\x00" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.launch()
			w.fence() // epoch 2 has no session
			s := w.launch()
			b := s.next("cmi.suspend_data", "bookmark")
			c.spoil(&b)
			saved, err := s.send(b)
			require.NoError(t, err)
			require.Equal(t, Unreadable, saved.Held)
			require.Equal(t, int64(1), saved.Seq, "the journal goes on")
			require.Equal(t, 1, w.held())
			require.Zero(t, w.count(`SELECT count(*) FROM player.session_times`))
			_, taken := s.state().Data["cmi.suspend_data"]
			require.Equal(t, c.taken, taken)
			require.True(t, s.set(elementStatus, "passed").Completed)
		})
	}
}

func TestATimeThatIsNoneIsNoEvidence(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{0, -1, 1 << 60, math.MaxInt64} {
		require.Nil(t, Batch{MadeAt: at}.made(), at)
	}
}

func TestHeldChangesHaveAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	b := s.next()
	for i := range 15 {
		b.Changes[fmt.Sprint("x", i)] = strings.Repeat("x", maxValue)
	}
	var err error
	for err == nil && b.Seq < 100 {
		_, err = s.send(b)
		b.Seq++
	}
	require.ErrorIs(t, err, errTooMuch)
	require.Equal(t, maxHeld/(15*maxValue), w.held())
	s.seq = b.Seq - 2
	s.set("cmi.suspend_data", "the number that was refused is free")
}

func TestSeatTimeIsMeasuredFromArrivals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	w.pass(30 * time.Second)
	saved, err := w.s.Beat(t.Context(), s.bearer(), w.now)
	require.NoError(t, err)
	require.Equal(t, int64(30_000), saved.SeatMS)
	w.pass(90 * time.Second)
	require.Equal(t, int64(120_000), s.set("cmi.suspend_data", "x").SeatMS)
	w.pass(91 * time.Second)
	require.Equal(t, int64(120_000), s.set("cmi.suspend_data", "y").SeatMS, "a longer gap counts nothing")
	w.pass(10 * time.Second)
	s = w.launch()
	require.Equal(t, int64(120_000), s.l.SeatMS)
	w.pass(5 * time.Second)
	require.Equal(t, int64(125_000), s.set("cmi.suspend_data", "z").SeatMS)
}

func TestEveryCallOfThePlayerKeepsItsSessionAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	_, err := w.s.Beat(t.Context(), s.bearer(), w.now)
	require.NoError(t, err)
	s.set("cmi.suspend_data", "x")
	require.Equal(t, 2, w.touched)
}

func TestWithItsSessionOverThePlayerStopsAndNothingIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	s.set("cmi.suspend_data", "mine")
	w.signedOut.Store(true)
	_, err := w.s.Beat(t.Context(), s.bearer(), w.now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	late := s.next("cmi.suspend_data", "of whoever sits there now")
	_, err = s.send(late)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	w.signedOut.Store(false) // signed in again
	again := w.launch()
	require.Equal(t, "mine", again.state().Data["cmi.suspend_data"])
	require.Equal(t, map[int64]int64{s.l.Epoch: 1}, again.l.Saved, "the journal knows what was not taken")
}

func TestWhatArrivesAfterTheWindowIsHeldWithItsEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = w.active.LastDay.End().Add(-time.Minute)
	s := w.launch()
	s.set("cmi.suspend_data", "in time")
	w.pass(2 * time.Minute)
	made := w.active.LastDay.End().Add(-time.Second)
	late := s.next(elementStatus, "passed")
	late.Over, late.MadeAt = true, made.UnixMilli()
	saved, err := s.send(late)
	require.NoError(t, err)
	require.Equal(t, WindowOver, saved.Held)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.held_commits WHERE made_at = $1`, made), "when the browser says that it was made")
	require.Equal(t, int64(2), saved.Seq, "the journal may forget it")
	require.False(t, saved.Completed)
	require.Equal(t, lms.Active, w.state())
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.held_commits WHERE changes->>'cmi.core.lesson_status' = 'passed' AND finished AND of_epoch = $1`, s.l.Epoch))
	require.Equal(t, map[string]string{"cmi.suspend_data": "in time"}, s.state().Data)
}

func TestALessonKeepsAMegabyteAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	big := strings.Repeat("x", maxValue)
	for i := range maxData / maxValue {
		s.set("cmi.interactions."+numbered(i), big)
	}
	require.Equal(t, Unreadable, s.set("cmi.suspend_data", big).Held, "there is no room for it")
	require.Equal(t, maxData/maxValue, len(s.state().Data), "and what was saved stays")
}
