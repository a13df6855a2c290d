package accounts

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// rush makes tries, a few at once, and gives what each came to.
func rush(tries int, try func(i int) error) []error {
	results, places := make([]error, tries), make(chan struct{}, 12)
	var all sync.WaitGroup
	for i := range results {
		places <- struct{}{}
		all.Go(func() {
			results[i] = try(i)
			<-places
		})
	}
	all.Wait()
	return results
}

func TestAThousandGuessesFromFiftyNetworksOpenNothingAndLockNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	home := w.known(v.Person, nil, lmstest.Now)
	answers := map[error]int{}
	for _, err := range rush(1000, func(i int) error { return w.guess(v.Email, fmt.Sprint("guess ", i), from(i%50), lmstest.Now) }) {
		for _, known := range []error{ErrWrongPassword, ErrTooManyTries, ErrResetRequired} {
			if errors.Is(err, known) {
				answers[known]++
				err = nil
				break
			}
		}
		require.NoError(t, err)
	}
	require.EqualValues(t, 100, w.hasher.derived.Load(), "so many passwords were looked at: %v", answers)
	require.Equal(t, 100, answers[ErrWrongPassword])
	require.Equal(t, 100, w.audited("sign_in_refused"))

	for _, later := range []time.Duration{0, time.Hour, 365 * 24 * time.Hour} {
		require.ErrorIs(t, w.guess(v.Email, password, from(60), lmstest.Now.Add(later)), ErrResetRequired, "even the right one, from a new computer")
	}
	require.EqualValues(t, 100, w.hasher.derived.Load())
	atHome := Origin{From: from(1).From, Computer: home}
	require.NoError(t, w.guess(v.Email, password, atHome, lmstest.Now), "the owner gets in, even in an attacker's network")
	require.ErrorIs(t, w.guess(v.Email, password, from(60), lmstest.Now), ErrResetRequired, "which opens nothing to others")

	opened, err := w.Reset(t.Context(), w.resetLink(v.Email, lmstest.Now), another, desk, lmstest.Now)
	require.NoError(t, err)
	require.ErrorIs(t, w.guess(v.Email, another, from(61), lmstest.Now), ErrResetRequired, "not before the second factor")
	_, err = a.prove(w.viewer(opened.Token, lmstest.Now), a.code(lmstest.Now), lmstest.Now)
	require.NoError(t, err)
	require.NoError(t, w.guess(v.Email, another, from(61), lmstest.Now))
	require.NoError(t, w.guess(v.Email, another, desk, lmstest.Now))
}

func TestAnAttackOnOneAccountDoesNotSlowAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	w.add(named("Ana"))
	for _, b := range atAccount("maya@example.org", networkOf(desk.From)) {
		w.tried(b, 99, lmstest.Now)
	}
	require.NoError(t, w.guess("ana@example.org", password, desk, lmstest.Now))
}

func TestAThousandGuessesFromOneNetworkAtManyAccountsAreSlowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	home := w.known(p, nil, lmstest.Now)
	passed := 0
	for _, err := range rush(1000, func(i int) error { // as far as a password is not looked at yet
		c := Credentials{Email: fmt.Sprintf("person%d@example.org", i), Origin: Origin{From: fmt.Sprintf("192.0.2.%d", i%256)}}
		return take(t.Context(), w.db, lmstest.Now, c.guesses(false)...)
	}) {
		if err == nil {
			passed++
			continue
		}
		require.ErrorIs(t, err, ErrTooManyTries)
	}
	require.Equal(t, perNetwork.free, passed)
	require.ErrorIs(t, w.guess(p.Email, password, desk, lmstest.Now), ErrTooManyTries)
	require.NoError(t, w.guess(p.Email, password, Origin{From: desk.From, Computer: home}, lmstest.Now), "a known computer there is not slowed")
	require.NoError(t, w.guess(p.Email, password, from(1), lmstest.Now), "nor is another network")
}

func TestSigningInToOnesOwnAccountGivesNoMoreGuessesAtOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	network := Credentials{Origin: desk}.guesses(false)[2]
	w.tried(network, 150, lmstest.Now)
	for range 3 {
		require.NoError(t, w.guess("maya@example.org", password, desk, lmstest.Now))
		require.Equal(t, 150, w.count(`SELECT tries FROM accounts.throttles WHERE key = $1`, network.key()))
	}
}

