package enrollments

import (
	"cmp"
	"math"
	"slices"

	"mopd/lms"
)

// Plan is what somebody may take to close what their years lack.
type Plan struct {
	Standing lms.YearStanding // today
	Steps    []Step           // in the order of their days
	Hours    lms.Hours        // of all steps
	Fee      lms.Money        // still to be paid
	Short    lms.Hours        // what stays open when all is taken
	LeftOut  []Step           // what the person does not want
	Later    []Step           // open courses that can earn again by the end of the year
}

// Step is one course of a plan.
type Step struct {
	lms.Course
	Enrollment lms.EnrollmentID // 0 where the person is still to register
	Active     bool             // the one course in progress
	LastDay    lms.Date         // on which it can be completed to count
	On         lms.Date         // proposed day
	Counts     []lms.YearHours  // what it would do, the steps before it taken
	From       lms.Date         // first creditable day, of one that can earn later
}

// candidates are what a plan may be made of.
type candidates struct {
	registered []Step // that can earn today, the active one first
	open       []Step // to register for, that can earn today
	later      []Step // to register for, that can earn by the end of the year
	leftOut    []Step
}

// candidatesOf are somebody's candidates, given their enrollments, the courses open for
// registration, and the first creditable day of each course that would earn nothing today.
func candidatesOf(mine []lms.Enrollment, open []lms.Course, again map[lms.CourseID]lms.Date, today lms.Date) (c candidates) {
	taken := map[lms.CourseID]bool{}
	for _, e := range mine {
		if !e.State.Open() || e.Over(today) {
			continue
		}
		taken[e.Course] = true
		if again[e.Course].IsZero() {
			c.registered = append(c.registered, Step{
				Course: lms.Course{ID: e.Course, Title: e.Title, Sponsor: e.Sponsor, Hours: e.Hours}, Enrollment: e.ID, Active: e.State == lms.Active, LastDay: e.LastDay,
			})
		}
	}
	slices.SortStableFunc(c.registered, func(a, b Step) int {
		switch {
		case a.Active:
			return -1
		case b.Active:
			return 1
		}
		return 0
	})
	for _, course := range open {
		switch from := again[course.ID]; {
		case taken[course.ID] || course.Hours == 0:
		case from.IsZero():
			c.open = append(c.open, Step{Course: course})
		case from.Year == today.Year:
			c.later = append(c.later, Step{Course: course, From: from})
		}
	}
	slices.SortStableFunc(c.later, func(a, b Step) int { return a.From.Compare(b.From) })
	return c
}

// without leaves courses out.
func (c candidates) without(courses []lms.CourseID) candidates {
	unwanted := func(s Step) bool { return slices.Contains(courses, s.ID) }
	for _, step := range slices.Concat(c.registered, c.open) {
		if unwanted(step) {
			c.leftOut = append(c.leftOut, step)
		}
	}
	c.registered, c.open = slices.DeleteFunc(c.registered, unwanted), slices.DeleteFunc(c.open, unwanted)
	return c
}

// planOf closes the gap of a year: with what the person is registered for, then with the
// cheapest open courses.
func planOf(standing lms.YearStanding, c candidates, today lms.Date) Plan {
	p := Plan{Standing: standing}
	gap := standing.Gap()
	if gap == 0 {
		return p
	}
	p.Steps, p.LeftOut = slices.Clone(c.registered), c.leftOut
	for _, step := range p.Steps {
		p.Hours += step.Hours
	}
	chosen := cheapest(gap-p.Hours, c.open)
	slices.SortStableFunc(chosen, func(i, j int) int { return cmp.Compare(c.open[i].Fee, c.open[j].Fee) })
	for _, i := range chosen {
		p.Steps = append(p.Steps, c.open[i])
		p.Hours, p.Fee = p.Hours+c.open[i].Hours, p.Fee+c.open[i].Fee
	}
	if p.Short = max(0, gap-p.Hours); p.Short > 0 {
		p.Later = c.later
	}

	end := lms.Date{Year: today.Year, Month: 12, Day: 31}
	for i, step := range p.Steps {
		if step.Enrollment == 0 || step.LastDay.After(end) {
			p.Steps[i].LastDay = end
		}
		if until := step.ApprovedUntil; step.Enrollment == 0 && !until.IsZero() && !until.After(end) {
			p.Steps[i].LastDay = until.AddDays(-1) // who registers by then may finish later
		}
	}
	slices.SortStableFunc(p.Steps, func(a, b Step) int { return a.LastDay.Compare(b.LastDay) })
	last := make([]lms.Date, len(p.Steps))
	for i, step := range p.Steps {
		last[i] = step.LastDay
	}
	for i, on := range spread(today, last) {
		p.Steps[i].On = on
		p.Steps[i].Counts, standing = standing.Earn(p.Steps[i].Hours)
	}
	return p
}

