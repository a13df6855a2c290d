package registry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type workPage struct {
	web.Page
	Person  lms.Person
	Works   []Work
	Changes WorkID // the version that the form corrects; 0: another employer
	Form    web.Fields
	Refused string
}

func (h handlers) work(c *fiber.Ctx) error { return h.workPage(c, nil, "") }

// workPage shows what is known of somebody's work, with the form of one of them or of a
// new one.
func (h handlers) workPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	page := workPage{Page: h.web.Page(c), Refused: refused}
	if page.Person, err = h.People.LookAtPerson(c.UserContext(), *page.Viewer, id, web.From(c), page.Now); err != nil {
		return err
	}
	if page.Works, err = h.Works(c.UserContext(), page.Person.ID); err != nil {
		return err
	}
	shown := Work{}
	replaces, _ := strconv.ParseInt(c.FormValue("replaces", c.Query("replaces")), 10, 64)
	for _, w := range page.Works {
		if w.ID == WorkID(replaces) {
			page.Changes, shown = w.ID, w
		}
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{
		{Name: "employer", Label: "registry.work.employer", Value: c.FormValue("employer", shown.Employer), Max: 200, Autocomplete: "off"},
		{Name: "hired", Label: "registry.work.hired", Type: "date", Value: c.FormValue("hired", typedDay(shown.HiredOn)), Required: true, Autocomplete: "off"},
		{Name: "left", Label: "registry.work.left", Hint: "registry.work.left_hint", Type: "date", Value: c.FormValue("left", typedDay(shown.LeftOn)), Autocomplete: "off"},
		{Name: "note", Label: "registry.credit.note", Hint: "registry.work.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: 1000, Required: true, Autocomplete: "off"},
	}.With(wrong)
	return h.web.Render(c, "registry/work", page)
}

func (h handlers) recordWork(c *fiber.Ctx) error {
	id, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return err
	}
	change := WorkChange{Person: id, Employer: strings.TrimSpace(c.FormValue("employer")), Note: c.FormValue("note")}
	replaces, _ := strconv.ParseInt(c.FormValue("replaces"), 10, 64)
	change.Replaces = WorkID(replaces)
	if change.HiredOn, err = optionalDay(c.FormValue("hired")); err != nil {
		return h.workPage(c, map[string]string{"hired": "work_hired"}, "")
	}
	if change.LeftOn, err = optionalDay(c.FormValue("left")); err != nil {
		return h.workPage(c, map[string]string{"left": "work_left"}, "")
	}
	err = h.RecordWork(c.UserContext(), *web.Viewer(c), change, web.From(c), h.web.Now())
	e, _ := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.workPage(c, e.Fields, "")
	case errors.Is(err, ErrOwnCredit), errors.Is(err, ErrWorkMoved):
		return h.workPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	return web.Redirect(c, fmt.Sprintf("/people/%d/work", id), "work_recorded")
}

func optionalDay(typed string) (lms.Date, error) {
	if typed == "" {
		return lms.Date{}, nil
	}
	return lms.ParseDate(typed)
}

func typedDay(d lms.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
