package enrollments

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// cheapestOfAll tries every set of courses.
func cheapestOfAll(gap lms.Hours, courses []Step) (best []int) {
	if gap <= 0 {
		return nil
	}
	type sum struct {
		hours  lms.Hours
		fee    lms.Money
		chosen []int
	}
	of := func(set int) (s sum) {
		for i, c := range courses {
			if set&(1<<i) != 0 {
				s.hours, s.fee, s.chosen = s.hours+c.Hours, s.fee+c.Fee, append(s.chosen, i)
			}
		}
		return s
	}
	least := of(1<<len(courses) - 1) // all
	for set := range 1 << len(courses) {
		s := of(set)
		if s.hours >= gap && cmp.Or(cmp.Compare(s.fee, least.fee), cmp.Compare(s.hours, least.hours), len(s.chosen)-len(least.chosen), slices.Compare(s.chosen, least.chosen)) < 0 {
			least = s
		}
	}
	return least.chosen
}

func offered(r *rapid.T, most int) []Step {
	return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) Step {
		return Step{Course: lms.Course{Hours: lms.Hours(rapid.IntRange(1, 12).Draw(r, "hours")), Fee: lms.Money(500 * rapid.IntRange(0, 3).Draw(r, "fee"))}}
	}), 0, most).Draw(r, "courses")
}

func TestAPlanIsTheCheapestOfAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		courses, gap := offered(r, 9), lms.Hours(rapid.IntRange(-1, 60).Draw(r, "gap"))
		require.Equal(r, cheapestOfAll(gap, courses), cheapest(gap, courses))
	})
}

func TestAPlanOfALargeCatalogClosesAGapOfTwentyYears(t *testing.T) {
	t.Parallel()
	courses := make([]Step, 1000)
	for i := range courses {
		courses[i].Hours, courses[i].Fee = lms.Hours(1+i%40), lms.Money(100+i*37%900)
	}
	const gap = 12 * 4 * 20
	var hours lms.Hours
	for _, chosen := range cheapest(gap, courses) {
		hours += courses[chosen].Hours
	}
	require.GreaterOrEqual(t, hours, lms.Hours(gap))
}

func drawnDays(r *rapid.T) (today lms.Date, last []lms.Date) {
	today = lms.Date{Year: 2026, Month: 1, Day: 1}.AddDays(rapid.IntRange(0, 364).Draw(r, "today"))
	left := today.DaysUntil(lms.Date{Year: 2026, Month: 12, Day: 31})
	for _, n := range rapid.SliceOfN(rapid.IntRange(0, left), 0, 20).Draw(r, "days") {
		last = append(last, today.AddDays(n))
	}
	slices.SortFunc(last, lms.Date.Compare)
	return today, last
}

func TestProposedDaysAreInOrderAndNeverAfterTheLastOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		today, last := drawnDays(r)
		days := spread(today, last)
		require.Len(r, days, len(last))
		weekly := true // whether a course a week is possible: each as soon as can be
		for i := range last {
			weekly = weekly && !today.AddDays(7*i).After(last[i])
		}
		for i, day := range days {
			require.False(r, day.Before(today) || day.After(last[i]), "%v of %v", day, last[i])
			if i > 0 {
				require.GreaterOrEqual(r, days[i-1].DaysUntil(day), 0)
			}
			if i > 0 && weekly {
				require.GreaterOrEqual(r, days[i-1].DaysUntil(day), 7, "at most one a week: %v", days)
			}
		}
	})
}

