package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/mailbox"
	"mopd/lms"
)

const mayasEmail = "maya@example.org"

// signUp creates an account as far as the choice of a second factor; look sees each
// page on the way.
func (p *tab) signUp(look func(name string)) {
	p.Helper()
	p.open("/")
	p.click(`nav a[href="/sign-up"]`)
	p.sees("Create an account")
	look("sign-up")
	p.fill("#given", "Maya")
	p.fill("#family", "Ortiz")
	p.fill("#born", "1988-04-17")
	p.fill("#email", mayasEmail)
	p.fill("#employer", "Sunny Days Child Care")
	p.submit("/sign-up")
	p.sees("Check your e-mail")
	look("sign-up-sent")
	p.follow("Confirm your e-mail address")
	p.sees("Your e-mail address is confirmed")
	look("confirm")
	p.fill("#password", password)
	p.click("main form button:not([type=button])")
	p.sees("Protect your account")
	look("choose-factor")
}

// pass looks at nothing.
func pass(string) {}

// follow opens the link of the newest mail with a subject.
func (p *tab) follow(subject string) {
	p.Helper()
	p.visit(mailbox.Link(p.mail(subject)))
}

func (p *tab) mail(subject string) mailbox.Message {
	p.Helper()
	return p.mailSays(subject, "")
}

// mailSays is the newest mail to Maya with a subject that says something.
func (p *tab) mailSays(subject, text string) mailbox.Message {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	m, err := p.box.mail.Wait(ctx, mayasEmail, func(m mailbox.Message) bool { return m.Subject == subject && strings.Contains(m.Text, text) })
	require.NoError(p, err)
	return m
}

// app is the authenticator app that is set up on the page that shows its key.
func (p *tab) app() (code func() string) {
	p.Helper()
	p.until("the key shows", `document.querySelector(".mo-code")`)
	secret := strings.ReplaceAll(eval[string](p, `document.querySelector(".mo-code").textContent`), " ", "")
	return func() string {
		code, err := totp.GenerateCode(secret, p.box.clock.Now())
		require.NoError(p, err)
		return code
	}
}

func (p *tab) enterPassword() {
	p.Helper()
	p.open("/sign-in")
	p.fill("#email", mayasEmail)
	p.fill("#password", password)
	p.submit("/sign-in")
}

func (p *tab) signOut() {
	p.Helper()
	p.submit("/sign-out")
	p.sees("You are signed out")
	p.until("the page is whole", `document.readyState == "complete"`)
}

func TestSomebodyNewSignsUpSetsAnAuthenticatorAppUpAndSignsInWithIt(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signUp(p.accessibleInBoth)
	p.submit("/account/factors/authenticator")
	code := p.app()
	p.until("the QR code is drawn", `(i => i.complete && i.naturalWidth > 100)(document.querySelector(".mo-qr"))`)
	p.accessibleInBoth("factor-authenticator")
	p.fill("#code", "12345")
	p.click("main form button")
	p.sees("That code is not right")
	p.accessible("factor-wrong")
	p.fill("#code", code())
	p.click("main form button")
	p.sees("Your recovery codes")
	require.Equal(t, 10, eval[int](p, `new Set([...document.querySelectorAll(".mo-codes code")].map(c => c.textContent)).size`))
	p.accessible("codes")
	p.click(`main a[href="/courses"]`)
	p.until("the catalog shows", `location.pathname == "/courses"`)
	p.open("/account")
	p.sees("MOPD ID")
	p.sees("Authenticator app")
	p.accessibleInBoth("account")
	p.signOut()

	b.clock.set(b.clock.Now().Add(time.Minute)) // a code counts once
	p.enterPassword()
	p.sees("One more step to sign in")
	p.accessibleInBoth("prove-authenticator")
	p.open("/my-courses")
	p.sees("One more step to sign in")
	p.fill("#code", code())
	p.click(`form[action="/account/prove"] button`)
	p.until("the way leads on", `location.pathname == "/my-courses"`)
	p.mail("A second step was added to your account")
}

func TestASignUpThatIsNotRightSaysWhatToDo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.open("/sign-up")
	p.fill("#given", "Maya")
	p.fill("#born", "2025-04-17")
	p.submit("/sign-up")
	p.sees("Type your last name")
	p.sees("at least 14 years old")
	p.until("what was typed is still there", `document.querySelector("#given").value == "Maya"`)
	p.accessibleInBoth("sign-up-wrong")
	p.fill("#family", "Ortiz")
	p.fill("#born", "1988-04-17")
	p.fill("#email", mayasEmail)
	p.submit("/sign-up")
	p.follow("Confirm your e-mail address")
	p.fill("#password", "password1")
	p.click("main form button:not([type=button])")
	p.sees("Many people use this password")
	p.accessible("confirm-wrong")
	p.open("/sign-up/no-such-link")
	p.sees("This link does not work any more")
}

func TestSomebodySignsInWithAPasskey(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.passkeys()
	p.signUp(pass)
	p.submit("/account/factors/passkey")
	p.sees("Your recovery codes")
	p.open("/account")
	p.sees("Passkey or security key")
	p.signOut()
	p.enterPassword()
	p.sees("Use my passkey")
	p.accessible("prove-passkey")
	p.click(`form[data-passkey="get"] button`)
	p.until("somebody is signed in", `document.querySelector('a[href="/account"]')`)
	p.open("/account/password")
	p.until("the passkey just given counts as proof", `document.querySelector("#current")`)

	b.clock.set(b.clock.Now().Add(lms.ProofAge + time.Second))
	p.open("/account/password")
	p.sees("Show that it is you")
	p.accessible("prove-again")
	p.click(`form[data-passkey="get"] button`)
	p.until("the way leads on", `document.querySelector("#current")`)
	p.accessibleInBoth("password")
	p.fill("#current", password)
	p.fill("#password", "a wholly new secret")
	p.submit("/account/password")
	p.sees("Your new password works from now on")
	p.mail("Your password was changed")
}

