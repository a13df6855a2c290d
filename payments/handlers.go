package payments

import (
	"errors"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

// webhook takes what Stripe tells. The body counts as it came, byte for byte.
func (h handlers) webhook(c *fiber.Ctx) error {
	err := h.Receive(c.UserContext(), slices.Clone(c.Request().Body()), c.Get("Stripe-Signature"), h.web.Now())
	if err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusOK)
}

func (h handlers) orders(c *fiber.Ctx) error {
	page := ordersPage{Page: h.web.Page(c)}
	var err error
	if page.Orders, err = h.Orders(c.UserContext(), page.Viewer.ID); err != nil {
		return err
	}
	return h.web.Render(c, "payments/orders", page)
}

func (h handlers) order(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	page := orderPage{Page: h.web.Page(c), CameBack: c.Query(cameBack) != ""}
	if page.CameBack {
		page.Order, err = h.Returned(c.UserContext(), page.Viewer.ID, id, page.Now)
	} else {
		page.Order, err = h.OrderOf(c.UserContext(), page.Viewer.ID, id)
	}
	if err != nil {
		return err
	}
	return h.web.Render(c, "payments/order", page)
}

// state is how an order stands, for a page that waits for it to change.
func (h handlers) state(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	o, err := h.OrderOf(c.UserContext(), web.Viewer(c).ID, id)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"state": o.State})
}

// pay leads to the page at Stripe on which the order is paid.
func (h handlers) pay(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	o, err := h.OrderOf(c.UserContext(), web.Viewer(c).ID, id)
	if err != nil {
		return err
	}
	url, err := h.Checkout(c.UserContext(), lms.Purchase{Person: web.Viewer(c).Person, Code: o.Code, AcceptNoCredit: true, Lang: o.Lang, From: web.From(c)}, h.web.Now())
	if errors.Is(err, lms.ErrAlreadyEnrolled) {
		return web.Redirect(c, orderPath(id), "")
	}
	if err != nil {
		return err
	}
	return c.Redirect(url, fiber.StatusSeeOther)
}

func (h handlers) cancel(c *fiber.Ctx) error {
	id, err := web.Number[OrderID](c, "id")
	if err != nil {
		return err
	}
	o, err := h.Cancel(c.UserContext(), web.Viewer(c).ID, id, web.From(c), h.web.Now())
	switch {
	case errors.Is(err, ErrOrderOver):
		return web.Redirect(c, orderPath(id), "") // which says how it stands
	case err != nil:
		return err
	case o.State == Canceled:
		return web.Redirect(c, "/courses/"+o.Code, "order_canceled")
	}
	return web.Redirect(c, orderPath(id), "")
}

// cameBack is the parameter with which Stripe sends back who has paid.
const cameBack = "paid"

func orderPath(id OrderID) string { return "/orders/" + strconv.FormatInt(int64(id), 10) }
