package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

type countArgs struct {
	N int `json:"n"`
}

func (countArgs) Kind() string { return "count" }

// counter notes how often each job ran, and what deadline it had.
type counter struct {
	river.WorkerDefaults[countArgs]
	mu    sync.Mutex
	runs  map[int]int
	until time.Duration
	err   error
}

func (c *counter) Work(ctx context.Context, job *river.Job[countArgs]) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[job.Args.N]++
	if deadline, ok := ctx.Deadline(); ok {
		c.until = time.Until(deadline)
	}
	return c.err
}

// work starts a worker and gives what becomes of its jobs.
func work(t *testing.T, db *pgxpool.Pool, c *counter) <-chan *river.Event {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, c)
	client, err := jobs.NewWorker(db, workers, nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	events, cancel := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() {
		cancel()
		ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		require.NoError(t, client.StopAndCancel(ctx))
	})
	return events
}

func insert(t *testing.T, db *pgxpool.Pool, n ...int) {
	t.Helper()
	client, err := jobs.NewInserter(db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
		for _, i := range n {
			if _, err := client.InsertTx(t.Context(), tx, countArgs{i}, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}

func next(t *testing.T, one, other <-chan *river.Event) *river.Event {
	t.Helper()
	select {
	case e := <-one:
		return e
	case e := <-other:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no job ran")
		return nil
	}
}

func TestEachJobIsWorkedOnceByOneOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	c := &counter{runs: map[int]int{}}
	one, other := work(t, db, c), work(t, db, c)
	insert(t, db, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	for range 10 {
		require.Equal(t, river.EventKindJobCompleted, next(t, one, other).Kind)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Len(t, c.runs, 10)
	for n, runs := range c.runs {
		require.Equal(t, 1, runs, n)
	}
	require.LessOrEqual(t, c.until, jobs.Timeout)
	require.Positive(t, c.until)
}

func TestAJobThatFailsWaitsToBeTriedAgain(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	events := work(t, db, &counter{runs: map[int]int{}, err: errors.New("not now")})
	insert(t, db, 1)
	failed := next(t, events, nil)
	require.Equal(t, river.EventKindJobFailed, failed.Kind)
	require.Nil(t, failed.Job.FinalizedAt)
	require.Equal(t, 1, failed.Job.Attempt)
	require.Greater(t, failed.Job.MaxAttempts, 1)
}

type longArgs struct{}

func (longArgs) Kind() string                 { return "long" }
func (longArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: "long"} }

func TestJobsDoNotWaitBehindThoseOfAnotherQueue(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	workers := river.NewWorkers()
	river.AddWorker(workers, &counter{runs: map[int]int{}})
	began, release := make(chan bool, 2), make(chan bool)
	river.AddWorker(workers, river.WorkFunc(func(ctx context.Context, _ *river.Job[longArgs]) error {
		began <- true
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	}))
	client, err := jobs.NewWorker(db, workers, nil, slog.New(slog.DiscardHandler), jobs.Queue{Name: "long", AtOnce: 1})
	require.NoError(t, err)
	events, cancel := client.Subscribe(river.EventKindJobCompleted)
	t.Cleanup(cancel)
	for range 2 {
		_, err := client.Insert(t.Context(), longArgs{}, nil)
		require.NoError(t, err)
	}
	require.NoError(t, client.Start(t.Context()))
	<-began
	insert(t, db, 1)
	require.Equal(t, "count", next(t, events, nil).Job.Kind)
	require.Empty(t, began, "the other long job waits for the first")
	close(release)
	require.Equal(t, "long", next(t, events, nil).Job.Kind)
	ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	require.NoError(t, client.StopAndCancel(ctx))
}

// A job that is rescued while it still runs would run twice at once.
func TestAJobIsRescuedOnlyAfterItsTimeIsOver(t *testing.T) {
	t.Parallel()
	require.Greater(t, jobs.RescueAfter, jobs.Timeout)
}
