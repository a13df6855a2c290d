package lms_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

// The table of rules §4.
func TestTheCompletionWindowOfEachPolicy(t *testing.T) {
	t.Parallel()
	cases := []struct{ policy, registered, launched, last string }{
		{lms.FromRegistration, "2025-03-15", "2025-11-01", "2026-03-15"},
		{lms.FromFirstLaunch, "2025-03-15", "2025-11-01", "2026-11-01"},
		{lms.CalendarYearEnd, "2025-03-15", "2025-11-01", "2025-12-31"},

		{lms.FromRegistration, "2025-03-15", "", "2026-03-15"},
		{lms.FromFirstLaunch, "2025-03-15", "", "2026-03-15"},
		{lms.FromFirstLaunch, "2025-03-15", "2026-03-15", "2027-03-15"}, // on the last day
		{lms.FromFirstLaunch, "2025-03-15", "2026-03-16", "2026-03-15"}, // too late to count
		{lms.CalendarYearEnd, "2025-12-31", "", "2025-12-31"},
		{lms.FromRegistration, "2028-02-29", "", "2029-02-28"},
	}
	for _, c := range cases {
		t.Run(c.policy+"/"+c.registered+"/"+c.launched, func(t *testing.T) {
			t.Parallel()
			var launched *lms.Date
			if c.launched != "" {
				d := date(t, c.launched)
				launched = &d
			}
			last, err := lms.Window(c.policy, date(t, c.registered), launched)
			require.NoError(t, err)
			require.Equal(t, c.last, last.String())
		})
	}
}

func TestAnUnknownPolicyIsRefused(t *testing.T) {
	t.Parallel()
	_, err := lms.Window("forever", date(t, "2026-01-01"), nil)
	require.ErrorContains(t, err, "forever")
	_, err = lms.BlockOf("never", date(t, "2026-01-01"))
	require.ErrorContains(t, err, "never")
}

// The table of rules §5. Each completion is judged by the policy of its own day.
func TestCreditOnceAYear(t *testing.T) {
	t.Parallel()
	changed := lms.Policies{
		{Kind: lms.RepeatCredit, Value: lms.TwelveMonths, From: date(t, "1990-01-01")},
		{Kind: lms.RepeatCredit, Value: lms.CalendarYear, From: date(t, "2026-01-01")},
	}
	always := func(value string) lms.Policies {
		return lms.Policies{{Kind: lms.RepeatCredit, Value: value, From: date(t, "1990-01-01")}}
	}
	cases := []struct {
		name          string
		policies      lms.Policies
		first, second string
		again         string // first creditable day, where the second earns nothing
	}{
		{"December then January, by calendar year", always(lms.CalendarYear), "2025-12-20", "2026-01-05", ""},
		{"December then January, by twelve months", always(lms.TwelveMonths), "2025-12-20", "2026-01-05", "2026-12-20"},
		{"to the day a year later, by calendar year", always(lms.CalendarYear), "2025-12-20", "2026-12-20", ""},
		{"to the day a year later, by twelve months", always(lms.TwelveMonths), "2025-12-20", "2026-12-20", ""},
		{"twice in one year, by calendar year", always(lms.CalendarYear), "2025-01-10", "2025-12-31", "2026-01-01"},
		{"twice in one year, by twelve months", always(lms.TwelveMonths), "2025-01-10", "2025-12-31", "2026-01-10"},
		{"from a leap day, by calendar year", always(lms.CalendarYear), "2024-02-29", "2025-02-28", ""},
		{"from a leap day, by twelve months", always(lms.TwelveMonths), "2024-02-29", "2025-02-28", ""},
		{"the policy changes in between", changed, "2025-06-10", "2026-06-10", ""},
		{"a change of policy rewrites no range", changed, "2025-06-10", "2026-06-09", "2026-06-10"},
		{"the day before, by twelve months", always(lms.TwelveMonths), "2025-12-20", "2026-12-19", "2026-12-20"},
		{"twice on one day", always(lms.CalendarYear), "2025-01-10", "2025-01-10", "2026-01-01"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			block := func(day string) lms.DateRange {
				policy, err := c.policies.On(lms.RepeatCredit, date(t, day))
				require.NoError(t, err)
				during, err := lms.BlockOf(policy.Value, date(t, day))
				require.NoError(t, err)
				return during
			}
			require.NoError(t, lms.CanEarn(nil, block(c.first)))
			err := lms.CanEarn([]lms.Block{{Course: 1, During: block(c.first)}}, block(c.second))
			if c.again == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, lms.ErrEarnsAgain)
			refused, _ := lms.AsError(err)
			require.Equal(t, date(t, c.again), refused.Args["From"])
		})
	}
}

