package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"mopd/lms"
	"mopd/lms/enrollments"
	"mopd/lms/pg"
)

const (
	completions = 1500
	lookEvery   = 50 * time.Millisecond
	creditLimit = time.Minute
)

// measureCredits is how long after a completion its credit stands in the person's report:
// 1,500 people complete a course, 50 a second, by the transaction that the player's commit
// makes, while jobs post the credits and mail the letters, and each asks for their report
// twenty times a second until it shows the credit. The time counts from when the
// completion was due, and so holds its own transaction too. The baseline is a page that
// does nothing, as often a second while nothing else happens, half before and half after.
// In the end every completion has to have one credit and one letter.
func measureCredits(ctx context.Context, g *ground) (readings []reading, err error) {
	count := g.times(completions)
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
		took, err := pace(ctx, count, perSecond, func(ctx context.Context, i int) error { return p.earn(ctx, readers[i], begun[i]) })
		if err != nil {
			return err
		}
		shown := time.Now()
		if err := p.drained(ctx); err != nil {
			return err
		}
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

// earn completes an enrollment and waits until its person's report shows the credit.
func (p *product) earn(ctx context.Context, r reader, e lms.EnrollmentID) error {
	err := pg.InTx(ctx, p.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, r.ID); err != nil {
			return err
		}
		return p.Enrollments.Complete(ctx, tx, e, time.Now())
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, creditLimit)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		shown, err := p.reportShows(ctx, r, courseTitle)
		if err != nil || shown {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("enrollment %d: no report shows its credit: %w", e, ctx.Err())
		case <-ticker.C:
		}
	}
}
