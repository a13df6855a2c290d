package registry

import (
	"slices"

	"mopd/lms"
)

// reminderKind says of what somebody is reminded.
type reminderKind string

// The kinds of reminder.
const (
	ofWindow    reminderKind = "window"     // an enrollment's window ends (rules §4)
	ofYear      reminderKind = "year"       // the year ends, and clock hours are missing (rules §1)
	ofSafeSleep reminderKind = "safe_sleep" // safe sleep is to be renewed (rules §6)
)

// remindersFor are, for each kind, how many days before the last day a reminder is due,
// the earliest first.
var remindersFor = map[reminderKind][]int{
	ofWindow:    {30, 10, 1},
	ofYear:      {60, 30, 10},
	ofSafeSleep: {dueDays},
}

// occasion is a last day of which somebody is reminded.
type occasion struct {
	Kind       reminderKind
	Enrollment lms.EnrollmentID // whose window ends; 0 of the other kinds
	LastDay    lms.Date
}

// reminder is one that is sent: so many days before the last day it fell due.
type reminder struct {
	occasion
	Days int
}

// occasionsOf are the last days of which somebody is reminded: of their open enrollments,
// of the year while clock hours are missing, and of their safe sleep training.
func occasionsOf(today lms.Date, windows []window, standing lms.YearStanding, safeSleep lms.SafeSleep) (list []occasion) {
	for _, w := range windows {
		list = append(list, occasion{ofWindow, w.Enrollment, w.LastDay})
	}
	if missing(standing) > 0 {
		list = append(list, occasion{Kind: ofYear, LastDay: yearEnd(today)})
	}
	if safeSleep.State == lms.SafeSleepDue {
		list = append(list, occasion{Kind: ofSafeSleep, LastDay: safeSleep.Through})
	}
	return list
}

// remindersDue are the reminders to send today, in the order of the occasions. Each is
// due from its day on until the next one of the occasion is, the last one through the
// last day: who was not reminded in time gets the one that fits today, not all that were
// missed.
func remindersDue(today lms.Date, occasions []occasion, sent []reminder) (due []reminder) {
	for _, o := range occasions {
		r := reminder{o, dueBefore(o.Kind, today.DaysUntil(o.LastDay))}
		if r.Days > 0 && !slices.Contains(sent, r) {
			due = append(due, r)
		}
	}
	return due
}

// dueBefore tells which reminder of a kind is due so many days before the last day: 0 for
// none.
func dueBefore(kind reminderKind, left int) (due int) {
	for _, days := range remindersFor[kind] {
		if left >= 0 && left <= days {
			due = days
		}
	}
	return due
}

// yearEnd is the last day of a day's year.
func yearEnd(day lms.Date) lms.Date { return lms.Date{Year: day.Year, Month: 12, Day: 31} }

// missing is how many clock hours somebody lacks to meet their year and all before it. A
// year that asks for nothing makes nobody catch up: who left the field is left alone.
func missing(s lms.YearStanding) lms.Hours {
	if s.Required == 0 {
		return 0
	}
	return s.Gap()
}
