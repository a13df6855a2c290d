package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// keys presses keys, one after another.
func (p *tab) keys(keys string) {
	p.Helper()
	p.do("press keys", chromedp.KeyEvent(keys))
}

// focuses waits until the focus is on what has an id or a value; a page gives it to a field
// only some time after it shows.
func (p *tab) focuses(on string) {
	p.Helper()
	p.until("the focus is on "+on, `[document.activeElement.id, document.activeElement.value].includes(`+js(on)+`)`)
}

// holds has somebody complete a course twice within a year, the earlier one coming to light
// later: it is held.
func (b *box) holds(p lms.Person, c lms.Course, young time.Time) lms.CreditID {
	b.Helper()
	old := young.AddDate(0, 0, -30)
	b.completes(p, c, young)
	b.completes(p, c, old)
	return b.creditOf(p, lms.DateOf(old))
}

func TestHeldCreditsAreDecidedOneAfterAnotherByAFewKeys(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, lena, rita := b.person("Maya"), b.person("Lena"), b.person("Rita", lms.Registrar)
	course := lmstest.Course(t, b.DB, func(c *lms.Course) { c.Title, c.SafeSleep = "Safe sleep for infants", true })
	now := b.clock.Now()
	first, second := b.holds(maya, course, now), b.holds(lena, course, now)

	p := b.newTab(t)
	p.signIn(rita)
	p.open("/")
	p.sees("2 credits are held")
	p.until("a registrar who works nowhere sees no year of their own", `!document.querySelector(".mo-yearbar")`)
	p.accessibleInBoth("home-registrar")
	p.open("/records")
	p.sees("A later completion of the same course stands already.")
	p.accessibleInBoth("records")
	p.open("/records?q=lena")
	p.sees("1 credit found")
	p.accessible("records-found")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'people_searched' AND note = 'lena'`))
	p.open("/records")
	p.click(`a[href="/records/next"]`)
	p.sees("The same course within a year, or the same record")
	p.sees("If it was not completed")
	p.accessibleInBoth("credit")

	p.open(fmt.Sprintf("/records/next?after=%d", first))
	p.until("another one can be looked at first", fmt.Sprintf(`location.pathname == "/records/%d"`, second))
	p.open("/records/next")
	p.focuses("note")
	p.keys(kb.Tab + kb.Tab + kb.Enter)
	p.sees("Say why. The person reads it.")
	p.accessible("credit-wrong")
	p.open("/records/next")
	p.focuses("note")
	p.keys("Twice within a year" + kb.Tab)
	p.focuses("credited")
	p.keys(kb.Tab)
	p.focuses("denied")
	p.keys(kb.Enter)
	p.until("the next one is there", fmt.Sprintf(`location.pathname == "/records/%d"`, second))
	p.sees("Decided: Safe sleep for infants, Maya Ortiz. Does not count. 1 is left.")
	p.focuses("note")
	require.Less(t, eval[int](p, `Math.round(scrollY)`), 240, "the page is not scrolled past what was decided")
	p.accessibleInBoth("credit-next")

	p.click(fmt.Sprintf(`a[href="/records/%d"]`, first)) // the way back
	p.sees("Twice within a year")
	p.sees("Show the credit that waits")
	p.fill("#note", "She was on holiday that day")
	p.click(`button[value="not_completed"]`)
	p.sees("Decided. The person is told by mail if they have an account.")
	p.sees("Not completed, 0.0")
	p.accessibleInBoth("credit-not-completed")
	p.mailSays("Your clock hours for "+course.Title, "She was on holiday that day")

	p.click(`a[href="/records/next"]`)
	p.focuses("note")
	p.keys("As it is" + kb.Tab + kb.Tab + kb.Enter)
	p.sees("0 are left.")
	p.sees("Nothing waits")
	p.accessible("records-done")

	p.signIn(maya)
	p.open(fmt.Sprintf("/report?year=%d", lms.DateOf(now.AddDate(0, 0, -30)).Year))
	p.sees("A registrar found that this was not completed.")
	p.open("/report/safe-sleep")
	p.sees("Does not renew: not completed")
	p.accessibleInBoth("safe-sleep-not-completed")
}

func TestARegistrarListsWhoseSafeSleepIsDueAndACaregiverFindsACourse(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, lena, rita := b.person("Maya"), b.person("Lena"), b.person("Rita", lms.Registrar)
	now, today := b.clock.Now(), lms.DateOf(b.clock.Now())
	course := lmstest.Course(t, b.DB, func(c *lms.Course) { c.Title, c.SafeSleep = "Safe sleep for infants", true })
	other := lmstest.Course(t, b.DB, func(c *lms.Course) { c.Title = "Playing outside" })
	require.NoError(t, pg.InTx(t.Context(), b.DB, func(tx pgx.Tx) error {
		return b.Registry.EmployedMany(t.Context(), tx, []lms.Employment{{Person: maya.ID, Employer: "Sunny Days", HiredOn: today.AddDays(-2000), Source: "import"}, {Person: lena.ID, Employer: "Sunny Days", Source: "import"}}, now)
	}))
	b.completes(maya, course, now.AddDate(-3, 0, 20))

	p := b.newTab(t)
	p.signIn(rita)
	p.open("/records/safe-sleep")
	p.sees("Maya Ortiz")
	p.sees("Due: 20 days left")
	p.sees("Lena Ortiz")
	p.accessibleInBoth("sleepers")
	p.click(`a[href*="state=none"]`)
	p.until("only those without training", `!document.querySelector("main table").innerText.includes("Maya")`)
	p.fill("#q", "maya")
	p.click("main form button")
	p.sees("Nobody here")
	p.accessible("sleepers-none")
	p.open(fmt.Sprintf("/records/safe-sleep?q=%d&sort=name", maya.MOPDID))
	p.sees("Maya Ortiz")
	table := b.signedIn(rita).get("/records/safe-sleep.csv?sort=name")
	require.Equal(t, fmt.Sprintf("\ufeffName,MOPD ID,State,Safe sleep valid through\nLena Ortiz,%d,Not on record,\nMaya Ortiz,%d,Due,%s\n", lena.MOPDID, maya.MOPDID, lms.DateOf(now.AddDate(-3, 0, 20)).AddMonths(36)), table.body)
	require.Positive(t, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'safe_sleep_listed'`))
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'safe_sleep_exported'`))

	p.signIn(lena)
	p.open("/")
	p.sees("no training is on record")
	p.accessibleInBoth("home-no-safe-sleep")
	p.open("/report/safe-sleep")
	p.accessibleInBoth("safe-sleep-none")
	p.click(`a[href="/courses?safe_sleep=1"]`)
	p.sees(course.Title)
	p.until("other courses are left out", `!document.body.innerText.includes(`+js(other.Title)+`)`)
	p.accessibleInBoth("catalog-safe-sleep")
}

func TestAPersonsPageShowsTheLastTenLinesAndAllOnAPageOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	for range 40 {
		_, err := b.Accounts.LookAtPerson(t.Context(), lms.Viewer{Person: rita}, maya.ID, "127.0.0.1", b.clock.Now())
		require.NoError(t, err)
	}
	p := b.newTab(t)
	p.signIn(rita)
	p.open(fmt.Sprintf("/people/%d", maya.ID))
	require.Equal(t, 10, eval[int](p, `document.querySelectorAll("main table tbody tr").length`))
	p.accessible("person")
	looks := b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed'`)
	p.click(`a[href$="/trail"]`)
	require.Equal(t, 25, eval[int](p, `document.querySelectorAll("main table tbody tr").length`))
	require.Equal(t, looks+1, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed'`))
	p.accessibleInBoth("person-trail")
	p.click(`a[href*="before="]`)
	p.until("older lines", `document.querySelectorAll("main table tbody tr").length < 25`)
}
