// Package jobs is the River client: jobs are inserted in the transaction that
// causes them and worked by any number of processes. It knows no job itself; their
// arguments and workers live with the feature that does them.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// Schema is the Postgres schema of River's tables.
const Schema = "river"

// A worker killed in mid-job costs RescueAfter, a sweep of 30 s and, when it led,
// up to 15 s of election before its job runs again.
const (
	Timeout     = 10 * time.Second
	RescueAfter = 20 * time.Second
)

// Inserter inserts a job in the transaction that causes it.
type Inserter interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Client inserts and works jobs.
type Client = river.Client[pgx.Tx]

// NewInserter makes a client that inserts only.
func NewInserter(pool *pgxpool.Pool, log *slog.Logger) (*Client, error) {
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: Schema, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("job client: %w", err)
	}
	return c, nil
}

// Queue is a line for jobs that others must not wait behind.
type Queue struct {
	Name   string
	AtOnce int // jobs that one process works at a time
}

// usualAtOnce is how many jobs of no queue of their own one process works at a time.
const usualAtOnce = 20

// NewWorker makes a client that works jobs with the given workers, those without a
// queue of their own beside the queues, and starts the periodic jobs; call Start on it.
func NewWorker(pool *pgxpool.Pool, workers *river.Workers, periodic []*river.PeriodicJob, log *slog.Logger, queues ...Queue) (*Client, error) {
	lines := map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: usualAtOnce}}
	for _, q := range queues {
		lines[q.Name] = river.QueueConfig{MaxWorkers: q.AtOnce}
	}
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:               Schema,
		Logger:               log,
		Workers:              workers,
		PeriodicJobs:         periodic,
		Queues:               lines,
		JobTimeout:           Timeout,
		RescueStuckJobsAfter: RescueAfter,
	})
	if err != nil {
		return nil, fmt.Errorf("job worker: %w", err)
	}
	return c, nil
}

// Clock gives a job the instant at which it runs.
type Clock func() time.Time
