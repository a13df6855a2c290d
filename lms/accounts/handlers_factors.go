package accounts

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

var base32NoPad = base32.StdEncoding.WithPadding(base32.NoPadding)

type chooseFactorPage struct {
	web.Page
	First   bool   // nothing else can be done before
	Kinds   []Kind // that can be set up, best first for most people
	Next    string
	Refused string
}

func (h handlers) choosePage(c *fiber.Ctx) (chooseFactorPage, error) {
	v := web.Session(c)
	page := chooseFactorPage{Page: h.web.Page(c), First: v.Stage == lms.Enrolling, Next: next(c)}
	factors, err := h.Factors(c.UserContext(), v.ID)
	if err != nil {
		return page, err
	}
	for _, kind := range []Kind{ByEmail, Authenticator, Passkey, ByText} {
		taken := kind == ByEmail && slices.ContainsFunc(factors, func(f Factor) bool { return f.Kind == ByEmail })
		if h.offered(v.Person, kind) && !taken {
			page.Kinds = append(page.Kinds, kind)
		}
	}
	return page, nil
}

func (h handlers) chooseFactor(c *fiber.Ctx) error {
	page, err := h.choosePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "accounts/choose_factor", page)
}

// chooseAgain shows the choice again with what went wrong.
func (h handlers) chooseAgain(c *fiber.Ctx, refused error) error {
	sentence := h.refused(c, refused)
	if sentence == "" {
		return refused
	}
	page, err := h.choosePage(c)
	if err != nil {
		return err
	}
	page.Refused = sentence
	return h.web.Render(c, "accounts/choose_factor", page)
}

// codesPage shows recovery codes, this once: it cannot be asked for again, not even in
// another language.
type codesPage struct {
	web.Page
	Codes []string
	Fresh bool // the second step was just set up
	Next  string
}

func (h handlers) oncePage(c *fiber.Ctx) web.Page {
	page := h.web.Page(c)
	page.Once = true
	return page
}

// wasSetUp shows the recovery codes that came with a factor, or goes on.
func (h handlers) wasSetUp(c *fiber.Ctx, done SetUp, next string) error {
	if len(done.RecoveryCodes) == 0 {
		if next == "/" {
			next = "/account?notice=factor_added"
		}
		return h.goOn(c, done.Opened, next)
	}
	h.enter(c, done.Opened)
	page := codesPage{Page: h.oncePage(c), Codes: done.RecoveryCodes, Fresh: true, Next: next}
	return h.web.Render(c, "accounts/codes", page)
}

func (h handlers) addEmail(c *fiber.Ctx) error {
	done, err := h.AddEmail(c.UserContext(), *web.Session(c), origin(c), h.web.Now())
	if err != nil {
		return h.chooseAgain(c, err)
	}
	return h.wasSetUp(c, done, next(c))
}

func (h handlers) beginAuthenticator(c *fiber.Ctx) error {
	id, err := h.BeginAuthenticator(c.UserContext(), *web.Session(c), origin(c), h.web.Now())
	if err != nil {
		return err
	}
	return web.Redirect(c, factorPath(id, next(c)), "")
}

func factorPath(id int64, next string) string {
	return fmt.Sprintf("/account/factors/%d?next=%s", id, url.QueryEscape(next))
}

func textFields(c *fiber.Ctx) web.Fields {
	return web.Fields{{Name: "phone", Label: "accounts.text.phone", Hint: "accounts.text.hint", Type: "tel", Value: c.FormValue("phone"), Autocomplete: "tel", Max: 30, Required: true, Focus: true}}
}

func (h handlers) textForm(c *fiber.Ctx) error {
	return h.form(c, "text", formPage{Form: textFields(c), Token: next(c)})
}

func (h handlers) beginText(c *fiber.Ctx) error {
	id, err := h.BeginText(c.UserContext(), *web.Session(c), c.FormValue("phone"), origin(c), h.web.Now())
	if wrong, ok := wrong(c, err); ok {
		return h.form(c, "text", formPage{Form: textFields(c).With(wrong), Token: next(c)})
	}
	if refused := h.refused(c, err); refused != "" {
		return h.form(c, "text", formPage{Form: textFields(c), Refused: refused, Token: next(c)})
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, factorPath(id, next(c)), "")
}

// factorPage is where an authenticator app or a phone number is confirmed.
type factorPage struct {
	web.Page
	Factor  Factor
	Secret  string       // of an authenticator app, in groups of four
	App     template.URL // opens an authenticator app on this device
	Next    string
	Refused string
}

