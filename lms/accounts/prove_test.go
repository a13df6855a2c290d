package accounts

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

func TestACodeOfAnAuthenticatorAppWorksOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	code := a.code(lmstest.Now)
	_, err := a.prove(v, code, lmstest.Now)
	require.NoError(t, err)
	for _, later := range []time.Duration{0, time.Second, 30 * time.Second} {
		_, err = a.prove(v, code, lmstest.Now.Add(later))
		require.ErrorIs(t, err, ErrWrongCode, later)
	}
	require.Equal(t, 3, w.audited("second_factor_refused"))
}

func TestTheCodeThatSetAnAppUpDoesNotSignInAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	w.hasCodes(p)
	a, done := w.setUpApp(w.open(p, lms.Enrolling, lmstest.Now), lmstest.Now)
	_, err := a.prove(w.viewer(done.Token, lmstest.Now), a.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
}

func TestOfManyUsesOfACodeAtOnceOneCounts(t *testing.T) {
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	code := a.code(lmstest.Now)
	lmstest.OneWins(t, w.db, ErrWrongCode, func(int) error { // beside the throttle, which would let few pass
		use, err := w.checkAuthenticator(t.Context(), a.factor, code, lmstest.Now)
		if err != nil {
			return err
		}
		return w.inTx(use)
	})
	later := lmstest.Now.Add(time.Hour)
	code = a.code(later)
	oneSucceeds(t, lmstest.Race(t, w.db, func(int) error {
		_, err := a.prove(v, code, later)
		return err
	}), ErrWrongCode, ErrTooManyTries)
	require.Equal(t, 1, w.audited("proved"))
}

func TestTheDatabaseAloneLetsATimeStepCountOnce(t *testing.T) {
	w := newWorld(t)
	_, a := w.signedIn(maya(), lmstest.Now)
	lmstest.OneWins(t, w.db, ErrWrongCode, func(int) error {
		return w.inTx(func(tx pgx.Tx) error {
			used, err := useStep(t.Context(), tx, a.factor, 7, lmstest.Now)
			if err == nil && !used {
				return ErrWrongCode
			}
			return err
		})
	})
}

// oneSucceeds wants one success, and of the others one of the refusals.
func oneSucceeds(t *testing.T, results []error, refusals ...error) {
	t.Helper()
	successes := 0
	for _, err := range results {
		if err == nil {
			successes++
			continue
		}
		known := false
		for _, refusal := range refusals {
			known = known || errors.Is(err, refusal)
		}
		require.True(t, known, err)
	}
	require.Equal(t, 1, successes)
}

func TestACodeCountsAStepToEitherSideAndNeverAfterANewerOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	step := func(n int) time.Time { return lmstest.Now.Add(time.Duration(n) * 30 * time.Second) }
	for _, c := range []struct {
		code, at int
		want     error
	}{
		{0, 2, ErrWrongCode}, {4, 2, ErrWrongCode}, // two steps are too many
		{1, 2, nil}, {3, 2, nil}, // a slow clock, a fast clock
		{2, 2, ErrWrongCode}, {2, 3, ErrWrongCode}, {3, 4, ErrWrongCode}, // an older one, and the same one
		{5, 4, nil}, {5, 5, ErrWrongCode}, {6, 5, nil},
	} {
		_, err := a.prove(v, a.code(step(c.code)), step(c.at))
		require.ErrorIs(t, err, c.want, "step %d at %d", c.code, c.at)
	}
}

func TestACodeCountsHoweverItIsTypedAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	code := a.code(lmstest.Now)
	for _, wrong := range []string{"", code[:5], code + "1", "ABCDEF"} {
		_, err := a.prove(v, wrong, lmstest.Now)
		require.ErrorIs(t, err, ErrWrongCode, wrong)
	}
	_, err := a.prove(v, " "+code[:3]+"-"+code[3:]+"\n", lmstest.Now)
	require.NoError(t, err)
}

func TestNobodyProvesWithTheFactorOfSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, own := w.signedIn(maya(), lmstest.Now)
	ana, other := w.signedIn(named("Ana"), lmstest.Now)
	_, err := other.prove(v, other.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
	_, err = own.prove(v, other.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
	byEmail := w.emailOf(ana.Person, lmstest.Now)
	require.ErrorIs(t, w.SendCode(t.Context(), v, byEmail, "en", lmstest.Now), lms.ErrNotFound)
	require.ErrorIs(t, w.SendCode(t.Context(), v, own.factor, "en", lmstest.Now), lms.ErrNotFound, "an app is sent nothing")
}

func TestAFactorThatIsStillBeingSetUpProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	id, err := w.BeginAuthenticator(t.Context(), v, desk, lmstest.Now)
	require.NoError(t, err)
	key, err := w.AuthenticatorKey(t.Context(), v, id)
	require.NoError(t, err)
	a := app{w, id, key.Secret()}
	_, err = a.prove(v, a.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
}

func TestASessionThatWasEndedIsNotProved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	require.NoError(t, w.SignOut(t.Context(), v, desk.From, lmstest.Now))
	_, err := a.prove(v, a.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	_, err = w.AddEmail(t.Context(), v, desk, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions`))
	later := w.open(v.Person, lms.Identified, lmstest.Now)
	_, err = a.prove(later, a.code(lmstest.Now), lmstest.Now)
	require.NoError(t, err, "the code was not used up")
}

// withEmail is somebody who gets codes by e-mail, at the second step.
func withEmail(t *testing.T) (w *world, v lms.Viewer, factor int64) {
	t.Helper()
	w = newWorld(t)
	p := w.add(maya())
	factor = w.emailOf(p, lmstest.Now)
	return w, w.open(p, lms.Identified, lmstest.Now), factor
}

func (w *world) proveBy(v lms.Viewer, factor int64, code string, now time.Time) error {
	_, err := w.Prove(w.t.Context(), v, Proof{Factor: factor, Code: code, Origin: desk}, now)
	return err
}

// sent is a fresh code.
func (w *world) sent(v lms.Viewer, factor int64, now time.Time) string {
	w.t.Helper()
	require.NoError(w.t, w.SendCode(w.t.Context(), v, factor, "en", now))
	return w.lastLetter(v.Email).Code
}

// notThe is a code that a code is not.
func notThe(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

func TestAMailedCodeWorksOnceAndForTenMinutes(t *testing.T) {
	t.Parallel()
	w, v, byEmail := withEmail(t)
	code := w.sent(v, byEmail, lmstest.Now)
	require.Regexp(t, `^\d{6}$`, code)
	last := lmstest.Now.Add(10*time.Minute - time.Second)
	require.NoError(t, w.proveBy(v, byEmail, code, last))
	require.ErrorIs(t, w.proveBy(v, byEmail, code, last), ErrWrongCode)
	later := lmstest.Now.Add(time.Hour)
	code = w.sent(v, byEmail, later)
	require.ErrorIs(t, w.proveBy(v, byEmail, code, later.Add(10*time.Minute)), ErrWrongCode)
}

func TestAFreshCodeReplacesTheOneBefore(t *testing.T) {
	t.Parallel()
	w, v, byEmail := withEmail(t)
	old, fresh := w.sent(v, byEmail, lmstest.Now), w.sent(v, byEmail, lmstest.Now)
	if old != fresh {
		require.ErrorIs(t, w.proveBy(v, byEmail, old, lmstest.Now), ErrWrongCode)
	}
	require.NoError(t, w.proveBy(v, byEmail, fresh, lmstest.Now))
}

func TestAMailedCodeBearsFiveTries(t *testing.T) {
	t.Parallel()
	w, v, byEmail := withEmail(t)
	code := w.sent(v, byEmail, lmstest.Now)
	for range 5 {
		require.ErrorIs(t, w.proveBy(v, byEmail, notThe(code), lmstest.Now), ErrWrongCode)
	}
	looked := w.hasher.derived.Load()
	patient := lmstest.Now.Add(9 * time.Minute) // no other try is waiting for
	require.ErrorIs(t, w.proveBy(v, byEmail, code, patient), ErrWrongCode)
	require.Equal(t, looked, w.hasher.derived.Load(), "it was not looked at")
	require.NoError(t, w.proveBy(v, byEmail, w.sent(v, byEmail, patient), patient.Add(time.Minute)))
}

func TestOfManyUsesOfAMailedCodeAtOnceOneCounts(t *testing.T) {
	w, v, byEmail := withEmail(t)
	use, err := w.checkSent(t.Context(), v, string(ByEmail), w.sent(v, byEmail, lmstest.Now), lmstest.Now)
	require.NoError(t, err)
	lmstest.OneWins(t, w.db, ErrWrongCode, func(int) error { return w.inTx(use) }) // once looked at: hashing takes its time
}

func TestCodesAreSentAtAPace(t *testing.T) {
	t.Parallel()
	w, v, byEmail := withEmail(t)
	b := bucket{"code sent", []string{"1"}, perSending}
	require.EqualValues(t, 1, v.ID)
	w.sent(v, byEmail, lmstest.Now)
	require.Equal(t, 1, w.count(`SELECT tries FROM accounts.throttles WHERE key = $1`, b.key()))
	w.tried(b, 3, lmstest.Now.Add(time.Hour)) // the last one now
	refused, _ := lms.AsError(w.SendCode(t.Context(), v, byEmail, "en", lmstest.Now.Add(10*time.Second)))
	require.Equal(t, ErrTooManyTries.With("Wait", 20*time.Second), refused)
	require.Len(t, w.letters(v.Email), 1)
}

func TestARecoveryCodeWorksOnceHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	codes, err := w.NewRecoveryCodes(t.Context(), v, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Len(t, codes, 10)
	recover := func(code string, now time.Time) error { return w.proveBy(v, 0, code, now) }
	for i, typed := range []func(string) string{
		strings.ToUpper,
		func(s string) string { return " " + strings.ReplaceAll(s, "-", "") + "\n" },
		func(s string) string {
			return strings.NewReplacer("0", "O", "1", "l", "-", " – ").Replace(s)
		},
	} {
		now := lmstest.Now.Add(time.Duration(i) * time.Hour)
		require.NoError(t, recover(typed(codes[i]), now), typed(codes[i]))
		require.ErrorIs(t, recover(codes[i], now), ErrWrongCode)
	}
	left, err := w.RecoveryCodesLeft(t.Context(), v.ID)
	require.NoError(t, err)
	require.Equal(t, 7, left)
	require.Equal(t, 3, strings.Count(strings.Join(w.subjects(v.Email), "\n"), w.subject("es", "recovery_code_used")), "each use is told")
	for _, code := range codes {
		require.Zero(t, w.count(`SELECT count(*) FROM accounts.recovery_codes WHERE hash LIKE '%' || $1 || '%'`, recoveryForm(code)), "they are stored as hashes")
	}

	later := lmstest.Now.Add(24 * time.Hour)
	_, err = w.NewRecoveryCodes(t.Context(), v, desk.From, later)
	require.ErrorIs(t, err, lms.ErrUnauthenticated, "the session ended long ago")
	v = w.open(v.Person, lms.SignedIn, later)
	fresh, err := w.NewRecoveryCodes(t.Context(), v, desk.From, later)
	require.NoError(t, err)
	require.ErrorIs(t, recover(codes[9], later), ErrWrongCode, "a new set replaces the old one")
	require.NoError(t, recover(fresh[9], later))
}

func TestARecoveryCodeIsOnePersonsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	ana, _ := w.signedIn(named("Ana"), lmstest.Now)
	codes, err := w.NewRecoveryCodes(t.Context(), ana, desk.From, lmstest.Now)
	require.NoError(t, err)
	before := w.hasher.derived.Load()
	require.ErrorIs(t, w.proveBy(v, 0, codes[0], lmstest.Now), ErrWrongCode)
	require.ErrorIs(t, w.proveBy(ana, 0, "wrong", lmstest.Now), ErrWrongCode)
	require.Equal(t, before+2, w.hasher.derived.Load(), "whether there are any costs the same work")
}

func TestOfManyUsesOfARecoveryCodeAtOnceOneCounts(t *testing.T) {
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	hash, err := w.hasher.hash(t.Context(), "abcdefgh0123")
	require.NoError(t, err)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error { return replaceRecoveryCodes(t.Context(), tx, v.ID, []string{hash}, lmstest.Now) }))
	use, err := w.checkRecoveryCode(t.Context(), v.ID, "ABCD-EFGH-0123", lmstest.Now)
	require.NoError(t, err)
	lmstest.OneWins(t, w.db, ErrWrongCode, func(int) error { return w.inTx(use) }) // once looked at: hashing takes its time
	require.Len(t, w.letters(v.Email), 1)
}

func TestAStrangerWhoKnowsThePasswordGuessesFewCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	now := lmstest.Now
	guess := func() error {
		_, err := a.prove(v, a.wrongCode(now), now)
		return err
	}
	for range perFactor.free {
		require.ErrorIs(t, guess(), ErrWrongCode)
	}
	for _, wait := range []time.Duration{2, 4, 8} {
		refused, _ := lms.AsError(guess())
		require.Equal(t, ErrTooManyTries.With("Wait", wait*time.Second), refused, "the waiting grows")
		now = now.Add(wait * time.Second)
		require.ErrorIs(t, guess(), ErrWrongCode)
	}
	now = now.Add(16 * time.Second)
	_, err := a.prove(v, a.code(now), now)
	require.NoError(t, err)
	for range perFactor.free {
		require.ErrorIs(t, guess(), ErrWrongCode, "a success forgets")
	}
	require.ErrorIs(t, guess(), ErrTooManyTries)
}

// Guesses count for all of a person's sessions and factors together.
func TestAnotherSessionOrFactorGivesNoMoreGuesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	byEmail := w.emailOf(v.Person, lmstest.Now)
	w.tried(atFactor(v.ID), 20, lmstest.Now.Add(time.Hour))
	again := w.open(v.Person, lms.Identified, lmstest.Now)
	for name, p := range map[string]Proof{"app": {Factor: a.factor, Code: a.code(lmstest.Now)}, "e-mail": {Factor: byEmail}, "recovery": {}, "passkey": {Factor: 99}} {
		p.Origin = from(3)
		_, err := w.Prove(t.Context(), again, p, lmstest.Now.Add(time.Second))
		require.ErrorIs(t, err, ErrTooManyTries, name)
	}
}

func TestStrangersDoNotKeepAPersonFromProvingAtAKnownComputer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	computer := w.known(v.Person, nil, lmstest.Now)
	w.tried(atFactor(v.ID), 100, lmstest.Now)
	code := a.code(lmstest.Now)
	_, err := a.prove(v, code, lmstest.Now)
	require.ErrorIs(t, err, ErrResetRequired)
	_, err = w.Prove(t.Context(), v, Proof{Factor: a.factor, Code: code, Origin: Origin{Computer: newToken()}}, lmstest.Now)
	require.ErrorIs(t, err, ErrResetRequired)
	_, err = w.Prove(t.Context(), v, Proof{Factor: a.factor, Code: code, Origin: Origin{Computer: computer}}, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.computers WHERE token_hash = $1`, web.HashToken(computer)))
}
