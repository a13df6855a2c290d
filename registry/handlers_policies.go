package registry

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

// rule is a kind of policy with its history.
type rule struct {
	Kind lms.PolicyKind
	Rows []ruleRow
}

// ruleRow is a policy in words. Its state is "in_force", "to_come", "past" or
// "replaced", by a later row of the same day.
type ruleRow struct {
	RecordedPolicy
	Words string
	State string
}

type policiesPage struct {
	web.Page
	Rules []rule
}

// words says a value of a rule.
func (h handlers) words(lang string, kind lms.PolicyKind, value string) string {
	if n, err := strconv.Atoi(value); err == nil {
		return h.Words.Text(lang, "registry.rule."+string(kind), "Count", n)
	}
	return h.Words.Text(lang, "registry.rule."+value)
}

// ruleOf is a kind of policy as of a day.
func (h handlers) ruleOf(lang string, kind lms.PolicyKind, history []RecordedPolicy, today lms.Date) rule {
	r := rule{Kind: kind}
	inForce := false
	for _, p := range history { // the latest days first
		if p.Kind != kind {
			continue
		}
		row := ruleRow{RecordedPolicy: p, Words: h.words(lang, kind, p.Value), State: "past"}
		switch {
		case len(r.Rows) > 0 && r.Rows[len(r.Rows)-1].From == p.From:
			row.State = "replaced"
		case p.From.After(today):
			row.State = "to_come"
		case !inForce:
			row.State, inForce = "in_force", true
		}
		r.Rows = append(r.Rows, row)
	}
	return r
}

func (h handlers) policies(c *fiber.Ctx) error {
	page := policiesPage{Page: h.web.Page(c)}
	history, err := selectPolicyHistory(c.UserContext(), h.DB)
	if err != nil {
		return err
	}
	for _, kind := range lms.PolicyKinds {
		page.Rules = append(page.Rules, h.ruleOf(page.Lang, kind, history, lms.DateOf(page.Now)))
	}
	return h.web.Render(c, "registry/policies", page)
}

// policyChoice is a value that a rule may have.
type policyChoice struct {
	Value string
	Words string
}

type policyPage struct {
	web.Page
	Kind    lms.PolicyKind
	InForce string // today, in words
	Choices []policyChoice
	Follows lms.PolicyID
	Form    web.Fields
	Refused string
}

func (h handlers) policyForm(c *fiber.Ctx) error { return h.policyPage(c, nil, "") }

// kindOf is the kind of policy of the address.
func kindOf(c *fiber.Ctx) (lms.PolicyKind, error) {
	kind := lms.PolicyKind(c.Params("kind"))
	if !slices.Contains(lms.PolicyKinds, kind) {
		return "", lms.ErrNotFound
	}
	return kind, nil
}

func (h handlers) policyPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	kind, err := kindOf(c)
	if err != nil {
		return err
	}
	page := policyPage{Page: h.web.Page(c), Kind: kind, Refused: refused}
	history, err := selectPolicyHistory(c.UserContext(), h.DB)
	if err != nil {
		return err
	}
	today := lms.DateOf(page.Now)
	for _, row := range h.ruleOf(page.Lang, kind, history, today).Rows {
		page.Follows = max(page.Follows, row.ID)
		if row.State == "in_force" {
			page.InForce = row.Words
		}
	}
	for _, value := range policyChoices[kind] {
		page.Choices = append(page.Choices, policyChoice{value, h.words(page.Lang, kind, value)})
	}
	next := lms.Date{Year: today.Year + 1, Month: 1, Day: 1}
	page.Form = web.Fields{
		{Name: "value", Label: "registry.policies.value_" + string(kind), Value: c.FormValue("value"), Max: 2, Required: true, Autocomplete: "off"},
		{Name: "from", Label: "registry.policies.from", Hint: "registry.policies.day_" + string(kind), Type: "date", Value: c.FormValue("from", next.String()), Required: true, Autocomplete: "off"},
		{Name: "note", Label: "registry.credit.note", Hint: "registry.policies.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: 1000, Required: true, Autocomplete: "off"},
	}.With(wrong)
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return h.web.Render(c, "registry/policy", page)
}

