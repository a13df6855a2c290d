package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/registry"
)

// completes has somebody complete a course at an instant, and its credit posted.
func (b *box) completes(p lms.Person, c lms.Course, at time.Time) {
	b.Helper()
	e := lmstest.Enrollment(b, b.DB, p, c, func(e *lms.Enrollment) {
		e.State, e.CompletedAt, e.RegisteredOn = lms.Completed, &at, lms.DateOf(at)
	})
	require.NoError(b, pg.InTx(b.Context(), b.DB, func(tx pgx.Tx) error { return b.Registry.Post(b.Context(), tx, e.ID, b.clock.Now()) }))
}

// creditOf is the credit of a day.
func (b *box) creditOf(p lms.Person, day lms.Date) lms.CreditID {
	b.Helper()
	id, err := pg.Value[lms.CreditID](b.Context(), b.DB, "credit", `SELECT id FROM registry.credits WHERE person = $1 AND earned_on = $2`, p.ID, day)
	require.NoError(b, err)
	return id
}

func TestAHeldCreditIsAskedAboutAndReleasedAndItsPersonIsTold(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	course := lmstest.Course(t, b.DB)
	young := b.clock.Now()
	old := young.AddDate(0, 0, -30)
	b.completes(maya, course, young)
	b.completes(maya, course, old) // comes to light later

	p := b.newTab(t)
	p.signIn(maya)
	p.open(fmt.Sprintf("/report?year=%d", lms.DateOf(old).Year))
	p.sees("a registrar is looking at it before the hours count")
	p.accessibleInBoth("report-held")
	p.click(`a[href$="/review"]`)
	p.accessibleInBoth("review")
	p.click("main form button")
	p.sees("Say what should be looked at.")
	p.fill("#text", "I took it on two days by mistake.")
	p.click(`main form button`)
	p.sees("A registrar will look at it.")

	p.signIn(rita)
	p.open("/worklist")
	p.click(`a[href="/records"]`)
	p.sees("Asked for a review")
	p.accessibleInBoth("records")
	p.click(`main table a`)
	p.sees("I took it on two days by mistake.")
	p.accessibleInBoth("credit")
	p.click(`button[value="credited"]`)
	p.sees("Say why. The person reads it.")
	p.fill("#note", "The earlier one counts")
	p.click(`button[value="credited"]`)
	p.sees("It can earn again from") // what is recorded stands
	p.accessible("credit-refused")
	p.sees("While it counts, these hours may not.")

	p.open(fmt.Sprintf("/records/%d", b.creditOf(maya, lms.DateOf(young))))
	p.sees("from 1.25 to 0.0 of 12.0")
	p.fill("#note", "The same course, taken a month before, counts instead")
	p.click(`button[value="denied"]`)
	p.sees("Decided. The person is told by mail if they have an account.")
	p.open(fmt.Sprintf("/records/%d", b.creditOf(maya, lms.DateOf(old))))
	p.fill("#hours", "1.0")
	p.fill("#note", "The last quarter was not attended")
	p.click(`button[value="credited"]`)
	p.sees("Decided: " + course.Title)
	p.mailSays("Your clock hours for "+course.Title, "The last quarter was not attended")
	p.open("/records")
	p.sees("Nothing waits")
	p.open(fmt.Sprintf("/people/%d/record?year=%d", maya.ID, lms.DateOf(old).Year))
	p.sees("A registrar: The last quarter was not attended")
	p.accessible("record-of")

	p.signIn(maya)
	p.open(fmt.Sprintf("/report?year=%d", lms.DateOf(old).Year))
	p.sees("A registrar: The last quarter was not attended")
	require.Equal(t, 2, b.counts(`SELECT count(*) FROM accounts.audit WHERE action IN ('credit_denied', 'credit_credited') AND actor IS NOT NULL`))
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM registry.credit_blocks`))
}

func TestOfManyVerdictsAtOnceTheBlockFollowsTheOneThatStands(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, rita := b.person("Maya"), lms.Viewer{Person: b.person("Rita", lms.Registrar)}
	b.completes(maya, lmstest.Course(t, b.DB), b.clock.Now())
	id := b.creditOf(maya, lms.DateOf(b.clock.Now()))
	verdicts := []lms.CreditStatus{lms.Credited, lms.Denied, lms.Held}
	var deciding errgroup.Group
	const registrars = 8
	for i := range registrars {
		deciding.Go(func() error {
			return b.Registry.Decide(t.Context(), rita, registry.Verdict{Credit: id, Status: verdicts[i%3], Hours: 4, Note: "As found"}, "127.0.0.1", b.clock.Now())
		})
	}
	require.NoError(t, deciding.Wait())
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM registry.credits`))
	require.Equal(t, 1+registrars, b.counts(`SELECT count(*) FROM registry.decisions`))
	require.Equal(t, b.counts(`SELECT (status = 'credited')::int FROM registry.decisions ORDER BY recorded_at DESC, id DESC LIMIT 1`), b.counts(`SELECT count(*) FROM registry.credit_blocks`))
}

