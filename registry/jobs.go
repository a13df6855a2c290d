package registry

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/pg"
)

// PostCreditArgs asks for the credit of a completed enrollment.
type PostCreditArgs struct {
	Enrollment lms.EnrollmentID `json:"enrollment"`
}

// Kind names the job.
func (PostCreditArgs) Kind() string { return "post_credit" }

type postCredit struct {
	river.WorkerDefaults[PostCreditArgs]
	service *Service
	now     jobs.Clock
}

// Work posts the credit and completes the job in one transaction, so that a kill
// between the two cannot be.
func (w *postCredit) Work(ctx context.Context, job *river.Job[PostCreditArgs]) error {
	return pg.InTx(ctx, w.service.DB, func(tx pgx.Tx) error {
		if err := w.service.Post(ctx, tx, job.Args.Enrollment, w.now()); err != nil {
			return fmt.Errorf("post credit of enrollment %d: %w", job.Args.Enrollment, err)
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}
