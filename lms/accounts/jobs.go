package accounts

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"mopd/lms/jobs"
	"mopd/lms/pg"
)

// AnswerRequestArgs asks for the mail that answers a request. It is sealed, since it
// says who asked.
type AnswerRequestArgs struct {
	Sealed []byte `json:"sealed"`
}

// Kind names the job.
func (AnswerRequestArgs) Kind() string { return "answer_request" }

type answerRequest struct {
	river.WorkerDefaults[AnswerRequestArgs]
	service *Service
	now     jobs.Clock
}

// Work makes the link and its mail and completes the job in one transaction.
func (w *answerRequest) Work(ctx context.Context, job *river.Job[AnswerRequestArgs]) error {
	b, err := w.service.Keys.Open(job.Args.Sealed, requestContext)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	var r request
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	return pg.InTx(ctx, w.service.DB, func(tx pgx.Tx) error {
		if err := w.service.answer(ctx, tx, r, w.now()); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}

// SweepArgs asks for the removal of what is over: sessions, codes, links, counts of
// tries.
type SweepArgs struct{}

// Kind names the job.
func (SweepArgs) Kind() string { return "sweep_accounts" }

type sweep struct {
	river.WorkerDefaults[SweepArgs]
	service *Service
	now     jobs.Clock
}

// Work removes it.
func (w *sweep) Work(ctx context.Context, _ *river.Job[SweepArgs]) error {
	return w.service.Sweep(ctx, w.now())
}

// MailRecoveriesArgs asks for the links of recoveries and of claims whose waiting time is
// over.
type MailRecoveriesArgs struct{}

// Kind names the job.
func (MailRecoveriesArgs) Kind() string { return "mail_recoveries" }

type mailRecoveries struct {
	river.WorkerDefaults[MailRecoveriesArgs]
	service *Service
	now     jobs.Clock
}

// Work mails them.
func (w *mailRecoveries) Work(ctx context.Context, _ *river.Job[MailRecoveriesArgs]) error {
	if err := w.service.MailRecoveries(ctx, w.now()); err != nil {
		return err
	}
	return w.service.MailClaimLinks(ctx, w.now())
}
