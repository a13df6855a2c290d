package registry

import (
	"time"

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

// typedInstant is how browsers write an instant of a form (HTML, datetime-local); it is
// meant in America/Chicago.
const typedInstant = "2006-01-02T15:04"

// moment is what an address asks for; what it does not say, or nobody can know yet, is
// now.
func moment(c *fiber.Ctx, now time.Time) Moment {
	m := Now(now)
	if through, err := lms.ParseDate(c.Query("through")); err == nil && through.Before(m.Through) {
		m.Through = through
	}
	if known, err := time.ParseInLocation(typedInstant, c.Query("known"), lms.Central); err == nil && known.Before(now) {
		m.Known = known
	}
	return m
}

func (h handlers) report(c *fiber.Ctx) error {
	page := reportPage{Page: h.web.Page(c)}
	page.Moment = moment(c, page.Now)
	page.Asked = page.Moment != Now(page.Now)
	this := page.Moment.Through.Year
	page.Years = []int{this, this - 1}
	year := c.QueryInt("year", this)
	if year != this && year != this-1 {
		return lms.ErrNotFound
	}
	err := pg.InTx(c.UserContext(), h.DB, func(tx pgx.Tx) error {
		r, err := h.Record(c.UserContext(), tx, page.Viewer.ID, page.Moment)
		if err != nil {
			return err
		}
		page.Bar = web.NewYearBar(r.Standing(year), page.Moment.Through)
		page.Year = r.Year(year)
		page.Rows, page.Later, err = reportRows(r, year)
		return err
	})
	if err != nil {
		return err
	}
	return h.web.Render(c, "registry/report", page)
}
