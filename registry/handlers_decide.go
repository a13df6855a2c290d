package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/web"
)

func (h handlers) reviewForm(c *fiber.Ctx) error { return h.reviewPage(c, nil) }

func (h handlers) reviewPage(c *fiber.Ctx, wrong map[string]string) error {
	id, err := web.Number[lms.CreditID](c, "id")
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
	id, err := web.Number[lms.CreditID](c, "id")
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

func (h handlers) credit(c *fiber.Ctx) error { return h.creditPage(c, nil, "") }

// creditPage shows a credit, why it waits, and what each decision would change.
func (h handlers) creditPage(c *fiber.Ctx, wrong map[string]string, refused string) error {
	id, err := web.Number[lms.CreditID](c, "id")
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
		if page.AtOnce, page.Rivals, err = h.inTheWay(ctx, tx, page.Credit); err != nil {
			return err
		}
		if page.Reviews, err = selectReviews(ctx, tx, id); err != nil {
			return err
		}
		page.Choices, err = h.choices(ctx, tx, page.Credit, page.Now)
		return err
	})
	if err != nil {
		return err
	}
	if page.Person, err = h.People.LookAtPerson(ctx, *page.Viewer, page.Credit.Person, web.From(c), page.Now); err != nil {
		return err
	}
	if page.Left, err = countWaiting(ctx, h.DB, waitingFilter{}); err != nil {
		return err
	}
	if page.Before, err = h.decidedBefore(c, page.Left); err != nil {
		return err
	}
	if wrong != nil || refused != "" {
		c.Status(fiber.StatusUnprocessableEntity)
	}
	page.Form = web.Fields{
		{Name: "hours", Label: "registry.credit.hours", Hint: "registry.credit.hours_hint", Value: c.FormValue("hours", page.Credit.Claimed.String()), Max: 6, Autocomplete: "off"},
		{Name: "note", Label: "registry.credit.note", Hint: "registry.credit.note_hint", Type: "textarea", Value: c.FormValue("note"), Max: 1000, Required: true, Autocomplete: "off", Focus: true},
	}.With(wrong)
	return h.web.Render(c, "registry/credit", page)
}

// notCompleted is the choice of a form that a completion did not take place.
const notCompleted = "not_completed"

// decide makes a decision, and leads from a credit that waited to the next one.
func (h handlers) decide(c *fiber.Ctx) error {
	id, err := web.Number[lms.CreditID](c, "id")
	if err != nil {
		return err
	}
	verdict := Verdict{Credit: id, Status: lms.CreditStatus(c.FormValue("status")), Note: c.FormValue("note")}
	switch verdict.Status {
	case notCompleted:
		verdict.Status, verdict.NotCompleted = lms.Denied, true
	case lms.Credited:
		if verdict.Hours, err = lms.ParseHours(c.FormValue("hours")); err != nil {
			return h.creditPage(c, map[string]string{"hours": "decision_hours"}, "")
		}
	}
	at, waits := selectPlace(c.UserContext(), h.DB, id)
	if waits != nil && !errors.Is(waits, lms.ErrNotFound) {
		return waits
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
	case waits != nil:
		return web.Redirect(c, creditPath(id), "decided")
	}
	return h.toNext(c, at, id)
}

func creditPath(id lms.CreditID) string { return fmt.Sprintf("/records/%d", id) }

// toNext leads to the credit that waits after a place, saying what was decided before.
func (h handlers) toNext(c *fiber.Ctx, after place, decided lms.CreditID) error {
	to := "/records"
	next, err := selectNext(c.UserContext(), h.DB, after, web.Viewer(c).ID)
	if err == nil {
		to = creditPath(next)
	} else if !errors.Is(err, lms.ErrNotFound) {
		return err
	}
	if decided != 0 {
		to = fmt.Sprintf("%s?decided=%d", to, decided)
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}

// nextCredit leads to a credit that waits, after the one that the address names or from
// the start.
func (h handlers) nextCredit(c *fiber.Ctx) error {
	at, err := selectPlace(c.UserContext(), h.DB, lms.CreditID(c.QueryInt("after")))
	if errors.Is(err, lms.ErrNotFound) {
		at, err = beforeAll, nil
	}
	if err != nil {
		return err
	}
	return h.toNext(c, at, 0)
}

// decidedBefore is the credit that the viewer has just decided about, with how many are
// left; nil if there is none.
func (h handlers) decidedBefore(c *fiber.Ctx, left int) (*decidedCredit, error) {
	id := lms.CreditID(c.QueryInt("decided"))
	if id == 0 {
		return nil, nil
	}
	credit, err := selectClaimed(c.UserContext(), h.DB, id)
	if errors.Is(err, lms.ErrNotFound) || err == nil && credit.By != web.Viewer(c).ID {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := selectNamed(c.UserContext(), h.DB, []lms.PersonID{credit.Person})
	if err != nil || len(names) == 0 {
		return nil, err
	}
	return &decidedCredit{credit, names[0].Name, left}, nil
}

type reviewPage struct {
	web.Page
	Credit claimed
	Form   web.Fields
}

// decidedCredit is a credit that was decided about, with whose it is.
type decidedCredit struct {
	claimed
	Name string
	Left int // credits that wait
}

type creditPage struct {
	web.Page
	Credit  claimed
	Person  lms.Person
	History []Decided
	Reviews []Review
	AtOnce  []claimed // attended while this one was
	Rivals  []claimed // that keep it from counting: of the same course within a year, or the same record
	Choices []choice
	Form    web.Fields
	Before  *decidedCredit // decided a moment ago; nil: none
	Left    int            // credits that wait
	Refused string
}

// choice is a decision that can be made, with what it would change.
type choice struct {
	Status string
	Effect
}

// choices are the decisions that can be made about a credit.
func (h handlers) choices(ctx context.Context, tx pgx.Tx, c claimed, now time.Time) ([]choice, error) {
	verdicts := []Verdict{{Status: lms.Credited, Hours: c.Claimed}, {Status: lms.Denied}, {Status: lms.Denied, NotCompleted: true}}
	effects, err := h.effects(ctx, tx, c, now, verdicts...)
	list := make([]choice, len(effects))
	for i, e := range effects {
		list[i] = choice{verdicts[i].choice(), e}
	}
	return list, err
}

// choice is what a form calls the verdict.
func (v Verdict) choice() string {
	if v.NotCompleted {
		return notCompleted
	}
	return string(v.Status)
}

// Waits tells whether a registrar has to look at the credit.
func (p creditPage) Waits() bool {
	return p.Credit.Status == lms.Held || slices.ContainsFunc(p.Reviews, func(r Review) bool { return !r.Answered })
}

// WhyKey is the word for why the credit is held, or what was decided.
func (p creditPage) WhyKey() string { return "registry.reason." + p.Credit.Reason }

// Because is the word for a decision's reason.
func (d Decided) Because() string {
	return "registry.reason." + d.Reason
}

// Stands is the key of the words for what the decision makes of the credit.
func (d Decided) Stands() string { return standsText(d.Status, d.Reason) }
