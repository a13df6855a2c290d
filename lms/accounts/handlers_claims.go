package accounts

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

func claimFields(c *fiber.Ctx) web.Fields {
	return web.Fields{
		{Name: "mopd_id", Label: "accounts.claim.mopd_id", Hint: "accounts.claim.mopd_id_hint", Value: c.FormValue("mopd_id"), Max: 20, Required: true},
		{Name: "family", Label: "accounts.sign_up.family", Hint: "accounts.claim.family_hint", Value: c.FormValue("family"), Autocomplete: "family-name", Max: nameLength, Required: true},
		{Name: "born", Label: "accounts.sign_up.born", Type: "date", Value: c.FormValue("born"), Autocomplete: "bday", Required: true},
	}
}

func (h handlers) claimForm(c *fiber.Ctx) error {
	if web.Viewer(c) != nil {
		return web.Redirect(c, "/", "")
	}
	return h.form(c, "claim", formPage{Form: claimFields(c)})
}

func (h handlers) claim(c *fiber.Ctx) error {
	born, _ := lms.ParseDate(c.FormValue("born")) // the zero date is refused as none
	token, err := h.AskClaim(c.UserContext(), Claim{MOPDID: c.FormValue("mopd_id"), Family: c.FormValue("family"), Born: born, Lang: h.web.Lang(c)}, web.From(c), h.web.Now())
	if wrong, ok := wrong(c, err); ok {
		return h.form(c, "claim", formPage{Form: claimFields(c).With(wrong)})
	}
	if refused := h.refused(c, err); refused != "" {
		return h.form(c, "claim", formPage{Form: claimFields(c), Refused: refused})
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/claim/"+token, "")
}

// claimSentPage asks for the code that was mailed, if one was, and offers a registrar's
// help after many tries.
type claimSentPage struct {
	web.Page
	Token   string
	Refused string
	Listed  bool
	Ask     web.Fields
}

func contactFields(c *fiber.Ctx) web.Fields {
	return web.Fields{
		{Name: "contact", Label: "accounts.contact.contact", Hint: "accounts.contact.contact_hint", Value: c.FormValue("contact"), Autocomplete: "email", Max: emailLength, Required: true},
		{Name: "note", Label: "accounts.contact.note", Hint: "accounts.contact.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: noteLength},
	}
}

func (h handlers) claimSent(c *fiber.Ctx, page claimSentPage) error {
	page.Page, page.Token = h.web.Page(c), c.Params("token")
	claim, err := h.PendingClaim(c.UserContext(), page.Token, page.Now)
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/claim")
	}
	if err != nil {
		return err
	}
	page.Listed = claim.Listed
	if page.Ask == nil {
		page.Ask = contactFields(c)
	}
	return h.web.Render(c, "accounts/claim_sent", page)
}

func (h handlers) claimCodeForm(c *fiber.Ctx) error { return h.claimSent(c, claimSentPage{}) }

func (h handlers) claimCode(c *fiber.Ctx) error {
	proved, err := h.ProveClaim(c.UserContext(), c.Params("token"), c.FormValue("code"), h.web.Now())
	if refused := h.refused(c, err); refused != "" {
		return h.claimSent(c, claimSentPage{Refused: refused})
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/claim/"+proved+"/password", "")
}

func (h handlers) askRegistrar(c *fiber.Ctx) error {
	token := c.Params("token")
	err := h.AskRegistrar(c.UserContext(), token, c.FormValue("contact"), c.FormValue("note"), web.From(c), h.web.Now())
	if wrong, ok := wrong(c, err); ok {
		return h.claimSent(c, claimSentPage{Ask: contactFields(c).With(wrong)})
	}
	if errors.Is(err, ErrTooManyTries) {
		return h.claimSent(c, claimSentPage{Refused: h.refused(c, err)})
	}
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/claim")
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/claim/"+token, "registrar_asked")
}

// claimPasswordPage is where the password of a claimed profile is chosen.
type claimPasswordPage struct {
	formPage
	Action string // of its form
}

// claimPassword shows the page of whose profile it is.
func (h handlers) claimPassword(c *fiber.Ctx, p lms.Person, err error, form web.Fields) error {
	if errors.Is(err, ErrLinkOver) {
		return h.linkOver(c, "/claim")
	}
	if err != nil {
		return err
	}
	return h.web.Render(c, "accounts/claim_password", claimPasswordPage{
		formPage{Page: h.web.Page(c), Form: form, Email: p.Email, Person: p.Given}, c.Path(),
	})
}

// claimed answers the choice of a password.
func (h handlers) claimed(c *fiber.Ctx, opened Opened, err error, again func() (lms.Person, error)) error {
	if wrong, ok := wrong(c, err); ok {
		p, err := again()
		return h.claimPassword(c, p, err, newPassword().With(wrong))
	}
	if errors.Is(err, ErrEmailTaken) {
		c.Status(fiber.StatusConflict)
		return h.form(c, "claim_taken", formPage{})
	}
	if err != nil {
		return h.claimPassword(c, lms.Person{}, err, nil)
	}
	return h.goOn(c, opened, "/report")
}

func (h handlers) provedClaimForm(c *fiber.Ctx) error {
	p, err := h.ProvedClaim(c.UserContext(), c.Params("token"), h.web.Now())
	return h.claimPassword(c, p, err, newPassword())
}

func (h handlers) finishClaim(c *fiber.Ctx) error {
	ctx, token := c.UserContext(), c.Params("token")
	opened, err := h.FinishClaim(ctx, token, c.FormValue("password"), origin(c), h.web.Now())
	return h.claimed(c, opened, err, func() (lms.Person, error) { return h.ProvedClaim(ctx, token, h.web.Now()) })
}

func (h handlers) linkedClaimForm(c *fiber.Ctx) error {
	p, err := h.LinkedClaim(c.UserContext(), c.Params("token"), h.web.Now())
	return h.claimPassword(c, p, err, newPassword())
}

func (h handlers) finishLinkedClaim(c *fiber.Ctx) error {
	ctx, token := c.UserContext(), c.Params("token")
	opened, err := h.FinishLinkedClaim(ctx, token, c.FormValue("password"), origin(c), h.web.Now())
	return h.claimed(c, opened, err, func() (lms.Person, error) { return h.LinkedClaim(ctx, token, h.web.Now()) })
}
