package accounts

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

const longestQuery = 200

type peoplePage struct {
	web.Page
	Query string
	Found Found
}

// To is the address of another page of the same results.
func (p peoplePage) To(page int) string {
	return "/people?" + url.Values{"q": {p.Query}, "page": {strconv.Itoa(page)}}.Encode()
}

// Previous is the page before this one; 0 is none.
func (p peoplePage) Previous() int { return p.Found.Page - 1 }

// Next is the page after this one; 0 is none.
func (p peoplePage) Next() int {
	if p.Found.Page >= p.Found.Pages {
		return 0
	}
	return p.Found.Page + 1
}

func (h handlers) people(c *fiber.Ctx) error {
	page := peoplePage{Page: h.web.Page(c), Query: strings.TrimSpace(c.Query("q"))}
	if r := []rune(page.Query); len(r) > longestQuery {
		page.Query = string(r[:longestQuery])
	}
	var err error
	if page.Found, err = h.SearchPeople(c.UserContext(), *page.Viewer, page.Query, web.PageOf(c), web.From(c), page.Now); err != nil {
		return err
	}
	return h.web.Render(c, "accounts/people", page)
}

func personPath(id lms.PersonID) string { return fmt.Sprintf("/people/%d", id) }

type recordPage struct {
	web.Page
	Record
	Trail []said
}

func (h handlers) person(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	page := recordPage{Page: h.web.Page(c)}
	if page.Record, err = h.LookAt(c.UserContext(), *page.Viewer, n, web.From(c), page.Now); err != nil {
		return err
	}
	page.Trail = h.said(c, page.Record.Trail)
	return h.web.Render(c, "accounts/person", page)
}

// trailPage is all that was done to somebody's record.
type trailPage struct {
	web.Page
	Who    lms.Person
	Trail  []said
	Before int64
	Older  int64
}

func (h handlers) personTrail(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	page := trailPage{Page: h.web.Page(c), Before: int64(c.QueryInt("before"))}
	var lines []AuditLine
	if page.Who, lines, page.Older, err = h.PersonTrail(c.UserContext(), *page.Viewer, n, page.Before, web.From(c), page.Now); err != nil {
		return err
	}
	page.Trail = h.said(c, lines)
	return h.web.Render(c, "accounts/trail", page)
}

// correctPage is the form in which a name or a date of birth is put right.
type correctPage struct {
	web.Page
	Who     lms.Person
	Form    web.Fields
	Refused string
}

func correctFields(given, family, born, reason string) web.Fields {
	return web.Fields{
		{Name: "given", Label: "accounts.correct.given", Value: given, Autocomplete: "off", Max: nameLength, Required: true, Focus: true},
		{Name: "family", Label: "accounts.correct.family", Value: family, Autocomplete: "off", Max: nameLength, Required: true},
		{Name: "born", Label: "accounts.account.born", Type: "date", Value: born, Autocomplete: "off"},
		{Name: "reason", Label: "accounts.correct.reason", Hint: "accounts.correct.reason_hint", Type: "textarea", Value: reason, Max: reasonLength, Required: true},
	}
}

func (h handlers) correctForm(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	page := correctPage{Page: h.web.Page(c)}
	if page.Who, err = h.LookAtPerson(c.UserContext(), *page.Viewer, n, web.From(c), page.Now); err != nil {
		return err
	}
	born := ""
	if !page.Who.Born.IsZero() {
		born = page.Who.Born.String()
	}
	page.Form = correctFields(page.Who.Given, page.Who.Family, born, "")
	return h.web.Render(c, "accounts/correct", page)
}

func (h handlers) correct(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	born, _ := lms.ParseDate(c.FormValue("born")) // the zero date is refused unless none is on record
	page := correctPage{Page: h.web.Page(c)}
	err = h.Correct(c.UserContext(), *page.Viewer, n, Correction{
		Given: c.FormValue("given"), Family: c.FormValue("family"), Born: born, Reason: c.FormValue("reason"),
	}, web.From(c), page.Now)
	if err == nil {
		return web.Redirect(c, personPath(n), "record_corrected")
	}
	page.Form = correctFields(c.FormValue("given"), c.FormValue("family"), c.FormValue("born"), c.FormValue("reason"))
	if fields, ok := wrong(c, err); ok {
		page.Form = page.Form.With(fields)
	} else if page.Refused = h.refused(c, err); page.Refused == "" {
		return err
	}
	if page.Who, err = h.LookAtPerson(c.UserContext(), *page.Viewer, n, web.From(c), page.Now); err != nil {
		return err
	}
	return h.web.Render(c, "accounts/correct", page)
}

// rolesPage is where roles are chosen, and where a change is confirmed.
type rolesPage struct {
	web.Page
	Who     lms.Person
	Change  RoleChange
	Confirm bool
	Refused string
}

// All are the roles to choose from.
func (p rolesPage) All() []lms.Role { return GrantedRoles }

// Wants tells whether a role is chosen.
func (p rolesPage) Wants(r lms.Role) bool { return slices.Contains(p.Change.Want, r) }

func (h handlers) rolesForm(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	page := rolesPage{Page: h.web.Page(c)}
	if page.Who, err = h.LookAtPerson(c.UserContext(), *page.Viewer, n, web.From(c), page.Now); err != nil {
		return err
	}
	page.Change = RoleChange{page.Who.Roles, page.Who.Roles}
	return h.web.Render(c, "accounts/roles", page)
}

// rolesIn are the roles that a form has under a name.
func rolesIn(c *fiber.Ctx, name string) (roles []lms.Role) {
	for _, r := range c.Context().PostArgs().PeekMulti(name) {
		roles = append(roles, lms.Role(r))
	}
	return roles
}

// changeRoles asks whether a change is meant, and makes it once that is confirmed.
func (h handlers) changeRoles(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	page := rolesPage{Page: h.web.Page(c), Change: RoleChange{rolesIn(c, "was"), rolesIn(c, "role")}}
	if c.FormValue("confirmed") == "1" {
		err = h.ChangeRoles(c.UserContext(), *page.Viewer, n, page.Change, web.From(c), page.Now)
		if err == nil {
			return web.Redirect(c, personPath(n), "roles_changed")
		}
	} else {
		err = h.CheckRoles(c.UserContext(), n, page.Change)
		page.Confirm = err == nil
	}
	if page.Refused = h.refused(c, err); err != nil && page.Refused == "" {
		return err
	}
	if page.Who, err = h.LookAtPerson(c.UserContext(), *page.Viewer, n, web.From(c), page.Now); err != nil {
		return err
	}
	if !page.Confirm {
		page.Change.Was = page.Who.Roles
	}
	return h.web.Render(c, "accounts/roles", page)
}

func (h handlers) endPersonsSessions(c *fiber.Ctx) error {
	n, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	if err := h.EndSessions(c.UserContext(), *web.Viewer(c), n, web.From(c), h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, personPath(n), "sessions_ended")
}
