package accounts

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/mail"
	"mopd/lms/pg"
	"mopd/lms/secrets"
)

func TestTheFirstFactorBringsRecoveryCodesThisOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	first, err := w.AddEmail(t.Context(), w.open(p, lms.Enrolling, lmstest.Now), desk, lmstest.Now)
	require.NoError(t, err)
	require.Len(t, first.RecoveryCodes, 10)
	for _, code := range first.RecoveryCodes {
		require.Regexp(t, `^([0-9a-hjkmnp-tv-z]{4}-){2}[0-9a-hjkmnp-tv-z]{4}$`, code)
	}
	_, second := w.setUpApp(w.viewer(first.Token, lmstest.Now), lmstest.Now)
	require.Empty(t, second.RecoveryCodes)
	require.Equal(t, []string{w.subject("es", "factor_added"), w.subject("es", "factor_added")}, w.subjects(p.Email))
	require.Equal(t, 2, w.audited("factor_added"))
	_, err = w.AddEmail(t.Context(), w.viewer(second.Token, lmstest.Now), desk, lmstest.Now)
	require.ErrorIs(t, err, ErrFactorExists)
}

func TestWhatADeploymentDoesNotOfferCannotBeSetUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	w.EmailCodes, w.Mail.Gateway = false, nil
	_, err := w.AddEmail(t.Context(), v, desk, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
	_, err = w.BeginText(t.Context(), v, "573 555 0100", desk, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
}

func TestAnAppIsSetUpByACodeOfItAndItsKeyIsShownUntilThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	w.hasCodes(v.Person)
	ana, _ := w.signedIn(named("Ana"), lmstest.Now)
	given, err := w.BeginAuthenticator(t.Context(), v, desk, lmstest.Now)
	require.NoError(t, err)
	id, err := w.BeginAuthenticator(t.Context(), v, desk, lmstest.Now)
	require.NoError(t, err)
	_, err = w.AuthenticatorKey(t.Context(), v, given)
	require.ErrorIs(t, err, lms.ErrNotFound, "the former one is void")
	_, err = w.AuthenticatorKey(t.Context(), ana, id)
	require.ErrorIs(t, err, lms.ErrNotFound)

	key, err := w.AuthenticatorKey(t.Context(), v, id)
	require.NoError(t, err)
	require.Equal(t, "maya@example.org", key.AccountName())
	a := app{w, id, key.Secret()}
	_, err = w.ConfirmFactor(t.Context(), ana, id, a.code(lmstest.Now), desk, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
	_, err = w.ConfirmFactor(t.Context(), v, id, a.wrongCode(lmstest.Now), desk, lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
	done, err := w.ConfirmFactor(t.Context(), v, id, a.code(lmstest.Now), desk, lmstest.Now)
	require.NoError(t, err)
	v = w.viewer(done.Token, lmstest.Now)
	_, err = w.AuthenticatorKey(t.Context(), v, id)
	require.ErrorIs(t, err, lms.ErrNotFound, "nobody sees it again")
	_, err = w.ConfirmFactor(t.Context(), v, id, a.code(lmstest.Now), desk, lmstest.Now)
	require.ErrorIs(t, err, ErrFactorExists)
}

func TestOfManyConfirmationsAtOnceOneSetsAFactorUp(t *testing.T) {
	w := newWorld(t)
	p := w.add(maya())
	w.hasCodes(p)
	v := w.open(p, lms.Enrolling, lmstest.Now)
	id, err := w.BeginAuthenticator(t.Context(), v, desk, lmstest.Now)
	require.NoError(t, err)
	key, err := w.AuthenticatorKey(t.Context(), v, id)
	require.NoError(t, err)
	code := app{w, id, key.Secret()}.code(lmstest.Now)
	oneSucceeds(t, lmstest.Race(t, w.db, func(int) error {
		_, err := w.ConfirmFactor(t.Context(), v, id, code, desk, lmstest.Now)
		return err
	}), ErrWrongCode, ErrTooManyTries, ErrFactorExists)
	require.Equal(t, 1, w.audited("factor_added"))
}

func (w *world) lastText() (text mail.Text) {
	w.t.Helper()
	sealed := w.jobs("send_text")
	require.NotEmpty(w.t, sealed)
	w.unseal(sealed[len(sealed)-1], &text)
	return text
}

func TestATelephoneIsSetUpByACodeSentToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	w.hasCodes(v.Person)
	_, err := w.BeginText(t.Context(), v, "555 0100", desk, lmstest.Now)
	refused, _ := lms.AsError(err)
	require.Equal(t, map[string]string{"phone": "phone_form"}, refused.Fields)

	id, err := w.BeginText(t.Context(), v, "(573) 555-0100", desk, lmstest.Now)
	require.NoError(t, err)
	text := w.lastText()
	require.Equal(t, "+15735550100", text.To)
	code := sixDigits.FindString(text.Body)
	_, err = w.ConfirmFactor(t.Context(), v, id, notThe(code), desk, lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
	done, err := w.ConfirmFactor(t.Context(), v, id, code, desk, lmstest.Now.Add(time.Minute))
	require.NoError(t, err)

	v = w.viewer(done.Token, lmstest.Now)
	factors, err := w.Ways(t.Context(), v)
	require.NoError(t, err)
	require.Equal(t, []Kind{Authenticator, ByText}, []Kind{factors[0].Kind, factors[1].Kind}, "the best one first")
	require.Equal(t, "00", factors[1].LastDigits())
	require.ErrorIs(t, w.proveBy(v, id, code, lmstest.Now), ErrWrongCode)
	require.NoError(t, w.SendCode(t.Context(), v, id, "en", lmstest.Now))
	require.NoError(t, w.proveBy(v, id, sixDigits.FindString(w.lastText().Body), lmstest.Now))
	require.Empty(t, w.letters(v.Email)[1:], "no code went by e-mail")
}

// Codes for one way do not count in another.
func TestACodeByTextDoesNotCountAsOneByEmail(t *testing.T) {
	t.Parallel()
	w, v, byEmail := withEmail(t)
	_, err := w.BeginText(t.Context(), v, "573 555 0100", desk, lmstest.Now)
	require.NoError(t, err)
	require.ErrorIs(t, w.proveBy(v, byEmail, sixDigits.FindString(w.lastText().Body), lmstest.Now), ErrWrongCode)
}

func TestTheLastFactorIsNotRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	remove := func(v lms.Viewer, id int64) error { return w.RemoveFactor(t.Context(), v, id, desk.From, lmstest.Now) }
	require.ErrorIs(t, remove(v, a.factor), ErrLastFactor)
	_, err := w.BeginAuthenticator(t.Context(), v, desk, lmstest.Now)
	require.NoError(t, err)
	require.ErrorIs(t, remove(v, a.factor), ErrLastFactor, "one that is being set up is none")
	ana, _ := w.signedIn(named("Ana"), lmstest.Now)
	require.ErrorIs(t, remove(ana, a.factor), lms.ErrNotFound)

	byEmail := w.emailOf(v.Person, lmstest.Now)
	staff := v
	staff.Roles = []lms.Role{lms.Author}
	require.ErrorIs(t, remove(staff, a.factor), ErrLastFactor, "staff cannot go on with the other one")
	require.NoError(t, remove(v, a.factor))
	require.ErrorIs(t, remove(v, byEmail), ErrLastFactor)
	require.Equal(t, []string{w.subject("es", "factor_removed")}, w.subjects(v.Email))
	require.Equal(t, 1, w.audited("factor_removed"))
}

func TestOfManyRemovalsAtOnceOneFactorIsLeft(t *testing.T) {
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	factors := []int64{a.factor, w.appOf(v.Person, lmstest.Now).factor, w.emailOf(v.Person, lmstest.Now)}
	removed := 0
	for _, err := range lmstest.Race(t, w.db, func(i int) error {
		return w.RemoveFactor(t.Context(), v, factors[i%len(factors)], desk.From, lmstest.Now)
	}) {
		if err == nil {
			removed++
		} else if !errors.Is(err, lms.ErrNotFound) { // a racer that came later for the same one
			require.ErrorIs(t, err, ErrLastFactor)
		}
	}
	require.Equal(t, 2, removed)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.factors`))
}

func oneIsRefused(t *testing.T, results []error) {
	t.Helper()
	refused := 0
	for _, err := range results {
		if err != nil {
			require.ErrorIs(t, err, ErrLastFactor)
			refused++
		}
	}
	require.Equal(t, 1, refused)
}

func TestTheDatabaseAloneKeepsAFactor(t *testing.T) {
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	remove := func(tx pgx.Tx, id int64) error { return deleteFactor(t.Context(), tx, v.ID, id) }
	tx, err := w.db.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, remove(tx, a.factor))
	require.Equal(t, "factors_keep_one", pg.Violated(tx.Commit(t.Context())))
	require.ErrorIs(t, w.forPerson(t.Context(), v.ID, func(tx pgx.Tx) error { return remove(tx, a.factor) }), ErrLastFactor, "it reads like the rule")

	factors := []int64{a.factor}
	for range lmstest.Racers - 1 {
		factors = append(factors, w.appOf(v.Person, lmstest.Now).factor)
	}
	oneIsRefused(t, lmstest.Race(t, w.db, func(i int) error { // without the person's lock
		return guards.Explain(w.inTx(func(tx pgx.Tx) error { return remove(tx, factors[i]) }))
	}))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.factors`))
}

