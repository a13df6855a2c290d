package player

import (
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
	require.Equal(t, Acked{s.l.Epoch, 2}, saved.Acked)
	require.True(t, w.now.Equal(saved.SavedAt))
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
	require.Equal(t, Acked{s.l.Epoch, 2}, saved.Acked)
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
	require.Equal(t, int64(3), saved.Acked.Seq)
	require.Equal(t, "3", s.state().Data["cmi.suspend_data"])
}

// A race is timed, so it runs alone.
func TestOfManyCommitsUnderOneNumberOneHasAnEffect(t *testing.T) {
	w := newWorld(t)
	s := w.launch()
	for i, err := range lmstest.Race(t, w.db, func(i int) error {
		saved, err := s.send(Batch{Seq: 1, Changes: map[string]string{"cmi.suspend_data": numbered(i), elementStatus: "completed"}})
		if err == nil && saved.Acked != (Acked{s.l.Epoch, 1}) {
			t.Errorf("commit %d: acknowledged %v", i, saved.Acked)
		}
		return err
	}) {
		require.NoError(t, err, "commit %d", i)
	}
	require.Equal(t, 1, w.count(`SELECT seq FROM player.leases`))
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
		advanced, err := advanceLease(t.Context(), tx, w.person.ID, s.l.Epoch, 1)
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
			require.True(t, w.now.Equal(*saved.CompletedAt))
			at := w.now
			w.pass(time.Minute)
			saved = s.finish(elementStatus, "incomplete")
			require.True(t, saved.Completed)
			require.True(t, at.Equal(*saved.CompletedAt))
			require.Equal(t, lms.Completed, w.state())
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

func TestTimeOfASessionThatIsNotTheirsIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.launch()
	w.fence() // epoch 2 has no session
	s := w.launch()
	b := s.next(elementSession, "0000:20:00")
	b.OfEpoch = 2
	_, err := s.send(b)
	require.ErrorIs(t, err, errCommitForm)
	require.Zero(t, w.count(`SELECT seq FROM player.leases`), "nothing was applied")
}

func TestSeatTimeIsMeasuredFromArrivals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	w.pass(30 * time.Second)
	saved, err := w.s.Beat(t.Context(), s.bearer(), w.now)
	require.NoError(t, err)
	require.Equal(t, int64(30_000), saved.SeatMS)
	require.Equal(t, 1, w.touched, "the application session stays alive")
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

func TestWhatArrivesAfterTheWindowIsHeldWithItsEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.now = w.active.LastDay.End().Add(-time.Minute)
	s := w.launch()
	s.set("cmi.suspend_data", "in time")
	w.pass(2 * time.Minute)
	saved := s.finish(elementStatus, "passed")
	require.Equal(t, "window_over", saved.Held)
	require.Equal(t, int64(2), saved.Acked.Seq, "the journal may forget it")
	require.False(t, saved.Completed)
	require.Equal(t, lms.Active, w.state())
	require.Equal(t, 1, w.count(`SELECT count(*) FROM player.held_commits WHERE changes->>'cmi.core.lesson_status' = 'passed' AND finished AND of_epoch = $1`, s.l.Epoch))
	require.Equal(t, map[string]string{"cmi.suspend_data": "in time"}, s.state().Data)
}

func TestAnActivityThatIsNotThereIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	_, err := s.send(Batch{Seq: 1, Activity: "item-9", Changes: map[string]string{"cmi.suspend_data": "x"}})
	require.ErrorIs(t, err, errCommitForm)
}

func TestALessonKeepsAMegabyteAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.launch()
	big := strings.Repeat("x", maxValue)
	for i := range maxData / maxValue {
		s.set("cmi.interactions."+numbered(i), big)
	}
	_, err := s.send(s.next("cmi.suspend_data", big))
	require.ErrorIs(t, err, errTooMuch)
	require.Equal(t, maxData/maxValue, len(s.state().Data), "and what was saved stays")
}