func day(text string) lms.Date {
	d, err := lms.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

func TestDaysAreSpreadEvenlyOverWhatIsLeftOfTheYear(t *testing.T) {
	t.Parallel()
	end := day("2026-12-31")
	for _, c := range []struct {
		today string
		last  []lms.Date
		want  []string
	}{
		{"2026-10-01", []lms.Date{end, end}, []string{"2026-10-31", "2026-11-30"}},
		{"2026-10-01", []lms.Date{day("2026-10-20"), end}, []string{"2026-10-13", "2026-11-30"}},
		{"2026-10-01", []lms.Date{day("2026-10-03"), end}, []string{"2026-10-01", "2026-11-30"}},
		{"2026-12-20", []lms.Date{end, end}, []string{"2026-12-20", "2026-12-27"}},
		{"2026-12-30", []lms.Date{end, end, end}, []string{"2026-12-30", "2026-12-30", "2026-12-30"}},
		{"2026-12-31", []lms.Date{end}, []string{"2026-12-31"}},
	} {
		var got []string
		for _, d := range spread(day(c.today), c.last) {
			got = append(got, d.String())
		}
		require.Equal(t, c.want, got, c.today)
	}
}

func offer(id lms.CourseID, hours lms.Hours, fee lms.Money) lms.Course {
	return lms.Course{ID: id, Code: "C", Hours: hours, Fee: fee, Version: 1, Approval: 1}
}

func TestAPlanTakesWhatIsRegisteredForFirstAndLeavesOutWhatCannotEarn(t *testing.T) {
	t.Parallel()
	today := day("2026-10-01")
	standing := lms.YearStanding{Year: 2026, Required: 48, Counted: 40, Owed: []lms.YearHours{{Year: 2025, Hours: 2}}} // 2.5 h are missing
	mine := []lms.Enrollment{
		{ID: 1, Course: 11, Hours: 2, State: lms.Ready, LastDay: day("2026-10-20")},
		{ID: 2, Course: 12, Hours: 2, State: lms.Active, LastDay: day("2027-05-01")},
		{ID: 3, Course: 13, Hours: 8, State: lms.Ready, LastDay: day("2026-09-30")},     // over
		{ID: 4, Course: 14, Hours: 8, State: lms.Ready, LastDay: day("2027-05-01")},     // earns nothing yet
		{ID: 5, Course: 15, Hours: 8, State: lms.Completed, LastDay: day("2027-05-01")}, // earns again later
	}
	open := []lms.Course{offer(11, 2, 0), offer(15, 8, 0), offer(16, 6, 500), offer(17, 8, 400), offer(18, 6, 400)}
	again := map[lms.CourseID]lms.Date{14: day("2026-11-01"), 15: day("2026-12-01")}
	plan := planOf(standing, candidatesOf(mine, open, again, today).without(nil), today)
	ids := func(steps []Step) (all []lms.CourseID) {
		for _, s := range steps {
			all = append(all, s.ID)
		}
		return all
	}
	require.Equal(t, []lms.CourseID{11, 12, 18}, ids(plan.Steps), "the shorter of two that cost the same")
	require.Equal(t, lms.Hours(10), plan.Hours)
	require.Equal(t, lms.Money(400), plan.Fee)
	require.Equal(t, []lms.YearHours{{Year: 2025, Hours: 2}}, plan.Steps[0].Counts)
	require.Equal(t, []lms.YearHours{{Year: 2026, Hours: 6}}, plan.Steps[2].Counts)
	require.False(t, plan.Steps[0].On.After(day("2026-10-20")))
	require.Zero(t, plan.Short)
	require.Empty(t, plan.Later)

	plan = planOf(standing, candidatesOf(mine, open, again, today).without([]lms.CourseID{12, 17, 18}), today)
	require.Equal(t, []lms.CourseID{11, 16}, ids(plan.Steps))
	require.Equal(t, []lms.CourseID{12, 17, 18}, ids(plan.LeftOut))
	require.Equal(t, lms.Hours(2), plan.Short)
	require.Equal(t, []lms.CourseID{15}, ids(plan.Later))

	require.Empty(t, planOf(lms.YearStanding{Year: 2026, Required: 48, Counted: 48}, candidatesOf(mine, open, again, today), today).Steps, "nothing is missing")
}

func TestTheCalendarOfAPlanReadsAsRFC5545(t *testing.T) {
	t.Parallel()
	now := lmstest.Now
	steps := []Step{
		{Course: offer(7, 5, 0), On: day("2026-11-01")},
		{Course: lms.Course{ID: 8, Title: "Sueño seguro, ñandú; " + strings.Repeat("é", 60)}, Enrollment: 4, On: day("2026-12-31")},
	}
	title := func(s Step) string { return s.Title }
	origin := &url.URL{Scheme: "https", Host: "learn.example.org:8443"}
	text := calendar(3, steps, origin, title, now)
	require.NotContains(t, strings.ReplaceAll(text, "\r\n", ""), "\n", "lines end in CRLF (§3.1)")
	for line := range strings.SplitSeq(text, "\r\n") {
		require.LessOrEqual(t, len(line), 75, "octets of a line (§3.1)")
	}
	require.Contains(t, text, "DTSTART;VALUE=DATE:20261101\r\nDTEND;VALUE=DATE:20261102\r\n", "the whole day on which the clocks change")
	cal, err := ics.ParseCalendar(strings.NewReader(text))
	require.NoError(t, err)
	events := cal.Events()
	require.Len(t, events, 2)
	require.Equal(t, title(steps[1]), events[1].GetProperty(ics.ComponentPropertySummary).Value)
	require.Equal(t, "https://learn.example.org:8443/my-courses#enrollment-4", events[1].GetProperty(ics.ComponentPropertyUrl).Value)
	on, err := events[1].GetAllDayStartAt()
	require.NoError(t, err)
	require.Equal(t, "2026-12-31", on.Format(time.DateOnly))

	later, err := ics.ParseCalendar(strings.NewReader(calendar(3, steps, origin, title, now.Add(time.Hour))))
	require.NoError(t, err)
	require.Equal(t, events[0].Id(), later.Events()[0].Id(), "importing again moves the entry")
	require.Greater(t, later.Events()[0].GetProperty(ics.ComponentPropertySequence).Value, events[0].GetProperty(ics.ComponentPropertySequence).Value)
	require.NotEqual(t, events[0].Id(), entryID(4, 7)+"@learn.example.org", "another person's entry is another")
}
