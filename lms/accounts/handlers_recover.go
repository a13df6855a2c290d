package accounts

import (
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

// recoverPage is where somebody who lost every factor asks for help, and sees how it
// stands.
type recoverPage struct {
	formPage
	Recovering
	Hours int    // of the waiting time
	Next  string // where they were on their way to
}

func (h handlers) recoverPage(c *fiber.Ctx, form web.Fields, refused string) error {
	v := web.Session(c)
	page := recoverPage{formPage: formPage{Page: h.web.Page(c), Form: form, Refused: refused, Email: v.Email}, Hours: int(h.RecoveryWait / time.Hour), Next: next(c)}
	var err error
	if page.Recovering, err = h.Recovering(c.UserContext(), *v); err != nil {
		return err
	}
	return h.web.Render(c, "accounts/recover", page)
}

// elsewhere is where somebody belongs who need not be let in; "" if they do.
func elsewhere(v *lms.Viewer) string {
	switch v.Stage {
	case lms.Enrolling:
		return "/account/factors/new"
	case lms.SignedIn:
		return "/account"
	default:
		return ""
	}
}

func (h handlers) askRecoveryForm(c *fiber.Ctx) error {
	if to := elsewhere(web.Session(c)); to != "" {
		return web.Redirect(c, to, "")
	}
	return h.recoverPage(c, contactFields(c), "")
}

func (h handlers) askRecovery(c *fiber.Ctx) error {
	v := web.Session(c)
	if to := elsewhere(v); to != "" {
		return web.Redirect(c, to, "")
	}
	err := h.AskRecovery(c.UserContext(), *v, c.FormValue("contact"), c.FormValue("note"), web.From(c), h.web.Now())
	if wrong, ok := wrong(c, err); ok {
		return h.recoverPage(c, contactFields(c).With(wrong), "")
	}
	if refused := h.refused(c, err); refused != "" {
		return h.recoverPage(c, contactFields(c), refused)
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/recover", "")
}

// passwordAgain asks for the password of who comes by a link.
func passwordAgain() web.Fields {
	return web.Fields{{Name: "password", Label: "accounts.sign_in.password", Type: "password", Autocomplete: "current-password", Required: true, Focus: true}}
}

func (h handlers) recoverForm(c *fiber.Ctx) error {
	err := h.CheckRecovery(c.UserContext(), c.Params("token"), h.web.Now())
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/recover")
	}
	if err != nil {
		return err
	}
	return h.form(c, "recover_link", formPage{Form: passwordAgain(), Token: c.Params("token")})
}

func (h handlers) recover(c *fiber.Ctx) error {
	token := c.Params("token")
	opened, err := h.Recover(c.UserContext(), token, c.FormValue("password"), origin(c), h.web.Now())
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/recover")
	}
	if refused := h.refused(c, err); refused != "" {
		return h.form(c, "recover_link", formPage{Form: passwordAgain(), Token: token, Refused: refused})
	}
	if err != nil {
		return err
	}
	return h.goOn(c, opened, "/account")
}

func (h handlers) stopForm(c *fiber.Ctx) error {
	if err := h.CheckStop(c.UserContext(), c.Params("token")); err != nil {
		return h.stopped(c, err)
	}
	return h.form(c, "recover_stop", formPage{Token: c.Params("token")})
}

func (h handlers) stop(c *fiber.Ctx) error {
	return h.stopped(c, h.StopRecovery(c.UserContext(), c.Params("token"), web.From(c), h.web.Now()))
}

// stopped says that nobody comes in by a recovery any more.
func (h handlers) stopped(c *fiber.Ctx, err error) error {
	if err != nil && !errors.Is(err, ErrNoRecovery) {
		return err
	}
	return h.form(c, "recover_stopped", formPage{})
}
