package main

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"mopd/lms"
	"mopd/registry"
)

const (
	allocatedCredits = 500
	allocatedYears   = 25
	allocations      = 2000
	quarters         = 4 // of an hour
)

// measureAllocation is how long it takes to say where the hours of one person count who
// has 500 credits, over 25 years each of which owes 12 hours and lacks some. The baseline
// is sorting those credits. Half of the runs took as long at most: each is so short that
// what else happens on the machine decides about the slowest.
func measureAllocation(ctx context.Context, g *ground) ([]reading, error) {
	requirements, credits := longRecord(g.times(allocatedCredits))
	var allocated, sorted []time.Duration
	for range allocations {
		start := time.Now()
		a := registry.Allocate(requirements, credits)
		allocated = append(allocated, time.Since(start))

		start = time.Now()
		slices.SortFunc(slices.Clone(credits), byInstant)
		sorted = append(sorted, time.Since(start))
		if hoursOf(a) != hoursIn(credits) {
			return nil, errors.New("not every hour counts for one year")
		}
	}
	g.tell("  the slowest of %d took %.3f ms", allocations, percentile(allocated, 1))
	return []reading{{name: "allocate_ms", value: percentile(allocated, 0.5), unit: "ms", baseline: percentile(sorted, 0.5), goal: 1}}, ctx.Err()
}

// longRecord is what years owe and so many credits, spread over them, in any order.
func longRecord(count int) (requirements []registry.Requirement, credits []registry.StandingCredit) {
	first := lms.Date{Year: 2000, Month: 1, Day: 1}
	for i := range allocatedYears {
		requirements = append(requirements, registry.Requirement{Year: first.Year + i, Hours: 12 * quarters})
	}
	for i := range count {
		day := first.AddDays(i * allocatedYears * 365 / count)
		credits = append(credits, registry.StandingCredit{ID: lms.CreditID(i + 1), EarnedOn: day, EarnedAt: day.Start(), Hours: lms.Hours(1 + i%4)})
	}
	rand.Shuffle(len(credits), func(i, j int) { credits[i], credits[j] = credits[j], credits[i] })
	return requirements, credits
}

func byInstant(a, b registry.StandingCredit) int {
	return cmp.Or(a.EarnedAt.Compare(b.EarnedAt), cmp.Compare(a.ID, b.ID))
}

func hoursOf(a registry.Allocation) (sum lms.Hours) {
	for _, p := range a.Parts {
		sum += p.Hours
	}
	return sum
}

func hoursIn(credits []registry.StandingCredit) (sum lms.Hours) {
	for _, c := range credits {
		sum += c.Hours
	}
	return sum
}
