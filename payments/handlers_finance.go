package payments

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

const (
	ordersOnPage     = 50
	exceptionsOnPage = 50
)

func (h handlers) finance(c *fiber.Ctx) error {
	page := financePage{Page: h.web.Page(c)}
	ctx, today := c.UserContext(), lms.DateOf(page.Now)
	year := FiscalYear(today)
	for _, stretch := range []struct {
		name string
		from lms.Date
	}{
		{"today", today},
		{"month", today.FirstOfMonth()},
		{"year", lms.Date{Year: year - 1, Month: 7, Day: 1}},
	} {
		figures, err := selectFigures(ctx, h.DB, stretch.from, today)
		if err != nil {
			return err
		}
		before, err := selectHeld(ctx, h.DB, stretch.from.AddDays(-1))
		if err != nil {
			return err
		}
		page.Stretches = append(page.Stretches, stretchFigures{stretch.name, year, before, Stretch{stretch.from, today, figures}})
	}
	var err error
	if page.Held, err = selectHeld(ctx, h.DB, lastDay); err != nil {
		return err
	}
	if page.Books, err = selectBooks(ctx, h.DB); err != nil {
		return err
	}
	if page.Chart, err = h.chart(ctx, c.Query("month"), today); err != nil {
		return err
	}
	if page.Exceptions, err = selectExceptions(ctx, h.DB, ExceptionFilter{State: "open"}, 1, 0); err != nil {
		return err
	}
	if page.Open, err = countOpen(ctx, h.DB); err != nil {
		return err
	}
	if page.Waiting, err = selectWaitingRefunds(ctx, h.DB); err != nil {
		return err
	}
	if page.Balances, err = selectBalances(ctx, h.DB); err != nil {
		return err
	}
	if page.Latest, err = selectFoundOrders(ctx, h.DB, "", "", lastOrder, 5, 0); err != nil {
		return err
	}
	return h.web.Render(c, "payments/finance", page)
}

func (h handlers) financeOrders(c *fiber.Ctx) error {
	page := financeOrdersPage{Page: h.web.Page(c), State: c.Query("state"), Text: strings.TrimSpace(c.Query("q"))}
	if runes := []rune(page.Text); len(runes) > 100 {
		page.Text = string(runes[:100])
	}
	var err error
	if page.Total, err = countOrders(c.UserContext(), h.DB, page.State, page.Text); err != nil {
		return err
	}
	page.Pager = web.Pager{Base: "/finance/orders", Query: url.Values{"q": {page.Text}, "state": {page.State}}, Number: web.PageOf(c)}
	page.More = page.Number*ordersOnPage < page.Total
	if page.Orders, err = selectFoundOrders(c.UserContext(), h.DB, page.State, page.Text, lastOrder, ordersOnPage, (page.Number-1)*ordersOnPage); err != nil {
		return err
	}
	return h.web.Render(c, "payments/finance_orders", page)
}

func (h handlers) financeOrder(c *fiber.Ctx) error { return h.dossier(c, nil, "") }