// passkeys gives the tab a virtual authenticator that always says yes.
func (p *tab) passkeys() {
	p.Helper()
	p.do("add a virtual authenticator", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return err
	}))
}

func TestACaregiverGetsCodesByEMailAndByText(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signUp(pass)
	p.submit("/account/factors/email")
	p.sees("Your recovery codes")
	p.open("/account/factors/new")
	p.accessible("choose-another-factor")
	p.click(`a[href^="/account/factors/text"]`)
	p.fill("#phone", "573 555")
	p.submit("/account/factors/text")
	p.sees("Type a phone number with area code")
	p.accessible("text-wrong")
	p.fill("#phone", "(573) 555-0142")
	p.submit("/account/factors/text")
	p.sees("ends in 42")
	p.accessible("factor-text")
	p.fill("#code", p.texted())
	p.click("main form button")
	p.sees("Your second step is set up")
	p.signOut()

	p.enterPassword()
	p.sees("We sent a code to your phone")
	p.accessible("prove-text")
	p.click(`section a[href*="with="]`)
	p.sees(mayasEmail + ".")
	p.submit("/account/prove/send")
	p.sees("We sent a new code")
	p.accessible("prove-email")
	p.fill("#code", "000 000")
	p.click("#remember + label")
	p.click(`form[action="/account/prove"] button`)
	p.sees("That code is not right")
	p.accessible("prove-wrong")
	p.fill("#code", mailbox.Code(p.mail("Your code to sign in")))
	p.click("#remember + label")
	p.click(`form[action="/account/prove"] button`)
	p.until("somebody is signed in", `document.querySelector('a[href="/account"]')`)
	p.signOut()

	p.enterPassword()
	p.until("this computer is remembered", `document.querySelector('a[href="/account"]')`)
	p.open("/account/email")
	p.sees("Show that it is you")
	p.open("/account")
	p.click(`form[action="/account/sessions/end"] button`)
	p.sees("signed out everywhere")
	p.enterPassword()
	p.sees("One more step to sign in")
}

// texted is the code in the newest text message.
func (p *tab) texted() string {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	m, err := p.box.mail.Wait(ctx, "+15735550142", func(m mailbox.Message) bool { return m.IsText })
	require.NoError(p, err)
	return mailbox.Code(m)
}

func TestWhoLosesTheirPhoneGetsInByARecoveryCode(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signUp(pass)
	p.submit("/account/factors/authenticator")
	code := p.app()
	p.fill("#code", code())
	p.click("main form button")
	p.sees("Your recovery codes")
	recovery := eval[string](p, `document.querySelector(".mo-codes code").textContent`)
	p.open("/")
	p.signOut()

	p.enterPassword()
	p.click(`a[href*="with=0"]`)
	p.sees("ten recovery codes")
	p.accessibleInBoth("prove-recovery")
	p.fill("#code", strings.ToUpper(recovery))
	p.click(`form[action="/account/prove"] button`)
	p.sees("You used a recovery code")
	p.sees("9 recovery codes left")
	p.mail("A recovery code was used")
	p.click(`a[href$="/remove"]`)
	p.sees("This is your only way")
	p.accessible("remove-last")
	p.open("/account/factors/new")
	p.submit("/account/factors/email")
	p.sees("Your second step is set up")
	p.click(`th:has(+ td) ~ td a[href$="/remove"]`)
	p.sees("Remove this way of signing in?")
	p.accessibleInBoth("remove-factor")
	p.click("main form button")
	p.sees("That way of signing in is removed")
}

func TestAForgottenPasswordIsReplacedByAMailedLinkAndTheSecondFactor(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signUp(pass)
	p.submit("/account/factors/email")
	p.sees("Your recovery codes")
	p.open("/")
	p.signOut()

	p.open("/sign-in")
	p.click(`a[href="/forgot"]`)
	p.accessible("forgot")
	p.fill("#email", mayasEmail)
	p.submit("/forgot")
	p.sees("If there is an account for")
	p.accessibleInBoth("forgot-sent")
	link := mailbox.Link(p.mail("Choose a new password"))
	p.visit(link)
	p.accessibleInBoth("reset")
	p.fill("#password", "a wholly new secret")
	p.click("main form button:not([type=button])")
	p.sees("Your new password works as soon as you give the second step")
	p.sees("We sent a code to")
	p.fill("#code", mailbox.Code(p.mail("Your code to sign in")))
	p.click(`form[action="/account/prove"] button`)
	p.sees("Your new password works from now on")
	p.signOut()

	p.visit(link)
	p.sees("This link does not work any more")
	p.accessibleInBoth("link-over")
	p.enterPassword()
	p.sees("The e-mail address or the password is not right")
}

// Another origin on the same site is the hardest case: browsers send it the session's
// cookie along.
func TestAChangeFromAnotherOriginIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s%s"><input name="lang" value="es"><button>Win a prize</button></form>`, b.url, r.URL.Path)
	}))
	t.Cleanup(evil.Close)
	p := b.newTab(t)
	maya := b.person("Maya")
	p.signIn(maya)
	for _, path := range []string{"/sign-out", "/account/sessions/end", "/account/factors/email", "/account/language"} {
		p.do("visit the other origin", chromedp.Navigate(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1)+path))
		p.click("button")
		p.sees("came from another site")
	}
	p.open("/account")
	p.sees("MOPD ID")
	var changed int
	require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT count(*) FROM accounts.factors`).Scan(&changed))
	require.Zero(t, changed)
}
