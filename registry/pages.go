package registry

import (
	"net/url"
	"strconv"

	"mopd/lms"
	"mopd/lms/web"
)

// momentPage is a page about somebody as of a moment.
type momentPage struct {
	web.Page
	Person lms.PersonID
	Base   string // address of the page
	Moment Moment
	Asked  bool // another moment than now
}

// KnownTyped is the instant as a form takes it.
func (p momentPage) KnownTyped() string { return p.Moment.Known.In(lms.Central).Format(typedInstant) }

// View is a year of somebody's record, as every report shows it (templates/_record.html).
type View struct {
	Record Record
	Bar    web.YearBar
	Year   AllocatedYear
	Rows   []reportRow
	Later  []reportRow // of later years, that made up something of this one
}

func viewOf(r Record, year int) (v View, err error) {
	v = View{Record: r, Bar: web.NewYearBar(r.Standing(year), r.Through), Year: r.Year(year)}
	v.Rows, v.Later, err = reportRows(r, year)
	return v, err
}

// reportPage is a report whose year and moment can be chosen.
type reportPage struct {
	momentPage
	View
	Years []int // that can be chosen
	PDF   bool  // can be made
}

// At is the address of a year's report at the same moment, as a file where an ending says
// so; year 0 is all that can be chosen.
func (p reportPage) At(ending string, year int) string {
	q := url.Values{}
	if year != 0 {
		q.Set("year", strconv.Itoa(year))
	}
	if p.Asked {
		q.Set("through", p.Moment.Through.String())
		q.Set("known", p.KnownTyped())
	}
	if len(q) == 0 {
		return p.Base + ending
	}
	return p.Base + ending + "?" + q.Encode()
}

// printedPage is a report as it is printed and as a file.
type printedPage struct {
	web.Page
	View
	Code   Code   // "" if nobody can check it
	Origin string // where the code is checked
	PDF    string // address of the file; "" if none can be made
}

// safeSleepPage is the history of somebody's safe sleep training.
type safeSleepPage struct {
	momentPage
	Record Record
	Back   string // address of the report
	Own    bool   // the viewer's
}

// Renew tells whether the viewer should look for a course.
func (p safeSleepPage) Renew() bool {
	return p.Own && !p.Asked && p.Record.SafeSleep.State != lms.SafeSleepCurrent
}

// reportRow is a credit with where it counts.
type reportRow struct {
	Recorded
	From  lms.Date // first creditable day, where the same course stood in the way
	Parts []Part
	Here  lms.Hours // of it, for the year of the report
	Link  string    // to the credit, for who looks after records
	Ask   string    // where its person asks a registrar to look at it
	Asked bool      // they did, and it waits
}

// SourceText is the key of the words for where the credit comes from.
func (r reportRow) SourceText() string { return "registry.report.source_" + r.Source }

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
