package registry

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/sheet"
	"mopd/lms/web"
)

const (
	sleepersOnPage = 50
	mostSleepers   = 1_000_000 // of a file: all
)

// byName is how the list is sorted where the address says so.
const byName = "name"

// sleepStates are the states of safe sleep training that the list is about.
var sleepStates = []lms.SafeSleepState{lms.SafeSleepExpired, lms.SafeSleepDue, lms.SafeSleepNone}

type sleepersPage struct {
	web.Page
	web.Pager
	Search string
	Sort   string             // byName, or ""
	State  lms.SafeSleepState // "": all
	List   []Sleeper
	Counts sleepCounts
}

// States are those to choose from.
func (sleepersPage) States() []lms.SafeSleepState { return sleepStates }

const sleepersPath = "/records/safe-sleep"

// Of is the address of the list of a state, as a file where an ending says so.
func (p sleepersPage) Of(ending string, state lms.SafeSleepState) string {
	if q := p.query(state); len(q) > 0 {
		return sleepersPath + ending + "?" + q.Encode()
	}
	return sleepersPath + ending
}

// query asks for the list of a state as it is searched and sorted.
func (p sleepersPage) query(state lms.SafeSleepState) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"q": p.Search, "sort": p.Sort, "state": string(state)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// Of is how many there are of a state.
func (c sleepCounts) Of(state lms.SafeSleepState) int {
	switch state {
	case lms.SafeSleepDue:
		return c.Due
	case lms.SafeSleepExpired:
		return c.Expired
	case lms.SafeSleepNone:
		return c.None
	default:
		return c.Due + c.Expired + c.None
	}
}

// Days is for how many days the training is valid, negative where it has expired.
func (p sleepersPage) Days(s Sleeper) int { return lms.DateOf(p.Now).DaysUntil(s.Through) }

// sleepersPage is whom the address asks for, without the list.
func (h handlers) sleepersPage(c *fiber.Ctx) (page sleepersPage, f sleepFilter, err error) {
	page = sleepersPage{Page: h.web.Page(c), Search: searched(c), State: lms.SafeSleepState(c.Query("state"))}
	if page.State != "" && !slices.Contains(sleepStates, page.State) {
		return page, f, lms.ErrNotFound
	}
	if c.Query("sort") == byName {
		page.Sort = byName
	}
	f = sleepFilter{Today: lms.DateOf(page.Now), Searched: page.Search != "", State: page.State, ByName: page.Sort == byName}
	f.People, err = h.People.Find(c.UserContext(), *page.Viewer, page.Search, web.From(c), page.Now)
	return page, f, err
}

// sleepers is the list of those employed whose safe sleep training lapses or is missing.
func (h handlers) sleepers(c *fiber.Ctx) error {
	page, f, err := h.sleepersPage(c)
	if err != nil {
		return err
	}
	page.Pager = web.Pager{Base: sleepersPath, Number: web.PageOf(c), Query: page.query(page.State)}
	list, counts, err := h.Sleepers(c.UserContext(), *page.Viewer, f, sleepersOnPage+1, (page.Number-1)*sleepersOnPage, "safe_sleep_listed", web.From(c), page.Now)
	if err != nil {
		return err
	}
	page.Counts, page.More, page.List = counts, len(list) > sleepersOnPage, list[:min(len(list), sleepersOnPage)]
	return h.web.Render(c, "registry/sleepers", page)
}

// sleepersCSV is the whole list as a table.
func (h handlers) sleepersCSV(c *fiber.Ctx) error {
	page, f, err := h.sleepersPage(c)
	if err != nil {
		return err
	}
	list, _, err := h.Sleepers(c.UserContext(), *page.Viewer, f, mostSleepers, 0, "safe_sleep_exported", web.From(c), page.Now)
	if err != nil {
		return err
	}
	text := func(key string) string { return h.Words.Text(page.Lang, key) }
	var file bytes.Buffer
	table, err := sheet.NewWriter(&file, text("registry.csv.name"), text("registry.csv.mopd_id"), text("registry.sleepers.state"), text("registry.csv.safe_sleep_through"))
	if err != nil {
		return err
	}
	rows := make([][]string, len(list))
	for i, s := range list {
		rows[i] = []string{s.Name, strconv.Itoa(int(s.MOPDID)), text("registry.sleepers.state_" + string(s.State)), typedDay(s.Through)}
	}
	if err := table.Write(rows...); err != nil {
		return err
	}
	return h.send(c, sheet.ContentType, fmt.Sprintf("safe-sleep-%s.csv", f.Today), file.Bytes())
}
