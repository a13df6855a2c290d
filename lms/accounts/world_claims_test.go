package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func (w *world) EmployedMany(ctx context.Context, tx pgx.Tx, list []lms.Employment, now time.Time) error {
	var batch pgx.Batch
	for _, e := range list {
		batch.Queue(`INSERT INTO registry.employments (person, employer, hired_on, source, recorded_at) VALUES ($1, $2, $3, $4, $5)`, e.Person, e.Employer, e.HiredOn, e.Source, now)
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// The record and the courses of the world are what a test puts there.

func (w *world) Employments(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Employment, error) {
	return pg.Rows[lms.Employment](ctx, tx, "employments", `SELECT person, employer, hired_on, source FROM registry.employments WHERE person = $1`, p)
}

func (w *world) CountWaiting(context.Context) (int, error) { return 0, nil }

func (w *world) CountCredits(context.Context, pgx.Tx, lms.PersonID) (int, error) { return 3, nil }

func (w *world) HeldByMerge(context.Context, pgx.Tx, lms.PersonID, lms.PersonID) ([]string, error) {
	return []string{"Safe Sleep"}, nil
}

func (w *world) Open(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Enrollment, error) {
	return w.courses[p], nil
}

// Merge is what the registry and the enrollments do.
func (w *world) Merge(_ context.Context, _ pgx.Tx, from, into lms.PersonID, _ time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.merged = append(w.merged, [2]lms.PersonID{from, into})
	return nil
}
