package app_test

import (
	"fmt"
	"testing"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestSafeSleepStandsInTheReportWithItsHistory(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	safe := lmstest.Course(t, b.DB, func(c *lms.Course) { c.Title, c.SafeSleep = "Safe sleep for infants", true })
	today := lms.DateOf(b.clock.Now())
	p := b.newTab(t)
	p.signIn(maya)
	p.open("/report")
	p.sees("Safe sleep: no training is on record.")
	b.completes(maya, safe, today.AddMonths(-36).AddDays(5).Start())
	p.open("/report")
	p.sees("It is due again.")
	b.completes(maya, safe, b.clock.Now().AddDate(0, 0, -40))
	b.completes(maya, safe, b.clock.Now()) // earns nothing, and renews
	p.open("/report")
	p.sees("valid through " + shown(today.AddMonths(36)))
	p.accessibleInBoth("report-safe-sleep")
	p.click(`main a[href="/report/safe-sleep"]`)
	p.sees("Each completion renews it")
	p.accessibleInBoth("safe-sleep")
	p.open("/report/safe-sleep?through=" + today.AddDays(-41).String())
	p.sees("It is due again.")
	p.click(`main a[href="/report"]`)
	p.click(`form[action="/report/print"] button:not([name])`)
	p.sees("valid through " + shown(today.AddMonths(36)))

	p.signIn(rita)
	p.open(fmt.Sprintf("/people/%d/record", maya.ID))
	p.click(`main a[href$="/safe-sleep"]`)
	p.sees("Safe sleep: done " + shown(today))
	p.accessible("safe-sleep-of")
}

// shown is a day as English pages show it.
func shown(d lms.Date) string { return d.Start().Format("January 2, 2006") }
