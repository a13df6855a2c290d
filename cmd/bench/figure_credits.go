package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"mopd/lms"
	"mopd/lms/enrollments"
	"mopd/lms/pg"
)

const (
	completions = 1500
	warmingUp   = 500 // completions before them, while connections open and statements are prepared: not counted
	lookEvery   = 10 * time.Millisecond
	creditLimit = time.Minute
)

// measureCredits is how long after a completion its credit stands in the person's report:
// 1,500 people complete a course, 50 a second, after 500 who are not counted, by the transaction that the player's commit
// makes, while jobs post the credits and mail the letters, and each reads their report as
// a web page, which has to show the credit. The time counts from when the completion was
// due until the page is read, and so holds the transaction and the page too. The baseline is a page that
// does nothing, as often a second while nothing else happens, half before and half after.
// In the end every completion has to have one credit and one letter.
func measureCredits(ctx context.Context, g *ground) (readings []reading, err error) {
	warm := g.times(warmingUp)
	count := warm + g.times(completions)
	err = g.play(ctx, true, func(ctx context.Context, p *product) error {
		now := time.Now()
		if err := p.publish(ctx, 0, now); err != nil {
			return err
		}
		people, err := insertPeople(ctx, p.DB, count, now)
		if err != nil {
			return err
		}
		readers, err := p.signIn(ctx, people, now)
		if err != nil {
			return err
		}
		g.tell("  %d people register and start", count)
		begun, err := p.begin(ctx, readers, now)
		if err != nil {
			return err
		}
		if early, err := p.reportShows(ctx, readers[0], courseTitle); err != nil || early {
			return errors.Join(err, fmt.Errorf("a report shows a course that is not completed: %t", early))
		}
		quiet, err := p.paceTrivial(ctx, max(10, count/4))
		if err != nil {
			return err
		}
		g.tell("  %d completions, %d a second", count, perSecond)
		took, err := p.complete(ctx, readers, begun)
		if err != nil {
			return err
		}
		cold := took[:warm]
		took = took[warm:]
		shown := time.Now()
		if err := p.drained(ctx); err != nil {
			return err
		}
		g.tell("  while warming up 99 of 100 were shown within %.1f ms", percentile(cold, 0.99))
		g.tell("  half were shown within %.1f ms, the slowest in %.1f ms; the letters were sent %.1f s after the last", percentile(took, 0.5), percentile(took, 1), time.Since(shown).Seconds())
		again, err := p.paceTrivial(ctx, max(10, count/4))
		if err != nil {
			return err
		}
		readings = []reading{{name: "credit_latency_p99", value: percentile(took, 0.99), unit: "ms", baseline: percentile(slices.Concat(quiet, again), 0.99), goal: 1000}}
		return wrongCredits(ctx, p.DB, count)
	})
	return readings, err
}

// complete has people complete their enrollments at the pace, and gives how long it took
// until the report of each showed the credit.
func (p *product) complete(ctx context.Context, readers []reader, begun []lms.EnrollmentID) (took []time.Duration, err error) {
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	w := &watch{waiting: map[lms.EnrollmentID]chan struct{}{}}
	group.Go(func() error { return w.run(ctx, p.DB) })
	group.Go(func() error {
		defer stop()
		var err error
		took, err = pace(ctx, len(begun), perSecond, func(ctx context.Context, i int) error { return p.earn(ctx, w, readers[i], begun[i]) })
		return err
	})
	err = group.Wait()
	return took, err
}

// begin has people register for the course and start it, and gives their enrollments.
func (p *product) begin(ctx context.Context, readers []reader, now time.Time) ([]lms.EnrollmentID, error) {
	begun := make([]lms.EnrollmentID, len(readers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i, r := range readers {
		group.Go(func() (err error) {
			if begun[i], err = p.Enrollments.Register(ctx, enrollments.Registration{Person: r.ID, Code: courseCode}, now); err != nil {
				return err
			}
			return p.Enrollments.Start(ctx, r.ID, begun[i], 0, "", now)
		})
	}
	return begun, group.Wait()
}

// earn completes an enrollment, and reads its person's report once the credit is posted.
func (p *product) earn(ctx context.Context, w *watch, r reader, e lms.EnrollmentID) error {
	err := pg.InTx(ctx, p.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, r.ID); err != nil {
			return err
		}
		return p.Enrollments.Complete(ctx, tx, e, time.Now())
	})
	if err != nil {
		return err
	}
	if err := w.wait(ctx, e); err != nil {
		return err
	}
	shown, err := p.reportShows(ctx, r, courseTitle)
	if err == nil && !shown {
		err = fmt.Errorf("the report does not show the credit of enrollment %d", e)
	}
	return err
}

// watch tells of credits as they are posted. One looks for all: if each person asked for
// their report again and again, the asking would be what is measured.
type watch struct {
	mu      sync.Mutex
	waiting map[lms.EnrollmentID]chan struct{}
}

// wait returns once the credit of an enrollment is posted.
func (w *watch) wait(ctx context.Context, e lms.EnrollmentID) error {
	posted := make(chan struct{})
	w.mu.Lock()
	w.waiting[e] = posted
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, creditLimit)
	defer cancel()
	select {
	case <-posted:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the credit of enrollment %d is not posted: %w", e, ctx.Err())
	}
}

// run looks until ctx ends.
func (w *watch) run(ctx context.Context, db pg.Querier) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		w.mu.Lock()
		asked := slices.Collect(maps.Keys(w.waiting))
		w.mu.Unlock()
		posted, err := selectPosted(ctx, db, asked)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		w.mu.Lock()
		for _, e := range posted {
			close(w.waiting[e])
			delete(w.waiting, e)
		}
		w.mu.Unlock()
	}
}
