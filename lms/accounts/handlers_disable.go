package accounts

import (
	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

// accessPage is where an account is disabled, or enabled again.
type accessPage struct {
	web.Page
	Who      lms.Person
	Disabled Disabling
	Form     web.Fields
	Refused  string
}

func reasonField(label, value string) web.Fields {
	return web.Fields{{Name: "reason", Label: label, Hint: "accounts.access.reason_hint", Type: "textarea", Value: value, Max: reasonLength, Required: true}}
}

func (h handlers) accessForm(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	return h.accessPage(c, n, nil)
}

// accessPage shows the account as it is, with what stands against a change of it.
func (h handlers) accessPage(c *fiber.Ctx, who lms.PersonID, refusal error) error {
	page := accessPage{Page: h.web.Page(c)}
	fields, isForm := wrong(c, refusal)
	if !isForm && refusal != nil {
		if page.Refused = h.refused(c, refusal); page.Refused == "" {
			return refusal
		}
	}
	var err error
	if page.Who, err = h.LookAtPerson(c.UserContext(), *page.Viewer, who, web.From(c), page.Now); err != nil {
		return err
	}
	if page.Who.Email == "" {
		return ErrNoLogin
	}
	if page.Disabled, err = h.Disabled(c.UserContext(), page.Who.ID); err != nil {
		return err
	}
	label := "accounts.access.why_disable"
	switch {
	case page.Disabled.Stands():
		label = "accounts.access.why_enable"
	case refusal == nil && page.Who.ID == page.Viewer.ID:
		return ErrOwnAccount
	}
	page.Form = reasonField(label, c.FormValue("reason")).With(fields)
	return h.web.Render(c, "accounts/access", page)
}

func (h handlers) changeAccess(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	change := AccessChange{Disable: c.FormValue("disable") == "1", Reason: c.FormValue("reason")}
	if err := h.ChangeAccess(c.UserContext(), *web.Viewer(c), n, change, web.From(c), h.web.Now()); err != nil {
		return h.accessPage(c, n, err)
	}
	if change.Disable {
		return web.Redirect(c, personPath(n), "account_disabled")
	}
	return web.Redirect(c, personPath(n), "account_enabled")
}
