package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"mopd/lms"
	"mopd/lms/web"
)

// momentPage is a page about somebody as of a moment.
type momentPage struct {
	web.Page
	Person lms.Person
	Base   string // address of the page
	Moment Moment
	Asked  bool // another moment than now
}

// Own tells whether the viewer looks at their own report.
func (p momentPage) Own() bool { return p.Person.ID == p.Viewer.ID }

// KnownTyped is the instant as a form takes it.
func (p momentPage) KnownTyped() string { return p.Moment.Known.In(lms.Central).Format(typedInstant) }

type reportPage struct {
	momentPage
	Code        Code   // of a report that was made to be printed
	Origin      string // where the code is checked
	Years       []int  // that can be chosen
	Bar         web.YearBar
	Year        AllocatedYear
	SafeSleep   lms.SafeSleep
	Rows        []reportRow
	Later       []reportRow // of later years, that made up something of this one
	UnderReview []lms.CreditID
}

// MayAsk tells whether the viewer can ask a registrar to look at a credit.
func (p reportPage) MayAsk(r reportRow) bool {
	return p.Own() && r.Status != lms.Credited && !slices.Contains(p.UnderReview, r.ID)
}

// Asks tells whether a credit waits for a registrar's answer.
func (p reportPage) Asks(r reportRow) bool { return slices.Contains(p.UnderReview, r.ID) }

// At is the address of a year's report at the same moment.
func (p reportPage) At(year int) string {
	q := url.Values{"year": {strconv.Itoa(year)}}
	if p.Asked {
		q.Set("through", p.Moment.Through.String())
		q.Set("known", p.KnownTyped())
	}
	return p.Base + "?" + q.Encode()
}

// SafeSleepAt is the address of the history of safe sleep training.
func (p reportPage) SafeSleepAt() string {
	if p.Base == "/report" {
		return "/report/safe-sleep"
	}
	return fmt.Sprintf("/people/%d/safe-sleep", p.Person.ID)
}

type safeSleepPage struct {
	momentPage
	SafeSleep lms.SafeSleep
	Rows      []training
}

// reportRow is a credit with where it counts.
type reportRow struct {
	Recorded
	From  lms.Date // first creditable day, where the same course stood in the way
	Parts []Part
	Here  lms.Hours // of it, for the year of the report
}

// Elsewhere tells whether some of the credit counts for another year than its own.
func (r reportRow) Elsewhere() bool {
	return len(r.Parts) > 1 || len(r.Parts) == 1 && r.Parts[0].Year != r.EarnedOn.Year
}

// reportRows are the credits of a year, and those of later years that made up something
// of it.
func reportRows(r Record, year int) (rows, later []reportRow, err error) {
	for _, c := range r.Credits {
		row := reportRow{Recorded: c, Parts: r.Of(c.ID)}
		if row.From, err = c.Again(); err != nil {
			return nil, nil, err
		}
		for _, p := range row.Parts {
			if p.Year == year {
				row.Here = p.Hours
			}
		}
		switch {
		case c.EarnedOn.Year == year:
			rows = append(rows, row)
		case row.Here > 0:
			later = append(later, row)
		}
	}
	return rows, later, nil
}
