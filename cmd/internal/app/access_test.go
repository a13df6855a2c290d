package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/mailbox"
	"mopd/lms"
	"mopd/lms/accounts"
	"mopd/lms/lmstest"
)

func TestAnAdministratorDisablesAnAccountAndItsSessionSaysSo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, ada := b.person("Maya"), b.person("Ada", lms.Administrator)
	require.NoError(t, b.Accounts.Equip(t.Context(), maya.ID, "", b.clock.Now()))
	mayas, adas := b.newTab(t), b.newTab(t)
	mayas.signIn(maya)
	adas.signIn(ada)

	adas.open(fmt.Sprintf("/people/%d", maya.ID))
	adas.click(`a[href$="/access"]`)
	adas.sees("the record stays")
	adas.accessibleInBoth("access")
	adas.click("main form button")
	adas.sees("Write in a few words why")
	adas.fill("#reason", "Left the agency")
	adas.click("main form button")
	adas.sees("Ada Ortiz disabled this account on")
	adas.accessibleInBoth("person-disabled")
	require.NotContains(t, mayas.mail("Your account is disabled").Text, "Left the agency")
	adas.open("/people?q=maya")
	adas.sees("Disabled")
	adas.accessible("people-disabled")

	mayas.click(`nav a[href="/report"]`)
	mayas.sees("You were signed out because your account was disabled")
	mayas.accessibleInBoth("ended")
	mayas.fill("#email", maya.Email)
	mayas.fill("#password", password)
	mayas.submit("/sign-in")
	mayas.sees("This account is disabled. Nothing in its record is lost.")
	mayas.accessible("sign-in-disabled")

	adas.open(fmt.Sprintf("/people/%d/record", maya.ID))
	adas.sees("Maya Ortiz")
	adas.open(fmt.Sprintf("/people/%d/access", maya.ID))
	adas.accessibleInBoth("access-enable")
	adas.fill("#reason", "A mistake")
	adas.click("main form button")
	adas.sees("The account is enabled")
	mayas.mail("Your account works again")
	mayas.fill("#password", password)
	mayas.submit("/sign-in")
	mayas.fill("#code", mailbox.Code(mayas.mail("Your code to sign in")))
	mayas.click(`form[action="/account/prove"] button`)
	mayas.until("she is where she was on her way to", `location.pathname == "/report"`)
}

func TestAFormOfASessionThatIsOverLeadsToSigningInAndBack(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	p.open("/account")
	b.clock.set(b.clock.Now().Add(accounts.Idle))
	p.click(`form[action="/account/language"] button`)
	p.sees("You are signed out. Sign in again to go on")
	p.click("main a")
	p.sees("nothing happened here for 30 minutes")
	require.Equal(t, "/account", p.value(`main [name="next"]`))
}

func TestWhoAskedARegistrarSeesWhatHappensNextInsteadOfTheCode(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya := b.person("Maya")
	require.NoError(t, b.Accounts.Equip(t.Context(), maya.ID, "", b.clock.Now()))
	p := b.newTab(t)
	p.enterPassword()
	p.click(`a[href="/recover"]`)
	p.fill("#contact", "573-555-0142")
	p.click("main form button")
	p.sees("What happens next")
	p.accessibleInBoth("recover-asked")
	p.submit("/sign-out")
	p.enterPassword()
	p.sees("A registrar gets in touch with you and checks who you are")
	require.False(t, eval[bool](p, `!!document.querySelector("#code")`))
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM accounts.codes`), "the code of the first time: none is sent for nothing")
	p.click(`a[href^="/account/prove"]`)
	p.sees("We send a code to maya@example.org")
}

func TestTheHomePageSaysHowLongTheCourseWasOpen(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, course := b.person("Maya"), lmstest.Course(t, b.DB)
	e := lmstest.Enrollment(t, b.DB, maya, course, func(e *lms.Enrollment) { e.State, e.RegisteredOn = lms.Active, lms.DateOf(b.clock.Now()) })
	p := b.newTab(t)
	p.signIn(maya)
	p.open("/")
	p.sees(course.Title)
	require.False(t, eval[bool](p, `document.body.innerText.includes("so far")`), "nothing before it was opened")
	_, err := b.DB.Exec(t.Context(), `WITH a AS (INSERT INTO player.attempts (person, enrollment, version, mode, n, recorded_at) VALUES ($1, $2, $3, 'credit', 1, $4) RETURNING id)
		INSERT INTO player.sessions (person, epoch, attempt, opened_at, seen_at, seat_ms, device) SELECT $1, n, a.id, $4, $4, $5, '' FROM a, generate_series(1, 2) n`,
		maya.ID, e.ID, e.Version, b.clock.Now(), (19*time.Minute + 29*time.Second).Milliseconds())
	require.NoError(t, err)
	p.open("/")
	p.sees("38 minutes in this course so far.")
	p.accessibleInBoth("home-minutes")
}
