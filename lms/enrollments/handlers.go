package enrollments

import (
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

type handlers struct {
	*Service
	web *web.Server
}

func (h handlers) home(c *fiber.Ctx) error {
	page := homePage{Page: h.web.Page(c)}
	if page.Viewer == nil {
		return h.web.Render(c, "enrollments/welcome", page)
	}
	today := lms.DateOf(page.Now)
	ctx := c.UserContext()
	err := pg.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		mine, again, err := h.mine(ctx, tx, page.Viewer.ID, today)
		if err != nil {
			return err
		}
		for _, e := range mine {
			page.add(courseOf(e, again, today), today)
		}
		if page.Active != nil {
			seat, err := h.Player.SeatTime(ctx, tx, page.Active.ID)
			if err != nil {
				return err
			}
			page.Minutes = int(seat / time.Minute)
		}
		page.Known = len(mine) > 0
		standing, err := h.Registry.Standing(ctx, tx, page.Viewer.ID, page.Now)
		if err != nil {
			return err
		}
		page.Bar = web.NewYearBar(standing, today)
		page.SafeSleep, err = h.Registry.SafeSleep(ctx, tx, page.Viewer.ID, page.Now)
		return err
	})
	if err == nil && page.May(lms.Identify) {
		var work lms.RecordsWaiting
		work, err = h.Registry.Work(ctx)
		page.Work = &work
	}
	if err != nil {
		return err
	}
	return h.web.Render(c, "enrollments/home", page)
}

func (h handlers) myCourses(c *fiber.Ctx) error {
	page := myCoursesPage{Page: h.web.Page(c), Paying: h.Payments.Offered()}
	today := lms.DateOf(page.Now)
	ctx := c.UserContext()
	err := pg.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		mine, again, err := h.mine(ctx, tx, page.Viewer.ID, today)
		for _, e := range mine {
			page.add(courseOf(e, again, today), today)
		}
		return err
	})
	if err != nil {
		return err
	}
	return h.web.Render(c, "enrollments/my_courses", page)
}

func (h handlers) register(c *fiber.Ctx) error {
	code, accepts := c.Params("code"), c.FormValue("accept_no_credit") == "1"
	next, notice := "/courses/"+code, "registered"
	_, err := h.Register(c.UserContext(), Registration{Person: web.Viewer(c).ID, Code: code, AcceptNoCredit: accepts, From: web.From(c)}, h.web.Now())
	if errors.Is(err, lms.ErrFeeDue) {
		notice = ""
		next, err = h.Payments.Checkout(c.UserContext(), lms.Purchase{
			Person: web.Viewer(c).Person, Code: code, AcceptNoCredit: accepts, Lang: h.web.Lang(c), From: web.From(c),
		}, h.web.Now())
	}
	switch {
	case errors.Is(err, lms.ErrAlreadyEnrolled):
		return web.Redirect(c, "/courses/"+code, "already_registered")
	case errors.Is(err, lms.ErrEarnsAgain):
		c.Status(fiber.StatusConflict)
		return h.web.Render(c, "enrollments/no_credit", noCreditPage{Page: h.web.Page(c), Code: code, Message: h.web.Sentence(c, err)})
	case err != nil:
		return err
	}
	return web.Redirect(c, next, notice)
}

func (h handlers) start(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "id")
	if err != nil {
		return err
	}
	setAside, err := enrollmentID(c.FormValue("set_aside", "0"))
	if err != nil {
		return err
	}
	err = h.Start(c.UserContext(), web.Viewer(c).ID, id, setAside, web.From(c), h.web.Now())
	switch {
	case errors.Is(err, lms.ErrAnotherActive):
		return h.conflict(c, id)
	case errors.Is(err, lms.ErrAlreadyCompleted), errors.Is(err, lms.ErrWindowOver), errors.Is(err, lms.ErrRefunded):
		return web.Redirect(c, "/learn/"+c.Params("id"), "") // which says why, and what to do
	case err != nil:
		return err
	}
	return web.Redirect(c, "/learn/"+c.Params("id"), "")
}

// conflict asks whether to set the active course aside.
func (h handlers) conflict(c *fiber.Ctx, wanted lms.EnrollmentID) error {
	page := conflictPage{Page: h.web.Page(c)}
	ctx := c.UserContext()
	err := pg.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		mine, err := selectEnrollments(ctx, tx, page.Viewer.ID)
		if err != nil {
			return err
		}
		for _, e := range mine {
			if e.State == lms.Active {
				page.Active = e
			}
		}
		page.Wanted, err = find(mine, wanted)
		return err
	})
	if err != nil {
		return err
	}
	c.Status(fiber.StatusConflict)
	return h.web.Render(c, "enrollments/conflict", page)
}

func (h handlers) setAside(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "id")
	if err != nil {
		return err
	}
	switch err := h.SetAside(c.UserContext(), web.Viewer(c).ID, id, web.From(c), h.web.Now()); {
	case errors.Is(err, lms.ErrNotActive):
		return web.Redirect(c, "/my-courses", "") // which says how it stands
	case err != nil:
		return err
	}
	return web.Redirect(c, "/my-courses", "set_aside")
}

func enrollmentID(s string) (lms.EnrollmentID, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 0 {
		return 0, lms.ErrNotFound.Because(err)
	}
	return lms.EnrollmentID(id), nil
}
