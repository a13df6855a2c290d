package registry

import (
	"context"
	"errors"
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

type workImport struct {
	river.WorkerDefaults[WorkImportArgs]
	service *Service
	now     jobs.Clock
}

// Work works some rows, and leaves the others to a job that follows.
func (w *workImport) Work(ctx context.Context, job *river.Job[WorkImportArgs]) error {
	ended, err := w.service.WorkImport(ctx, job.Args.Import, w.now())
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

// The hours in Missouri at which people may be reminded: from the first on, and not from
// the second on.
const (
	remindFrom  = 9
	remindUntil = 20
)

// RemindArgs asks for today's reminders of the people after one, and then of all who come
// after them.
type RemindArgs struct {
	Until time.Time    `json:"until"` // what is not sent by then waits for the next day
	After lms.PersonID `json:"after"`
}

// Kind names the job.
func (RemindArgs) Kind() string { return "remind" }

// InsertOpts let a day have one such job.
func (RemindArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

type remind struct {
	river.WorkerDefaults[RemindArgs]
	service *Service
	now     jobs.Clock
}

// Work reminds some people, each in a transaction of their own, and asks for the next. It
// may be done any number of times.
func (w *remind) Work(ctx context.Context, job *river.Job[RemindArgs]) error {
	now := w.now()
	if now.After(job.Args.Until) {
		return nil
	}
	people, err := w.service.toRemind(ctx, job.Args.After, now)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range people {
		if err := w.service.Remind(ctx, p, now); err != nil {
			failed = append(failed, fmt.Errorf("remind person %d: %w", p, err))
		}
	}
	return errors.Join(append(failed, w.goOn(ctx, job.Args, people))...)
}

// goOn asks for the next people, also when some could not be reminded.
func (w *remind) goOn(ctx context.Context, done RemindArgs, people []lms.PersonID) error {
	if len(people) < remindAtOnce {
		return nil
	}
	return pg.InTx(ctx, w.service.DB, func(tx pgx.Tx) error {
		_, err := w.service.Jobs.InsertTx(ctx, tx, RemindArgs{Until: done.Until, After: people[len(people)-1]}, nil)
		return err
	})
}

// reminding is the schedule of reminders: each full hour of the day, so that a worker that
// was down sends them later.
type reminding struct{}

// Next is the first time after t at which reminders go out.
func (reminding) Next(t time.Time) time.Time {
	at := func(d lms.Date, hour int) time.Time {
		return time.Date(d.Year, d.Month, d.Day, hour, 0, 0, 0, lms.Central)
	}
	day := lms.DateOf(t)
	for hour := remindFrom; hour < remindUntil; hour++ {
		if next := at(day, hour); next.After(t) {
			return next
		}
	}
	return at(day.AddDays(1), remindFrom)
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

// remindToday asks for the reminders of the day.
func remindToday(now time.Time) RemindArgs {
	d := lms.DateOf(now)
	return RemindArgs{Until: time.Date(d.Year, d.Month, d.Day, remindUntil, 0, 0, 0, lms.Central)}
}