// dossier shows an order, with the form of a refund and what is wrong with it.
func (h handlers) dossier(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	page := dossierPage{Page: h.web.Page(c), Refused: refused}
	if page.Dossier, err = h.Dossier(c.UserContext(), id, lms.DateOf(page.Now)); err != nil {
		return err
	}
	amount := strings.TrimPrefix(page.Left().String(), "$")
	if wrong != nil || refused != "" {
		amount = c.FormValue("amount")
		page.Keep = c.FormValue("keep") == "1"
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{
		{Name: "amount", Label: "payments.refund.amount", Hint: "payments.refund.amount_hint", Value: amount, Max: 10, Required: true, Autocomplete: "off"},
		{Name: "reason", Label: "payments.refund.reason", Hint: "payments.refund.reason_hint", Type: "textarea", Value: c.FormValue("reason"), Max: 500, Required: true, Autocomplete: "off"},
	}.With(wrong)
	return h.web.Render(c, "payments/dossier", page)
}

func (h handlers) askRefund(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	amount, err := lms.ParseMoney(c.FormValue("amount"))
	if err != nil {
		return h.dossier(c, map[string]string{"amount": "refund_money"}, "")
	}
	refund, err := h.AskRefund(c.UserContext(), *web.Viewer(c), RefundRequest{
		Order: id, Amount: amount, Reason: strings.TrimSpace(c.FormValue("reason")), KeepAccess: c.FormValue("keep") == "1",
	}, web.From(c), h.web.Now())
	e, known := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.dossier(c, e.Fields, "")
	case errors.Is(err, ErrRefundAmount):
		return h.dossier(c, map[string]string{"amount": "refund_amount_left"}, "")
	case known && e.Kind == lms.Conflict:
		return h.dossier(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	asked, _, err := h.Refund(c.UserContext(), refund)
	if err != nil {
		return err
	}
	notice := "refund_asked"
	if asked.State == RefundRequested {
		notice = "refund_waits"
	}
	return web.Redirect(c, "/finance/refunds/"+strconv.FormatInt(int64(refund), 10), notice)
}

// endAccess ends the registration of an order whose fee was given back.
func (h handlers) endAccess(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	if err := h.EndAccess(c.UserContext(), *web.Viewer(c), id, web.From(c), h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/finance/orders/"+c.Params("id"), "access_ended")
}

func (h handlers) refund(c *fiber.Ctx) error { return h.refundPage(c, nil, "") }

func (h handlers) refundPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	page := refundPage{Page: h.web.Page(c), Refused: refused}
	if page.Refund, page.Order, err = h.Refund(c.UserContext(), RefundID(id)); err != nil {
		return err
	}
	if page.Names, err = selectRefundNames(c.UserContext(), h.DB, RefundID(id)); err != nil {
		return err
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{{Name: "why", Label: "payments.refund.why", Type: "textarea", Value: c.FormValue("why"), Max: 500, Autocomplete: "off"}}.With(wrong)
	return h.web.Render(c, "payments/refund", page)
}

func (h handlers) decideRefund(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	approve := c.FormValue("decision") == "approve"
	err = h.DecideRefund(c.UserContext(), *web.Viewer(c), RefundID(id), approve, strings.TrimSpace(c.FormValue("why")), web.From(c), h.web.Now())
	e, known := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.refundPage(c, e.Fields, "")
	case errors.Is(err, ErrOwnRefund), known && e.Kind == lms.Conflict:
		return h.refundPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	case approve:
		return web.Redirect(c, "/finance/refunds/"+c.Params("id"), "refund_approved")
	}
	return web.Redirect(c, "/finance/refunds/"+c.Params("id"), "refund_denied")
}

func (h handlers) exceptions(c *fiber.Ctx) error {
	page := exceptionsPage{Page: h.web.Page(c), ExceptionFilter: ExceptionFilter{State: c.Query("state", "open"), Kind: c.Query("kind")}}
	if page.Mine = c.Query("mine") == "1"; page.Mine {
		page.Owner = page.Viewer.ID
	}
	page.Pager = web.Pager{Base: "/finance/exceptions", Query: page.query(), Number: web.PageOf(c)}
	var err error
	if page.Kinds, err = countKinds(c.UserContext(), h.DB, page.State); err != nil {
		return err
	}
	list, err := selectExceptions(c.UserContext(), h.DB, page.ExceptionFilter, exceptionsOnPage+1, (page.Number-1)*exceptionsOnPage)
	if err != nil {
		return err
	}
	page.More = len(list) > exceptionsOnPage
	page.List = list[:min(len(list), exceptionsOnPage)]
	return h.web.Render(c, "payments/exceptions", page)
}

func (h handlers) exception(c *fiber.Ctx) error { return h.exceptionPage(c, nil, "") }

func (h handlers) exceptionPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	page := exceptionPage{Page: h.web.Page(c), Refused: refused}
	if page.Exception, err = selectException(c.UserContext(), h.DB, int64(id)); err != nil {
		return err
	}
	page.Facts = page.Exception.facts(h.Words.Has)
	if page.Notes, err = selectNotes(c.UserContext(), h.DB, int64(id)); err != nil {
		return err
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{{Name: "text", Label: "payments.exception.text", Hint: "payments.exception.text_hint", Type: "textarea", Value: c.FormValue("text"), Max: 2000, Required: true, Autocomplete: "off"}}.With(wrong)
	return h.web.Render(c, "payments/exception", page)
}

func (h handlers) workException(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	what := c.FormValue("what")
	err = h.WorkException(c.UserContext(), *web.Viewer(c), int64(id), what, c.FormValue("text"), web.From(c), h.web.Now())
	if e, ok := lms.AsError(err); ok && errors.Is(err, lms.ErrForm) {
		return h.exceptionPage(c, e.Fields, "")
	}
	if errors.Is(err, ErrExceptionMoved) {
		return h.exceptionPage(c, nil, h.web.Sentence(c, err))
	}
	if err != nil {
		return err
	}
	if what == ResolveException {
		return web.Redirect(c, "/finance/exceptions", "exception_resolved")
	}
	return web.Redirect(c, "/finance/exceptions/"+c.Params("id"), "exception_saved")
}

const (
	payoutsOnPage = 50
	linesOnPage   = 100
)

func (h handlers) payouts(c *fiber.Ctx) error {
	page := payoutsPage{Page: h.web.Page(c), Pager: web.Pager{Base: "/finance/payouts", Number: web.PageOf(c)}}
	list, err := selectPayouts(c.UserContext(), h.DB, payoutsOnPage+1, (page.Number-1)*payoutsOnPage)
	if err != nil {
		return err
	}
	page.More = len(list) > payoutsOnPage
	page.List = list[:min(len(list), payoutsOnPage)]
	return h.web.Render(c, "payments/payouts", page)
}

func (h handlers) payout(c *fiber.Ctx) error {
	id := c.Params("id")
	page := payoutPage{Page: h.web.Page(c), Pager: web.Pager{Base: "/finance/payouts/" + id, Number: web.PageOf(c)}}
	var err error
	if page.Payout, err = selectPayout(c.UserContext(), h.DB, id); err != nil {
		return err
	}
	list, err := selectPayoutLines(c.UserContext(), h.DB, id, linesOnPage+1, (page.Number-1)*linesOnPage)
	if err != nil {
		return err
	}
	page.More = len(list) > linesOnPage
	page.List = list[:min(len(list), linesOnPage)]
	return h.web.Render(c, "payments/payout", page)
}
