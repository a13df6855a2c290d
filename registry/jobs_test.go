package registry

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/lmstest"
)

// work starts a worker and gives the events of its jobs.
func (w world) work() <-chan *river.Event {
	w.t.Helper()
	workers := river.NewWorkers()
	w.Workers(workers, func() time.Time { return lmstest.Now })
	client, err := jobs.NewWorker(w.db, workers, nil, slog.New(slog.DiscardHandler))
	require.NoError(w.t, err)
	events, cancel := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	require.NoError(w.t, client.Start(w.t.Context()))
	w.t.Cleanup(func() {
		cancel()
		ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		require.NoError(w.t, client.StopAndCancel(ctx))
	})
	return events
}

func next(t *testing.T, events <-chan *river.Event) *river.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no job ran")
		return nil
	}
}

func TestTheJobOfACompletionPostsItsCreditAndEndsInOneTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	events := w.work()
	w.in(func(tx pgx.Tx) error { return w.EnqueuePosting(t.Context(), tx, e) })
	require.Equal(t, river.EventKindJobCompleted, next(t, events).Kind)
	require.Equal(t, lms.Credited, w.status(e))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM river.river_job j JOIN registry.credits c ON c.xmin = j.xmin WHERE j.state = 'completed'`),
		"the credit and the end of the job are not of one transaction")
}

func TestAJobThatRunsAgainPostsNothingMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	events := w.work()
	for range 2 {
		w.in(func(tx pgx.Tx) error { return w.EnqueuePosting(t.Context(), tx, e) })
		require.Equal(t, river.EventKindJobCompleted, next(t, events).Kind)
	}
	require.Len(t, w.rows(p, 2026), 1)
}

func TestAJobThatFailsIsTriedAgainAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.completed(lmstest.Person(t, w.db), lmstest.Course(t, w.db), lmstest.Now)
	w.Service = New(Dependencies{DB: w.db, Jobs: w.Jobs, Audit: failing{errors.New("down")}})
	events := w.work()
	w.in(func(tx pgx.Tx) error { return w.EnqueuePosting(t.Context(), tx, e) })
	failed := next(t, events)
	require.Equal(t, river.EventKindJobFailed, failed.Kind)
	require.Contains(t, []rivertype.JobState{rivertype.JobStateRetryable, rivertype.JobStateAvailable}, failed.Job.State)
	require.Empty(t, w.status(e))
}

func TestNoJobComesFromATransactionThatIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tx, err := w.db.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.EnqueuePosting(t.Context(), tx, 1))
	require.NoError(t, tx.Rollback(t.Context()))
	require.Zero(t, w.count(`SELECT count(*) FROM river.river_job`))
}
