package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
)

func (w *world) EmployedMany(ctx context.Context, tx pgx.Tx, list []lms.Employment, now time.Time) error {
	var batch pgx.Batch
	for _, e := range list {
		batch.Queue(`INSERT INTO registry.employments (person, employer, hired_on, source, recorded_at) VALUES ($1, $2, $3, $4, $5)`, e.Person, e.Employer, e.HiredOn, e.Source, now)
	}
	return tx.SendBatch(ctx, &batch).Close()
}
