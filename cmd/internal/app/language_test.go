package app_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"mopd/lms"
)

// speak presses the button of the language, by the keyboard alone.
func (p *tab) speak(lang string) {
	p.Helper()
	p.do("watch where the key leads", chromedp.Evaluate[chromedp.Void](watch+`;document.querySelector('form[action="/language"] button').focus()`))
	p.do("choose "+lang, chromedp.KeyEvent(kb.Enter))
	p.until("the page is in "+lang, `document.readyState == "complete" && !window.leaving && document.documentElement.lang == `+js(lang))
}

func (p *tab) value(css string) string {
	p.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%s).value`, js(css)))
}

func TestChoosingAnotherLanguageKeepsWhatWasTypedButNoSecret(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, ada := b.person("Maya"), b.person("Ada", lms.Administrator)
	p := b.newTab(t)

	p.open("/sign-up")
	p.fill("#given", "Maya")
	p.fill("#born", "1980-03-15")
	p.speak("es")
	require.Equal(t, []string{"Maya", "1980-03-15", ""}, []string{p.value("#given"), p.value("#born"), p.value("#family")})
	p.screenshot("es-kept")
	require.Equal(t, 0, eval[int](p, `sessionStorage.length`))
	p.open("/sign-up")
	require.Empty(t, p.value("#given"), "once")
	p.click("main form button") // refused: the answer has no address of its own
	p.until("the form is shown again", `document.querySelector("[aria-invalid]")`)
	p.fill("#family", "Rivera")
	p.speak("en")
	require.Equal(t, "Rivera", p.value("#family"))

	p.open("/sign-in")
	p.fill("#email", "maya@example.org")
	p.fill("#password", password)
	p.click(".mo-show-password")
	require.Equal(t, "text", eval[string](p, `document.querySelector("#password").type`))
	p.speak("es")
	require.Equal(t, []string{"maya@example.org", ""}, []string{p.value("#email"), p.value("#password")})

	p.signIn(maya)
	p.speak("en")
	p.open("/courses")
	p.fill("#q", "sleep")
	p.open("/plan")
	p.speak("es")
	p.open("/courses")
	require.Empty(t, p.value("#q"), "what another page kept is for nobody")

	p.signIn(ada)
	p.open(fmt.Sprintf("/people/%d/roles", maya.ID))
	p.click(`label[for="role-author"]`)
	p.speak("en")
	require.True(t, eval[bool](p, `document.querySelector("#role-author").checked && !document.querySelector("#role-finance").checked`))
}

func TestTheLanguageOfThePagesIsThatOfTheMailsToo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, ada := b.person("Maya"), lms.Viewer{Person: b.person("Ada", lms.Administrator)}
	p := b.newTab(t)
	p.signIn(maya)
	p.speak("es")
	require.NoError(t, b.Accounts.EndSessions(t.Context(), ada, maya.ID, "", b.clock.Now()))
	p.mail("Se cerraron todas sus sesiones")
	require.Zero(t, b.counts(`SELECT count(*) FROM accounts.audit WHERE action NOT IN ('account_added', 'sessions_ended')`), "nothing worth a line happened")
}