// A naive reading of §5: walk the completions in order and remember the first
// creditable day.
func TestCreditedCompletionsAreAYearApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := rapid.SampledFrom([]string{lms.TwelveMonths, lms.CalendarYear}).Draw(t, "policy")
		day := anyDay(t, "first")
		var standing []lms.Block
		var creditable lms.Date
		for range rapid.IntRange(1, 12).Draw(t, "completions") {
			during, err := lms.BlockOf(policy, day)
			require.NoError(t, err)
			require.True(t, during.Contains(day))
			err = lms.CanEarn(standing, during)
			require.Equal(t, !day.Before(creditable), err == nil, "%s, creditable from %s", day, creditable)
			if err == nil {
				standing = append(standing, lms.Block{During: during})
				creditable = day.AddMonths(12)
				if policy == lms.CalendarYear {
					creditable = lms.Date{Year: day.Year + 1, Month: 1, Day: 1}
				}
			}
			day = day.AddDays(rapid.IntRange(0, 250).Draw(t, "gap"))
		}
	})
}

func TestADayPicksTheLatestPolicyInForce(t *testing.T) {
	t.Parallel()
	ps := lms.Policies{
		{ID: 3, Kind: lms.RepeatCredit, Value: lms.CalendarYear, From: date(t, "2026-01-01")},
		{ID: 1, Kind: lms.RepeatCredit, Value: lms.TwelveMonths, From: date(t, "1990-01-01")},
		{ID: 2, Kind: lms.AnnualHours, Value: "12", From: date(t, "2000-01-01")},
		{ID: 6, Kind: lms.AnnualHours, Value: "14", From: date(t, "2026-07-01")}, // corrects the one below
		{ID: 4, Kind: lms.AnnualHours, Value: "15", From: date(t, "2026-07-01")},
	}
	cases := []struct {
		kind lms.PolicyKind
		day  string
		want lms.PolicyID
	}{
		{lms.RepeatCredit, "2025-12-31", 1},
		{lms.RepeatCredit, "2026-01-01", 3},
		{lms.RepeatCredit, "1990-01-01", 1},
		{lms.AnnualHours, "2026-06-30", 2},
		{lms.AnnualHours, "2026-07-01", 6},
	}
	for _, c := range cases {
		p, err := ps.On(c.kind, date(t, c.day))
		require.NoError(t, err)
		require.Equal(t, c.want, p.ID, "%s on %s", c.kind, c.day)
	}
	_, err := ps.On(lms.RepeatCredit, date(t, "1989-12-31"))
	require.ErrorContains(t, err, "no repeat_credit policy on 1989-12-31")
	_, err = ps.On(lms.WindowPolicy, date(t, "2026-01-01"))
	require.Error(t, err)
}

func TestOfPoliciesFromTheSameDayTheOneRecordedLastCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var ps lms.Policies
		for id := range rapid.IntRange(1, 12).Draw(t, "policies") {
			ps = append(ps, lms.Policy{ID: lms.PolicyID(id + 1), Kind: lms.AnnualHours, From: date(t, "2026-01-01").AddDays(rapid.IntRange(0, 4).Draw(t, "from"))})
		}
		day := date(t, "2026-01-01").AddDays(rapid.IntRange(0, 6).Draw(t, "day"))
		var want lms.Policy // the last recorded of the latest day
		for _, p := range ps {
			if !p.From.After(day) && !p.From.Before(want.From) {
				want = p
			}
		}
		got, err := rapid.Permutation(ps).Draw(t, "in any order").On(lms.AnnualHours, day)
		require.Equal(t, want == lms.Policy{}, err != nil)
		require.Equal(t, want, got)
	})
}

