package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// inOctober has the box play on the first of October.
func (b *box) inOctober() (now time.Time) {
	now = lms.Date{Year: lmstest.Today.Year, Month: 10, Day: 1}.Start().Add(10 * time.Hour)
	b.clock.set(now)
	return now
}

// hired records since when somebody has worked.
func (b *box) hired(p lms.Person, on lms.Date) {
	b.Helper()
	require.NoError(b, pg.InTx(b.Context(), b.DB, func(tx pgx.Tx) error {
		return b.Registry.Employed(b.Context(), tx, lms.Employment{Person: p.ID, HiredOn: on, Source: "sign_up"}, b.clock.Now())
	}))
}

func (b *box) course(title string, hours lms.Hours, fee lms.Money) lms.Course {
	b.Helper()
	return lmstest.Course(b, b.DB, func(c *lms.Course) { c.Title, c.Hours, c.Fee = title, hours, fee })
}

func TestACaregiverPlansTheYearLeavesACourseOutAndTakesTheDaysOver(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	now := b.inOctober()
	maya := b.person("Maya")
	b.hired(maya, lms.Date{Year: now.Year(), Month: 8, Day: 15}) // five hours
	b.course("Meals that children like", 8, 0)
	b.course("Playing outside", 12, 500)
	b.course("Fire safety", 10, 500)
	poison := b.course("Poison prevention", 5, 500)
	lmstest.Enrollment(t, b.DB, maya, poison, func(e *lms.Enrollment) { e.RegisteredOn = lms.DateOf(now).AddMonths(-12).AddDays(12) })

	p := b.newTab(t)
	p.signIn(maya)
	p.open("/report")
	p.click(`a[href="/plan"]`)
	p.sees("close the gap of 5.0 clock hours")
	steps := func() []string {
		return eval[[]string](p, `[...document.querySelectorAll(".mo-course__title")].map(e => e.textContent)`)
	}
	require.Equal(t, []string{"Poison prevention", "Meals that children like", "Fire safety"}, steps())
	p.sees("$5.00")
	p.accessibleInBoth("plan")

	p.click(`.mo-course:nth-child(3) a[href^="/plan"]`)
	require.Equal(t, []string{"Poison prevention", "Meals that children like", "Playing outside"}, steps())
	p.sees("Left out")
	p.accessible("plan-left-out")

	session := lmstest.Session(t, b.DB, maya.ID, b.clock.Now())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+eval[string](p, `document.querySelector("a[download]").getAttribute("href")`), http.NoBody)
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: "__Host-session", Value: session})
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "text/calendar; charset=utf-8", res.Header.Get("Content-Type"))
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NotContains(t, string(text), maya.Family)
	cal, err := ics.ParseCalendar(strings.NewReader(string(text)))
	require.NoError(t, err)
	var days []string
	for _, e := range cal.Events() {
		on, err := e.GetAllDayStartAt()
		require.NoError(t, err)
		days = append(days, on.Format("Jan 2"))
	}
	require.Equal(t, "Poison prevention (1.25 clock hours)", cal.Events()[0].GetProperty(ics.ComponentPropertySummary).Value)
	require.Equal(t, []string{"Oct 6", "Nov 15", "Dec 7"}, days, "a week before the first one's window ends")

	for range 2 {
		p.click(`a[href^="/plan?without="]`)
	}
	p.sees("clock hours stay open")
	p.sees("Put back a course that you left out.")
	p.accessibleInBoth("plan-short")
}

func TestHomeSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	now := b.inOctober()
	maya := b.person("Maya")
	b.hired(maya, lms.Date{Year: now.Year(), Month: 12, Day: 1}) // one hour
	p := b.newTab(t)
	p.signIn(maya)
	p.open("/")
	p.sees("1.0 clock hours are missing")
	p.accessibleInBoth("home-new")
	p.click(`.mo-empty a[href="/plan"]`)
	p.sees("No course can earn hours for you today")
	p.accessible("plan-nothing")

	soon := b.course("Poison prevention", 5, 500)
	registered := lms.DateOf(now).AddMonths(-12)
	lmstest.Enrollment(t, b.DB, maya, soon, func(e *lms.Enrollment) { e.RegisteredOn, e.State = registered.AddDays(10), lms.Active })
	lmstest.Enrollment(t, b.DB, maya, b.course("Fire safety", 5, 0), func(e *lms.Enrollment) { e.RegisteredOn = registered.AddDays(31) })
	lmstest.Enrollment(t, b.DB, maya, b.course("Playing outside", 5, 0), func(e *lms.Enrollment) { e.RegisteredOn = registered })
	slept := lmstest.Course(t, b.DB, func(c *lms.Course) { c.Title, c.SafeSleep = "Safe sleep", true })
	b.completes(maya, slept, lms.DateOf(now).AddMonths(-36).AddDays(54).Start())
	p.open("/")
	p.sees("Ends soon: 10 days left")
	p.sees("Safe sleep expires in 54 days.")
	p.sees("Today is the last day.")
	require.Equal(t, 2, eval[int](p, `document.querySelectorAll(".mo-tag--warn").length`), "not of the one that has 31 days")
	p.accessibleInBoth("home")

	_, err := b.DB.Exec(t.Context(), `UPDATE enrollments.enrollments SET state = 'expired' WHERE state IN ('ready', 'active')`)
	require.NoError(t, err)
	b.completes(maya, b.course("Meals", 8, 0), now)
	p.open("/")
	p.sees("Nothing is missing")
	p.accessibleInBoth("home-done")
	p.open("/plan")
	p.sees("Nothing is missing")
	p.accessible("plan-done")
}

func TestAPlanProposesNoDayOnWhichACourseIsNotApprovedAnyMore(t *testing.T) {
	t.Parallel()
	b := newReportBox(t)
	b.clock.set(lms.Date{Year: 2026, Month: 10, Day: 1}.Start())
	maya, course := b.person("Maya"), lmstest.Course(t, b.DB)
	until := lms.DateOf(b.clock.Now()).AddDays(10)
	_, err := b.DB.Exec(t.Context(), `INSERT INTO courses.approvals (course, number, quarters, valid_from, valid_until, approver, recorded_at)
		SELECT course, number, quarters, valid_from, $2, approver, $3 FROM courses.approvals WHERE course = $1`, course.ID, until, b.clock.Now())
	require.NoError(t, err)
	plan, err := b.Enrollments.Plan(t.Context(), maya.ID, nil, b.clock.Now())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 1)
	require.False(t, plan.Steps[0].On.After(until), "nobody can register for it on %v: it is approved until %v", plan.Steps[0].On, until)
}
