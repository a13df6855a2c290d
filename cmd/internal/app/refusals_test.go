package app_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"mopd/lms"
)

func TestAnotherCourseStartsOnlyWhenTheFirstIsSetAside(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.publishOne("ONE-1", "First course")
	b.publishOne("TWO-1", "Second course")
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	p.begin("ONE-1")
	lesson := p.lesson()
	lesson.click("#turn")
	lesson.click("#turn")
	p.saved()
	p.open("/courses/TWO-1")
	p.click(`form[action="/courses/TWO-1/register"] button`)
	p.until("the second course can be started", `document.querySelector('form[action$="/start"]')`)
	p.click(`form[action$="/start"] button`)
	p.sees("You have another course in progress")
	p.accessibleInBoth("conflict")
	p.click("#set-aside")
	p.attest()
	p.open("/my-courses")
	p.sees("Second course")
	p.accessibleInBoth("my-courses")

	p.click(`form[action$="/start"] button`)
	p.click("#set-aside")
	p.until("the first course opens again", `document.querySelector("body.mo-player")`)
	p.lesson().until("its place was kept", `document.querySelector("#page").textContent == "2"`)
}

func TestACourseThatEarnedWithinAYearSaysFromWhenItEarnsAgain(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.clock.set(lms.Date{Year: 2026, Month: 3, Day: 3}.Start().Add(10 * time.Hour))
	b.publishOne("ONE-1", "First course")
	p := b.newTab(t)
	maya := b.person("Maya")
	p.signIn(maya)
	p.begin("ONE-1")
	p.lesson().click("#complete")
	p.until("the course is completed", `!document.querySelector("#panel").hidden`)

	b.clock.set(lms.Date{Year: 2026, Month: 9, Day: 1}.Start().Add(10 * time.Hour))
	p.signIn(maya)
	p.open("/courses/ONE-1")
	p.sees("March 3, 2027")
	p.accessibleInBoth("overview-earned")
	p.do("be a page from before the first completion", chromedp.Evaluate[chromedp.Void](`document.querySelector("input[name=accept_no_credit]").remove()`))
	p.submit("/courses/ONE-1/register")
	p.sees("would earn no hours today")
	p.accessibleInBoth("no-credit")
	p.submit("/courses/ONE-1/register")
	p.until("the course can be started for no credit", `document.querySelector('form[action$="/start"]')`)
	p.click(`form[action$="/start"] button`)
	p.attestOnly()
	p.sees("March 3, 2027")
	p.accessibleInBoth("earns-again")
	p.click(`form[action$="/no-credit"] button`)
	p.lesson().click("#complete")
	p.until("the course is completed again", `!document.querySelector("#panel").hidden`)
	p.until("and the player says what came of it", `document.querySelector("#panel").innerText.includes("no clock hours")`)
	p.accessible("player-denied")
	p.open("/report")
	p.sees("1.25 of 12.0 clock hours")
	p.until("the denied credit shows", `document.body.innerText.includes("It can earn again from March 3, 2027")`)
	p.accessibleInBoth("report")
}

func TestALaunchAfterTheLastDaySaysSoAndWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.clock.set(lms.Date{Year: 2026, Month: 3, Day: 3}.Start().Add(10 * time.Hour))
	b.publishOne("ONE-1", "First course")
	p := b.newTab(t)
	maya := b.person("Maya")
	p.signIn(maya)
	p.begin("ONE-1")
	p.lesson()
	path := eval[string](p, `location.pathname`)

	b.clock.set(lms.Date{Year: 2027, Month: 3, Day: 4}.Start().Add(time.Minute))
	p.signIn(maya)
	p.open(path)
	p.sees("March 3, 2027")
	p.accessibleInBoth("window-over")
	p.open("/my-courses")
	p.sees("Time ran out")
	p.open("/courses/ONE-1")
	p.click(`form[action="/courses/ONE-1/register"] button`)
	p.until("it can be started anew", `document.querySelector('form[action$="/start"]')`)
}

func TestAPhoneIsToldToUseAComputer(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.publishOne("ONE-1", "First course")
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	p.open("/courses/ONE-1")
	p.click(`form[action="/courses/ONE-1/register"] button`)
	p.until("it can be started", `document.querySelector('form[action$="/start"]')`)
	p.do("become a phone", chromedp.Func(func(ctx context.Context, s *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
		})
		return err
	}))
	p.click(`form[action$="/start"] button`)
	p.until("the phone is told", `location.pathname.startsWith("/learn/")`)
	p.sees("Open this course on a computer")
	p.until("no lesson opens", `!document.querySelector("iframe")`)
	p.accessibleInBoth("computer")
}

func TestWrongTurnsSayWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya := b.person("Maya")
	p := b.newTab(t)
	p.open("/courses/NO-SUCH")
	p.sees("could not find")
	p.accessibleInBoth("not-found")
	p.open("/sign-in")
	p.accessibleInBoth("sign-in")
	p.fill("#email", maya.Email)
	p.fill("#password", "not the password")
	p.submit("/sign-in")
	p.sees("The e-mail address or the password is not right")
	p.until("the address is still there", `document.querySelector("#email").value == "maya@example.org"`)
	p.accessibleInBoth("sign-in-wrong")
	p.open("/my-courses")
	p.until("sign-in is asked for, and leads on", `document.querySelector('main input[name=next]').value == "/my-courses"`)
	p.signIn(maya)
	p.open("/author")
	p.sees("may not open this page")
	p.accessibleInBoth("forbidden")
	p.open("/learn/4711")
	p.sees("could not find")
}

// submit sends the form with an action, as its button would.
func (p *tab) submit(action string) {
	p.Helper()
	p.click(`form[action="` + action + `"] button:not([type=button])`)
}

func (p *tab) attestOnly() {
	p.Helper()
	p.until("the attestation is asked for", `document.querySelector("#not-in-ratio")`)
	p.click(`label[for="not-in-ratio"]`)
	p.click(`label[for="not-in-group"]`)
	p.click(`form[action$="/attest"] button`)
}
