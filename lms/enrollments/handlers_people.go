package enrollments

import (
	"errors"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// errOtherOpen tells a registrar what lms.ErrAlreadyEnrolled tells the person.
var errOtherOpen = lms.NewError(lms.Conflict, "other_open")

// personsPage is the courses of a person, for those who look after people.
type personsPage struct {
	web.Page
	Person lms.Person
	List   []personsCourse
}

type personsCourse struct {
	course
	Extensions []Extended
}

// MayExtend tells whether there is something to extend, and a later day to extend it to.
func (c personsCourse) MayExtend(now time.Time) bool {
	return (c.State.Open() || c.State == lms.Expired) && c.LastDay.Before(lms.DateOf(now).AddMonths(12))
}

type extendPage struct {
	web.Page
	Person  lms.Person
	Course  personsCourse
	Form    web.Fields
	Refused string
}

// look is a person with their courses, the latest registration first; that somebody
// looked is written down.
func (h handlers) look(c *fiber.Ctx) (page personsPage, err error) {
	page = personsPage{Page: h.web.Page(c)}
	id, err := web.Number[lms.PersonID](c, "id")
	if err != nil {
		return page, err
	}
	ctx, today := c.UserContext(), lms.DateOf(page.Now)
	if page.Person, err = h.People.LookAtPerson(ctx, *page.Viewer, id, web.From(c), page.Now); err != nil {
		return page, err
	}
	return page, pg.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		mine, err := selectEnrollments(ctx, tx, page.Person.ID)
		if err != nil {
			return err
		}
		extensions, err := selectExtensions(ctx, tx, page.Person.ID)
		if err != nil {
			return err
		}
		page.List = personsCourses(mine, extensions, today)
		return nil
	})
}

// personsCourses are enrollments as they stand on a day, the latest registration first.
func personsCourses(mine []lms.Enrollment, extensions []Extended, today lms.Date) (list []personsCourse) {
	for i := len(mine) - 1; i >= 0; i-- {
		c := personsCourse{course: courseOf(mine[i], nil, today)}
		if c.Over(today) {
			c.State = lms.Expired
		}
		for _, x := range extensions {
			if x.Enrollment == c.ID {
				c.Extensions = append(c.Extensions, x)
			}
		}
		list = append(list, c)
	}
	return list
}

func (h handlers) personsCourses(c *fiber.Ctx) error {
	page, err := h.look(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "enrollments/person", page)
}

func (h handlers) extendForm(c *fiber.Ctx) error { return h.extendPage(c, nil, "") }

func (h handlers) extendPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	of, err := h.look(c)
	if err != nil {
		return err
	}
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	page := extendPage{Page: of.Page, Person: of.Person, Refused: refused}
	for _, course := range of.List {
		if course.ID == id && course.MayExtend(of.Now) {
			page.Course = course
		}
	}
	if page.Course.ID == 0 {
		return lms.ErrNotFound
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{
		{Name: "last_day", Label: "enrollments.extend.last_day", Hint: "enrollments.extend.last_day_hint", Type: "date", Value: c.FormValue("last_day"), Required: true, Autocomplete: "off"},
		{Name: "note", Label: "enrollments.extend.note", Hint: "enrollments.extend.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: noteLength, Required: true, Autocomplete: "off"},
	}.With(wrong)
	return h.web.Render(c, "enrollments/extend", page)
}

func (h handlers) extend(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	x := Extension{Enrollment: id, Note: c.FormValue("note")}
	if x.Was, err = lms.ParseDate(c.FormValue("was")); err != nil {
		return lms.ErrForm.Because(err)
	}
	if x.LastDay, err = lms.ParseDate(c.FormValue("last_day")); err != nil {
		return h.extendPage(c, map[string]string{"last_day": "extension_later"}, "")
	}
	err = h.Extend(c.UserContext(), *web.Viewer(c), x, web.From(c), h.web.Now())
	if errors.Is(err, lms.ErrAlreadyEnrolled) {
		err = errOtherOpen.Because(err)
	}
	e, _ := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.extendPage(c, e.Fields, "")
	case errors.Is(err, ErrOwnWindow), errors.Is(err, ErrWindowMoved), errors.Is(err, errOtherOpen):
		return h.extendPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	return web.Redirect(c, fmt.Sprintf("/people/%s/enrollments", c.Params("id")), "window_extended")
}