func TestAYearAsksForTheHoursOfItsJanuary1(t *testing.T) {
	t.Parallel()
	ps := lms.Policies{
		{Kind: lms.AnnualHours, Value: "12", From: date(t, "1990-01-01")},
		{Kind: lms.AnnualHours, Value: "15", From: date(t, "2026-01-02")},
	}
	for year, want := range map[int]string{2025: "12.0", 2026: "12.0", 2027: "15.0"} {
		got, err := ps.Required(year)
		require.NoError(t, err)
		require.Equal(t, want, got.String(), year)
	}
	_, err := ps.Required(1989)
	require.Error(t, err)
	_, err = lms.Policies{{Kind: lms.AnnualHours, Value: "a dozen", From: date(t, "1990-01-01")}}.Required(2026)
	require.Error(t, err)
}

func TestMoreTimeIsLaterNotOverAndAYearAtMost(t *testing.T) {
	t.Parallel()
	today, last := lms.Date{Year: 2026, Month: 2, Day: 28}, lms.Date{Year: 2026, Month: 2, Day: 1}
	e := lms.Enrollment{ID: 1, Course: 7, State: lms.Expired, LastDay: last}
	field := func(to lms.Date) string {
		refused, _ := lms.AsError(lms.CanExtend(e, []lms.Enrollment{e}, to, today))
		if refused == nil {
			return ""
		}
		return refused.Fields["last_day"]
	}
	require.Equal(t, "extension_later", field(today.AddDays(-1)))
	require.Empty(t, field(today))
	require.Empty(t, field(lms.Date{Year: 2027, Month: 2, Day: 28}))
	require.Equal(t, "extension_long", field(lms.Date{Year: 2027, Month: 3, Day: 1}))
	e.State, e.LastDay = lms.Ready, lms.Date{Year: 2026, Month: 12, Day: 1}
	require.Equal(t, "extension_later", field(e.LastDay))
	require.Empty(t, field(e.LastDay.AddDays(1)))

	again := lms.Enrollment{ID: 2, Course: 7, State: lms.Ready}
	require.ErrorIs(t, lms.CanExtend(e, []lms.Enrollment{e, again}, lms.Date{Year: 2027, Month: 1, Day: 1}, today), lms.ErrAlreadyEnrolled)
	e.State = lms.Completed
	require.ErrorIs(t, lms.CanExtend(e, []lms.Enrollment{e}, lms.Date{Year: 2027, Month: 1, Day: 1}, today), lms.ErrAlreadyCompleted)
	e.State = lms.Revoked
	require.ErrorIs(t, lms.CanExtend(e, []lms.Enrollment{e}, lms.Date{Year: 2027, Month: 1, Day: 1}, today), lms.ErrRefunded)
}

func TestEveryQuarterEarnedNextCountsOnceAndTheOldestYearFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := lms.YearStanding{Year: 2026, Required: 48, Counted: lms.Hours(rapid.IntRange(0, 60).Draw(r, "counted"))}
		for year := 2020; year < 2026; year++ {
			if owed := rapid.IntRange(0, 9).Draw(r, "owed"); owed > 0 {
				s.Owed = append(s.Owed, lms.YearHours{Year: year, Hours: lms.Hours(owed)})
			}
		}
		hours := lms.Hours(rapid.IntRange(0, 80).Draw(r, "hours"))
		parts, after := s.Earn(hours)
		var sum, made lms.Hours
		for i, p := range parts {
			sum += p.Hours
			require.True(r, i == 0 || parts[i-1].Year < p.Year)
			if p.Year < s.Year {
				made += p.Hours
			}
		}
		require.Equal(r, hours, sum)
		if len(after.Owed) > 0 {
			require.Equal(r, hours, made, "the year itself gets nothing while an earlier one is owed")
		}
		require.Equal(r, max(0, s.Gap()-hours), after.Gap())
	})
}
