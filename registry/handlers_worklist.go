package registry

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

const (
	waitingOnPage = 50
	longestSearch = 200
)

// newestFirst is how the list of credits is sorted where the address says so.
const newestFirst = "newest"

type waitingPage struct {
	web.Page
	web.Pager
	Search string
	Sort   string // newestFirst, or ""
	List   []Waiting
	Found  int
	Work   lms.RecordsWaiting
	Before *decidedCredit // decided a moment ago; nil: none
}

// Waits is how many credits wait.
func (p waitingPage) Waits() int { return p.Work.Held + p.Work.Reviews }

// Days is how long a credit has waited.
func (p waitingPage) Days(w Waiting) int { return lms.DateOf(w.Since).DaysUntil(lms.DateOf(p.Now)) }

// WhyKey is the word for why a credit waits.
func (w Waiting) WhyKey() string {
	if w.Status == lms.Held && w.Reason != "" {
		return "registry.reason." + w.Reason
	}
	return "registry.status." + string(w.Status)
}

// searched is what somebody typed to look for.
func searched(c *fiber.Ctx) string {
	typed := []rune(strings.ToValidUTF8(strings.TrimSpace(c.Query("q")), ""))
	return string(typed[:min(len(typed), longestSearch)])
}

// waiting is the worklist of credits.
func (h handlers) waiting(c *fiber.Ctx) (err error) {
	page := waitingPage{Page: h.web.Page(c), Search: searched(c)}
	page.Pager = web.Pager{Base: "/records", Number: web.PageOf(c), Query: url.Values{}}
	if page.Search != "" {
		page.Query.Set("q", page.Search)
	}
	if c.Query("sort") == newestFirst {
		page.Sort = newestFirst
		page.Query.Set("sort", page.Sort)
	}
	ctx := c.UserContext()
	f := waitingFilter{Text: page.Search, Newest: page.Sort == newestFirst}
	if f.People, err = h.People.Find(ctx, *page.Viewer, page.Search, web.From(c), page.Now); err != nil {
		return err
	}
	list, err := selectWaiting(ctx, h.DB, f, waitingOnPage+1, (page.Number-1)*waitingOnPage)
	if err != nil {
		return err
	}
	page.More = len(list) > waitingOnPage
	page.List = list[:min(len(list), waitingOnPage)]
	if page.Found, err = countWaiting(ctx, h.DB, f); err != nil {
		return err
	}
	if page.Work, err = h.Work(ctx); err != nil {
		return err
	}
	if page.Before, err = h.decidedBefore(c, page.Waits()); err != nil {
		return err
	}
	return h.web.Render(c, "registry/waiting", page)
}
