package registry

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

// full owes 12 hours in each of some years.
func full(years ...int) (list []Requirement) {
	for _, y := range years {
		list = append(list, Requirement{Year: y, Hours: 48})
	}
	return list
}

// earns is credits in hours, each on a day; ids follow their order here.
func earns(t *testing.T, list ...any) (credits []StandingCredit) {
	t.Helper()
	for i := 0; i < len(list); i += 2 {
		day, err := lms.ParseDate(list[i].(string))
		require.NoError(t, err)
		credits = append(credits, StandingCredit{ID: lms.CreditID(i/2 + 1), EarnedOn: day, EarnedAt: day.Start(), Hours: lms.Hours(list[i+1].(float64) * 4)})
	}
	return credits
}

// counted is the hours that count for each of some years.
func counted(a Allocation, years ...int) (list []float64) {
	for _, y := range years {
		list = append(list, float64(a.Year(y).Counted())/4)
	}
	return list
}

func TestHoursAreAllocatedAsTheRulesSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		requirements []Requirement
		credits      []StandingCredit
		years        []int
		want         []float64
	}{
		"E1":                        {full(2024, 2025, 2026), earns(t, "2024-05-01", 9.0, "2025-02-01", 2.0, "2025-03-01", 1.5, "2025-04-01", 10.0, "2026-05-01", 12.0), []int{2024, 2025, 2026}, []float64{12, 12, 10.5}},
		"E2":                        {full(2024, 2025), earns(t, "2024-05-01", 11.25, "2025-01-10", 1.25), []int{2024, 2025}, []float64{12, 0.5}},
		"E3 before the late record": {full(2024, 2025), earns(t, "2024-05-01", 9.0, "2025-01-05", 3.0), []int{2024, 2025}, []float64{12, 0}},
		"E3 after it":               {full(2024, 2025), earns(t, "2024-05-01", 9.0, "2025-01-05", 3.0, "2024-12-20", 2.0), []int{2024, 2025}, []float64{12, 2}},
		"E4":                        {full(2023, 2024, 2025), earns(t, "2023-05-01", 8.0, "2024-05-01", 14.0, "2025-05-01", 5.0), []int{2023, 2024, 2025}, []float64{12, 12, 3}},
		"E5":                        {[]Requirement{{Year: 2025, Hours: 16}, {Year: 2026, Hours: 48}}, earns(t, "2025-10-01", 2.5, "2026-01-10", 3.0), []int{2025, 2026}, []float64{4, 1.5}},
		"E6":                        {full(2025, 2026), earns(t, "2025-05-01", 10.0, "2026-01-15", 1.5, "2026-01-20", 1.5), []int{2025, 2026}, []float64{12, 1}},
		"E7":                        {full(2025, 2026), earns(t, "2025-05-01", 15.0, "2026-05-01", 11.0), []int{2025, 2026}, []float64{15, 11}},
		"E8":                        {[]Requirement{{Year: 2025, Hours: 16}}, earns(t, "2025-03-01", 3.0, "2025-10-01", 2.5), []int{2025}, []float64{5.5}},
		"E9":                        {full(2025, 2026), earns(t, "2025-05-01", 13.0, "2026-05-01", 12.0), []int{2025, 2026}, []float64{13, 12}},
		"E10":                       {full(2024, 2025, 2026), earns(t, "2024-05-01", 12.0, "2025-05-01", 12.0, "2026-05-01", 12.0, "2019-05-01", 6.0), []int{2019, 2024, 2025, 2026}, []float64{6, 12, 12, 12}},
	} {
		require.Equal(t, c.want, counted(Allocate(c.requirements, c.credits), c.years...), name)
	}
}

func TestTheAllocationSaysWhereEachQuarterHourWent(t *testing.T) {
	t.Parallel()
	a := Allocate(full(2024, 2025), earns(t, "2024-05-01", 9.0, "2025-02-01", 2.0, "2025-03-01", 1.5, "2025-04-01", 10.0))
	require.Equal(t, []Part{{3, 2024, 4}, {3, 2025, 2}}, a.Of(3), "E1: the 1.5 splits 1.0 / 0.5")
	require.Equal(t, lms.Hours(12), a.Year(2024).MadeUp)
	require.Equal(t, lms.Hours(12), a.Year(2025).Applied)
	short := Allocate(full(2025, 2026), earns(t, "2025-05-01", 15.0, "2026-05-01", 11.0))
	require.Equal(t, lms.Hours(4), short.Year(2026).Short(), "E7: short 1.0, surplus never moves forward")
	require.Equal(t, AllocatedYear{Requirement: Requirement{Year: 1999}}, short.Year(1999))
}

