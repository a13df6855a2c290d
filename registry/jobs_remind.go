package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/pg"
)

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

// remindToday asks for the reminders of the day.
func remindToday(now time.Time) RemindArgs {
	d := lms.DateOf(now)
	return RemindArgs{Until: time.Date(d.Year, d.Month, d.Day, remindUntil, 0, 0, 0, lms.Central)}
}
