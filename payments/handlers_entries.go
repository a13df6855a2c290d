package payments

import (
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/sheet"
	"mopd/lms/web"
)

// accountKinds are the kinds of account that lines can be looked for by.
var accountKinds = []string{"revenue", "refunds", "fees", "dispute_fees", "disputes", "stripe", "bank", "unearned", "suspense"}

// entryFilter is what an address asks for; a day that is none is any.
func entryFilter(c *fiber.Ctx) (f EntryFilter) {
	f.From, _ = lms.ParseDate(c.Query("from"))
	f.Through, _ = lms.ParseDate(c.Query("through"))
	f.Course = strings.ToUpper(strings.TrimSpace(c.Query("course")))
	for _, kind := range c.Context().QueryArgs().PeekMulti("account") {
		if slices.Contains(accountKinds, string(kind)) {
			f.Accounts = append(f.Accounts, string(kind))
		}
	}
	return f
}

func (h handlers) entries(c *fiber.Ctx) error {
	page := entriesPage{Page: h.web.Page(c), EntryFilter: entryFilter(c)}
	page.Pager = web.Pager{Base: "/finance/entries", Query: page.query(), Number: web.PageOf(c)}
	var err error
	if page.Sum, err = sumLines(c.UserContext(), h.DB, page.EntryFilter); err != nil {
		return err
	}
	page.More = page.Number*linesOnPage < page.Sum.Lines
	if page.List, err = selectLines(c.UserContext(), h.DB, page.EntryFilter, linesOnPage, (page.Number-1)*linesOnPage); err != nil {
		return err
	}
	return h.web.Render(c, "payments/entries", page)
}

func (h handlers) exportEntries(c *fiber.Ctx) error {
	table, err := h.ExportLines(c.UserContext(), *web.Viewer(c), entryFilter(c), h.web.Lang(c), web.From(c), h.web.Now())
	return h.send(c, "entries", table, err)
}

func (h handlers) exportOrders(c *fiber.Ctx) error {
	table, err := h.ExportOrders(c.UserContext(), *web.Viewer(c), c.Query("state"), strings.TrimSpace(c.Query("q")), h.web.Lang(c), web.From(c), h.web.Now())
	return h.send(c, "orders", table, err)
}

func (h handlers) exportPayouts(c *fiber.Ctx) error {
	table, err := h.ExportPayouts(c.UserContext(), *web.Viewer(c), h.web.Lang(c), web.From(c), h.web.Now())
	return h.send(c, "payouts", table, err)
}

func (h handlers) send(c *fiber.Ctx, name string, table io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, sheet.ContentType)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`-`+lms.DateOf(h.web.Now()).String()+`.csv"`)
	return c.SendStream(table)
}

func (h handlers) settings(c *fiber.Ctx) error { return h.settingsPage(c, nil) }

// settingsPage shows the settings, with what is wrong with the form that was sent.
func (h handlers) settingsPage(c *fiber.Ctx, wrong map[string]string) error {
	page := settingsPage{Page: h.web.Page(c)}
	ctx, today := c.UserContext(), lms.DateOf(page.Now)
	var err error
	if page.Accounts, err = selectGLs(ctx, h.DB); err != nil {
		return err
	}
	if page.Rates, err = selectFeeRates(ctx, h.DB); err != nil {
		return err
	}
	if page.Policy, err = selectRefundPolicy(ctx, h.DB, today); err != nil {
		return err
	}
	if page.Books, err = selectBooks(ctx, h.DB); err != nil {
		return err
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.CloseBooks = web.Fields{{Name: "through", Label: "payments.books.through", Hint: "payments.books.hint", Type: "date", Value: c.FormValue("through"), Required: true, Autocomplete: "off"}}.With(wrong)
	page.Rate = web.Fields{
		{Name: "method", Label: "payments.rate.method", Hint: "payments.rate.method_hint", Value: c.FormValue("method", "card"), Max: 40, Required: true, Autocomplete: "off"},
		{Name: "since", Label: "payments.rate.since", Type: "date", Value: c.FormValue("since", today.String()), Required: true, Autocomplete: "off"},
		{Name: "share", Label: "payments.rate.share", Hint: "payments.rate.share_hint", Value: c.FormValue("share"), Max: 6, Required: true, Autocomplete: "off"},
		{Name: "fixed", Label: "payments.rate.fixed", Value: c.FormValue("fixed"), Max: 8, Required: true, Autocomplete: "off"},
		{Name: "cap", Label: "payments.rate.cap", Hint: "payments.rate.cap_hint", Value: c.FormValue("cap"), Max: 8, Autocomplete: "off"},
	}.With(wrong)
	return h.web.Render(c, "payments/settings", page)
}

// nameAccounts keeps the codes of accounts; each has a field named by its account.
func (h handlers) nameAccounts(c *fiber.Ctx) error {
	accounts, err := selectGLs(c.UserContext(), h.DB)
	if err != nil {
		return err
	}
	named := map[Account]string{}
	for _, a := range accounts {
		if !c.Request().PostArgs().Has(string(a.Account)) {
			continue
		}
		gl := []rune(strings.TrimSpace(c.FormValue(string(a.Account))))
		named[a.Account] = string(gl[:min(len(gl), glMax)])
	}
	if err := h.NameAccounts(c.UserContext(), *web.Viewer(c), named, web.From(c), h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/finance/settings", "accounts_named")
}

const glMax = 40 // characters of a GL code

func (h handlers) closeBooks(c *fiber.Ctx) error {
	through, err := lms.ParseDate(c.FormValue("through"))
	if err != nil {
		return h.settingsPage(c, map[string]string{"through": "books_through"})
	}
	err = h.CloseBooks(c.UserContext(), *web.Viewer(c), through, web.From(c), h.web.Now())
	return h.saved(c, err, "books_closed")
}

func (h handlers) setRate(c *fiber.Ctx) error {
	r := FeeRate{Method: strings.TrimSpace(c.FormValue("method"))}
	var err error
	if r.EffectiveFrom, err = lms.ParseDate(c.FormValue("since")); err != nil {
		return h.settingsPage(c, map[string]string{"since": "rate_since"})
	}
	share, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(c.FormValue("share")), "%"), 64)
	if err != nil || math.IsNaN(share) || math.Abs(share) > 100 {
		return h.settingsPage(c, map[string]string{"share": "rate_share"})
	}
	r.Share = int(math.Round(share * 100))
	if r.Fixed, err = lms.ParseMoney(c.FormValue("fixed")); err != nil {
		return h.settingsPage(c, map[string]string{"fixed": "refund_money"})
	}
	if most := strings.TrimSpace(c.FormValue("cap")); most != "" {
		if r.Cap, err = lms.ParseMoney(most); err != nil {
			return h.settingsPage(c, map[string]string{"cap": "refund_money"})
		}
	}
	err = h.SetFeeRate(c.UserContext(), *web.Viewer(c), r, web.From(c), h.web.Now())
	return h.saved(c, err, "rate_set")
}

// saved leads back to the settings.
func (h handlers) saved(c *fiber.Ctx, err error, notice string) error {
	if e, ok := lms.AsError(err); ok && errors.Is(err, lms.ErrForm) {
		return h.settingsPage(c, e.Fields)
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/finance/settings", notice)
}
