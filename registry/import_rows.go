package registry

import (
	"math/big"
	"regexp"
	"strings"
	"time"

	"mopd/lms"
	"mopd/lms/sheet"
)

// Why a row of a file of records cannot be read.
var (
	ErrRecordTitle   = lms.NewError(lms.Invalid, "record_title")
	ErrRecordDate    = lms.NewError(lms.Invalid, "record_date")
	ErrRecordHours   = lms.NewError(lms.Invalid, "record_hours")
	ErrRecordTimes   = lms.NewError(lms.Invalid, "record_times") // of the session
	ErrRecordClock   = lms.NewError(lms.Invalid, "record_clock") // a time that the clocks showed twice, or never
	ErrRecordLong    = lms.NewError(lms.Invalid, "record_long")
	ErrRecordCourse  = lms.NewError(lms.Invalid, "record_course")   // no course here has the code
	ErrRecordSettled = lms.NewError(lms.Conflict, "record_settled") // it was decided about meanwhile
)

// The columns that a file of records must have, and those that it may have too.
var (
	recordColumns = []string{"mopd_id", "given", "family", "title", "hours", "completed_on"}
	moreColumns   = []string{"sponsor", "course_code", "starts", "ends", "safe_sleep", "reference"}
)

const (
	longestCell  = 300
	sessionLimit = 24 * time.Hour
)

// Said is what a row says of somebody's training.
type Said struct {
	MOPDID    lms.MOPDID `json:"mopd_id"`
	Given     string     `json:"given"`
	Family    string     `json:"family"`
	Title     string     `json:"title"`
	Sponsor   string     `json:"sponsor"`
	Course    string     `json:"course_code"` // of a course here; "" if it is none
	Hours     lms.Hours  `json:"quarters"`
	Rounded   bool       `json:"rounded"` // down to whole quarters
	On        lms.Date   `json:"completed_on"`
	Starts    *time.Time `json:"starts,omitempty"` // of the session; nil if it is not known
	Ends      *time.Time `json:"ends,omitempty"`
	SafeSleep bool       `json:"safe_sleep"`
	Reference string     `json:"reference"` // by which the earlier registry knows it
}

// EarnedAt is the instant of the completion: the end of the session, or of the day
// where only that is known (rules §2).
func (s Said) EarnedAt() time.Time {
	if s.Ends != nil {
		return *s.Ends
	}
	return s.On.End().Add(-time.Microsecond)
}

// readSaid reads a row.
//
// Errors: sheet.ErrMOPDID, sheet.ErrRow where a cell has lines, ErrRecordTitle, ErrRecordDate, ErrRecordHours,
// ErrRecordTimes, ErrRecordClock.
func readSaid(row sheet.Row, now time.Time) (s Said, err error) {
	s = Said{Given: row("given"), Family: row("family"), Title: row("title"), Sponsor: row("sponsor"),
		Course: row("course_code"), Reference: row("reference"), SafeSleep: isYes(row("safe_sleep"))}
	if s.MOPDID, err = row.MOPDID("mopd_id"); err != nil {
		return s, err
	}
	for _, cell := range []string{s.Title, s.Given, s.Family, s.Sponsor, s.Reference} {
		if strings.ContainsAny(cell, "\r\n") { // a quote that is not closed may have swallowed rows
			return Said{MOPDID: s.MOPDID}, sheet.ErrRow
		}
	}
	if s.Title == "" || len(s.Title) > longestCell {
		return s, ErrRecordTitle
	}
	for _, column := range []string{"given", "family", "sponsor", "reference"} {
		if len(row(column)) > longestCell {
			return Said{MOPDID: s.MOPDID}, ErrRecordLong
		}
	}
	if s.On, err = row.Day("completed_on"); err != nil || s.On.Year < 1990 || s.On.After(lms.DateOf(now)) {
		return s, ErrRecordDate
	}
	if s.Hours, s.Rounded, err = wholeQuarters(row("hours")); err != nil {
		return s, err
	}
	if row("starts") == "" && row("ends") == "" {
		return s, nil
	}
	starts, err := sessionTime(row("starts"), s.On)
	if err != nil {
		return s, err
	}
	ends, err := sessionTime(row("ends"), s.On)
	if err != nil {
		return s, err
	}
	if !starts.Before(ends) || ends.Sub(starts) > sessionLimit || lms.DateOf(ends) != s.On || ends.After(now) {
		return s, ErrRecordTimes
	}
	s.Starts, s.Ends = &starts, &ends
	return s, nil
}

func isYes(typed string) bool {
	switch strings.ToLower(typed) {
	case "yes", "y", "true", "1", "sí", "si":
		return true
	}
	return false
}

var decimal = regexp.MustCompile(`^[0-9]{1,3}([.][0-9]{1,6})?$`)

// wholeQuarters reads clock hours, and tells whether it rounded them down (rules,
// opening).
func wholeQuarters(typed string) (hours lms.Hours, rounded bool, err error) {
	if !decimal.MatchString(typed) {
		return 0, false, ErrRecordHours
	}
	exact, _ := new(big.Rat).SetString(typed)
	exact.Mul(exact, big.NewRat(4, 1))
	quarters := new(big.Int).Quo(exact.Num(), exact.Denom())
	hours = lms.Hours(quarters.Int64())
	if hours <= 0 || hours > mostHours {
		return 0, false, ErrRecordHours
	}
	return hours, !exact.IsInt(), nil
}

// The ways in which a time is written: with its offset from UTC, or as clocks show it in
// America/Chicago.
var (
	offsetTimes = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"}
	clockTimes  = []string{"2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "1/2/2006 15:04", "1/2/2006 3:04 PM", "2006-01-02 3:04 PM"}
)

// sessionTime reads an instant, of a day where only the time is written. One that clocks
// showed twice needs its offset.
//
// Errors: ErrRecordTimes, ErrRecordClock.
func sessionTime(typed string, on lms.Date) (time.Time, error) {
	if !strings.ContainsAny(typed, "-/") {
		typed = on.String() + " " + typed
	}
	for _, layout := range offsetTimes {
		if t, err := time.Parse(layout, typed); err == nil {
			return t.UTC(), nil
		}
	}
	for _, layout := range clockTimes {
		t, err := time.ParseInLocation(layout, typed, lms.Central)
		if err != nil {
			continue
		}
		shown := func(t time.Time) string { return t.In(lms.Central).Format(layout) }
		plain, _ := time.Parse(layout, typed)
		if shown(t) != plain.Format(layout) || shown(t) == shown(t.Add(time.Hour)) || shown(t) == shown(t.Add(-time.Hour)) {
			return time.Time{}, ErrRecordClock
		}
		return t.UTC(), nil
	}
	return time.Time{}, ErrRecordTimes
}
