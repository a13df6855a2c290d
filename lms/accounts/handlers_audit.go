package accounts

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/sheet"
	"mopd/lms/web"
)

// said is a line of the audit trail as a page shows it.
type said struct {
	AuditLine
	What string
}

func (h handlers) said(c *fiber.Ctx, lines []AuditLine) []said {
	list := make([]said, len(lines))
	for i, l := range lines {
		list[i] = said{l, h.ActionText(h.web.Lang(c), l.Action)}
	}
	return list
}

// choice is an action to look for.
type choice struct{ Code, Text string }

type auditPage struct {
	web.Page
	Person   web.Field
	From, To web.Field
	Action   string
	Actions  []choice
	Before   int64
	Lines    []said
	Older    int64
}

// Wrong are the fields that need another look.
func (p auditPage) Wrong() web.Fields { return web.Fields{p.Person, p.From, p.To}.Wrong() }

func (p auditPage) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"person": p.Person.Value, "action": p.Action, "from": p.From.Value, "to": p.To.Value} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// asked is what is looked for, in a form for the trail.
func (p auditPage) asked() (string, error) { return url.QueryUnescape(p.query().Encode()) }

// Newest is the address of the first page of what is looked for.
func (p auditPage) Newest() string { return "/audit?" + p.query().Encode() }

// Next is the address of the page with older lines.
func (p auditPage) Next() string {
	q := p.query()
	q.Set("before", strconv.FormatInt(p.Older, 10))
	return "/audit?" + q.Encode()
}

// Export is the address of everything that is looked for as one file.
func (p auditPage) Export() string { return "/audit/export.csv?" + p.query().Encode() }

// readAudit is what is looked for; what cannot be is marked on the page.
//
// Errors: lms.ErrForm.
func (h handlers) readAudit(c *fiber.Ctx) (page auditPage, f AuditFilter, err error) {
	page = auditPage{
		Page:   h.web.Page(c),
		Person: web.Field{Name: "person", Label: "accounts.audit.person", Hint: "accounts.audit.person_hint", Value: strings.TrimSpace(c.Query("person")), Autocomplete: "off", Max: emailLength},
		From:   web.Field{Name: "from", Label: "accounts.audit.first_day", Type: "date", Value: c.Query("from"), Autocomplete: "off"},
		To:     web.Field{Name: "to", Label: "accounts.audit.last_day", Type: "date", Value: c.Query("to"), Autocomplete: "off"},
		Action: c.Query("action"), Before: int64(c.QueryInt("before")),
	}
	f = AuditFilter{Action: page.Action, Before: page.Before}
	for _, code := range h.Actions() {
		page.Actions = append(page.Actions, choice{code, h.ActionText(page.Lang, code)})
	}
	slices.SortFunc(page.Actions, func(a, b choice) int { return strings.Compare(a.Text, b.Text) })
	if page.Person.Value != "" {
		f.Person, err = h.PersonBy(c.UserContext(), page.Person.Value)
		if errors.Is(err, lms.ErrNotFound) {
			page.Person.Wrong = "error.audit_nobody"
		} else if err != nil {
			return page, f, err
		}
	}
	f.From, page.From.Wrong = readDay(page.From.Value)
	f.To, page.To.Wrong = readDay(page.To.Value)
	if !f.To.IsZero() && f.To.Before(f.From) {
		page.To.Wrong = "error.audit_days"
	}
	if len(page.Wrong()) > 0 {
		return page, f, lms.ErrForm
	}
	return page, f, nil
}

func readDay(s string) (d lms.Date, wrong string) {
	if s == "" {
		return d, ""
	}
	d, err := lms.ParseDate(s)
	if err != nil {
		return d, "error.audit_day"
	}
	return d, ""
}

func (h handlers) audit(c *fiber.Ctx) error {
	page, f, err := h.readAudit(c)
	if errors.Is(err, lms.ErrForm) {
		c.Status(fiber.StatusUnprocessableEntity)
		return h.web.Render(c, "accounts/audit", page)
	}
	if err != nil {
		return err
	}
	asked, err := page.asked()
	if err != nil {
		return err
	}
	lines, older, err := h.ReadTrail(c.UserContext(), *page.Viewer, f, asked, web.From(c), page.Now)
	if err != nil {
		return err
	}
	page.Lines, page.Older = h.said(c, lines), older
	return h.web.Render(c, "accounts/audit", page)
}

func (h handlers) exportAudit(c *fiber.Ctx) error {
	page, f, err := h.readAudit(c)
	if err != nil {
		return err
	}
	f.Before = 0
	asked, err := page.asked()
	if err != nil {
		return err
	}
	table, err := h.ExportTrail(c.UserContext(), *page.Viewer, f, page.Lang, asked, web.From(c), page.Now)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, sheet.ContentType)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="audit-`+lms.DateOf(page.Now).String()+`.csv"`)
	return c.SendStream(table)
}

type looksPage struct {
	web.Page
	Looks  []said
	Before int64
	Older  int64
}

func (h handlers) looks(c *fiber.Ctx) error {
	page := looksPage{Page: h.web.Page(c), Before: int64(c.QueryInt("before"))}
	lines, older, err := h.Looks(c.UserContext(), page.Viewer.ID, page.Before)
	if err != nil {
		return err
	}
	page.Looks, page.Older = h.said(c, lines), older
	return h.web.Render(c, "accounts/looks", page)
}