// Whoever takes every factor's place does so in one transaction.
func TestAFactorMayBeReplacedInOneStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	w.emailOf(v.Person, lmstest.Now)
	w.hasCodes(v.Person)
	var opened Opened
	require.NoError(t, w.inTx(func(tx pgx.Tx) (err error) {
		opened, err = w.Service.open(t.Context(), tx, newSession{person: v.ID, stage: lms.Enrolling, replaces: true, origin: desk}, lmstest.Now)
		return err
	}))
	fresh, done := w.setUpApp(w.viewer(opened.Token, lmstest.Now), lmstest.Now)
	factors, err := w.Factors(t.Context(), v.ID)
	require.NoError(t, err)
	require.Len(t, factors, 1)
	require.Equal(t, fresh.factor, factors[0].ID)
	require.NotEqual(t, a.factor, factors[0].ID)
	require.Equal(t, lms.SignedIn, done.Stage)

	_, err = w.AddEmail(t.Context(), w.viewer(done.Token, lmstest.Now), desk, lmstest.Now)
	require.NoError(t, err)
	factors, err = w.Factors(t.Context(), v.ID)
	require.NoError(t, err)
	require.Len(t, factors, 2, "the next one replaces nothing")
}

func TestFactorSecretsAreSealedEachForItsOwnFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, a := w.signedIn(maya(), lmstest.Now)
	ana, b := w.signedIn(named("Ana"), lmstest.Now)
	raw, err := base32NoPad.DecodeString(a.secret)
	require.NoError(t, err)
	sealed, err := selectSecret(t.Context(), w.db, a.factor)
	require.NoError(t, err)
	for _, plain := range [][]byte{[]byte(a.secret), raw} {
		require.False(t, bytes.Contains(sealed, plain))
		require.Zero(t, w.count(`SELECT count(*) FROM accounts.factors f WHERE position($1::bytea in convert_to(f::text, 'UTF8')) > 0`, plain))
	}
	require.NoError(t, w.inTx(func(tx pgx.Tx) error { return updateSecret(t.Context(), tx, b.factor, sealed) }))
	_, err = b.prove(ana, a.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, secrets.ErrNotSealed, "whoever writes to the database cannot make their app somebody else's")
}

func TestTokensAndCodesAreStoredAsHashes(t *testing.T) {
	t.Parallel()
	w, v, byEmail := withEmail(t)
	code := w.sent(v, byEmail, lmstest.Now)
	require.NoError(t, w.AskReset(t.Context(), v.Email, "en", desk.From, lmstest.Now))
	w.answerRequests(lmstest.Now)
	link, session, computer := token(w.lastLetter(v.Email)), w.tokenOf(v.Person, lms.SignedIn, lmstest.Now), w.known(v.Person, nil, lmstest.Now)
	for _, secret := range []string{code, link, session, computer} {
		for _, table := range []string{"codes", "links", "sessions", "computers", "audit", "throttles", "factors"} {
			require.Zero(t, w.count(`SELECT count(*) FROM accounts.`+table+` r WHERE position($1 in r::text) > 0 OR position(encode(convert_to($1, 'UTF8'), 'hex') in r::text) > 0`, secret), table)
		}
		require.Zero(t, w.count(`SELECT count(*) FROM river.river_job WHERE position($1 in args::text) > 0`, secret), "letters are sealed")
	}
}
