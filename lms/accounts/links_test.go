package accounts

import (
	"bytes"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func ana() SignUp {
	return SignUp{Given: "Ana", Family: "Ortiz", Email: "ana@example.org", Born: lms.Date{Year: 1990, Month: 5, Day: 1}, Lang: "es"}
}

// signUpLink asks for an account and gives the token that is mailed.
func (w *world) signUpLink(u SignUp, now time.Time) string {
	w.t.Helper()
	require.NoError(w.t, w.AskSignUp(w.t.Context(), u, desk.From, now))
	w.answerRequests(now)
	return token(w.lastLetter(u.Email))
}

func (w *world) resetLink(email string, now time.Time) string {
	w.t.Helper()
	require.NoError(w.t, w.AskReset(w.t.Context(), email, "en", desk.From, now))
	w.answerRequests(now)
	return token(w.lastLetter(email))
}

const another = "another horse battery"

func TestAnAccountIsMadeByALinkToItsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := ana()
	u.Given, u.Family, u.Employer = " Ana ", "Or\x00tiz", " Sunny Days "
	link := w.signUpLink(u, lmstest.Now)
	require.Equal(t, w.subject("es", "sign_up"), w.lastLetter(u.Email).Subject)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.people`), "nobody is on record before")

	pending, err := w.PendingSignUp(t.Context(), link, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, SignUp{Given: "Ana", Family: "Ortiz", Email: u.Email, Born: u.Born, Employer: "Sunny Days", Lang: "es"}, pending)
	for weak, code := range map[string]string{"short": "password_short", "Ana Ortiz 1990": "password_personal"} {
		_, err = w.ConfirmSignUp(t.Context(), link, weak, desk, lmstest.Now)
		refused, _ := lms.AsError(err)
		require.Equal(t, map[string]string{"password": code}, refused.Fields)
	}
	opened, err := w.ConfirmSignUp(t.Context(), link, password, desk, lmstest.Now.Add(24*time.Hour-time.Second))
	require.NoError(t, err)
	v := w.viewer(opened.Token, lmstest.Now.Add(24*time.Hour))
	require.Equal(t, lms.Enrolling, v.Stage)
	require.Equal(t, u.Born, v.Born)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.employments WHERE person = $1 AND employer = 'Sunny Days' AND source = 'sign_up'`, v.ID))
	_, err = w.ConfirmSignUp(t.Context(), link, password, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrLinkOver)
}

func TestALinkToAnAccountWorksForADayAndForNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.signUpLink(ana(), lmstest.Now)
	for name, err := range map[string]error{
		"a day later": func() error {
			_, err := w.PendingSignUp(t.Context(), link, lmstest.Now.Add(24*time.Hour))
			return err
		}(),
		"as a reset": w.CheckReset(t.Context(), link, lmstest.Now),
		"as an address": func() error {
			_, err := w.PendingEmail(t.Context(), lms.Viewer{}, link, lmstest.Now)
			return err
		}(),
		"guessed": w.CheckReset(t.Context(), "", lmstest.Now),
		"cut": func() error {
			_, err := w.PendingSignUp(t.Context(), link[1:], lmstest.Now)
			return err
		}(),
	} {
		require.ErrorIs(t, err, ErrLinkOver, name)
	}
}

func TestASignUpWithMistakesIsRefusedFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.AskSignUp(t.Context(), SignUp{Given: " \x01", Email: "ana", Employer: string(bytes.Repeat([]byte("x"), 201))}, desk.From, lmstest.Now)
	refused, ok := lms.AsError(err)
	require.True(t, ok)
	require.Equal(t, map[string]string{"given": "given_missing", "family": "family_missing", "email": "email_form", "born": "born_form", "employer": "employer_long"}, refused.Fields)
	refused, _ = lms.AsError(w.AskReset(t.Context(), "ana@", "en", desk.From, lmstest.Now))
	require.Equal(t, map[string]string{"email": "email_form"}, refused.Fields)
	require.Empty(t, w.jobs("answer_request"))
}

