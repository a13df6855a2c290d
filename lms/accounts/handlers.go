package accounts

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

type signInPage struct {
	web.Page
	Email, Next, Wrong string
}

func (h handlers) signInForm(c *fiber.Ctx) error {
	next := web.LocalPath(c.Query("next"), "/")
	if web.Viewer(c) != nil {
		return web.Redirect(c, next, "")
	}
	return h.web.Render(c, "accounts/sign_in", signInPage{Page: h.web.Page(c), Next: next})
}

func (h handlers) signIn(c *fiber.Ctx) error {
	email, next := c.FormValue("email"), web.LocalPath(c.FormValue("next"), "/")
	token, err := h.SignIn(c.UserContext(), Credentials{
		Email: email, Password: c.FormValue("password"), Former: web.SessionToken(c), From: web.From(c),
	}, h.web.Now())
	if errors.Is(err, ErrWrongPassword) {
		c.Status(fiber.StatusUnprocessableEntity)
		return h.web.Render(c, "accounts/sign_in", signInPage{Page: h.web.Page(c), Email: email, Next: next, Wrong: h.web.Sentence(c, err)})
	}
	if err != nil {
		return err
	}
	h.web.SetSession(c, token)
	return web.Redirect(c, next, "")
}

func (h handlers) signOut(c *fiber.Ctx) error {
	if err := h.SignOut(c.UserContext(), web.Viewer(c).ID, web.SessionToken(c), web.From(c), h.web.Now()); err != nil {
		return err
	}
	h.web.ClearSession(c)
	return web.Redirect(c, "/", "signed_out")
}