// cheapest chooses the courses, by their places, that come to the hours of a gap for the
// smallest fee; of equal ones those with the fewest hours beyond it, then the fewest
// courses, then those that stand first. Where all together fall short, it is all.
//
// It is the knapsack problem turned round, solved exactly: the cheapest way to each number
// of quarter-hours. None of the best ways can spare a course, so that they stay below the
// gap and the longest course together.
func cheapest(gap lms.Hours, courses []Step) (chosen []int) {
	var all, longest lms.Hours
	for _, c := range courses {
		all, longest = all+c.Hours, max(longest, c.Hours)
	}
	switch {
	case gap <= 0:
		return nil
	case all <= gap:
		for i := range courses {
			chosen = append(chosen, i)
		}
		return chosen
	}

	ways := make([]way, gap+longest)
	for t := range ways[1:] {
		ways[t+1] = noWay
	}
	// takes[i][t] tells whether the best way to t with the courses from i on takes i; of
	// equal ways the one that does.
	takes := make([][]bool, len(courses))
	for i := len(courses) - 1; i >= 0; i-- {
		takes[i] = make([]bool, len(ways))
		hours := int(courses[i].Hours)
		for t := len(ways) - 1; t >= hours && hours > 0; t-- {
			with := ways[t-hours]
			if with == noWay {
				continue
			}
			with.fee, with.courses = with.fee+courses[i].Fee, with.courses+1
			if with.compare(ways[t]) <= 0 {
				ways[t], takes[i][t] = with, true
			}
		}
	}
	best := int(gap)
	for t := best; t < len(ways); t++ {
		if ways[t].fee < ways[best].fee {
			best = t
		}
	}
	for i := range courses {
		if takes[i][best] {
			chosen, best = append(chosen, i), best-int(courses[i].Hours)
		}
	}
	return chosen
}

// way is what it takes to come to a number of hours.
type way struct {
	fee     lms.Money
	courses int
}

var noWay = way{math.MaxInt64, 0}

func (w way) compare(o way) int { return cmp.Or(cmp.Compare(w.fee, o.fee), w.courses-o.courses) }

// week is the days between two steps of a plan, where there are enough.
const week = 7

// spread proposes a day for each step, given the last day of each in ascending order, none
// of which is past: evenly until December 31 with a week at least between two of them. Where
// the last days leave less, they come closer together.
func spread(today lms.Date, last []lms.Date) []lms.Date {
	if len(last) == 0 {
		return nil
	}
	days, apart := make([]lms.Date, len(last)), week
	for apart > 0 && latest(last, apart)[0].Before(today) {
		apart--
	}
	bounds := latest(last, apart)
	room := min(week, today.DaysUntil(bounds[0])) // before the last days, for what comes between
	left := today.DaysUntil(lms.Date{Year: today.Year, Month: 12, Day: 31})
	step := max(apart, left/(len(last)+1))
	first := (left - (len(last)-1)*step) / 2
	for i := range days {
		days[i] = today.AddDays(first + i*step)
		if bound := bounds[i].AddDays(-room); days[i].After(bound) {
			days[i] = bound
		}
	}
	return days
}

// latest is how late each step can be with days apart between two of them.
func latest(last []lms.Date, apart int) []lms.Date {
	late := slices.Clone(last)
	for i := len(late) - 2; i >= 0; i-- {
		if next := late[i+1].AddDays(-apart); next.Before(late[i]) {
			late[i] = next
		}
	}
	return late
}
