package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"mopd/lms"
)

const (
	reportPeople  = 100_000
	reportReaders = 500
	reportCount   = 2000
	recordAge     = 3 * 365 * 24 * time.Hour
)

// measureReports is how long people wait for their training report where a hundred
// thousand have a million credits, earned over three years: 500 who are signed in ask for
// theirs as web pages, in any order, 50 a second. Nothing of what is asked for was read
// before. The baseline is a page that does nothing, as often a second while nothing else
// happens, half before and half after. Each page has to be that of its person.
func measureReports(ctx context.Context, g *ground) (readings []reading, err error) {
	count := g.times(reportCount)
	err = g.play(ctx, false, func(ctx context.Context, p *product) error {
		people, err := p.remember(ctx, g, g.times(reportPeople), time.Now())
		if err != nil {
			return err
		}
		rand.Shuffle(len(people), func(i, j int) { people[i], people[j] = people[j], people[i] })
		readers, err := p.signIn(ctx, people[:min(reportReaders, len(people))], time.Now())
		if err != nil {
			return err
		}
		quiet, err := p.paceTrivial(ctx, max(10, count/4))
		if err != nil {
			return err
		}
		g.tell("  %d reports, %d a second", count, perSecond)
		took, err := pace(ctx, count, perSecond, func(ctx context.Context, _ int) error {
			return p.readReport(ctx, readers[rand.IntN(len(readers))])
		})
		if err != nil {
			return err
		}
		g.tell("  half were answered within %.1f ms, the slowest in %.1f ms", percentile(took, 0.5), percentile(took, 1))
		again, err := p.paceTrivial(ctx, max(10, count/4))
		if err != nil {
			return err
		}
		readings = []reading{{name: "report_p99", value: percentile(took, 0.99), unit: "ms", baseline: percentile(slices.Concat(quiet, again), 0.99), goal: 50}}
		return nil
	})
	return readings, err
}

// remember makes people with work and credits of three years. The database does it: no
// service could make a million credits in a bearable time.
func (p *product) remember(ctx context.Context, g *ground, count int, now time.Time) ([]lms.Person, error) {
	since := now.Add(-recordAge)
	people, err := insertPeople(ctx, p.DB, count, since)
	if err != nil {
		return nil, err
	}
	if err := insertWork(ctx, p.DB, since); err != nil {
		return nil, err
	}
	if err := insertCredits(ctx, p.DB, since); err != nil {
		return nil, err
	}
	credits, err := countCredits(ctx, p.DB)
	g.tell("  %d people have %d credits, made in %.0f s", count, credits, time.Since(now).Seconds())
	return people, err
}

func (p *product) readReport(ctx context.Context, r reader) error {
	own, err := p.reportShows(ctx, r, fmt.Sprintf("Maya Rivera %d<", r.ID))
	if err == nil && !own {
		err = fmt.Errorf("what person %d got is not their report", r.ID)
	}
	return err
}
