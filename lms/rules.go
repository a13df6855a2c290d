package lms

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// PolicyKind names a rule that may change with time.
type PolicyKind string

// The kinds of policy and their values (rules §1, §4, §5, §6).
const (
	AnnualHours    PolicyKind = "annual_hours"  // clock hours, such as "12"
	Proration      PolicyKind = "proration"     // ByMonth or NotProrated
	WindowPolicy   PolicyKind = "window"        // FromRegistration, FromFirstLaunch or CalendarYearEnd
	RepeatCredit   PolicyKind = "repeat_credit" // TwelveMonths or CalendarYear
	SafeSleepYears PolicyKind = "safe_sleep"    // years for which a completion is valid, such as "3"
)

// PolicyKinds lists every kind.
var PolicyKinds = []PolicyKind{AnnualHours, Proration, WindowPolicy, RepeatCredit, SafeSleepYears}

// The values of the proration, window and repeat-credit policies.
const (
	ByMonth          = "by_month" // an hour for each calendar month touched by employment
	NotProrated      = "none"     // all of the year's hours
	FromRegistration = "from_registration"
	FromFirstLaunch  = "from_first_launch"
	CalendarYearEnd  = "calendar_year_end"
	TwelveMonths     = "twelve_months"
	CalendarYear     = "calendar_year"
)

// Policy is one value of a rule, in force from a day on until a later one of its
// kind. A change of rule is a new policy: it never rewrites the past.
type Policy struct {
	ID    PolicyID
	Kind  PolicyKind
	Value string
	From  Date
}

// Policies are all policies on record, of every kind.
type Policies []Policy

// On is the policy of a kind that a day picks: the latest one in force by then, of
// several from the same day the one recorded last. Which day picks: annual hours and
// proration, January 1 of the year; window, the day of registration; repeat credit and
// safe sleep, the day of completion (rules, opening).
func (ps Policies) On(kind PolicyKind, day Date) (Policy, error) {
	var found *Policy
	for i, p := range ps {
		if p.Kind == kind && !p.From.After(day) && (found == nil || cmp.Or(p.From.Compare(found.From), cmp.Compare(p.ID, found.ID)) > 0) {
			found = &ps[i]
		}
	}
	if found == nil {
		return Policy{}, fmt.Errorf("no %s policy on %s", kind, day)
	}
	return *found, nil
}

// Required is how many clock hours a full year asks for (rules §1).
func (ps Policies) Required(year int) (Hours, error) {
	n, err := ps.number(AnnualHours, Date{year, 1, 1})
	return Hours(4 * n), err
}

// SafeSleepThrough is the last day on which safe sleep training completed on a day is
// valid (rules §6).
func (ps Policies) SafeSleepThrough(done Date) (Date, error) {
	years, err := ps.number(SafeSleepYears, done)
	return done.AddMonths(12 * years), err
}

// number is the value of a policy that is one.
func (ps Policies) number(kind PolicyKind, day Date) (int, error) {
	p, err := ps.On(kind, day)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(p.Value)
	if err != nil {
		return 0, fmt.Errorf("%s policy %d: %w", kind, p.ID, err)
	}
	return n, nil
}

// CanRegister tells why a person may not register for a course, given their
// enrollments. A course is open while it has a published version and an approval;
// of one course there is one open enrollment.
//
// Errors: ErrCourseNotOpen, ErrAlreadyEnrolled.
func CanRegister(c Course, enrollments []Enrollment) error {
	if !c.OpenForRegistration() {
		return ErrCourseNotOpen.With("Title", c.Title)
	}
	if slices.ContainsFunc(enrollments, func(e Enrollment) bool { return e.Course == c.ID && e.State.Open() }) {
		return ErrAlreadyEnrolled.With("Title", c.Title)
	}
	return nil
}

// CanStart tells why a person may not make an enrollment their one active course
// on a day, given all their enrollments (rules §3).
//
// Errors: ErrAlreadyCompleted, ErrRefunded, ErrWindowOver, ErrAnotherActive.
func CanStart(e Enrollment, enrollments []Enrollment, today Date) error {
	if err := ended(e, today); err != nil {
		return err
	}
	for _, other := range enrollments {
		if other.State == Active && other.ID != e.ID {
			return ErrAnotherActive.With("Title", other.Title).With("Enrollment", other.ID)
		}
	}
	return nil
}

// CanLaunch tells why the player may not open an enrollment on a day.
//
// Errors: ErrAlreadyCompleted, ErrRefunded, ErrWindowOver, ErrNotActive.
func CanLaunch(e Enrollment, today Date) error {
	if err := ended(e, today); err != nil {
		return err
	}
	if e.State != Active {
		return ErrNotActive.With("Title", e.Title)
	}
	return nil
}

