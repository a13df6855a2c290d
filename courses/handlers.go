package courses

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

func (h handlers) catalog(c *fiber.Ctx) error {
	all, err := h.listings(c)
	if err != nil {
		return err
	}
	page := catalogPage{Page: h.web.Page(c), Query: readQuery(c), Topics: topicsOf(all), Sorts: sorts, Any: len(all) > 0, Sold: h.Payments.Offered()}
	for _, band := range hourBands {
		page.Bands = append(page.Bands, band.Name)
	}
	page.Found = page.Query.find(all)
	return h.web.Render(c, "courses/catalog", page)
}

const longestQuery = 200

func readQuery(c *fiber.Ctx) query {
	q := query{
		Text:  strings.TrimSpace(c.Query("q")),
		Free:  c.Query("free") == "1",
		Earn:  c.Query("earn") == "1",
		Sleep: c.Query("safe_sleep") == "1",
		Hours: c.Query("hours"),
		Sort:  c.Query("sort"),
		Page:  web.PageOf(c),
	}
	if r := []rune(q.Text); len(r) > longestQuery {
		q.Text = string(r[:longestQuery])
	}
	for _, topic := range c.Context().QueryArgs().PeekMulti("topic") {
		q.Topics = append(q.Topics, string(topic))
	}
	if !slices.Contains(sorts, q.Sort) {
		q.Sort = sorts[0]
	}
	return q
}

// listings are the catalog's courses with what they are to the viewer.
func (h handlers) listings(c *fiber.Ctx) ([]listing, error) {
	today := lms.DateOf(h.web.Now())
	all, err := selectCourses(c.UserContext(), h.DB, today)
	if err != nil {
		return nil, err
	}
	standings, err := h.standings(c, today)
	if err != nil {
		return nil, err
	}
	out := make([]listing, len(all))
	for i, course := range all {
		out[i] = listing{course, standings[course.ID]}
	}
	return out, nil
}

func (h handlers) standings(c *fiber.Ctx, today lms.Date) (map[lms.CourseID]lms.Standing, error) {
	viewer := web.Viewer(c)
	if viewer == nil {
		return nil, nil
	}
	return h.Standings.Standings(c.UserContext(), viewer.ID, today)
}

func (h handlers) course(c *fiber.Ctx) error {
	today := lms.DateOf(h.web.Now())
	course, err := selectCourse(c.UserContext(), h.DB, tidyCode(c.Params("code")), today)
	if err != nil {
		return err
	}
	standings, err := h.standings(c, today)
	if err != nil {
		return err
	}
	withdrawn, err := isWithdrawn(c.UserContext(), h.DB, course.ID)
	if err != nil {
		return err
	}
	page := coursePage{Page: h.web.Page(c), listing: listing{course, standings[course.ID]}, Withdrawn: withdrawn, Sold: h.Payments.Offered()}
	if page.Viewer != nil && course.Fee > 0 {
		waiting, err := h.Payments.Waiting(c.UserContext(), page.Viewer.ID)
		if err != nil {
			return err
		}
		page.Order = waiting[course.ID]
	}
	if page.Viewer != nil && page.MayEarn() {
		if page.Would, err = h.Registry.Would(c.UserContext(), page.Viewer.ID, course.Hours, page.Now); err != nil {
			return err
		}
	}
	return h.web.Render(c, "courses/course", page)
}

func actor(c *fiber.Ctx) Actor { return Actor{Viewer: web.Viewer(c), From: web.From(c)} }
