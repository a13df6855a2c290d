package registry

import (
	"errors"
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

func (h handlers) reviewForm(c *fiber.Ctx) error { return h.reviewPage(c, nil) }

func (h handlers) reviewPage(c *fiber.Ctx, wrong map[string]string) error {
	id, err := number[lms.CreditID](c)
	if err != nil {
		return err
	}
	page := reviewPage{Page: h.web.Page(c)}
	if page.Credit, err = selectClaimed(c.UserContext(), h.DB, id); err != nil {
		return err
	}
	if page.Credit.Person != page.Viewer.ID {
		return lms.ErrNotFound
	}
	if wrong != nil {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{{Name: "text", Label: "registry.review.text", Hint: "registry.review.hint", Type: "textarea", Value: c.FormValue("text"), Max: 2000, Required: true, Autocomplete: "off"}}.With(wrong)
	return h.web.Render(c, "registry/review", page)
}

func (h handlers) askReview(c *fiber.Ctx) error {
	id, err := number[lms.CreditID](c)
	if err != nil {
		return err
	}
	err = h.AskReview(c.UserContext(), web.Viewer(c).ID, id, c.FormValue("text"), web.From(c), h.web.Now())
	if e, ok := lms.AsError(err); ok && errors.Is(err, lms.ErrForm) {
		return h.reviewPage(c, e.Fields)
	}
	if err != nil && !errors.Is(err, ErrReviewAsked) {
		return err
	}
	return web.Redirect(c, "/report", "review_asked")
}

const waitingOnPage = 50

// waiting is the worklist of credits.
func (h handlers) waiting(c *fiber.Ctx) error {
	page := waitingPage{Page: h.web.Page(c), Pager: web.Pager{Base: "/records", Number: web.PageOf(c)}}
	list, err := selectWaiting(c.UserContext(), h.DB, waitingOnPage+1, (page.Number-1)*waitingOnPage)
	if err != nil {
		return err
	}
	if page.Rows, err = countWaitingRows(c.UserContext(), h.DB); err != nil {
		return err
	}
	page.More = len(list) > waitingOnPage
	page.List = list[:min(len(list), waitingOnPage)]
	return h.web.Render(c, "registry/waiting", page)
}

func (h handlers) credit(c *fiber.Ctx) error { return h.creditPage(c, nil, "") }

// creditPage shows a credit with its decisions, and what each new one would change.
func (h handlers) creditPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := number[lms.CreditID](c)
	if err != nil {
		return err
	}
	page := creditPage{Page: h.web.Page(c), Refused: refused}
	ctx := c.UserContext()
	err = pg.InTx(ctx, h.DB, func(tx pgx.Tx) (err error) {
		if page.Credit, err = selectClaimed(ctx, tx, id); err != nil {
			return err
		}
		if page.History, err = selectDecided(ctx, tx, id); err != nil {
			return err
		}
		if page.AtOnce, err = selectOverlapping(ctx, tx, page.Credit); err != nil {
			return err
		}
		if page.Reviews, err = selectReviews(ctx, tx, id); err != nil {
			return err
		}
		if page.Release, err = h.Effects(ctx, tx, page.Credit, page.Credit.Claimed, page.Now); err != nil {
			return err
		}
		page.Deny, err = h.Effects(ctx, tx, page.Credit, 0, page.Now)
		return err
	})
	if err != nil {
		return err
	}
	if page.Person, err = h.People.LookAtPerson(ctx, *page.Viewer, page.Credit.Person, web.From(c), page.Now); err != nil {
		return err
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{
		{Name: "hours", Label: "registry.credit.hours", Hint: "registry.credit.hours_hint", Value: c.FormValue("hours", page.Credit.Claimed.String()), Max: 6, Autocomplete: "off"},
		{Name: "note", Label: "registry.credit.note", Hint: "registry.credit.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: 1000, Required: true, Autocomplete: "off"},
	}.With(wrong)
	return h.web.Render(c, "registry/credit", page)
}

func (h handlers) decide(c *fiber.Ctx) error {
	id, err := number[lms.CreditID](c)
	if err != nil {
		return err
	}
	verdict := Verdict{Credit: id, Status: lms.CreditStatus(c.FormValue("status")), Note: c.FormValue("note")}
	if verdict.Status == lms.Credited {
		if verdict.Hours, err = lms.ParseHours(c.FormValue("hours")); err != nil {
			return h.creditPage(c, map[string]string{"hours": "decision_hours"}, "")
		}
	}
	err = h.Decide(c.UserContext(), *web.Viewer(c), verdict, web.From(c), h.web.Now())
	e, known := lms.AsError(err)
	switch {
	case errors.Is(err, lms.ErrForm):
		return h.creditPage(c, e.Fields, "")
	case known && (e.Kind == lms.Conflict || errors.Is(err, ErrOwnCredit)):
		return h.creditPage(c, nil, h.web.Sentence(c, err))
	case err != nil:
		return err
	}
	return web.Redirect(c, fmt.Sprintf("/records/%d", id), "decided")
}

type reviewPage struct {
	web.Page
	Credit claimed
	Form   web.Fields
}

type waitingPage struct {
	web.Page
	web.Pager
	List []Waiting
	Rows int // of imports, that wait for somebody to say whose they are
}

// Days is how long a credit has waited.
func (p waitingPage) Days(w Waiting) int { return lms.DateOf(w.Since).DaysUntil(lms.DateOf(p.Now)) }

type creditPage struct {
	web.Page
	Credit  claimed
	Person  lms.Person
	History []Decided
	Reviews []Review
	AtOnce  []claimed // attended while this one was
	Release []Change  // what crediting all that was claimed would change
	Deny    []Change
	Form    web.Fields
	Refused string
}

// Because is the word for a decision's reason.
func (d Decided) Because() string {
	return "registry.reason." + d.Reason
}
