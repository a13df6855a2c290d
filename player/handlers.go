package player

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type handlers struct {
	s *Service
	w *web.Server
}

func deviceOf(c *fiber.Ctx) Device {
	return DeviceOf(c.Get(fiber.HeaderUserAgent), c.Get("Sec-CH-UA-Mobile"), c.Get("Sec-CH-UA-Platform"))
}

// open shows the shell, or the page that says what stands in its way and what to do.
func (h handlers) open(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	c.Set("Accept-CH", "Sec-CH-UA-Mobile, Sec-CH-UA-Platform, Sec-CH-UA-Model")
	e, refusal := h.s.Check(c.UserContext(), web.Viewer(c).ID, id, h.w.Now())
	if e.ID == 0 {
		return refusal
	}
	if !deviceOf(c).Computer || c.Query("device") == "tablet" {
		return h.computerPage(c, e)
	}
	switch {
	case refusal == nil:
		return h.shellPage(c, e)
	case errors.Is(refusal, errAttestation):
		return h.attestPage(c, e, nil)
	case errors.Is(refusal, lms.ErrEarnsAgain):
		return h.w.Render(c, "player/earns_again", earnsAgainPage{Page: h.w.Page(c), Enrollment: e, From: earnsAgain(refusal)})
	case errors.Is(refusal, lms.ErrNotActive), errors.Is(refusal, lms.ErrAlreadyCompleted), errors.Is(refusal, lms.ErrWindowOver), errors.Is(refusal, lms.ErrRefunded):
		return h.w.Render(c, "player/refused", refusedPage{Page: h.w.Page(c), Enrollment: e, Reason: reason(refusal)})
	default:
		return refusal
	}
}

func reason(refusal error) string {
	e, _ := lms.AsError(refusal)
	return e.Code
}

func (h handlers) attest(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	viewer := web.Viewer(c)
	if c.FormValue("wording") != Wording || c.FormValue("not_in_ratio") != "yes" || c.FormValue("not_in_group") != "yes" {
		e, refusal := h.s.Check(c.UserContext(), viewer.ID, id, h.w.Now())
		if e.ID == 0 {
			return refusal
		}
		return h.attestPage(c, e, errConfirmBoth)
	}
	page := h.w.Page(c)
	if err := h.s.Attest(c.UserContext(), viewer.ID, id, page.Lang, h.w.Now()); err != nil && !refusesLaunch(err) {
		return err
	}
	return web.Redirect(c, learnPath(id), "")
}

func (h handlers) acceptNoCredit(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	if err := h.s.AcceptNoCredit(c.UserContext(), web.Viewer(c).ID, id, h.w.Now()); err != nil && !refusesLaunch(err) {
		return err
	}
	return web.Redirect(c, learnPath(id), "")
}

// refusesLaunch tells whether the player's own page says what stands in the way.
func refusesLaunch(err error) bool {
	return errors.Is(err, lms.ErrNotActive) || errors.Is(err, lms.ErrAlreadyCompleted) || errors.Is(err, lms.ErrWindowOver) || errors.Is(err, lms.ErrRefunded)
}

func (h handlers) launch(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	l, err := h.s.Launch(c.UserContext(), LaunchRequest{
		Person: web.Viewer(c).ID, Enrollment: id, Session: web.Viewer(c).Session, Device: deviceOf(c), From: web.From(c),
	}, h.w.Now())
	if err != nil {
		return err
	}
	return c.JSON(struct {
		Origin string `json:"origin"`
		Launched
	}{h.w.ContentURL(l.Label), l})
}

func (h handlers) status(c *fiber.Ctx) error {
	id, err := web.Number[lms.EnrollmentID](c, "enrollment")
	if err != nil {
		return err
	}
	st, err := h.s.Status(c.UserContext(), web.Viewer(c).ID, id)
	if err != nil {
		return err
	}
	return c.JSON(st)
}
