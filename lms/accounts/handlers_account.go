package accounts

import (
	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
	"mopd/lms/words"
)

type accountPage struct {
	web.Page
	Factors  []Factor // confirmed
	Phone    *Factor  // at which reminders can come; nil if there is none
	ByText   bool     // that was chosen
	Texts    bool     // a phone can be added
	Codes    int      // recovery codes left
	Sessions []Session
}

func (h handlers) account(c *fiber.Ctx) error {
	page := accountPage{Page: h.web.Page(c)}
	ctx, who := c.UserContext(), page.Viewer.ID
	factors, err := h.Factors(ctx, who)
	if err != nil {
		return err
	}
	for _, f := range factors {
		if f.Confirmed {
			page.Factors = append(page.Factors, f)
		}
	}
	if page.Texts = h.offered(page.Viewer.Person, ByText); page.Texts {
		page.Phone = phoneOf(factors)
	}
	if page.ByText, err = h.RemindedByText(ctx, who); err != nil {
		return err
	}
	if page.Codes, err = h.RecoveryCodesLeft(ctx, who); err != nil {
		return err
	}
	if page.Sessions, err = h.Sessions(ctx, who, page.Now); err != nil {
		return err
	}
	return h.web.Render(c, "accounts/account", page)
}

func (h handlers) chooseLanguage(c *fiber.Ctx) error {
	lang := c.FormValue("lang")
	if !words.Known(lang) {
		return lms.ErrForm
	}
	if err := h.ChooseLanguage(c.UserContext(), web.Viewer(c).ID, lang); err != nil {
		return err
	}
	h.web.SetLanguage(c, lang)
	return web.Redirect(c, "/account", "language_saved")
}

func (h handlers) chooseReminders(c *fiber.Ctx) error {
	if err := h.ChooseReminders(c.UserContext(), web.Viewer(c).ID, c.FormValue("by_text") == "1", h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/account", "reminders_saved")
}

func passwordFields() web.Fields {
	return append(web.Fields{{Name: "current", Label: "accounts.password.current", Type: "password", Autocomplete: "current-password", Required: true}}, newPassword()...)
}

func (h handlers) passwordForm(c *fiber.Ctx) error {
	fields := passwordFields()
	fields[0].Focus, fields[1].Focus = true, false
	return h.form(c, "password", formPage{Form: fields})
}

func (h handlers) changePassword(c *fiber.Ctx) error {
	err := h.ChangePassword(c.UserContext(), *web.Viewer(c), c.FormValue("current"), c.FormValue("password"), web.From(c), h.web.Now())
	return h.saved(c, err, "password", passwordFields(), "password_changed")
}

// saved answers a form of the account.
func (h handlers) saved(c *fiber.Ctx, err error, name string, fields web.Fields, notice string) error {
	if wrong, ok := wrong(c, err); ok {
		return h.form(c, name, formPage{Form: fields.With(wrong)})
	}
	if refused := h.refused(c, err); refused != "" {
		return h.form(c, name, formPage{Form: fields, Refused: refused})
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/account", notice)
}

func emailFields(c *fiber.Ctx) web.Fields {
	return web.Fields{{Name: "email", Label: "accounts.email.new", Type: "email", Value: c.FormValue("email"), Autocomplete: "email", Max: emailLength, Required: true, Focus: true}}
}

func (h handlers) emailForm(c *fiber.Ctx) error {
	return h.form(c, "email", formPage{Form: emailFields(c)})
}

func (h handlers) changeEmail(c *fiber.Ctx) error {
	err := h.AskNewEmail(c.UserContext(), *web.Viewer(c), c.FormValue("email"), web.From(c), h.web.Now())
	return h.saved(c, err, "email", emailFields(c), "email_asked")
}

func (h handlers) signOutEverywhere(c *fiber.Ctx) error {
	if err := h.SignOutEverywhere(c.UserContext(), *web.Viewer(c), web.From(c), h.web.Now()); err != nil {
		return err
	}
	h.web.ClearSession(c)
	return web.Redirect(c, "/", "signed_out_everywhere")
}

func (h handlers) endSession(c *fiber.Ctx) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	if err := h.EndSession(c.UserContext(), *web.Viewer(c), lms.SessionID(n), web.From(c), h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/account", "session_ended")
}