func (h handlers) draftPolicy(c *fiber.Ctx) error {
	kind, err := kindOf(c)
	if err != nil {
		return err
	}
	follows, _ := strconv.ParseInt(c.FormValue("follows"), 10, 64)
	change := PolicyChange{Kind: kind, Value: c.FormValue("value"), Note: c.FormValue("note"), Follows: lms.PolicyID(follows)}
	if change.From, err = lms.ParseDate(c.FormValue("from")); err != nil {
		return h.policyPage(c, map[string]string{"from": "policy_from"}, "")
	}
	id, err := h.DraftPolicy(c.UserContext(), *web.Viewer(c), change, h.web.Now())
	e, _ := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.policyPage(c, e.Fields, "")
	case errors.Is(err, ErrPolicyMoved):
		return h.policyPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	return web.Redirect(c, fmt.Sprintf("/policies/drafts/%d", id), "")
}

type policyDraftPage struct {
	web.Page
	PolicyDraft
	Before  string // what the rule says of the day, in words
	After   string
	Past    bool // what it is for has begun
	Named   bool // those who are listed are shown
	Refused string
}

// Ahead tells whether a year has not begun.
func (p policyDraftPage) Ahead(year int) bool { return year > lms.DateOf(p.Now).Year }

func (h handlers) policyDraft(c *fiber.Ctx) error { return h.policyDraftPage(c, "") }

func (h handlers) policyDraftPage(c *fiber.Ctx, refused string) error {
	id, err := web.Number[PolicyDraftID](c, "id")
	if err != nil {
		return err
	}
	page := policyDraftPage{Page: h.web.Page(c), Refused: refused}
	if page.PolicyDraft, err = h.PolicyDraft(c.UserContext(), *page.Viewer, id); err != nil {
		return err
	}
	history, err := selectPolicyHistory(c.UserContext(), h.DB)
	if err != nil {
		return err
	}
	var policies lms.Policies
	for _, p := range history {
		policies = append(policies, p.Policy)
	}
	now, err := policies.On(page.Kind, page.From)
	if err != nil {
		return err
	}
	page.Before, page.After = h.words(page.Lang, page.Kind, now.Value), h.words(page.Lang, page.Kind, page.Value)
	if page.Named = c.Query("people") == "1" && page.Effects != nil; page.Named {
		if err := h.lookAtListed(c, page.Effects.Listed); err != nil {
			return err
		}
	}
	today := lms.DateOf(page.Now)
	page.Past = page.From.Before(today)
	if page.Kind == lms.AnnualHours || page.Kind == lms.Proration {
		years, err := page.years(policies, today.Year)
		if err != nil {
			return err
		}
		page.Past = len(years) > 0 && years[0] <= today.Year
	}
	if refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	return h.web.Render(c, "registry/policy_draft", page)
}

// lookAtListed writes down that those whom a change would affect are looked at.
func (h handlers) lookAtListed(c *fiber.Ctx, list []Affected) error {
	for _, a := range list {
		if _, err := h.People.LookAtPerson(c.UserContext(), *web.Viewer(c), a.Person, web.From(c), h.web.Now()); err != nil {
			return err
		}
	}
	return nil
}

// policyDraftState answers the page that waits until everybody is counted.
func (h handlers) policyDraftState(c *fiber.Ctx) error {
	id, err := web.Number[PolicyDraftID](c, "id")
	if err != nil {
		return err
	}
	d, err := h.PolicyDraft(c.UserContext(), *web.Viewer(c), id)
	if err != nil {
		return err
	}
	state := "counting"
	if d.Effects != nil {
		state = "counted"
	}
	return c.JSON(fiber.Map{"state": state})
}

func (h handlers) changePolicy(c *fiber.Ctx) error {
	id, err := web.Number[PolicyDraftID](c, "id")
	if err != nil {
		return err
	}
	err = h.ChangePolicy(c.UserContext(), *web.Viewer(c), id, web.From(c), h.web.Now())
	if errors.Is(err, ErrPolicyMoved) {
		return h.policyDraftPage(c, h.web.Sentence(c, err))
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, "/policies", "policy_changed")
}