func TestNobodyDecidesAboutTheirOwnCredit(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	rita := b.person("Rita", lms.Registrar)
	b.completes(rita, lmstest.Course(t, b.DB), b.clock.Now())
	err := b.Registry.Decide(t.Context(), lms.Viewer{Person: rita}, registry.Verdict{Credit: b.creditOf(rita, lms.DateOf(b.clock.Now())), Status: lms.Denied, Note: "Mine"}, "127.0.0.1", b.clock.Now())
	require.ErrorIs(t, err, registry.ErrOwnCredit)
}

func TestAPrintedReportIsCheckedByItsCodeAndSaysWhenNewerFactsExist(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), lms.Viewer{Person: b.person("Rita", lms.Registrar)}
	course := lmstest.Course(t, b.DB)
	b.completes(maya, course, b.clock.Now())
	p := b.newTab(t)
	p.signIn(maya)
	p.open("/report")
	p.click(`form[action="/report/print"] button:not([name])`)
	p.sees("Verification code")
	p.accessibleInBoth("report-printed")
	code := eval[string](p, `document.querySelector(".mo-report__code").innerText.match(/[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/)[0]`)

	anybody := b.newTab(t)
	anybody.open("/verify")
	anybody.accessibleInBoth("verify")
	anybody.fill("#code", strings.ToLower(strings.ReplaceAll(code, "0", "o")))
	anybody.click("main form button")
	anybody.sees("This report is genuine")
	anybody.sees("What it says is what is known today.")
	anybody.sees(course.Title)
	anybody.accessibleInBoth("verified")

	require.NoError(t, b.Registry.Decide(t.Context(), rita, registry.Verdict{Credit: b.creditOf(maya, lms.DateOf(b.clock.Now())), Status: lms.Credited, Hours: 4, Note: "A quarter was not attended"}, "127.0.0.1", b.clock.Now()))
	anybody.open("/verify?code=" + code)
	anybody.sees("This report is genuine")
	anybody.sees("something has become known that changes it")
	anybody.sees("1.25 h")
	anybody.open("/verify?code=0000-0000-0000")
	anybody.sees("No report has this code.")
	anybody.accessible("verify-unknown")
	other := b.newTab(t)
	other.signIn(rita.Person)
	other.visit(b.url + "/report/printed/" + strings.ReplaceAll(code, "-", ""))
	other.sees("not found")
}

func TestOneReviewOfACreditWaitsForItsAnswer(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, rita := b.person("Maya"), lms.Viewer{Person: b.person("Rita", lms.Registrar)}
	b.completes(maya, lmstest.Course(t, b.DB), b.clock.Now())
	id := b.creditOf(maya, lms.DateOf(b.clock.Now()))
	ask := func() error {
		return b.Registry.AskReview(t.Context(), maya.ID, id, "Please look", "127.0.0.1", b.clock.Now())
	}
	require.NoError(t, ask())
	require.ErrorIs(t, ask(), registry.ErrReviewAsked)
	require.ErrorIs(t, b.Registry.AskReview(t.Context(), rita.ID, id, "Not mine", "127.0.0.1", b.clock.Now()), lms.ErrNotFound)
	require.NoError(t, b.Registry.Decide(t.Context(), rita, registry.Verdict{Credit: id, Status: lms.Denied, Note: "As before"}, "127.0.0.1", b.clock.Now()))
	require.NoError(t, ask(), "the answer may be asked about again")
}

func TestTheDatabaseAloneWantsAReasonOfARegistrar(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	b.completes(maya, lmstest.Course(t, b.DB), b.clock.Now())
	_, err := b.DB.Exec(t.Context(), `INSERT INTO registry.decisions (credit, status, quarters, policy, recorded_at, decided_by) SELECT credit, 'denied', 0, policy, now(), $1 FROM registry.decisions`, rita.ID)
	require.Equal(t, "decisions_say_why", pg.Violated(err))
}

func TestARegistrarRecordsAHireDateAndTheYearAsksForLess(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	today := lms.DateOf(b.clock.Now())
	p := b.newTab(t)
	p.signIn(rita)
	p.open(fmt.Sprintf("/people/%d/record", maya.ID))
	p.sees("No hire date is on record")
	p.click(`a[href$="/work"]`)
	p.sees("No work is on record.")
	p.click("main form button")
	p.sees("Enter the day of hire.")
	p.accessibleInBoth("work-wrong")
	p.fill("#employer", "Sunny Days")
	p.fill("#hired", lms.Date{Year: today.Year, Month: 12, Day: 1}.String())
	p.fill("#note", "Letter of the employer")
	p.click("main form button")
	p.sees("Recorded. The requirement of each year follows from it.")
	p.accessible("work")
	p.click(`a[href*="replaces="]`)
	p.fill("#hired", lms.Date{Year: today.Year, Month: 11, Day: 30}.String())
	p.fill("#note", "The letter was misread")
	p.click("main form button")
	p.sees("The letter was misread")
	p.open(fmt.Sprintf("/people/%d/record", maya.ID))
	p.sees("0.0 of 2.0 clock hours")
	require.Equal(t, 2, b.counts(`SELECT count(*) FROM registry.employments`))
	require.ErrorIs(t, b.Registry.RecordWork(t.Context(), lms.Viewer{Person: rita}, registry.WorkChange{Person: maya.ID, Replaces: 1, HiredOn: today, Note: "Late"}, "127.0.0.1", b.clock.Now()), registry.ErrWorkMoved)
}
