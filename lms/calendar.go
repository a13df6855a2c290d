package lms

import (
	"cmp"
	"fmt"
	"time"
	_ "time/tzdata" // days are Central on every machine, whatever it has installed
)

// Central is the zone in which every day of this product begins and ends.
var Central = mustLoad("America/Chicago")

func mustLoad(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

// Date is a calendar day in America/Chicago. The zero Date is no day.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the Central day in which the instant t lies.
func DateOf(t time.Time) Date {
	y, m, d := t.In(Central).Date()
	return Date{y, m, d}
}

// ParseDate reads "2026-03-15" (ISO 8601 calendar date).
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("date %q: want YYYY-MM-DD", s)
	}
	y, m, d := t.Date()
	return Date{y, m, d}, nil
}

// String is the ISO 8601 calendar date.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// IsZero tells whether d is no day.
func (d Date) IsZero() bool { return d == Date{} }

// Compare orders days: -1, 0 or +1.
func (d Date) Compare(o Date) int {
	return cmp.Or(cmp.Compare(d.Year, o.Year), cmp.Compare(d.Month, o.Month), cmp.Compare(d.Day, o.Day))
}

// Before tells whether d is an earlier day than o.
func (d Date) Before(o Date) bool { return d.Compare(o) < 0 }

// After tells whether d is a later day than o.
func (d Date) After(o Date) bool { return d.Compare(o) > 0 }

// Start is the first instant of the day.
func (d Date) Start() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, Central) }

// End is the first instant after the day: the last day of a window counts in
// full, to 23:59:59 Central (rules §4).
func (d Date) End() time.Time { return d.AddDays(1).Start() }

// AddDays is the day n days later.
func (d Date) AddDays(n int) Date {
	y, m, day := time.Date(d.Year, d.Month, d.Day+n, 12, 0, 0, 0, time.UTC).Date()
	return Date{y, m, day}
}

// FirstOfMonth is the first day of the day's month.
func (d Date) FirstOfMonth() Date { return Date{Year: d.Year, Month: d.Month, Day: 1} }

// AddMonths is the same day n months later, clamped to that month's last day, as
// Postgres adds intervals: February 29 + 12 months is February 28.
func (d Date) AddMonths(n int) Date {
	first := time.Date(d.Year, d.Month+time.Month(n), 1, 12, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return Date{first.Year(), first.Month(), min(d.Day, last)}
}

// DaysUntil is the number of days from d to o; negative when o is earlier.
func (d Date) DaysUntil(o Date) int {
	utc := func(d Date) time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }
	return int(utc(o).Sub(utc(d)) / (24 * time.Hour))
}

// DateRange is the half-open range of days [From, Until).
type DateRange struct{ From, Until Date }

// Contains tells whether the day lies in the range.
func (r DateRange) Contains(d Date) bool { return !d.Before(r.From) && d.Before(r.Until) }

// Overlaps tells whether the two ranges share a day.
func (r DateRange) Overlaps(o DateRange) bool {
	return r.From.Before(o.Until) && o.From.Before(r.Until)
}