func (h handlers) factorPage(c *fiber.Ctx) (factorPage, error) {
	page := factorPage{Page: h.web.Page(c), Next: next(c)}
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return page, err
	}
	v := *web.Session(c)
	if page.Factor, err = h.factor(c.UserContext(), v, n); err != nil {
		return page, err
	}
	if page.Factor.Kind == Authenticator && !page.Factor.Confirmed {
		key, err := h.AuthenticatorKey(c.UserContext(), v, n)
		if err != nil {
			return page, err
		}
		page.Secret, page.App = grouped(key.Secret()), template.URL(key.URL())
	}
	return page, nil
}

func grouped(s string) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for group := range slices.Chunk([]byte(s), 4) {
			if !yield(string(group)) {
				return
			}
		}
	}), " ")
}

func (h handlers) factorForm(c *fiber.Ctx) error {
	page, err := h.factorPage(c)
	if err != nil {
		return err
	}
	if page.Factor.Confirmed {
		return web.Redirect(c, "/account", "")
	}
	return h.web.Render(c, "accounts/factor", page)
}

func (h handlers) qrCode(c *fiber.Ctx) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	key, err := h.AuthenticatorKey(c.UserContext(), *web.Session(c), n)
	if err != nil {
		return err
	}
	picture, err := key.Image(240, 240)
	if err != nil {
		return fmt.Errorf("draw QR code: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return fmt.Errorf("draw QR code: %w", err)
	}
	c.Set(fiber.HeaderContentType, "image/png")
	return c.Send(out.Bytes())
}

func (h handlers) confirmFactor(c *fiber.Ctx) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	done, err := h.ConfirmFactor(c.UserContext(), *web.Session(c), n, c.FormValue("code"), origin(c), h.web.Now())
	if errors.Is(err, ErrFactorExists) {
		return web.Redirect(c, "/account", "")
	}
	if refused := h.refused(c, err); refused != "" {
		page, err := h.factorPage(c)
		if err != nil {
			return err
		}
		page.Refused = refused
		return h.web.Render(c, "accounts/factor", page)
	}
	if err != nil {
		return err
	}
	return h.wasSetUp(c, done, next(c))
}

func (h handlers) passkeyCreation(c *fiber.Ctx) error {
	options, err := h.PasskeyCreation(c.UserContext(), *web.Session(c), h.web.Now())
	if err != nil {
		return err
	}
	return c.JSON(options)
}

func (h handlers) addPasskey(c *fiber.Ctx) error {
	done, err := h.AddPasskey(c.UserContext(), *web.Session(c), []byte(c.FormValue("passkey")), origin(c), h.web.Now())
	if err != nil {
		return h.chooseAgain(c, err)
	}
	return h.wasSetUp(c, done, next(c))
}

// removePage asks before a factor is removed.
type removePage struct {
	web.Page
	Factor Factor
	Last   string // why it must stay, "" if it need not
}

func (h handlers) askRemoveFactor(c *fiber.Ctx) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	page := removePage{Page: h.web.Page(c)}
	if page.Factor, err = h.factor(c.UserContext(), *page.Viewer, n); err != nil {
		return err
	}
	factors, err := h.Factors(c.UserContext(), page.Viewer.ID)
	if err != nil {
		return err
	}
	if err := h.canRemove(page.Viewer.Person, factors, n); err != nil {
		page.Last = h.web.Sentence(c, err)
	}
	return h.web.Render(c, "accounts/remove_factor", page)
}

func (h handlers) removeFactor(c *fiber.Ctx) error {
	n, err := web.Number[int64](c, "id")
	if err != nil {
		return err
	}
	if err := h.RemoveFactor(c.UserContext(), *web.Viewer(c), n, web.From(c), h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/account", "factor_removed")
}

func (h handlers) askRecoveryCodes(c *fiber.Ctx) error {
	left, err := h.RecoveryCodesLeft(c.UserContext(), web.Viewer(c).ID)
	if err != nil {
		return err
	}
	return h.web.Render(c, "accounts/new_codes", accountPage{Page: h.web.Page(c), Codes: left})
}

func (h handlers) newRecoveryCodes(c *fiber.Ctx) error {
	codes, err := h.NewRecoveryCodes(c.UserContext(), *web.Viewer(c), web.From(c), h.web.Now())
	if err != nil {
		return err
	}
	return h.web.Render(c, "accounts/codes", codesPage{Page: h.oncePage(c), Codes: codes, Next: "/account"})
}