// Somebody else's account may have come into being while the link lay in the mailbox.
func TestOfTwoLinksToOneAddressOneMakesAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.signUpLink(ana(), lmstest.Now), w.signUpLink(ana(), lmstest.Now)
	_, err := w.ConfirmSignUp(t.Context(), first, password, desk, lmstest.Now)
	require.NoError(t, err)
	_, err = w.ConfirmSignUp(t.Context(), second, another, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrEmailTaken)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.people`))
}

// What a request leaves behind in the database, with the lengths of what is sealed.
func (w *world) written() (counts [5]int) {
	w.t.Helper()
	for i, sql := range []string{
		`SELECT count(*) FROM river.river_job`, `SELECT count(*) FROM river.river_job WHERE kind = 'answer_request'`,
		`SELECT count(*) FROM accounts.throttles`, `SELECT count(*) FROM accounts.audit`, `SELECT count(*) FROM accounts.links`,
	} {
		counts[i] = w.count(sql)
	}
	return counts
}

func TestAskingForMailTellsNotWhetherThereIsAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	for name, ask := range map[string]func(email, from string) error{
		"sign-up": func(email, from string) error {
			u := ana()
			u.Email = email
			return w.AskSignUp(t.Context(), u, from, lmstest.Now)
		},
		"reset": func(email, from string) error { return w.AskReset(t.Context(), email, "en", from, lmstest.Now) },
	} {
		var grown [][5]int
		for i, email := range []string{"maya@example.org", "none@example.org"} {
			before := w.written()
			require.NoError(t, ask(email, from(i+len(name)).From), name)
			after := w.written()
			for j := range after {
				after[j] -= before[j]
			}
			grown = append(grown, after)
		}
		require.Equal(t, grown[0], grown[1], name)
		jobs := w.jobs("answer_request")
		require.Len(t, jobs[len(jobs)-1], len(jobs[len(jobs)-2]), "the jobs look alike")
	}
	require.Zero(t, w.hasher.derived.Load())
	for _, email := range []string{"maya@example.org", "none@example.org"} {
		w.tried(bucket{"mail asked for", []string{string(toReset), email, ""}, perRequest}, 20, lmstest.Now.Add(time.Hour))
		refused, _ := lms.AsError(w.AskReset(t.Context(), email, "en", "", lmstest.Now.Add(time.Minute)))
		require.Equal(t, ErrTooManyTries.With("Wait", 29*time.Minute), refused)
	}
	w.answerRequests(lmstest.Now)
	require.ElementsMatch(t, []string{w.subject("es", "account_exists"), w.subject("en", "reset")}, w.subjects("maya@example.org"))
	require.Equal(t, []string{w.subject("es", "sign_up")}, w.subjects("none@example.org"))
}

func TestMailsThatStrangersAskForAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range perRequest.free {
		require.NoError(t, w.AskReset(t.Context(), "maya@example.org", "en", desk.From, lmstest.Now))
	}
	require.ErrorIs(t, w.AskReset(t.Context(), "MAYA@example.org", "en", desk.From, lmstest.Now), ErrTooManyTries)
	require.NoError(t, w.AskReset(t.Context(), "maya@example.org", "en", from(2).From, lmstest.Now), "nobody else is refused for it")
	w.tried(bucket{"mail asked for, network", []string{networkOf(desk.From)}, perRequestNetwork}, 40, lmstest.Now.Add(time.Hour))
	require.ErrorIs(t, w.AskReset(t.Context(), "ana@example.org", "en", desk.From, lmstest.Now), ErrTooManyTries)
	require.NoError(t, w.AskReset(t.Context(), "ana@example.org", "en", from(2).From, lmstest.Now))
}

func TestAResetTakesTheSecondFactorToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, a := w.signedIn(maya(), lmstest.Now)
	elsewhere := w.tokenOf(other.Person, lms.SignedIn, lmstest.Now)
	older := w.resetLink(other.Email, lmstest.Now)
	link := w.resetLink(other.Email, lmstest.Now)
	before := w.hash(other.Person)
	_, err := w.Reset(t.Context(), link, "maya rivera", desk, lmstest.Now)
	refused, _ := lms.AsError(err)
	require.Equal(t, map[string]string{"password": "password_personal"}, refused.Fields)

	opened, err := w.Reset(t.Context(), link, another, desk, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, lms.Identified, opened.Stage)
	require.Equal(t, before, w.hash(other.Person), "the old password is in force until then")
	w.viewer(elsewhere, lmstest.Now)
	v := w.viewer(opened.Token, lmstest.Now)
	_, err = a.prove(v, a.wrongCode(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
	require.Equal(t, before, w.hash(other.Person))
	done, err := a.prove(v, a.code(lmstest.Now), lmstest.Now)
	require.NoError(t, err)

	require.Equal(t, lms.SignedIn, w.viewer(done.Token, lmstest.Now).Stage)
	_, err = w.Viewer(t.Context(), elsewhere, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated, "every other session ends")
	require.Equal(t, []lms.PersonID{v.ID}, w.fenced)
	for _, over := range []string{older, link} {
		require.ErrorIs(t, w.CheckReset(t.Context(), over, lmstest.Now), ErrLinkOver)
		_, err := w.Reset(t.Context(), over, password, desk, lmstest.Now)
		require.ErrorIs(t, err, ErrLinkOver)
	}
	require.ErrorIs(t, w.guess(v.Email, password, desk, lmstest.Now), ErrWrongPassword)
	require.NoError(t, w.guess(v.Email, another, desk, lmstest.Now))
	require.Equal(t, w.subject("es", "password_changed"), w.lastLetter(v.Email).Subject)
	require.Equal(t, 1, w.audited("password_changed"))
}

func TestWhoResetsBeforeTheySetAFactorUpSetsOneUpThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	w.hasCodes(p)
	opened, err := w.Reset(t.Context(), w.resetLink(p.Email, lmstest.Now), another, desk, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, lms.Enrolling, opened.Stage)
	w.setUpApp(w.viewer(opened.Token, lmstest.Now), lmstest.Now)
	require.NoError(t, w.guess(p.Email, another, desk, lmstest.Now))
}

func TestALinkToANewPasswordWorksOnceAndForThirtyMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	link := w.resetLink(v.Email, lmstest.Now)
	require.ErrorIs(t, w.CheckReset(t.Context(), link, lmstest.Now.Add(30*time.Minute)), ErrLinkOver)
	_, err := w.Reset(t.Context(), link, another, desk, lmstest.Now.Add(30*time.Minute))
	require.ErrorIs(t, err, ErrLinkOver)
	require.Zero(t, w.hasher.derived.Load(), "a link that is over costs nothing")
	_, err = w.Reset(t.Context(), link, another, desk, lmstest.Now.Add(30*time.Minute-time.Second))
	require.NoError(t, err)
	_, err = w.Reset(t.Context(), link, another, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrLinkOver)
}

func TestOfManyUsesOfALinkAtOnceOneCounts(t *testing.T) {
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	link := w.resetLink(v.Email, lmstest.Now)
	lmstest.OneWins(t, w.db, ErrLinkOver, func(int) error { // in a transaction of its own: hashing 32 passwords takes its time
		return w.inTx(func(tx pgx.Tx) error { return w.use(t.Context(), tx, toReset, link, lmstest.Now) })
	})
	require.NoError(t, w.AskNewEmail(t.Context(), v, "new@example.org", desk.From, lmstest.Now))
	link = token(w.lastLetter("new@example.org"))
	lmstest.OneWins(t, w.db, ErrLinkOver, func(int) error { return w.ConfirmEmail(t.Context(), v, link, desk.From, lmstest.Now) })
	require.Equal(t, 1, w.audited("email_changed"))
}

func TestTheDatabaseAloneLetsALinkCountOnce(t *testing.T) {
	w := newWorld(t)
	hash := newSalt()
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		return insertLink(t.Context(), tx, hash, toReset, w.add(maya()).ID, []byte("{}"), lmstest.Now)
	}))
	lmstest.OneWins(t, w.db, ErrLinkOver, func(int) error {
		return w.inTx(func(tx pgx.Tx) error {
			used, err := useLink(t.Context(), tx, hash, toReset, lmstest.Now, lmstest.Now.Add(-time.Second))
			if err == nil && !used {
				return ErrLinkOver
			}
			return err
		})
	})
}

func TestAPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		return insertAddress(t.Context(), tx, v.ID, "maya@old.example.org", lmstest.Now)
	}))
	elsewhere := w.tokenOf(v.Person, lms.SignedIn, lmstest.Now)
	reset := w.resetLink(v.Email, lmstest.Now)
	require.NoError(t, w.AskNewEmail(t.Context(), v, "new@example.org", desk.From, lmstest.Now))
	moved := token(w.lastLetter("new@example.org"))
	change := func(current, next string) error {
		return w.ChangePassword(t.Context(), v, current, next, desk.From, lmstest.Now)
	}
	for _, c := range []struct{ current, next, field, code string }{
		{"wrong horse", another, "current", "wrong_current_password"}, {password, "Maya1234", "password", "password_personal"},
	} {
		refused, _ := lms.AsError(change(c.current, c.next))
		require.Equal(t, map[string]string{c.field: c.code}, refused.Fields)
	}
	require.NoError(t, change(password, another))
	require.NoError(t, w.guess(v.Email, another, desk, lmstest.Now))
	require.ErrorIs(t, w.guess(v.Email, password, desk, lmstest.Now), ErrWrongPassword)
	live, err := selectSessions(t.Context(), w.db, v.ID, lmstest.Now.Add(-Idle), lmstest.Now.Add(-Longest))
	require.NoError(t, err)
	require.Len(t, live, 1)
	require.Equal(t, v.Session, live[0].ID, "this session goes on")
	_, err = w.Viewer(t.Context(), elsewhere, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	require.ErrorIs(t, w.CheckReset(t.Context(), reset, lmstest.Now), ErrLinkOver)
	_, err = w.PendingEmail(t.Context(), v, moved, lmstest.Now)
	require.ErrorIs(t, err, ErrLinkOver, "whoever asked for it may have been somebody else")
	for _, address := range []string{v.Email, "maya@old.example.org"} {
		require.Equal(t, w.subject("es", "password_changed"), w.lastLetter(address).Subject, address)
	}
}

func TestGuessesAtTheCurrentPasswordAreSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	b := bucket{"password change", []string{"1"}, perFactor}
	require.EqualValues(t, 1, v.ID)
	require.ErrorIs(t, w.ChangePassword(t.Context(), v, "wrong horse", another, desk.From, lmstest.Now), lms.ErrForm)
	require.Equal(t, 1, w.count(`SELECT tries FROM accounts.throttles WHERE key = $1`, b.key()))
	w.tried(b, 20, lmstest.Now.Add(time.Hour))
	looked := w.hasher.derived.Load()
	require.ErrorIs(t, w.ChangePassword(t.Context(), v, password, another, desk.From, lmstest.Now), ErrTooManyTries)
	require.Equal(t, looked, w.hasher.derived.Load())
}

func TestAnAddressChangesByALinkToTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	reset := w.resetLink(v.Email, lmstest.Now)
	for _, same := range []string{"MAYA@example.org", "maya", ""} {
		require.ErrorIs(t, w.AskNewEmail(t.Context(), v, same, desk.From, lmstest.Now), lms.ErrForm)
	}
	require.NoError(t, w.AskNewEmail(t.Context(), v, "typo@example.org", desk.From, lmstest.Now))
	require.NoError(t, w.AskNewEmail(t.Context(), v, " new@example.org ", desk.From, lmstest.Now))
	typo, link := token(w.lastLetter("typo@example.org")), token(w.lastLetter("new@example.org"))
	require.Equal(t, w.subject("es", "email_change_asked"), w.lastLetter(v.Email).Subject, "the old one is told")
	require.Equal(t, "maya@example.org", w.open(v.Person, lms.SignedIn, lmstest.Now).Email, "nothing changed yet")
	pending, err := w.PendingEmail(t.Context(), v, link, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, "new@example.org", pending)

	stranger, _ := w.signedIn(named("Sly"), lmstest.Now)
	require.ErrorIs(t, w.ConfirmEmail(t.Context(), stranger, link, desk.From, lmstest.Now), ErrLinkOver, "whoever else presses the button gives nobody an address")
	require.NoError(t, w.ConfirmEmail(t.Context(), v, link, desk.From, lmstest.Now.Add(time.Hour)))
	require.Equal(t, "new@example.org", w.open(v.Person, lms.SignedIn, lmstest.Now).Email)
	require.Equal(t, w.subject("es", "email_changed"), w.lastLetter("maya@example.org").Subject)
	require.ErrorIs(t, w.guess("maya@example.org", password, desk, lmstest.Now), ErrWrongPassword)
	require.NoError(t, w.guess("new@example.org", password, desk, lmstest.Now))
	require.ErrorIs(t, w.ConfirmEmail(t.Context(), v, link, desk.From, lmstest.Now), ErrLinkOver)
	require.ErrorIs(t, w.ConfirmEmail(t.Context(), v, typo, desk.From, lmstest.Now), ErrLinkOver)
	require.ErrorIs(t, w.CheckReset(t.Context(), reset, lmstest.Now), ErrLinkOver, "what lies in the old mailbox works no more")
	addresses, err := selectAddresses(t.Context(), w.db, v.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"new@example.org", "maya@example.org"}, addresses, "the old one stays on file")
}

func TestAnAddressThatIsTakenIsNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	w.add(named("Ana"))
	require.NoError(t, w.AskNewEmail(t.Context(), v, "ANA@example.org", desk.From, lmstest.Now))
	require.NoError(t, w.AskNewEmail(t.Context(), v, "bea@example.org", desk.From, lmstest.Now))
	require.Equal(t, []string{w.subject("es", "account_exists")}, w.subjects("ANA@example.org"))
	require.Equal(t, []string{w.subject("es", "email_change_asked"), w.subject("es", "email_change_asked")}, w.subjects(v.Email))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.links`))

	w.add(named("Bea")) // after the mail
	link := token(w.lastLetter("bea@example.org"))
	require.ErrorIs(t, w.ConfirmEmail(t.Context(), v, link, desk.From, lmstest.Now), ErrEmailTaken)
	require.Equal(t, "maya@example.org", w.open(v.Person, lms.SignedIn, lmstest.Now).Email)
}
