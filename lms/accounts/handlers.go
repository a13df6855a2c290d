package accounts

import (
	"errors"
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

func origin(c *fiber.Ctx) Origin {
	return Origin{From: web.From(c), Agent: c.Get(fiber.HeaderUserAgent), Computer: web.ComputerToken(c)}
}

// next is where somebody was on their way to.
func next(c *fiber.Ctx) string {
	from := c.Query("next")
	if c.Method() != fiber.MethodGet {
		from = c.FormValue("next")
	}
	return web.LocalPath(from, "/")
}

// goOn gives the browser its session and leads to what is next at its stage.
func (h handlers) goOn(c *fiber.Ctx, o Opened, next string) error {
	h.enter(c, o)
	switch o.Stage {
	case lms.Identified:
		return web.Redirect(c, "/account/prove?next="+url.QueryEscape(next), "")
	case lms.Enrolling:
		return web.Redirect(c, "/account/factors/new?next="+url.QueryEscape(next), "")
	default:
		return web.Redirect(c, next, "")
	}
}

// enter gives the browser its session, at the stage that it has got to.
func (h handlers) enter(c *fiber.Ctx, o Opened) {
	h.web.SetSession(c, o.Token)
	if o.Computer != "" {
		h.web.SetComputer(c, o.Computer)
	}
	if v := web.Session(c); v != nil {
		v.Stage = o.Stage
	}
}

// refused is the sentence of an error that a page shows above its form; "" if another
// page must say it. The answer's status is set.
func (h handlers) refused(c *fiber.Ctx, err error) string {
	e, ok := lms.AsError(err)
	if !ok || e.Kind == lms.Unavailable || e.Kind == lms.NotFound || e.Kind == lms.Unauthenticated && !errors.Is(e, ErrWrongPassword) {
		return ""
	}
	c.Status(fiber.StatusUnprocessableEntity)
	if e.Kind == lms.TooMany {
		c.Status(fiber.StatusTooManyRequests)
		web.RetryAfter(c, e)
	}
	return h.web.Sentence(c, e)
}

// wrong are the fields that an error is about; false if it is about no field.
func wrong(c *fiber.Ctx, err error) (map[string]string, bool) {
	e, ok := lms.AsError(err)
	if !ok || len(e.Fields) == 0 {
		return nil, false
	}
	c.Status(fiber.StatusUnprocessableEntity)
	return e.Fields, true
}

type signInPage struct {
	web.Page
	Email, Next, Refused string
	Ended                Ended // why the browser's former session is over; "" if it does not matter
}

func (h handlers) signInForm(c *fiber.Ctx) error {
	if web.Viewer(c) != nil {
		return web.Redirect(c, next(c), "")
	}
	page := signInPage{Page: h.web.Page(c), Next: next(c)}
	if token := web.SessionToken(c); token != "" && web.Session(c) == nil {
		var err error
		if page.Ended, err = h.Ended(c.UserContext(), token, page.Now); err != nil {
			return err
		}
	}
	return h.web.Render(c, "accounts/sign_in", page)
}

func (h handlers) signIn(c *fiber.Ctx) error {
	email := c.FormValue("email")
	opened, err := h.SignIn(c.UserContext(), Credentials{
		Email: email, Password: c.FormValue("password"), Former: web.SessionToken(c), Origin: origin(c),
	}, h.web.Now())
	if refused := h.refused(c, err); refused != "" {
		return h.web.Render(c, "accounts/sign_in", signInPage{Page: h.web.Page(c), Email: email, Next: next(c), Refused: refused})
	}
	if err != nil {
		return err
	}
	return h.identified(c, opened, next(c))
}

// identified goes on after a password: a code is on its way at once where that is how
// the second factor is given.
func (h handlers) identified(c *fiber.Ctx, o Opened, next string) error {
	if o.Stage != lms.Identified {
		return h.goOn(c, o, next)
	}
	ctx := c.UserContext()
	v, err := h.Viewer(ctx, o.Token, h.web.Now())
	if err != nil {
		return err
	}
	ways, err := h.Ways(ctx, v)
	if err != nil {
		return err
	}
	recovering, err := h.Recovering(ctx, v)
	if err != nil {
		return err
	}
	if recovering.Asked || len(ways) == 0 || ways[0].Kind.Strong() {
		return h.goOn(c, o, next)
	}
	err = h.SendCode(ctx, v, ways[0].ID, h.web.Lang(c), h.web.Now())
	if errors.Is(err, ErrTooManyTries) { // the page offers to send it later
		return h.goOn(c, o, next)
	}
	if err != nil {
		return err
	}
	h.enter(c, o)
	return web.Redirect(c, provePage{Next: next}.With(ways[0].ID)+"&sent=1", "")
}

func (h handlers) signOut(c *fiber.Ctx) error {
	if err := h.SignOut(c.UserContext(), *web.Session(c), web.From(c), h.web.Now()); err != nil {
		return err
	}
	h.web.ClearSession(c)
	return web.Redirect(c, "/", "signed_out")
}

// provePage asks for a second factor, in one of the viewer's ways.
type provePage struct {
	web.Page
	Who      string // e-mail address
	Again    bool   // signed in already
	Resets   bool   // a new password counts once the second step is given
	Ways     []Factor
	Way      Factor // chosen; ID 0: a recovery code
	Sent     bool
	Remember bool // may be offered
	Next     string
	Refused  string
}

// With is the address of this page with another way.
func (p provePage) With(factor int64) string {
	return "/account/prove?with=" + strconv.FormatInt(factor, 10) + "&next=" + url.QueryEscape(p.Next)
}

func (h handlers) provePage(c *fiber.Ctx, chosen string) (provePage, error) {
	v := web.Session(c)
	page := provePage{Page: h.web.Page(c), Who: v.Email, Again: v.Stage == lms.SignedIn, Remember: v.Stage == lms.Identified && !v.Staff(), Next: next(c)}
	var err error
	if page.Ways, err = h.Ways(c.UserContext(), *v); err != nil {
		return page, err
	}
	if page.Resets, err = h.Resets(c.UserContext(), *v); err != nil {
		return page, err
	}
	if len(page.Ways) > 0 && chosen != "0" {
		page.Way = page.Ways[0]
	}
	for _, f := range page.Ways {
		if strconv.FormatInt(f.ID, 10) == chosen {
			page.Way = f
		}
	}
	return page, nil
}

func (h handlers) proveForm(c *fiber.Ctx) error {
	if lms.Refusal(web.Session(c), lms.Secure, h.web.Now()) == nil {
		return web.Redirect(c, next(c), "") // it was just given: the way back led here
	}
	if web.Session(c).Stage == lms.Identified && c.Query("with") == "" {
		recovering, err := h.Recovering(c.UserContext(), *web.Session(c))
		if err != nil {
			return err
		}
		if recovering.Asked {
			return web.Redirect(c, "/recover?next="+url.QueryEscape(next(c)), "")
		}
	}
	page, err := h.provePage(c, c.Query("with"))
	if err != nil {
		return err
	}
	if len(page.Ways) == 0 && web.Session(c).Stage == lms.Enrolling {
		return web.Redirect(c, "/account/factors/new?next="+url.QueryEscape(page.Next), "")
	}
	page.Sent = c.Query("sent") == "1"
	return h.web.Render(c, "accounts/prove", page)
}

func (h handlers) prove(c *fiber.Ctx) error {
	factor, err := strconv.ParseInt(c.FormValue("factor"), 10, 64)
	if err != nil {
		return lms.ErrForm.Because(err)
	}
	opened, err := h.Prove(c.UserContext(), *web.Session(c), Proof{
		Factor: factor, Code: c.FormValue("code"), Passkey: []byte(c.FormValue("passkey")), Remember: c.FormValue("remember") == "1", Origin: origin(c),
	}, h.web.Now())
	if refused := h.refused(c, err); refused != "" {
		page, err := h.provePage(c, c.FormValue("factor"))
		if err != nil {
			return err
		}
		page.Refused, page.Sent = refused, c.FormValue("sent") == "1"
		return h.web.Render(c, "accounts/prove", page)
	}
	if err != nil {
		return err
	}
	if factor == 0 {
		return h.goOn(c, opened, "/account?notice=recovery_code_used")
	}
	return h.goOn(c, opened, next(c))
}

func (h handlers) sendCode(c *fiber.Ctx) error {
	factor, err := strconv.ParseInt(c.FormValue("factor"), 10, 64)
	if err != nil {
		return lms.ErrForm.Because(err)
	}
	err = h.SendCode(c.UserContext(), *web.Session(c), factor, h.web.Lang(c), h.web.Now())
	page, pageErr := h.provePage(c, c.FormValue("factor"))
	if pageErr != nil {
		return pageErr
	}
	if refused := h.refused(c, err); refused != "" {
		page.Refused, page.Sent = refused, true
		return h.web.Render(c, "accounts/prove", page)
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, page.With(factor)+"&sent=1", "code_sent")
}

func (h handlers) passkeyRequest(c *fiber.Ctx) error {
	options, err := h.PasskeyRequest(c.UserContext(), *web.Session(c), h.web.Now())
	if err != nil {
		return err
	}
	return c.JSON(options)
}
