package registry

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

// makePrint makes the report that the form is about one to be printed.
func (h handlers) makePrint(c *fiber.Ctx) error {
	now := h.web.Now()
	m := momentOf(c.FormValue("through"), c.FormValue("known"), now)
	year := m.Through.Year
	if c.FormValue("year") == strconv.Itoa(year-1) {
		year--
	}
	v := web.Viewer(c)
	code, err := h.MakePrint(c.UserContext(), *v, v.ID, year, m, web.From(c), now)
	if err != nil {
		return err
	}
	if c.FormValue("as") == "pdf" {
		return c.Redirect(addressOfPDF(code), fiber.StatusSeeOther)
	}
	return c.Redirect("/report/printed/"+string(code), fiber.StatusSeeOther)
}

func addressOfPDF(code Code) string { return "/report/printed/" + string(code) + "/report.pdf" }

// printed shows a report of one's own that was made to be printed.
func (h handlers) printed(c *fiber.Ctx) error {
	page, err := h.printedOf(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "registry/printed", page)
}

func (h handlers) printedPDF(c *fiber.Ctx) error {
	page, err := h.printedOf(c)
	if err != nil {
		return err
	}
	return h.sendPDF(c, page)
}

func (h handlers) printedOf(c *fiber.Ctx) (page printedPage, err error) {
	v, err := h.Verify(c.UserContext(), ReadCode(c.Params("code")), h.web.Now())
	if err != nil {
		return page, err
	}
	page = printedPage{Page: h.web.Page(c), Code: v.Code, Origin: h.AppURL.Host}
	if v.Owner != page.Viewer.ID {
		return page, lms.ErrNotFound
	}
	if h.PDF != nil {
		page.PDF = addressOfPDF(v.Code)
	}
	page.View, err = viewOf(v.Record, v.Print.Year)
	return page, err
}

type verifyPage struct {
	web.Page
	Form     web.Fields
	Verified *Verified
	View
}

// verify is where anyone checks a printed report.
func (h handlers) verify(c *fiber.Ctx) error {
	typed := strings.TrimSpace(c.Query("code"))
	page := verifyPage{Page: h.web.Page(c)}
	var wrong map[string]string
	if typed != "" {
		v, err := h.Verify(c.UserContext(), ReadCode(typed), page.Now)
		switch {
		case errors.Is(err, lms.ErrNotFound):
			wrong = map[string]string{"code": "verify_unknown"}
			c.Status(fiber.StatusNotFound)
		case err != nil:
			return err
		default:
			page.Verified = &v
			if page.View, err = viewOf(v.Record, v.Print.Year); err != nil {
				return err
			}
		}
	}
	page.Form = web.Fields{{Name: "code", Label: "registry.verify.code", Hint: "registry.verify.hint", Value: typed, Max: 20, Required: true, Autocomplete: "off"}}.With(wrong)
	return h.web.Render(c, "registry/verify", page)
}
