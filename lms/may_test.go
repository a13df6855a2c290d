package lms_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

var open = lms.Course{ID: 1, Title: "Safe sleep", Version: 10, Approval: 20, Hours: 5}

func enrollment(id lms.EnrollmentID, course lms.CourseID, state lms.EnrollmentState) lms.Enrollment {
	return lms.Enrollment{ID: id, Course: course, Title: "Safe sleep", State: state, LastDay: lms.Date{Year: 2026, Month: 12, Day: 31}}
}

func TestWhoMayRegister(t *testing.T) {
	t.Parallel()
	draft, unapproved := open, open
	draft.Version, unapproved.Approval = 0, 0
	cases := []struct {
		name   string
		course lms.Course
		mine   []lms.Enrollment
		want   *lms.Error
	}{
		{"nobody has registered yet", open, nil, nil},
		{"no published version", draft, nil, lms.ErrCourseNotOpen},
		{"no approval of hours", unapproved, nil, lms.ErrCourseNotOpen},
		{"registered and ready", open, []lms.Enrollment{enrollment(1, 1, lms.Ready)}, lms.ErrAlreadyEnrolled},
		{"registered and active", open, []lms.Enrollment{enrollment(1, 1, lms.Active)}, lms.ErrAlreadyEnrolled},
		{"completed before", open, []lms.Enrollment{enrollment(1, 1, lms.Completed)}, nil},
		{"expired before", open, []lms.Enrollment{enrollment(1, 1, lms.Expired)}, nil},
		{"another course is open", open, []lms.Enrollment{enrollment(1, 2, lms.Active)}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireRefusal(t, c.want, lms.CanRegister(c.course, c.mine), map[string]any{"Title": "Safe sleep"})
		})
	}
}

func TestWhatMayBeStarted(t *testing.T) {
	t.Parallel()
	title := map[string]any{"Title": "Safe sleep"}
	over := map[string]any{"Title": "Safe sleep", "Last": date(t, "2026-12-31")}
	other := enrollment(2, 2, lms.Active)
	cases := []struct {
		name   string
		e      lms.Enrollment
		others []lms.Enrollment
		today  string
		want   *lms.Error
		args   map[string]any
	}{
		{"ready", enrollment(1, 1, lms.Ready), nil, "2026-06-01", nil, nil},
		{"active already", enrollment(1, 1, lms.Active), nil, "2026-06-01", nil, nil},
		{"on the last day", enrollment(1, 1, lms.Ready), nil, "2026-12-31", nil, nil},
		{"a day after the last", enrollment(1, 1, lms.Ready), nil, "2027-01-01", lms.ErrWindowOver, over},
		{"expired", enrollment(1, 1, lms.Expired), nil, "2026-06-01", lms.ErrWindowOver, over},
		{"completed", enrollment(1, 1, lms.Completed), nil, "2027-06-01", lms.ErrAlreadyCompleted, title},
		{"another is active", enrollment(1, 1, lms.Ready), []lms.Enrollment{other}, "2026-06-01",
			lms.ErrAnotherActive, map[string]any{"Title": "Safe sleep", "Enrollment": lms.EnrollmentID(2)}},
		{"others are ready or over", enrollment(1, 1, lms.Ready), []lms.Enrollment{enrollment(2, 2, lms.Ready),
			enrollment(3, 3, lms.Completed), enrollment(4, 4, lms.Expired)}, "2026-06-01", nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireRefusal(t, c.want, lms.CanStart(c.e, append(c.others, c.e), date(t, c.today)), c.args)
		})
	}
}

func TestWhatMayBeLaunched(t *testing.T) {
	t.Parallel()
	cases := []struct {
		state lms.EnrollmentState
		today string
		want  *lms.Error
	}{
		{lms.Active, "2026-06-01", nil},
		{lms.Active, "2026-12-31", nil},
		{lms.Active, "2027-01-01", lms.ErrWindowOver},
		{lms.Ready, "2026-06-01", lms.ErrNotActive},
		{lms.Ready, "2027-01-01", lms.ErrWindowOver},
		{lms.Completed, "2026-06-01", lms.ErrAlreadyCompleted},
		{lms.Expired, "2026-06-01", lms.ErrWindowOver},
	}
	for _, c := range cases {
		t.Run(string(c.state)+" on "+c.today, func(t *testing.T) {
			t.Parallel()
			requireRefusal(t, c.want, lms.CanLaunch(enrollment(1, 1, c.state), date(t, c.today)), nil)
		})
	}
}

// requireRefusal wants the error value, its code and, if args are given, those.
func requireRefusal(t *testing.T, want *lms.Error, got error, args map[string]any) {
	t.Helper()
	if want == nil {
		require.NoError(t, got)
		return
	}
	require.ErrorIs(t, got, want)
	if refused, ok := lms.AsError(got); ok && args != nil {
		require.Equal(t, args, refused.Args)
	}
}

// Whatever a person does, in whatever order: no second active course, and no second
// open enrollment of a course.
func TestFollowingTheRulesKeepsOneActiveCourse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var mine []lms.Enrollment
		today := date(t, "2026-01-01")
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			today = today.AddDays(rapid.IntRange(0, 40).Draw(t, "days"))
			for i, e := range mine {
				if e.State.Open() && today.After(e.LastDay) {
					mine[i].State = lms.Expired
				}
			}
			if rapid.Bool().Draw(t, "register") {
				c := open
				c.ID = lms.CourseID(rapid.IntRange(1, 3).Draw(t, "course"))
				if lms.CanRegister(c, mine) == nil {
					e := enrollment(lms.EnrollmentID(len(mine)+1), c.ID, lms.Ready)
					e.LastDay = today.AddMonths(12)
					mine = append(mine, e)
				}
			} else if len(mine) > 0 {
				e := &mine[rapid.IntRange(0, len(mine)-1).Draw(t, "which")]
				switch rapid.SampledFrom([]string{"start", "set aside", "complete"}).Draw(t, "do") {
				case "start":
					if lms.CanStart(*e, mine, today) == nil {
						e.State = lms.Active
						require.NoError(t, lms.CanLaunch(*e, today), "what was started can be launched")
					}
				case "set aside":
					if e.State == lms.Active {
						e.State = lms.Ready
					}
				case "complete":
					if lms.CanLaunch(*e, today) == nil {
						e.State = lms.Completed
					}
				}
			}
			active, openOf := 0, map[lms.CourseID]int{}
			for _, e := range mine {
				if e.State == lms.Active {
					active++
				}
				if e.State.Open() {
					openOf[e.Course]++
					require.Equal(t, 1, openOf[e.Course])
				}
			}
			require.LessOrEqual(t, active, 1)
		}
	})
}

func TestANameIsWrittenGivenNameFirstAndSortedByFamilyName(t *testing.T) {
	t.Parallel()
	p := lms.Person{Given: "Maya", Family: "Rivera López"}
	require.Equal(t, "Maya Rivera López", p.Name())
	require.Equal(t, "Rivera López, Maya", p.SortName())
}
