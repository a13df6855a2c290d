package registry

import (
	"encoding/json"
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

type reportPage struct {
	web.Page
	Year     int
	Years    []int // that can be chosen
	Rows     []reportRow
	Earned   lms.Hours
	Required lms.Hours
	ToGo     lms.Hours
	LastDay  lms.Date // of the year
}

type reportRow struct {
	creditRow
	From lms.Date // first creditable day, where the same course stood in the way
}

func (h handlers) report(c *fiber.Ctx) error {
	now := h.web.Now()
	thisYear := lms.DateOf(now).Year
	year := c.QueryInt("year", thisYear)
	if year != thisYear && year != thisYear-1 {
		return lms.ErrNotFound
	}
	page := reportPage{Page: h.web.Page(c), Year: year, Years: []int{thisYear, thisYear - 1}, LastDay: lms.Date{Year: year, Month: 12, Day: 31}}
	err := pg.InTx(c.UserContext(), h.DB, func(tx pgx.Tx) (err error) {
		p := web.Viewer(c).ID
		if page.Earned, page.Required, err = h.Year(c.UserContext(), tx, p, year); err != nil {
			return err
		}
		rows, err := selectCredits(c.UserContext(), tx, p, year)
		if err != nil {
			return err
		}
		page.Rows, err = reportRows(rows)
		return err
	})
	if err != nil {
		return err
	}
	page.ToGo = max(0, page.Required-page.Earned)
	return h.web.Render(c, "registry/report", page)
}

func reportRows(credits []creditRow) ([]reportRow, error) {
	var rows []reportRow
	for _, credit := range credits {
		row := reportRow{creditRow: credit}
		var args struct{ From string }
		if err := json.Unmarshal(credit.ReasonArgs, &args); err != nil {
			return nil, fmt.Errorf("reason of credit %d: %w", credit.ID, err)
		}
		if args.From != "" {
			from, err := lms.ParseDate(args.From)
			if err != nil {
				return nil, fmt.Errorf("reason of credit %d: %w", credit.ID, err)
			}
			row.From = from
		}
		rows = append(rows, row)
	}
	return rows, nil
}
