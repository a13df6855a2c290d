package enrollments

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type planPage struct {
	web.Page
	Plan
	Bar web.YearBar
}

func (h handlers) plan(c *fiber.Ctx) error {
	page := planPage{Page: h.web.Page(c)}
	var err error
	if page.Plan, err = h.Plan(c.UserContext(), page.Viewer.ID, leftOut(c), page.Now); err != nil {
		return err
	}
	page.Bar = web.NewYearBar(page.Standing, lms.DateOf(page.Now))
	return h.web.Render(c, "enrollments/plan", page)
}

// planCalendar is the same plan as entries for a calendar.
func (h handlers) planCalendar(c *fiber.Ctx) error {
	now, viewer := h.web.Now(), web.Viewer(c)
	plan, err := h.Plan(c.UserContext(), viewer.ID, leftOut(c), now)
	if err != nil {
		return err
	}
	title := func(s Step) string {
		return h.web.Text(c, "enrollments.plan.entry", "Title", s.Title, "Hours", s.Hours)
	}
	c.Attachment("plan.ics")
	c.Set(fiber.HeaderContentType, "text/calendar; charset=utf-8")
	return c.SendString(calendar(viewer.ID, plan.Steps, h.web.AppURL, title, now))
}

// leftOut are the courses that the address leaves out.
func leftOut(c *fiber.Ctx) (courses []lms.CourseID) {
	for _, text := range c.Context().QueryArgs().PeekMulti("without") {
		if id, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			courses = append(courses, lms.CourseID(id))
		}
	}
	return courses
}

// Path is where the course is found.
func (s Step) Path() string {
	if s.Enrollment != 0 {
		return "/my-courses#enrollment-" + strconv.FormatInt(int64(s.Enrollment), 10)
	}
	return "/courses/" + url.PathEscape(s.Code)
}

// Gap is what this and earlier years lack together.
func (p planPage) Gap() lms.Hours { return p.Standing.Gap() }

// Without is the address of the plan that also leaves a course out.
func (p planPage) Without(step Step) string { return planPath("/plan", append(p.LeftOut, step)) }

// Back is the address of the plan that may take a course again.
func (p planPage) Back(step Step) string {
	return planPath("/plan", slices.DeleteFunc(slices.Clone(p.LeftOut), func(s Step) bool { return s.ID == step.ID }))
}

// Calendar is the address of the plan's calendar file.
func (p planPage) Calendar() string { return planPath("/plan.ics", p.LeftOut) }

func planPath(path string, leftOut []Step) string {
	q := url.Values{}
	for _, step := range leftOut {
		q.Add("without", strconv.FormatInt(int64(step.ID), 10))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
