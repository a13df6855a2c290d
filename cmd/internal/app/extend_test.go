package app_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestARegistrarGivesMoreTimeAndTheCaregiverGoesOn(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita, ada := b.person("Maya"), b.person("Rita", lms.Registrar), b.person("Ada", lms.Administrator)
	today := lms.DateOf(b.clock.Now())
	course := lmstest.Course(t, b.DB)
	e := lmstest.Enrollment(t, b.DB, maya, course, func(e *lms.Enrollment) { e.RegisteredOn = today.AddDays(-400) })

	p := b.newTab(t)
	p.signIn(maya)
	p.sees("Time ran out")

	p.signIn(rita)
	p.open(fmt.Sprintf("/people/%d", maya.ID))
	p.click(`a[href$="/enrollments"]`)
	p.sees(course.Title)
	p.accessibleInBoth("person-courses")
	p.click(fmt.Sprintf(`a[href$="/enrollments/%d"]`, e.ID))
	p.accessibleInBoth("extend")
	p.fill("#last_day", today.AddDays(14).String())
	p.click("main form button")
	p.sees("Say why, in at most 1,000 characters.")
	p.accessible("extend-wrong")
	p.fill("#last_day", today.AddDays(500).String())
	p.fill("#note", "She was in the hospital")
	p.click("main form button")
	p.sees("at most twelve months from today")
	p.fill("#last_day", today.AddDays(14).String())
	p.click("main form button")
	p.sees("The last day is moved. The person is told by mail.")
	p.sees("She was in the hospital")
	p.accessibleInBoth("person-courses-extended")
	require.Contains(t, p.mail("You have more time for "+course.Title).Text, "The registrar wrote: She was in the hospital")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'window_extended'`))
	require.Positive(t, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed'`))

	p.signIn(ada)
	p.open(fmt.Sprintf("/people/%d/enrollments", maya.ID))
	p.sees(course.Title)
	p.until("only registrars give more time", fmt.Sprintf(`!document.querySelector('a[href$="/enrollments/%d"]')`, e.ID))

	p.signIn(maya)
	p.sees("14 days left.")
	p.click(fmt.Sprintf(`form[action="/enrollments/%d/start"] button`, e.ID))
	p.until("the course opens", fmt.Sprintf(`location.pathname == "/learn/%d"`, e.ID))
}
