package payments

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"mopd/lms"
	"mopd/lms/jobs"
)

// ProcessEventArgs asks for the work of a webhook event.
type ProcessEventArgs struct {
	Event string `json:"event"`
}

// Kind names the job.
func (ProcessEventArgs) Kind() string { return "process_event" }

type processEvent struct {
	river.WorkerDefaults[ProcessEventArgs]
	service *Service
	now     jobs.Clock
}

// Work may be done any number of times.
func (w *processEvent) Work(ctx context.Context, job *river.Job[ProcessEventArgs]) error {
	return w.service.Process(ctx, job.Args.Event, w.now())
}

// SyncPayoutArgs asks for a payout with everything that it carried.
type SyncPayoutArgs struct {
	Payout string `json:"payout"`
}

// Kind names the job.
func (SyncPayoutArgs) Kind() string { return "sync_payout" }

type syncPayout struct {
	river.WorkerDefaults[SyncPayoutArgs]
	service *Service
	now     jobs.Clock
}

// Timeout is that of many pages at Stripe.
func (w *syncPayout) Timeout(*river.Job[SyncPayoutArgs]) time.Duration { return reconcileTime }

// Work may be done any number of times. What is not there any more is left.
func (w *syncPayout) Work(ctx context.Context, job *river.Job[SyncPayoutArgs]) error {
	err := w.service.SyncPayout(ctx, job.Args.Payout, w.now())
	if errors.Is(err, lms.ErrNotFound) {
		return nil
	}
	return err
}

// SendRefundArgs asks for an approved refund.
type SendRefundArgs struct {
	Refund RefundID `json:"refund"`
}

// Kind names the job.
func (SendRefundArgs) Kind() string { return "send_refund" }

type sendRefund struct {
	river.WorkerDefaults[SendRefundArgs]
	service *Service
	now     jobs.Clock
}

// Work may be done any number of times: Stripe knows the refund's key.
func (w *sendRefund) Work(ctx context.Context, job *river.Job[SendRefundArgs]) error {
	return w.service.SendRefund(ctx, job.Args.Refund, w.now())
}

// catchUpEvery is how often what should have happened by now is looked for.
const catchUpEvery = 5 * time.Minute

// CatchUpArgs asks for what was missed.
type CatchUpArgs struct{}

// Kind names the job.
func (CatchUpArgs) Kind() string { return "payments_catch_up" }

type catchUp struct {
	river.WorkerDefaults[CatchUpArgs]
	service *Service
	now     jobs.Clock
}

// Timeout is that of many calls of Stripe, and ends before the next begins.
func (w *catchUp) Timeout(*river.Job[CatchUpArgs]) time.Duration { return catchUpEvery - time.Minute }

// Work may be done any number of times.
func (w *catchUp) Work(ctx context.Context, _ *river.Job[CatchUpArgs]) error {
	return w.service.CatchUp(ctx, w.now())
}

// Every night the payouts of the last days are read again, with all that they carried.
const (
	reconcileHour = 2 // in Missouri
	reconcileDays = 7
	reconcileTime = 10 * time.Minute // at most
)

// nightly is the schedule of what runs once a night.
type nightly struct{}

// Next is the first time after t at which the night's job runs.
func (nightly) Next(t time.Time) time.Time {
	at := func(d lms.Date) time.Time {
		return time.Date(d.Year, d.Month, d.Day, reconcileHour, 0, 0, 0, lms.Central)
	}
	if tonight := at(lms.DateOf(t)); tonight.After(t) {
		return tonight
	}
	return at(lms.DateOf(t).AddDays(1))
}

// ReconcileArgs asks for the reconciliation of the last days.
type ReconcileArgs struct{}

// Kind names the job.
func (ReconcileArgs) Kind() string { return "reconcile" }

type reconcile struct {
	river.WorkerDefaults[ReconcileArgs]
	service *Service
	now     jobs.Clock
}

// Timeout is that of many pages at Stripe.
func (w *reconcile) Timeout(*river.Job[ReconcileArgs]) time.Duration { return reconcileTime }

// Work may be done any number of times.
func (w *reconcile) Work(ctx context.Context, _ *river.Job[ReconcileArgs]) error {
	today := lms.DateOf(w.now())
	_, err := w.service.Reconcile(ctx, today.AddDays(-reconcileDays), today, w.now())
	return err
}

// Periodic are the feature's jobs that run by themselves.
func (s *Service) Periodic() []*river.PeriodicJob {
	if s.Key == "" {
		return nil
	}
	// One at a time; the next one makes up for one that failed.
	alone := &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
	look := func() (river.JobArgs, *river.InsertOpts) { return CatchUpArgs{}, alone }
	reconcile := func() (river.JobArgs, *river.InsertOpts) { return ReconcileArgs{}, alone }
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(catchUpEvery), look, &river.PeriodicJobOpts{RunOnStart: true}),
		river.NewPeriodicJob(nightly{}, reconcile, nil),
	}
}