func ended(e Enrollment, today Date) error {
	switch {
	case e.State == Completed:
		return ErrAlreadyCompleted.With("Title", e.Title)
	case e.State == Revoked:
		return ErrRefunded.With("Title", e.Title)
	case e.Over(today):
		return ErrWindowOver.With("Title", e.Title).With("Last", e.LastDay)
	default:
		return nil
	}
}

// Window is the last day on which an enrollment can be completed, under the
// policy of its day of registration (rules §4). firstLaunched is nil while it was
// never launched.
func Window(policy string, registered Date, firstLaunched *Date) (Date, error) {
	year := registered.AddMonths(12)
	switch policy {
	case FromRegistration:
		return year, nil
	case FromFirstLaunch:
		if firstLaunched == nil || firstLaunched.After(year) {
			return year, nil
		}
		return firstLaunched.AddMonths(12), nil
	case CalendarYearEnd:
		return Date{registered.Year, 12, 31}, nil
	default:
		return Date{}, fmt.Errorf("unknown window policy %q", policy)
	}
}

// CanExtend tells why a registrar may not move the last day of an enrollment to a day,
// given all enrollments of its person: the day is later than the last day that stands, is
// not over, and is at most twelve months off, which is a whole window (rules §4).
//
// Errors: ErrForm with field last_day, ErrAlreadyCompleted, ErrRefunded, ErrAlreadyEnrolled
// where the course is registered for again.
func CanExtend(e Enrollment, enrollments []Enrollment, to, today Date) error {
	again := func(other Enrollment) bool { return other.ID != e.ID && other.Course == e.Course && other.State.Open() }
	switch {
	case e.State == Completed:
		return ErrAlreadyCompleted.With("Title", e.Title)
	case e.State == Revoked:
		return ErrRefunded.With("Title", e.Title)
	case slices.ContainsFunc(enrollments, again):
		return ErrAlreadyEnrolled.With("Title", e.Title)
	case !to.After(e.LastDay) || to.Before(today):
		return ErrForm.WithField("last_day", "extension_later")
	case to.After(today.AddMonths(12)):
		return ErrForm.WithField("last_day", "extension_long")
	default:
		return nil
	}
}

// BlockOf is the range of days in which a credit earned on a day keeps the same
// course from earning again, under the policy of that day (rules §5).
func BlockOf(policy string, earned Date) (DateRange, error) {
	switch policy {
	case TwelveMonths:
		return DateRange{earned, earned.AddMonths(12)}, nil
	case CalendarYear:
		return DateRange{earned, Date{earned.Year + 1, 1, 1}}, nil
	default:
		return DateRange{}, fmt.Errorf("unknown repeat credit policy %q", policy)
	}
}

// CanEarn tells why a completion whose block would be during cannot earn, given
// the blocks of the course's standing credits.
//
// Errors: ErrEarnsAgain, with the first creditable day as From.
func CanEarn(standing []Block, during DateRange) error {
	var from Date
	for _, b := range standing {
		if b.During.Overlaps(during) && b.During.Until.After(from) {
			from = b.During.Until
		}
	}
	if from.IsZero() {
		return nil
	}
	return ErrEarnsAgain.With("From", from)
}

// MergeOpen tells what becomes of the open enrollments of two profiles of one person:
// those of the profile that goes move to the one that stays, except of courses that it
// has open itself. These end, their progress kept.
func MergeOpen(goes, stays []Enrollment) (moved, ended []Enrollment) {
	for _, e := range goes {
		switch same := func(other Enrollment) bool { return other.Course == e.Course && other.State.Open() }; {
		case !e.State.Open():
		case slices.ContainsFunc(stays, same):
			ended = append(ended, e)
		default:
			moved = append(moved, e)
		}
	}
	return moved, ended
}

// Gap is what the year and the earlier ones lack together.
func (s YearStanding) Gap() Hours {
	gap := max(0, s.Required-s.Counted)
	for _, owed := range s.Owed {
		gap += owed.Hours
	}
	return gap
}

// Earn is for which years clock hours count that are earned next in the year, the earlier
// ones first (rules §2), and how the years stand then.
func (s YearStanding) Earn(hours Hours) (parts []YearHours, after YearStanding) {
	after, after.Owed = s, nil
	for _, owed := range s.Owed {
		given := min(owed.Hours, hours)
		if given > 0 {
			parts, hours = append(parts, YearHours{owed.Year, given}), hours-given
		}
		if owed.Hours > given {
			after.Owed = append(after.Owed, YearHours{owed.Year, owed.Hours - given})
		}
	}
	if hours > 0 {
		parts, after.Counted = append(parts, YearHours{s.Year, hours}), s.Counted+hours
	}
	return parts, after
}
