package accounts

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestACodeServesTheSessionThatAskedForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := lmstest.Now
	p := w.add(maya())
	f := w.emailOf(p, now)
	a, b := w.open(p, lms.Identified, now), w.open(p, lms.Identified, now)
	require.NoError(t, w.SendCode(t.Context(), a, f, "en", now))
	_, err := w.Prove(t.Context(), b, Proof{Factor: f, Code: w.lastLetter(p.Email).Code, Origin: from(9)}, now)
	require.ErrorIs(t, err, ErrWrongCode)
	_, err = w.Prove(t.Context(), a, Proof{Factor: f, Code: w.lastLetter(p.Email).Code, Origin: desk}, now)
	require.NoError(t, err)
}

func TestANewPasswordMakesEveryComputerAskForTheSecondFactorAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := lmstest.Now
	v, _ := w.signedIn(maya(), now)
	computer := w.known(v.Person, new(now.Add(rememberFor)), now)
	require.NoError(t, w.ChangePassword(t.Context(), v, password, "another long sentence", desk.From, now))
	o, err := w.SignIn(t.Context(), Credentials{Email: v.Email, Password: "another long sentence", Origin: Origin{From: "203.0.113.66", Computer: computer}}, now)
	require.NoError(t, err)
	require.Equal(t, lms.Identified, o.Stage)
}

func TestASignInUnderWayWhileSomebodySignsOutEverywhereStillAsksForTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := lmstest.Now
	v, _ := w.signedIn(maya(), now)
	computer := w.known(v.Person, new(now.Add(rememberFor)), now)
	for range cap(w.hasher.places) {
		w.hasher.places <- struct{}{}
	}
	type res struct {
		o   Opened
		err error
	}
	got := make(chan res)
	go func() {
		o, err := w.SignIn(t.Context(), Credentials{Email: v.Email, Password: password, Origin: Origin{From: "203.0.113.66", Computer: computer}}, now)
		got <- res{o, err}
	}()
	require.Eventually(t, func() bool { return w.count(`SELECT count(*) FROM accounts.throttles`) > 0 }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, w.SignOutEverywhere(t.Context(), v, desk.From, now))
	for range cap(w.hasher.places) {
		<-w.hasher.places
	}
	r := <-got
	require.NoError(t, r.err)
	require.Equal(t, lms.Identified, r.o.Stage)
}

func TestSigningInOnARememberedComputerStopsARecovery(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	l.approve()
	computer := l.known(l.half.Person, new(l.due().Add(time.Hour)), lockedAt)
	o, err := l.SignIn(t.Context(), Credentials{Email: "maya@example.org", Password: password, Origin: Origin{From: desk.From, Computer: computer}}, lockedAt.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, lms.SignedIn, o.Stage)
	l.mail(l.due())
	require.Zero(t, l.links())
}

func TestNobodyIsKeptFromANewPasswordByAskingForOtherMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(named("Victim"))
	const who = "victim@example.org"
	now := lmstest.Now
	w.tried(atAccount(who, networkOf(from(1).From))[1], 100, now) // 100 wrong passwords
	require.ErrorIs(t, w.guess(who, password, from(2), now), ErrResetRequired)
	for minute := range 60 {
		at := now.Add(time.Duration(minute) * time.Minute)
		for i := range 3 {
			stranger := from(100 + i + 3*minute).From
			require.NoError(t, w.AskSignUp(t.Context(), SignUp{Given: "A", Family: "B", Email: who, Born: mayasBirth, Lang: "en"}, stranger, at))
			require.NoError(t, w.AskReset(t.Context(), who, "en", stranger, at))
		}
		w.answerRequests(at)
	}
	later := now.Add(time.Hour)
	require.NoError(t, w.AskReset(t.Context(), who, "en", from(5).From, later), "the page does not refuse the owner")
	w.answerRequests(later)
	require.LessOrEqual(t, len(w.letters(who)), 30, "an address is not flooded")
	links := 0
	for _, l := range w.letters(who) {
		if l.Subject == w.subject("en", "reset") && w.CheckReset(t.Context(), token(l), later) == nil {
			links++
		}
	}
	require.NotZero(t, links, "a link that works lies in the mailbox")
}

func TestGuessesFromOneLargeNetworkAreSlowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := 0
	for i := range 210 {
		guesses := Credentials{Email: fmt.Sprintf("p%d@example.org", i), Origin: Origin{From: fmt.Sprintf("2001:db8:1:%x::1", i)}}.guesses(false)
		if err := take(t.Context(), w.db, lmstest.Now, guesses...); err != nil {
			require.ErrorIs(t, err, ErrTooManyTries)
			slow++
		}
	}
	require.Equal(t, 10, slow)
}

func TestTextMessagesToOneNumberArePaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sent := 0
	for i := range 5 {
		p := w.add(named(fmt.Sprintf("Pump%c", 'a'+i)))
		if _, err := w.BeginText(t.Context(), w.open(p, lms.SignedIn, lmstest.Now), "573 555 0100", desk, lmstest.Now); err == nil {
			sent++
		}
	}
	require.Equal(t, perSending.free, sent)
}

// Somebody whose mailbox is open to a thief, and who got a role but no strong factor.
func TestAMailboxAloneIsNotEnoughForAnAccountOfStaff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	w.emailOf(p, lmstest.Now)
	w.giveRole(p, lms.Administrator)
	opened, err := w.Reset(t.Context(), w.resetLink(p.Email, lmstest.Now), "a wholly new sentence", from(1), lmstest.Now)
	require.NoError(t, err)
	ways, err := w.Ways(t.Context(), w.viewer(opened.Token, lmstest.Now))
	require.NoError(t, err)
	require.Empty(t, ways)
}
