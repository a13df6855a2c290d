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

// NewWorker makes a client that works every queue with the given workers and
// starts the periodic jobs; call Start on it.
func NewWorker(pool *pgxpool.Pool, workers *river.Workers, periodic []*river.PeriodicJob, log *slog.Logger) (*Client, error) {
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Schema:               Schema,
		Logger:               log,
		Workers:              workers,
		PeriodicJobs:         periodic,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 20}},
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
