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
	Years []int // that can be chosen
	Bar   web.YearBar
	Rows  []reportRow
}

type reportRow struct {
	creditRow
	From lms.Date // first creditable day, where the same course stood in the way
}

func (h handlers) report(c *fiber.Ctx) error {
	today := lms.DateOf(h.web.Now())
	year := c.QueryInt("year", today.Year)
	if year != today.Year && year != today.Year-1 {
		return lms.ErrNotFound
	}
	page := reportPage{Page: h.web.Page(c), Years: []int{today.Year, today.Year - 1}}
	err := pg.InTx(c.UserContext(), h.DB, func(tx pgx.Tx) error {
		p := web.Viewer(c).ID
		earned, required, err := h.Year(c.UserContext(), tx, p, year)
		if err != nil {
			return err
		}
		page.Bar = web.NewYearBar(year, earned, required, today)
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
