package registry

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// momentOf is what a form asks for; what it does not say, or nobody can know yet, is now.
func momentOf(through, known string, now time.Time) Moment {
	m := Now(now)
	if through, err := lms.ParseDate(through); err == nil && through.Before(m.Through) {
		m.Through = through
	}
	if known, err := time.ParseInLocation(typedInstant, known, lms.Central); err == nil && known.Before(now) {
		m.Known = known
	}
	return m
}

// momentPage is a page about somebody as of the moment that the address asks for.
func (h handlers) momentPage(c *fiber.Ctx, p lms.Person, base string) momentPage {
	page := momentPage{Page: h.web.Page(c), Person: p, Base: base}
	page.Moment = momentOf(c.Query("through"), c.Query("known"), page.Now)
	page.Asked = page.Moment != Now(page.Now)
	return page
}

func (h handlers) report(c *fiber.Ctx) error {
	return h.reportOf(c, web.Viewer(c).Person, "/report")
}

// recordOf is the report of somebody else, for those who look after people.
func (h handlers) recordOf(c *fiber.Ctx) error {
	id, err := number[lms.PersonID](c)
	if err != nil {
		return err
	}
	p, err := h.People.LookAtPerson(c.UserContext(), *web.Viewer(c), id, web.From(c), h.web.Now())
	if err != nil {
		return err
	}
	return h.reportOf(c, p, fmt.Sprintf("/people/%d/record", p.ID))
}

func (h handlers) reportOf(c *fiber.Ctx, p lms.Person, base string) error {
	page := reportPage{momentPage: h.momentPage(c, p, base)}
	this := page.Moment.Through.Year
	year := c.QueryInt("year", this)
	err := pg.InTx(c.UserContext(), h.DB, func(tx pgx.Tx) error {
		r, err := h.Record(c.UserContext(), tx, p.ID, page.Moment)
		if err != nil {
			return err
		}
		page.Years = r.shown(base != "/report")
		if !slices.Contains(page.Years, year) {
			return lms.ErrNotFound
		}
		if page.UnderReview, err = selectUnderReview(c.UserContext(), tx, p.ID); err != nil {
			return err
		}
		page.Bar = web.NewYearBar(r.Standing(year), page.Moment.Through)
		page.Year, page.SafeSleep = r.Year(year), r.SafeSleep
		page.Rows, page.Later, err = reportRows(r, year)
		return err
	})
	if err != nil {
		return err
	}
	return h.web.Render(c, "registry/report", page)
}

func (h handlers) safeSleep(c *fiber.Ctx) error {
	return h.safeSleepOf(c, web.Viewer(c).Person, "/report/safe-sleep")
}

// safeSleepOfPerson is the history of somebody else, for those who look after people.
func (h handlers) safeSleepOfPerson(c *fiber.Ctx) error {
	id, err := number[lms.PersonID](c)
	if err != nil {
		return err
	}
	p, err := h.People.LookAtPerson(c.UserContext(), *web.Viewer(c), id, web.From(c), h.web.Now())
	if err != nil {
		return err
	}
	return h.safeSleepOf(c, p, fmt.Sprintf("/people/%d/safe-sleep", p.ID))
}

func (h handlers) safeSleepOf(c *fiber.Ctx, p lms.Person, base string) error {
	page := safeSleepPage{momentPage: h.momentPage(c, p, base)}
	err := pg.InTx(c.UserContext(), h.DB, func(tx pgx.Tx) error {
		r, err := h.Record(c.UserContext(), tx, p.ID, page.Moment)
		page.SafeSleep, page.Rows = r.SafeSleep, r.Trainings
		return err
	})
	if err != nil {
		return err
	}
	return h.web.Render(c, "registry/safe_sleep", page)
}

// number is the one of the address.
func number[T ~int64](c *fiber.Ctx) (T, error) {
	n, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return 0, lms.ErrNotFound.Because(errors.New("no number"))
	}
	return T(n), nil
}
