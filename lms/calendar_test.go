package lms_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

func date(t require.TestingT, s string) lms.Date {
	d, err := lms.ParseDate(s)
	require.NoError(t, err)
	return d
}

// anyDay draws a day from 1990 to 2154.
func anyDay(t *rapid.T, label string) lms.Date {
	return date(t, "1990-01-01").AddDays(rapid.IntRange(0, 60_000).Draw(t, label))
}

func TestAYearEndsAtMidnightCentral(t *testing.T) {
	t.Parallel()
	cases := []struct{ instant, day string }{
		{"2026-01-01T05:59:59Z", "2025-12-31"},
		{"2026-01-01T06:00:00Z", "2026-01-01"},
		{"2026-07-01T04:59:59Z", "2026-06-30"}, // daylight time: an hour earlier
		{"2026-07-01T05:00:00Z", "2026-07-01"},
		{"2026-12-31T23:59:59-06:00", "2026-12-31"},
	}
	for _, c := range cases {
		at, err := time.Parse(time.RFC3339, c.instant)
		require.NoError(t, err)
		require.Equal(t, c.day, lms.DateOf(at).String(), c.instant)
	}
}

func TestDaysOnWhichClocksChangeAreAnHourShorterAndLonger(t *testing.T) {
	t.Parallel()
	cases := map[string]time.Duration{"2026-03-08": 23 * time.Hour, "2026-11-01": 25 * time.Hour, "2026-06-15": 24 * time.Hour}
	for s, length := range cases {
		d := date(t, s)
		require.Equal(t, length, d.End().Sub(d.Start()), s)
	}
	// 01:30 comes twice on the day that gains an hour; both lie in it.
	for _, instant := range []string{"2026-11-01T01:30:00-05:00", "2026-11-01T01:30:00-06:00"} {
		at, err := time.Parse(time.RFC3339, instant)
		require.NoError(t, err)
		require.Equal(t, "2026-11-01", lms.DateOf(at).String(), instant)
	}
}

func TestEveryInstantLiesInExactlyOneDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := anyDay(t, "day")
		inside := time.Duration(rapid.Int64Range(0, int64(d.End().Sub(d.Start())-1)).Draw(t, "after midnight"))
		require.Equal(t, d, lms.DateOf(d.Start().Add(inside)))
		require.Equal(t, d.AddDays(-1), lms.DateOf(d.Start().Add(-1)))
		require.Equal(t, d.AddDays(1), lms.DateOf(d.End()))
	})
}

func TestAddedMonthsKeepTheDayOrClampToTheLastOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, n := anyDay(t, "day"), rapid.IntRange(-240, 240).Draw(t, "months")
		got := d.AddMonths(n)
		months := func(d lms.Date) int { return d.Year*12 + int(d.Month) }
		require.Equal(t, months(d)+n, months(got))
		if got.Day != d.Day {
			require.Less(t, got.Day, d.Day)
			require.Equal(t, 1, got.AddDays(1).Day, "clamped to a day that is not the month's last")
		}
		later := d.AddDays(rapid.IntRange(0, 400).Draw(t, "later"))
		require.False(t, later.AddMonths(n).Before(got), "a later day came to an earlier one")
	})
}

func TestLeapDaysClampToFebruary28(t *testing.T) {
	t.Parallel()
	require.Equal(t, date(t, "2029-02-28"), date(t, "2028-02-29").AddMonths(12))
	require.Equal(t, date(t, "2032-02-29"), date(t, "2028-02-29").AddMonths(48))
	require.Equal(t, date(t, "2028-02-29"), date(t, "2028-01-31").AddMonths(1))
}

// Each day from 2027 to 2031 holds a whole leap cycle with its neighbours.
func TestMonthsAreAddedAsPostgresAddsThem(t *testing.T) {
	t.Parallel()
	var days, want []lms.Date
	var months []int32
	for d := date(t, "2027-01-01"); d.Year < 2032; d = d.AddDays(1) {
		for n := 1; n <= 13; n++ {
			days, months, want = append(days, d), append(months, int32(n)), append(want, d.AddMonths(n))
		}
	}
	require.Len(t, days, (4*365+366)*13)
	var differ int
	var example string
	require.NoError(t, lmstest.DB(t).QueryRow(t.Context(), `
		SELECT count(*), coalesce(min(format('%s + %s months: %s, not %s', day, n, (day + n * interval '1 month')::date, got)), '')
		FROM unnest($1::date[], $2::int[], $3::date[]) AS x (day, n, got)
		WHERE (day + n * interval '1 month')::date <> got`, days, months, want).Scan(&differ, &example))
	require.Zero(t, differ, example)
}

func TestDaysAreCountedBothWays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, n := anyDay(t, "day"), rapid.IntRange(-40_000, 40_000).Draw(t, "days")
		require.Equal(t, n, d.DaysUntil(d.AddDays(n)))
		require.Equal(t, -n, d.AddDays(n).DaysUntil(d))
		require.Equal(t, n < 0, d.AddDays(n).Before(d))
		require.Equal(t, n > 0, d.AddDays(n).After(d))
	})
}

func TestRangesOverlapWhenTheyShareADay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		start := anyDay(t, "start")
		draw := func(label string) lms.DateRange {
			from := rapid.IntRange(0, 20).Draw(t, label+" from")
			return lms.DateRange{From: start.AddDays(from), Until: start.AddDays(from + rapid.IntRange(1, 10).Draw(t, label+" days"))}
		}
		a, b := draw("a"), draw("b")
		shared := false
		for d := a.From; d.Before(a.Until); d = d.AddDays(1) {
			shared = shared || b.Contains(d)
		}
		require.Equal(t, shared, a.Overlaps(b))
		require.Equal(t, shared, b.Overlaps(a))
	})
}

func TestDaysThatDoNotExistAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "2026-02-29", "2026-13-01", "2026-00-10", "2026-3-5", "03/05/2026", "2026-03-05T00:00:00Z", " 2026-03-05"} {
		_, err := lms.ParseDate(s)
		require.Error(t, err, s)
	}
	require.True(t, lms.Date{}.IsZero())
}

func FuzzADateReadIsWrittenAsItWas(f *testing.F) {
	for _, s := range []string{"2026-03-15", "2028-02-29", "0001-01-01", "9999-12-31", "2026-02-30", "-2026-01-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := lms.ParseDate(s)
		if err == nil {
			require.Equal(t, s, d.String())
		}
	})
}
