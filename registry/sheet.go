package registry

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"mopd/lms"
	"mopd/lms/sheet"
)

// The columns of a report as a table (rules §9), in their order, as keys of their heads. Every
// row says whose it is and of which moment; the rest is filled where the row is about it and
// empty elsewhere, so that each column adds up.
var (
	personColumns   = []string{"kind", "name", "mopd_id", "role", "safe_sleep", "safe_sleep_through"}
	yearColumns     = []string{"year", "required", "earned", "applied", "made_up", "counted", "short"}
	trainingColumns = []string{"date", "course", "sponsor", "hours", "here", "where", "stands", "source"}
	workColumns     = []string{"employer", "hired", "left"}
	momentColumns   = []string{"through", "known"}
)

// writeSheet writes years of a record as a table: a row for each work, for each year, and for
// each training that was completed in the year or counts for it. text gives the words of keys.
func writeSheet(to io.Writer, r Record, years []int, text func(key string) string) error {
	head := slices.Concat(personColumns, yearColumns, trainingColumns, workColumns, momentColumns)
	for i, column := range head {
		head[i] = text("registry.csv." + column)
	}
	table, err := sheet.NewWriter(to, head...)
	if err != nil {
		return err
	}
	known := r.Known.In(lms.Central).Format("2006-01-02 15:04")
	row := func(kind string, year, training, work []string) []string {
		return slices.Concat([]string{text(kind), r.Name, strconv.Itoa(int(r.MOPDID)), text("registry.csv.caregiver"), typedDay(r.SafeSleep.DoneOn), typedDay(r.SafeSleep.Through)},
			cells(yearColumns, year), cells(trainingColumns, training), cells(workColumns, work), []string{r.Through.String(), known})
	}
	var rows [][]string
	for _, e := range r.Employed {
		rows = append(rows, row("registry.csv.kind_work", nil, nil, []string{e.Employer, e.HiredOn.String(), typedDay(e.LeftOn)}))
	}
	for _, year := range years {
		v, err := viewOf(r, year)
		if err != nil {
			return err
		}
		y := v.Year
		rows = append(rows, row("registry.csv.kind_year", []string{strconv.Itoa(year), y.Hours.String(), y.Earned.String(), y.Applied.String(), y.MadeUp.String(), y.Counted().String(), y.Short().String()}, nil, nil))
		for _, t := range append(v.Rows, v.Later...) {
			hours := ""
			if t.EarnedOn.Year == year {
				hours = t.Hours.String() // once, in its own year
			}
			rows = append(rows, row("registry.csv.kind_training", []string{strconv.Itoa(year)}, []string{t.EarnedOn.String(), t.Title, t.Sponsor, hours, t.Here.String(), where(t.Parts), text(t.Stands()), text(t.SourceText())}, nil))
		}
	}
	return table.Write(rows...)
}

// cells are those of a row under some columns; of none, empty ones.
func cells(columns, filled []string) []string {
	return append(slices.Clone(filled), make([]string, len(columns)-len(filled))...)
}

// where is for which years the hours of a credit count.
func where(parts []Part) string {
	list := make([]string, len(parts))
	for i, p := range parts {
		list[i] = fmt.Sprintf("%d: %s", p.Year, p.Hours)
	}
	return strings.Join(list, "; ")
}
