package app_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

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

func TestARegistrarChangesTheAnnualHoursOfNextYearHavingSeenWhomItAffects(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	today := lms.DateOf(b.clock.Now())
	p := b.newTab(t)
	p.signIn(rita)
	p.open("/records")
	p.click(`main a[href="/policies"]`)
	p.sees("12 clock hours")
	p.accessibleInBoth("policies")
	p.click(`a[href="/policies/annual_hours"]`)
	p.fill("#value", "12.5")
	p.click("main form button")
	p.sees("Enter whole clock hours, from 1 to 99.")
	p.sees("Say why.")
	p.accessible("policy-wrong")
	p.fill("#value", "10")
	p.fill("#note", "5 CSR 25-500, amended")
	p.click("main form button")
	p.sees("The year asks something else of 2 people.")
	p.sees(fmt.Sprintf("%d has not begun", today.Year+1))
	looks := `SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed' AND actor <> subject`
	require.NotContains(t, eval[string](p, `document.querySelector("main").innerText`), maya.Name())
	require.Zero(t, b.counts(looks))
	p.accessibleInBoth("policy-draft-counted")
	p.click(`main a[href$="?people=1#people"]`)
	p.sees(fmt.Sprintf("%d asks: 12.0 → 10.0 h.", today.Year+1))
	p.sees(maya.Name())
	require.Equal(t, 1, b.counts(looks), "who looked at whom is written down; nobody but oneself at oneself")
	p.accessibleInBoth("policy-draft")
	require.Equal(t, 5, b.counts(`SELECT count(*) FROM registry.policies`), "nothing is changed yet")
	before := b.clock.Now()
	p.click(`form[action^="/policies/drafts/"] button`)
	p.sees("The rule is changed.")
	p.sees("5 CSR 25-500, amended")
	p.accessible("policies-changed")

	b.clock.set(lms.Date{Year: today.Year + 1, Month: 2, Day: 1}.Start())
	p.signIn(maya)
	p.open("/report")
	p.sees("0.0 of 10.0 clock hours")
	asked := func(known string) {
		p.open("/report?through=" + lms.DateOf(b.clock.Now()).String() + "&known=" + known)
	}
	asked(before.In(lms.Central).Format("2006-01-02T15:04"))
	p.sees("0.0 of 12.0 clock hours")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'policy_changed'`))
}

func TestEachRuleSaysWhatAChangeOfItWouldDo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	safe := lmstest.Course(t, b.DB, func(c *lms.Course) { c.SafeSleep = true })
	today := lms.DateOf(b.clock.Now())
	b.completes(maya, safe, today.AddMonths(-30).Start())
	lmstest.Enrollment(t, b.DB, maya, lmstest.Course(t, b.DB))
	p := b.newTab(t)
	p.signIn(rita)
	changes := func(kind, value string, from lms.Date, sees ...string) {
		t.Helper()
		p.open("/policies/" + kind)
		if value[0] > '9' {
			p.click(`label[for="` + value + `"]`)
		} else {
			p.fill("#value", value)
		}
		p.fill("#from", from.String())
		p.fill("#note", "As the state asks")
		p.click("main form button")
		for _, text := range sees {
			p.sees(text)
		}
	}
	p.open("/policies/window")
	p.click("main form button")
	p.sees("Choose one.")
	p.accessible("policy-choice-wrong")
	changes("window", lms.CalendarYearEnd, today, "1 open registration keeps the last day that it has.")
	changes("repeat_credit", lms.CalendarYear, today.AddDays(-10), "This day is past", "The change is for completions from")
	changes("safe_sleep", "2", today.AddMonths(-36), "For 1 person the last valid day changes.", "Of 1 person it is valid today, and would be expired.")
	p.accessibleInBoth("policy-draft-sleep")
	changes("proration", lms.NotProrated, lms.Date{Year: today.Year, Month: 1, Day: 1}, "This day is past", "Nothing changes for anybody on record.")
	changes("annual_hours", "10", lms.Date{Year: today.Year, Month: 1, Day: 1}, "The year asks something else of 2 people.", "0 people are short now and would not be.")
	p.accessibleInBoth("policy-draft-past")
	changes("annual_hours", "12", lms.Date{Year: today.Year, Month: 6, Day: 1}, "That is the rule of this day already.")
}
