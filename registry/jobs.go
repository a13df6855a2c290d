package registry

import (
	"context"
	"fmt"
	"time"

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

// PreviewPolicyArgs asks whom a change of rule would affect.
type PreviewPolicyArgs struct {
	Draft PolicyDraftID `json:"draft"`
}

// Kind names the job.
func (PreviewPolicyArgs) Kind() string { return "preview_policy" }

type previewPolicy struct {
	river.WorkerDefaults[PreviewPolicyArgs]
	service *Service
	now     jobs.Clock
}

// Timeout is long because everybody's record may be looked at.
func (*previewPolicy) Timeout(*river.Job[PreviewPolicyArgs]) time.Duration { return 5 * time.Minute }

// Work counts them.
func (w *previewPolicy) Work(ctx context.Context, job *river.Job[PreviewPolicyArgs]) error {
	return w.service.PreviewPolicy(ctx, job.Args.Draft, w.now())
}

// How often completions without a credit are looked for, and how old they are then:
// one that is younger may still have its job.
const (
	missingEvery = 10 * time.Minute
	missingAfter = 10 * time.Minute
)

// PostMissingArgs asks for the credits that should be there by now.
type PostMissingArgs struct{}

// Kind names the job.
func (PostMissingArgs) Kind() string { return "post_missing" }

type postMissing struct {
	river.WorkerDefaults[PostMissingArgs]
	service *Service
	now     jobs.Clock
}

// Work enqueues what is missing.
func (w *postMissing) Work(ctx context.Context, _ *river.Job[PostMissingArgs]) error {
	return w.service.PostMissing(ctx, w.now())
}

// WorkImportArgs asks for some rows of an import to be worked.
type WorkImportArgs struct {
	Import ImportID `json:"import"`
}

// Kind names the job.
func (WorkImportArgs) Kind() string { return "work_import" }

// passOverAfter is how often rows that fail are tried, over a minute or two, before the
// import goes on without them.
const passOverAfter = 4

type workImport struct {
	river.WorkerDefaults[WorkImportArgs]
	service *Service
	now     jobs.Clock
}

// Work works some rows, and leaves the others to a job that follows.
func (w *workImport) Work(ctx context.Context, job *river.Job[WorkImportArgs]) error {
	ended, err := w.service.WorkImport(ctx, job.Args.Import, w.now())
	if err != nil && job.Attempt >= passOverAfter {
		err = w.service.passOver(ctx, job.Args.Import, err)
	}
	if err != nil || ended {
		return err
	}
	return pg.InTx(ctx, w.service.DB, func(tx pgx.Tx) error {
		if err := w.service.workLater(ctx, tx, job.Args.Import); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}

// Periodic are the feature's jobs that run by themselves; now gives a job its instant.
func (s *Service) Periodic(now jobs.Clock) []*river.PeriodicJob {
	look := func() (river.JobArgs, *river.InsertOpts) { return PostMissingArgs{}, nil }
	remind := func() (river.JobArgs, *river.InsertOpts) { return remindToday(now()), nil }
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(missingEvery), look, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(reminding{}, remind, nil),
	}
}
