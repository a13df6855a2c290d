package courses

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

func (h authorHandlers) addAuthor(c *fiber.Ctx) error {
	who := c.FormValue("who")
	err := h.AddAuthor(c.UserContext(), actor(c), c.Params("code"), who, h.web.Now())
	switch {
	case errors.Is(err, ErrNoSuchAuthor):
		return h.authorAgain(c, who)
	case err != nil:
		return err
	}
	return web.Redirect(c, "/author/courses/"+tidyCode(c.Params("code")), "author_added")
}

// authorAgain shows the course with what was typed and what is wrong with it.
func (h authorHandlers) authorAgain(c *fiber.Ctx, who string) error {
	page, err := h.coursePage(c)
	if err != nil {
		return err
	}
	page.Who, page.Wrong = who, map[string]string{"who": ErrNoSuchAuthor.Code}
	c.Status(fiber.StatusUnprocessableEntity)
	return h.web.Render(c, "courses/author_course", page)
}

func (h authorHandlers) removeAuthor(c *fiber.Ctx) error {
	person, err := web.Number[lms.PersonID](c, "person")
	if err != nil {
		return err
	}
	if err := h.RemoveAuthor(c.UserContext(), actor(c), c.Params("code"), person, h.web.Now()); err != nil {
		return err
	}
	if person == web.Viewer(c).ID {
		return web.Redirect(c, "/author", "author_left")
	}
	return web.Redirect(c, "/author/courses/"+tidyCode(c.Params("code")), "author_removed")
}
