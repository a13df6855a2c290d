package registry

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/sheet"
	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

// typedInstant is how browsers write an instant of a form (HTML, datetime-local); it is
// meant in America/Chicago.
const typedInstant = "2006-01-02T15:04"

// began is when the record did: its first policies were recorded then.
var began = lms.Date{Year: 2026, Month: 1, Day: 1}.Start()

// momentOf is what a form asks for; what it does not say, or nobody can know yet, is
// now. Nothing was known before the record began.
func momentOf(through, known string, now time.Time) Moment {
	m := Now(now)
	if through, err := lms.ParseDate(through); err == nil && through.Before(m.Through) {
		m.Through = through
	}
	if known, err := time.ParseInLocation(typedInstant, known, lms.Central); err == nil && known.Before(now) {
		m.Known = known
	}
	if m.Known.Before(began) {
		m.Known = began
	}
	return m
}

// momentPage is a page about somebody as of the moment that the address asks for.
func (h handlers) momentPage(c *fiber.Ctx, p lms.PersonID, base string) momentPage {
	page := momentPage{Page: h.web.Page(c), Person: p, Base: base}
	page.Moment = momentOf(c.Query("through"), c.Query("known"), page.Now)
	page.Asked = page.Moment != Now(page.Now)
	return page
}

func (h handlers) report(c *fiber.Ctx) error {
	page, err := h.reportOf(c, web.Viewer(c).ID, "/report", false)
	if err != nil {
		return err
	}
	under, err := selectUnderReview(c.UserContext(), h.DB, page.Person)
	if err != nil {
		return err
	}
	for i, r := range page.Rows {
		if slices.Contains(under, r.ID) {
			page.Rows[i].Asked = true
		} else if r.Status != lms.Credited || r.Hours < r.Claimed {
			page.Rows[i].Ask = fmt.Sprintf("/report/credits/%d/review", r.ID)
		}
	}
	return h.web.Render(c, "registry/report", page)
}

func (h handlers) reportCSV(c *fiber.Ctx) error {
	return h.sendCSV(c, web.Viewer(c).ID, false)
}

// recordOf is the report of somebody else, for those who look after people.
func (h handlers) recordOf(c *fiber.Ctx) error {
	id, err := h.lookedAt(c)
	if err != nil {
		return err
	}
	page, err := h.reportOf(c, id, fmt.Sprintf("/people/%d/record", id), true)
	if err != nil {
		return err
	}
	if page.May(lms.Identify) {
		for i, r := range page.Rows {
			page.Rows[i].Link = fmt.Sprintf("/records/%d", r.ID)
		}
	}
	return h.web.Render(c, "registry/record", page)
}

func (h handlers) recordCSV(c *fiber.Ctx) error {
	id, err := h.lookedAt(c)
	if err != nil {
		return err
	}
	return h.sendCSV(c, id, true)
}

func (h handlers) recordPDF(c *fiber.Ctx) error {
	id, err := h.lookedAt(c)
	if err != nil {
		return err
	}
	page, err := h.reportOf(c, id, "", true)
	if err != nil {
		return err
	}
	return h.sendPDF(c, printedPage{Page: page.Page, View: page.View})
}

// lookedAt is the person of the address, once it is written down that the viewer looks.
func (h handlers) lookedAt(c *fiber.Ctx) (lms.PersonID, error) {
	id, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return 0, err
	}
	p, err := h.People.LookAtPerson(c.UserContext(), *web.Viewer(c), id, web.From(c), h.web.Now())
	return p.ID, err
}

// recordAt is somebody's record at a moment.
func (h handlers) recordAt(c *fiber.Ctx, p lms.PersonID, m Moment) (r Record, err error) {
	return r, pg.InTx(c.UserContext(), h.DB, func(tx pgx.Tx) error {
		r, err = h.Record(c.UserContext(), tx, p, m)
		return err
	})
}

// reportOf is the report that an address asks for; all: of every year, not the last two.
func (h handlers) reportOf(c *fiber.Ctx, p lms.PersonID, base string, all bool) (page reportPage, err error) {
	page = reportPage{momentPage: h.momentPage(c, p, base), PDF: h.PDF != nil}
	r, err := h.recordAt(c, p, page.Moment)
	if err != nil {
		return page, err
	}
	page.Years = r.shown(all)
	year := c.QueryInt("year", r.Through.Year)
	if !slices.Contains(page.Years, year) {
		return page, lms.ErrNotFound
	}
	page.View, err = viewOf(r, year)
	return page, err
}

// sendCSV sends the year that an address asks for, or all that a report shows.
func (h handlers) sendCSV(c *fiber.Ctx, p lms.PersonID, all bool) error {
	r, err := h.recordAt(c, p, momentOf(c.Query("through"), c.Query("known"), h.web.Now()))
	if err != nil {
		return err
	}
	years := r.shown(all)
	if year := c.QueryInt("year"); year != 0 {
		if !slices.Contains(years, year) {
			return lms.ErrNotFound
		}
		years = []int{year}
	}
	var file bytes.Buffer
	lang := h.web.Lang(c)
	if err := writeSheet(&file, r, years, func(key string) string { return h.Words.Text(lang, key) }); err != nil {
		return err
	}
	return h.send(c, sheet.ContentType, fmt.Sprintf("training-report-%d-%s.csv", r.MOPDID, r.Through), file.Bytes())
}

// sendPDF makes a report a file.
func (h handlers) sendPDF(c *fiber.Ctx, page printedPage) error {
	if h.PDF == nil {
		return lms.ErrNotFound
	}
	lang := h.web.Lang(c)
	foot := fmt.Sprintf("%s · %s %d · %s %d", page.Record.Name, h.Words.Text(lang, "registry.report.mopd_id"), page.Record.MOPDID, h.Words.Text(lang, "registry.report.title"), page.Year.Year)
	if page.Code != "" {
		foot += " · " + page.Code.String()
	}
	paper, err := h.web.Paper(c, "registry/printed", foot, page)
	if err != nil {
		return err
	}
	file, err := h.PDF.Print(c.UserContext(), paper)
	if err != nil {
		return err
	}
	return h.send(c, "application/pdf", fmt.Sprintf("training-report-%d-%d.pdf", page.Record.MOPDID, page.Year.Year), file)
}

func (h handlers) send(c *fiber.Ctx, contentType, name string, file []byte) error {
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Send(file)
}

func (h handlers) safeSleep(c *fiber.Ctx) error {
	return h.safeSleepOf(c, web.Viewer(c).ID, "/report/safe-sleep", "/report")
}

// safeSleepOfPerson is the history of somebody else, for those who look after people.
func (h handlers) safeSleepOfPerson(c *fiber.Ctx) error {
	id, err := h.lookedAt(c)
	if err != nil {
		return err
	}
	return h.safeSleepOf(c, id, fmt.Sprintf("/people/%d/safe-sleep", id), fmt.Sprintf("/people/%d/record", id))
}

func (h handlers) safeSleepOf(c *fiber.Ctx, p lms.PersonID, base, back string) (err error) {
	page := safeSleepPage{momentPage: h.momentPage(c, p, base), Back: back, Own: p == web.Viewer(c).ID}
	if page.Record, err = h.recordAt(c, p, page.Moment); err != nil {
		return err
	}
	return h.web.Render(c, "registry/safe_sleep", page)
}