func TestGuessesWaitLongerAndLongerUntilOneIsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	now := lmstest.Now
	guess := func() error { return w.guess("maya@example.org", "wrong horse", desk, now) }
	for range perPair.free {
		require.ErrorIs(t, guess(), ErrWrongPassword)
	}
	for _, wait := range []time.Duration{2, 4, 8} {
		refused, _ := lms.AsError(guess())
		require.Equal(t, ErrTooManyTries.With("Wait", wait*time.Second), refused)
		now = now.Add(wait * time.Second)
		require.ErrorIs(t, guess(), ErrWrongPassword)
	}
	require.ErrorIs(t, w.guess("MAYA@example.org", password, desk, now), ErrTooManyTries, "the right one waits, too, however the address is spelled")
	now = now.Add(16 * time.Second)
	require.NoError(t, w.guess("maya@example.org", password, desk, now))
	require.ErrorIs(t, guess(), ErrWrongPassword, "a success forgets")
}

// Who has the computer of somebody, with or without their cookie, gets no more guesses.
func TestAKnownComputerBearsAHundredGuessesAndAResetOpensItAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	home := Origin{From: desk.From, Computer: w.known(v.Person, nil, lmstest.Now)}
	known := web.HashToken(home.Computer)
	w.tried(atKnown(v.Email, known), 100, lmstest.Now)
	w.tried(atFactor(v.ID, string(known)), 100, lmstest.Now)
	w.tried(atFactor(v.ID), 100, lmstest.Now)
	require.ErrorIs(t, w.guess(v.Email, password, home, lmstest.Now), ErrResetRequired)
	prove := func(v lms.Viewer, o Origin, now time.Time) error {
		_, err := w.Prove(t.Context(), v, Proof{Factor: a.factor, Code: a.code(now), Origin: o}, now)
		return err
	}
	require.ErrorIs(t, prove(v, home, lmstest.Now), ErrResetRequired)

	opened, err := w.Reset(t.Context(), w.resetLink(v.Email, lmstest.Now), another, from(1), lmstest.Now)
	require.NoError(t, err)
	reset := w.viewer(opened.Token, lmstest.Now)
	require.NoError(t, prove(reset, from(1), lmstest.Now), "a second factor is looked at after a reset")
	require.NoError(t, w.guess(v.Email, another, home, lmstest.Now))
	later := lmstest.Now.Add(time.Minute)
	require.NoError(t, prove(w.open(v.Person, lms.Identified, later), home, later))
}

// Who reads somebody's mail gets one row of guesses, not one for each link.
func TestResetsGiveNoMoreGuessesAtTheSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	for i := range 2 {
		opened, err := w.Reset(t.Context(), w.resetLink(v.Email, lmstest.Now), another, from(i), lmstest.Now)
		require.NoError(t, err)
		reset := w.viewer(opened.Token, lmstest.Now)
		if i == 0 {
			_, err = a.prove(reset, a.wrongCode(lmstest.Now), lmstest.Now)
			require.ErrorIs(t, err, ErrWrongCode)
			require.Equal(t, 1, w.count(`SELECT tries FROM accounts.throttles WHERE key = $1`, atFactor(v.ID, afterReset).key()))
			w.tried(atFactor(v.ID, afterReset), 100, lmstest.Now)
			continue
		}
		_, err = a.prove(reset, a.code(lmstest.Now), lmstest.Now)
		require.ErrorIs(t, err, ErrResetRequired)
	}
}

// Somebody in a stolen session changes the password while its owner resets it.
func TestAPasswordThatWasJustResetIsNotChangedByWhoKnewTheOldOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	reset, err := w.db.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, pg.LockPerson(t.Context(), reset, v.ID))
	late := make(chan error)
	go func() { late <- w.ChangePassword(t.Context(), v, password, another, desk.From, lmstest.Now) }()
	w.waitsForPerson()
	fresh := cheap(t, "a fresh horse")
	require.NoError(t, w.putInForce(t.Context(), reset, v.Person, fresh, 0, desk.From, lmstest.Now))
	require.NoError(t, reset.Commit(t.Context()))
	refused, _ := lms.AsError(<-late)
	require.Equal(t, map[string]string{"current": "wrong_current_password"}, refused.Fields)
	require.Equal(t, fresh, w.hash(v.Person))
}