// naive allocates quarter-hour by quarter-hour, by looking at everything anew for each.
func naive(requirements []Requirement, credits []StandingCredit) map[int]lms.Hours {
	owed, counted := map[int]lms.Hours{}, map[int]lms.Hours{}
	for _, r := range requirements {
		owed[r.Year] = r.Hours
	}
	sorted := slices.Clone(credits)
	slices.SortFunc(sorted, func(a, b StandingCredit) int { return cmp.Or(a.EarnedAt.Compare(b.EarnedAt), int(a.ID-b.ID)) })
	for _, c := range sorted {
		for range c.Hours {
			lands := c.EarnedOn.Year
			for year := 1990; year < c.EarnedOn.Year; year++ {
				if counted[year] < owed[year] {
					lands = year
					break
				}
			}
			counted[lands]++
		}
	}
	return counted
}

func drawRecord(t *rapid.T) ([]Requirement, []StandingCredit) {
	var requirements []Requirement
	for year := 2019; year <= 2026; year++ {
		if rapid.Bool().Draw(t, "owes") {
			requirements = append(requirements, Requirement{Year: year, Hours: lms.Hours(rapid.IntRange(0, 48).Draw(t, "owed"))})
		}
	}
	var credits []StandingCredit
	for i := range rapid.IntRange(0, 15).Draw(t, "credits") {
		credits = append(credits, drawCredit(t, i+1))
	}
	return requirements, credits
}

func drawCredit(t *rapid.T, id int) StandingCredit {
	day := lms.Date{Year: 2018, Month: 1, Day: 1}.AddDays(rapid.IntRange(0, 9*365).Draw(t, "day"))
	return StandingCredit{ID: lms.CreditID(id), EarnedOn: day, EarnedAt: day.Start(), Hours: lms.Hours(rapid.IntRange(0, 60).Draw(t, "hours"))}
}

func TestAllocatingAgreesWithANaiveSecondImplementation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		requirements, credits := drawRecord(t)
		a, want := Allocate(requirements, credits), naive(requirements, credits)
		for year := 2015; year <= 2030; year++ {
			if a.Year(year).Counted() != want[year] {
				t.Fatalf("%d: %v, want %v", year, a.Year(year).Counted(), want[year])
			}
		}
	})
}

func TestEveryQuarterHourLandsInOneYearAndNeverInALaterOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		requirements, credits := drawRecord(t)
		a := Allocate(requirements, credits)
		for _, c := range credits {
			var sum lms.Hours
			for _, p := range a.Of(c.ID) {
				if p.Hours <= 0 || p.Year > c.EarnedOn.Year {
					t.Fatalf("credit of %d: %v", c.EarnedOn.Year, p)
				}
				sum += p.Hours
			}
			if sum != c.Hours {
				t.Fatalf("%v of %v landed", sum, c.Hours)
			}
		}
		for _, y := range a.Years {
			if y.MadeUp > max(y.Hours-(y.Earned-y.Applied), 0) {
				t.Fatalf("%d got %v from later years and lacked less", y.Year, y.MadeUp)
			}
		}
	})
}

func TestAnotherCreditLowersNoYearAndTheOrderGivenDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		requirements, credits := drawRecord(t)
		before := Allocate(requirements, credits)
		more := append(slices.Clone(credits), drawCredit(t, 99))
		after := Allocate(requirements, more)
		for year := 2015; year <= 2030; year++ {
			if after.Year(year).Counted() < before.Year(year).Counted() {
				t.Fatalf("%d fell from %v to %v", year, before.Year(year).Counted(), after.Year(year).Counted())
			}
		}
		slices.Reverse(more)
		if again := Allocate(requirements, more); !slices.Equal(again.Parts, after.Parts) {
			t.Fatalf("another order gave %v, not %v", again.Parts, after.Parts)
		}
	})
}

func BenchmarkAllocate500Credits(b *testing.B) {
	var credits []StandingCredit
	for i := range 500 {
		day := lms.Date{Year: 2000, Month: 1, Day: 1}.AddDays(i * 19)
		credits = append(credits, StandingCredit{ID: lms.CreditID(i), EarnedOn: day, EarnedAt: day.Start(), Hours: lms.Hours(1 + i%8)})
	}
	var requirements []Requirement
	for year := 2000; year <= 2026; year++ {
		requirements = append(requirements, full(year)...)
	}
	for b.Loop() {
		Allocate(requirements, credits)
	}
}
