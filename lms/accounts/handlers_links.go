package accounts

import (
	"errors"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

// formPage is a page around one form.
type formPage struct {
	web.Page
	Form    web.Fields
	Refused string
	Email   string // of whom it is about, where the page says so
	Person  string // name, where the page says so
	Token   string // of the link that led here
}

func (h handlers) form(c *fiber.Ctx, name string, page formPage) error {
	page.Page = h.web.Page(c)
	return h.web.Render(c, "accounts/"+name, page)
}

func (h handlers) signUpForm(c *fiber.Ctx) error {
	if web.Viewer(c) != nil {
		return web.Redirect(c, "/", "")
	}
	return h.form(c, "sign_up", formPage{Form: signUpFields(c)})
}

func signUpFields(c *fiber.Ctx) web.Fields {
	return web.Fields{
		{Name: "given", Label: "accounts.sign_up.given", Value: c.FormValue("given"), Autocomplete: "given-name", Max: nameLength, Required: true},
		{Name: "family", Label: "accounts.sign_up.family", Value: c.FormValue("family"), Autocomplete: "family-name", Max: nameLength, Required: true},
		{Name: "born", Label: "accounts.sign_up.born", Hint: "accounts.sign_up.born_hint", Type: "date", Value: c.FormValue("born"), Autocomplete: "bday", Required: true},
		{Name: "email", Label: "accounts.sign_up.email", Hint: "accounts.sign_up.email_hint", Type: "email", Value: c.FormValue("email"), Autocomplete: "email", Max: emailLength, Required: true},
		{Name: "employer", Label: "accounts.sign_up.employer", Hint: "accounts.sign_up.employer_hint", Value: c.FormValue("employer"), Autocomplete: "organization", Max: 200},
	}
}

func (h handlers) signUp(c *fiber.Ctx) error {
	born, _ := lms.ParseDate(c.FormValue("born")) // the zero date is refused as none
	err := h.AskSignUp(c.UserContext(), SignUp{
		Given: c.FormValue("given"), Family: c.FormValue("family"), Email: c.FormValue("email"), Born: born,
		Employer: c.FormValue("employer"), Lang: h.web.Lang(c),
	}, web.From(c), h.web.Now())
	return h.asked(c, err, "sign_up", signUpFields(c), "/sign-up/sent")
}

// asked answers a form by which mail is asked for: the same whether there is an account.
func (h handlers) asked(c *fiber.Ctx, err error, name string, fields web.Fields, sent string) error {
	if wrong, ok := wrong(c, err); ok {
		return h.form(c, name, formPage{Form: fields.With(wrong)})
	}
	if refused := h.refused(c, err); refused != "" {
		return h.form(c, name, formPage{Form: fields, Refused: refused})
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, sent+"?to="+url.QueryEscape(strings.TrimSpace(c.FormValue("email"))), "")
}

func (h handlers) signUpSent(c *fiber.Ctx) error {
	return h.form(c, "sign_up_sent", formPage{Email: c.Query("to")})
}

// newPassword is the field in which a password is chosen.
func newPassword() web.Fields {
	return web.Fields{{Name: "password", Label: "accounts.password.new", Hint: "accounts.password.hint", Type: "password", Autocomplete: "new-password", Required: true, Focus: true}}
}

func (h handlers) confirmForm(c *fiber.Ctx) error {
	u, err := h.PendingSignUp(c.UserContext(), c.Params("token"), h.web.Now())
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/sign-up")
	}
	if err != nil {
		return err
	}
	return h.form(c, "confirm", formPage{Form: newPassword(), Email: u.Email, Person: u.Given, Token: c.Params("token")})
}

func (h handlers) confirm(c *fiber.Ctx) error {
	token := c.Params("token")
	opened, err := h.ConfirmSignUp(c.UserContext(), token, c.FormValue("password"), origin(c), h.web.Now())
	if fields, ok := wrong(c, err); ok {
		u, err := h.PendingSignUp(c.UserContext(), token, h.web.Now())
		if err != nil {
			return err
		}
		return h.form(c, "confirm", formPage{Form: newPassword().With(fields), Email: u.Email, Person: u.Given, Token: token})
	}
	if errors.Is(err, ErrLinkOver) || errors.Is(err, ErrEmailTaken) {
		return h.linkOver(c, "/sign-up")
	}
	if err != nil {
		return err
	}
	return h.goOn(c, opened, "/courses")
}

// linkOver says that a mailed link does not work any more, and where to get another.
func (h handlers) linkOver(c *fiber.Ctx, again string) error {
	c.Status(fiber.StatusNotFound)
	return h.form(c, "link_over", formPage{Token: again})
}

func forgotFields(c *fiber.Ctx) web.Fields {
	return web.Fields{{Name: "email", Label: "accounts.sign_in.email", Type: "email", Value: c.FormValue("email"), Autocomplete: "username", Max: emailLength, Required: true, Focus: true}}
}

func (h handlers) forgotForm(c *fiber.Ctx) error {
	return h.form(c, "forgot", formPage{Form: forgotFields(c)})
}

func (h handlers) forgot(c *fiber.Ctx) error {
	err := h.AskReset(c.UserContext(), c.FormValue("email"), h.web.Lang(c), web.From(c), h.web.Now())
	return h.asked(c, err, "forgot", forgotFields(c), "/forgot/sent")
}

func (h handlers) forgotSent(c *fiber.Ctx) error {
	return h.form(c, "forgot_sent", formPage{Email: c.Query("to")})
}

func (h handlers) resetForm(c *fiber.Ctx) error {
	err := h.CheckReset(c.UserContext(), c.Params("token"), h.web.Now())
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/forgot")
	}
	if err != nil {
		return err
	}
	return h.form(c, "reset", formPage{Form: newPassword(), Token: c.Params("token")})
}

func (h handlers) reset(c *fiber.Ctx) error {
	opened, err := h.Reset(c.UserContext(), c.Params("token"), c.FormValue("password"), origin(c), h.web.Now())
	if fields, ok := wrong(c, err); ok {
		return h.form(c, "reset", formPage{Form: newPassword().With(fields), Token: c.Params("token")})
	}
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/forgot")
	}
	if err != nil {
		return err
	}
	return h.identified(c, opened, "/account?notice=password_changed")
}

func (h handlers) confirmEmailForm(c *fiber.Ctx) error {
	email, err := h.PendingEmail(c.UserContext(), *web.Viewer(c), c.Params("token"), h.web.Now())
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/account/email")
	}
	if err != nil {
		return err
	}
	return h.form(c, "confirm_email", formPage{Email: email, Token: c.Params("token")})
}

func (h handlers) confirmEmail(c *fiber.Ctx) error {
	err := h.ConfirmEmail(c.UserContext(), *web.Viewer(c), c.Params("token"), web.From(c), h.web.Now())
	if errors.Is(err, ErrLinkOver) || errors.Is(err, ErrEmailTaken) {
		return h.linkOver(c, "/account/email")
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/account", "email_changed")
}
