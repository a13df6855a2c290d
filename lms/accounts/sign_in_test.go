package accounts

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/web"
)

func TestASignInTakesAPasswordAndASecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.appOf(w.add(maya()), lmstest.Now)
	now := lmstest.Now.Add(time.Hour)
	half := w.identified("maya@example.org", now)
	require.Equal(t, lms.Identified, half.Stage)
	opened, err := a.prove(half, a.code(now), now)
	require.NoError(t, err)
	require.Equal(t, lms.SignedIn, opened.Stage)
	v := w.viewer(opened.Token, now)
	require.Equal(t, lms.SignedIn, v.Stage)
	require.True(t, now.Equal(v.ProvedAt))
	require.Equal(t, 1, w.audited("password_given"))
	require.Equal(t, 1, w.audited("signed_in"))
}

func TestWhoHasNoSecondFactorSetsOneUpBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	half := w.identified("maya@example.org", lmstest.Now)
	require.Equal(t, lms.Identified, half.Stage, "a password alone leads nowhere")
	ways, err := w.Ways(t.Context(), half)
	require.NoError(t, err)
	require.Len(t, ways, 1)
	require.NoError(t, w.SendCode(t.Context(), half, ways[0].ID, "en", lmstest.Now))
	opened, err := w.Prove(t.Context(), half, Proof{Factor: ways[0].ID, Code: w.lastLetter(half.Email).Code, Origin: desk}, lmstest.Now)
	require.NoError(t, err)
	v := w.viewer(opened.Token, lmstest.Now)
	require.Equal(t, lms.Enrolling, v.Stage)
	require.False(t, lms.May(&v, lms.Learn))
	_, done := w.setUpApp(v, lmstest.Now)
	require.Equal(t, lms.SignedIn, done.Stage)
	require.Len(t, done.RecoveryCodes, 10)
	require.Equal(t, lms.SignedIn, w.viewer(done.Token, lmstest.Now).Stage)
}

// Who knew the password alone may have been waiting for this.
func TestASecondFactorSetUpEndsWhatAPasswordAloneOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	w.hasCodes(p)
	stranger := w.tokenOf(p, lms.Enrolling, lmstest.Now)
	w.setUpApp(w.open(p, lms.Enrolling, lmstest.Now), lmstest.Now)
	_, err := w.Viewer(t.Context(), stranger, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
}

func TestTheTokenOfASessionChangesWithEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.appOf(w.add(maya()), lmstest.Now)
	now := lmstest.Now.Add(time.Hour)
	half, err := w.give("maya@example.org", now)
	require.NoError(t, err)
	v := w.viewer(half.Token, now)
	whole, err := a.prove(v, a.code(now), now)
	require.NoError(t, err)
	again, err := a.prove(w.viewer(whole.Token, now), a.code(now.Add(time.Minute)), now.Add(time.Minute))
	require.NoError(t, err)
	for _, old := range []string{half.Token, whole.Token} {
		_, err := w.Viewer(t.Context(), old, now.Add(time.Minute))
		require.ErrorIs(t, err, lms.ErrUnauthenticated)
	}
	require.Equal(t, v.Session, w.viewer(again.Token, now.Add(time.Minute)).Session, "the session is the same")
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions WHERE token_hash = $1`, []byte(again.Token)), "tokens are stored as hashes")
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.sessions WHERE token_hash = $1`, web.HashToken(again.Token)))
}

func TestATokenThatAVisitorBringsIsNeverAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.appOf(w.add(maya()), lmstest.Now)
	const planted = "planted"
	opened, err := w.SignIn(t.Context(), Credentials{Email: "maya@example.org", Password: password, Former: planted, Origin: Origin{Computer: planted}}, lmstest.Now)
	require.NoError(t, err)
	require.NotEqual(t, planted, opened.Token)
	done, err := w.Prove(t.Context(), w.viewer(opened.Token, lmstest.Now), Proof{Factor: a.factor, Code: a.code(lmstest.Now), Remember: true, Origin: Origin{Computer: planted}}, lmstest.Now)
	require.NoError(t, err)
	require.NotEmpty(t, done.Computer)
	require.NotEqual(t, planted, done.Computer)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.computers WHERE token_hash = $1`, web.HashToken(planted)))
	_, err = w.Viewer(t.Context(), planted, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
}

// A colleague's token is as good as a planted one: they know it.
func TestABrowserThatTwoPeopleUseIsKnownForBothUnderAFreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.add(named("Ana"))
	_, a := w.signedIn(maya(), lmstest.Now)
	shared := w.known(ana, nil, lmstest.Now)
	maya := w.open(lms.Person{ID: ana.ID + 1}, lms.Identified, lmstest.Now)
	opened, err := w.Prove(t.Context(), maya, Proof{Factor: a.factor, Code: a.code(lmstest.Now), Origin: Origin{Computer: shared}}, lmstest.Now)
	require.NoError(t, err)
	require.NotEqual(t, shared, opened.Computer)
	for _, p := range []lms.PersonID{ana.ID, maya.ID} {
		for token, want := range map[string]bool{shared: false, opened.Computer: true} {
			known, err := isKnown(t.Context(), w.db, p, web.HashToken(token))
			require.NoError(t, err)
			require.Equal(t, want, known)
		}
	}
	later := lmstest.Now.Add(time.Hour)
	opened, err = w.Prove(t.Context(), w.open(maya.Person, lms.Identified, later), Proof{Factor: a.factor, Code: a.code(later), Origin: Origin{Computer: opened.Computer}}, later)
	require.NoError(t, err)
	require.Empty(t, opened.Computer, "it is known by that token already")
}

func TestSigningInWorksWhateverTheCaseOfTheEmail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, email := range []string{"maya@example.org", "MAYA@Example.org", " maya@example.org "} {
		require.Equal(t, p, w.identified(email, lmstest.Now).Person)
	}
	require.Equal(t, 3, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'password_given' AND actor = $1 AND origin = $2`, p.ID, desk.From))
}

// Postgres and Go make some letters small in different ways: İ, K, ſ.
func TestNoSpellingOfAnAddressGetsAroundItsCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(named("Kiki"))
	for _, email := range []string{"kİki@example.org", "\u212aiki@example.org", "kiki@example.org\x00", "kiki@example.org\xff", "kiki@exampl\u0065\u0301.org"} {
		require.Equal(t, error(ErrWrongPassword), w.guess(email, password, desk, lmstest.Now), "%q", email)
	}
	require.Equal(t, 5, w.audited("sign_in_refused"))
}

// The same error and the same number of derivations: neither what is read nor how long
// it takes tells whether there is an account.
func TestAWrongPasswordAndAnUnknownEmailAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	for i, c := range []struct{ email, password string }{
		{"maya@example.org", "wrong horse"}, {"maya@example.org", ""}, {"nobody@example.org", password}, {"", ""}, {"\x00", "x"},
	} {
		opened, err := w.SignIn(t.Context(), Credentials{Email: c.email, Password: c.password, Origin: desk}, lmstest.Now)
		require.Equal(t, error(ErrWrongPassword), err, "%q %q", c.email, c.password)
		require.Zero(t, opened)
		require.EqualValues(t, i+1, w.hasher.derived.Load(), "%q %q", c.email, c.password)
	}
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions`))
}

func TestWhatIsThrottledTellsNothingEither(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	for _, email := range []string{"maya@example.org", "nobody@example.org"} {
		w.tried(atAccount(email, networkOf(desk.From))[0], 20, lmstest.Now.Add(time.Hour))
		refused, ok := lms.AsError(w.guess(email, password, desk, lmstest.Now.Add(time.Minute)))
		require.True(t, ok)
		require.Equal(t, ErrTooManyTries.With("Wait", 14*time.Minute), refused)

		w.tried(atAccount(email, "")[1], 100, lmstest.Now)
		require.Equal(t, error(ErrResetRequired), w.guess(email, password, from(1), lmstest.Now))
	}
	require.Zero(t, w.hasher.derived.Load(), "what is throttled is not looked at")
	require.Zero(t, w.audited("sign_in_refused"))
}

// A decoy of other parameters would tell unknown accounts by the time they take.
func TestTheDecoyCostsWhatARealHashCosts(t *testing.T) {
	t.Parallel()
	parameters := func(encoded string) string {
		return encoded[:strings.LastIndex(encoded[:strings.LastIndex(encoded, "$")], "$")]
	}
	h := newHasher(1)
	real, err := h.hash(t.Context(), password)
	require.NoError(t, err)
	require.Equal(t, parameters(real), parameters(h.decoy()))
	require.Equal(t, "$argon2id$v=19$m=19456,t=2,p=1", parameters(h.decoy()))
}

func TestSigningInAgainEndsTheBrowsersFormerSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	former := w.tokenOf(p, lms.SignedIn, lmstest.Now)
	again, err := w.SignIn(t.Context(), Credentials{Email: maya().Email, Password: password, Former: former, Origin: desk}, lmstest.Now)
	require.NoError(t, err)
	_, err = w.Viewer(t.Context(), former, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	w.viewer(again.Token, lmstest.Now)
	require.Equal(t, []lms.PersonID{p.ID}, w.fenced)
	_, err = w.SignIn(t.Context(), Credentials{Email: maya().Email, Password: password, Former: former, Origin: desk}, lmstest.Now)
	require.NoError(t, err, "a former session that is over is no obstacle")
}

// Of two clicks, the second finds the former session ended while it looks.
func TestSigningInTwiceAtOnceWorks(t *testing.T) {
	w := newWorld(t)
	p := w.add(maya())
	former := w.tokenOf(p, lms.SignedIn, lmstest.Now)
	for _, err := range lmstest.Race(t, w.db, func(int) error {
		return w.endFormer(t.Context(), Credentials{Former: former, Origin: desk}, lmstest.Now)
	}) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, w.audited("signed_out"))
}

func TestARefusedSignInIsInTheAuditTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, email := range []string{maya().Email, "nobody@example.org"} {
		require.ErrorIs(t, w.guess(email, "wrong password", desk, lmstest.Now), ErrWrongPassword)
	}
	require.Equal(t, 2, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'sign_in_refused' AND origin = $1`, desk.From))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'sign_in_refused' AND subject = $1`, p.ID))
}

func (w *world) setHash(p lms.Person, hash string) {
	w.t.Helper()
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) error { return updatePassword(w.t.Context(), tx, p.ID, hash) }))
}

func (w *world) hash(p lms.Person) string {
	w.t.Helper()
	hash, err := selectPasswordHash(w.t.Context(), w.db, p.ID)
	require.NoError(w.t, err)
	return hash
}

func TestAnOldHashIsMadeAgainWithTodaysParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	old := cheap(t, password)
	w.setHash(p, old)
	require.ErrorIs(t, w.guess(p.Email, "wrong horse", desk, lmstest.Now), ErrWrongPassword)
	require.Equal(t, old, w.hash(p))
	w.identified(p.Email, lmstest.Now)
	renewed := w.hash(p)
	require.True(t, strings.HasPrefix(renewed, w.hasher.cost.String()))
	w.identified(p.Email, lmstest.Now)
	require.Equal(t, renewed, w.hash(p), "once is enough")
}

// A password that is changed while the old one is being looked at: the old one opens no
// session, and is not put back by being hashed anew.
func TestAPasswordThatWasJustChangedOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, old := range []string{w.hash(p), cheap(t, password)} {
		w.setHash(p, old)
		change, err := w.db.Begin(t.Context())
		require.NoError(t, err)
		require.NoError(t, pg.LockPerson(t.Context(), change, p.ID))
		late := make(chan error)
		go func() { late <- w.guess(p.Email, password, desk, lmstest.Now) }()
		w.waitsForPerson()
		changed := cheap(t, "another horse")
		require.NoError(t, updatePassword(t.Context(), change, p.ID, changed))
		require.NoError(t, change.Commit(t.Context()))
		require.ErrorIs(t, <-late, ErrWrongPassword)
		require.Equal(t, changed, w.hash(p))
	}
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions`))
	require.Equal(t, 2, w.audited("sign_in_refused"))
}

// waitsForPerson returns when a transaction waits for the lock of a person.
func (w *world) waitsForPerson() {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		return w.count(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0
	}, 10*time.Second, 5*time.Millisecond)
}

// What each stage may do, of the actions that any caregiver may do at the end.
func TestEachStageLeadsToTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	now := lmstest.Now
	remembered := w.open(p, lms.SignedIn, now)
	remembered.ProvedAt = time.Time{}
	half, enrolling, whole := w.open(p, lms.Identified, now), w.open(p, lms.Enrolling, now), w.open(p, lms.SignedIn, now)
	for _, c := range []struct {
		name                          string
		v                             *lms.Viewer
		at                            time.Time
		browse, prove, setUp, do, own error
	}{
		{"nobody", nil, now, nil, lms.ErrUnauthenticated, lms.ErrUnauthenticated, lms.ErrUnauthenticated, lms.ErrUnauthenticated},
		{"a password", &half, now, nil, nil, lms.ErrFactorNeeded, lms.ErrFactorNeeded, lms.ErrFactorNeeded},
		{"no factor yet", &enrolling, now, nil, nil, nil, lms.ErrFactorMissing, lms.ErrFactorMissing},
		{"both", &whole, now.Add(lms.ProofAge - time.Second), nil, nil, nil, nil, nil},
		{"both, a while ago", &whole, now.Add(lms.ProofAge), nil, nil, lms.ErrProofNeeded, nil, lms.ErrProofNeeded},
		{"a remembered computer", &remembered, now, nil, nil, lms.ErrProofNeeded, nil, lms.ErrProofNeeded},
	} {
		for action, want := range map[lms.Action]error{lms.Browse: c.browse, lms.Prove: c.prove, lms.SetUpFactor: c.setUp, lms.Learn: c.do, lms.Secure: c.own} {
			require.Equal(t, want, lms.Refusal(c.v, action, c.at), "%s: %s", c.name, action)
		}
	}
}

// stageAt is how far the password leads at a computer.
func (w *world) stageAt(p lms.Person, computer string, now time.Time) lms.Viewer {
	w.t.Helper()
	opened, err := w.SignIn(w.t.Context(), Credentials{Email: p.Email, Password: password, Origin: Origin{From: desk.From, Computer: computer}}, now)
	require.NoError(w.t, err)
	return w.viewer(opened.Token, now)
}

func TestARememberedComputerSparesACaregiverTheSecondFactorForThirtyDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(maya(), lmstest.Now)
	opened, err := w.Prove(t.Context(), v, Proof{Factor: a.factor, Code: a.code(lmstest.Now), Remember: true, Origin: desk}, lmstest.Now)
	require.NoError(t, err)
	last := lmstest.Now.Add(30*24*time.Hour - time.Second)
	remembered := w.stageAt(v.Person, opened.Computer, last)
	require.Equal(t, lms.SignedIn, remembered.Stage)
	require.Zero(t, remembered.ProvedAt, "that is no proof")
	require.ErrorIs(t, lms.Refusal(&remembered, lms.Secure, last), lms.ErrProofNeeded)
	for name, computer := range map[string]string{"another computer": newToken(), "none": "", "the hash of the token": string(web.HashToken(opened.Computer))} {
		require.Equal(t, lms.Identified, w.stageAt(v.Person, computer, last).Stage, name)
	}
	require.Equal(t, lms.Identified, w.stageAt(v.Person, opened.Computer, last.Add(time.Second)).Stage)

	again := last.Add(time.Minute)
	_, err = w.Prove(t.Context(), w.open(v.Person, lms.Identified, again), Proof{Factor: a.factor, Code: a.code(again), Origin: Origin{Computer: opened.Computer}}, again)
	require.NoError(t, err)
	require.Equal(t, lms.Identified, w.stageAt(v.Person, opened.Computer, again).Stage, "it was not asked for again")
}

func TestAComputerIsRememberedForOnePersonAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ana := w.add(named("Ana"))
	_, _ = w.signedIn(maya(), lmstest.Now)
	w.appOf(ana, lmstest.Now)
	maya, err := selectLogin(t.Context(), w.db, maya().Email, nil)
	require.NoError(t, err)
	computer := w.known(lms.Person{ID: maya.Person}, new(lmstest.Now.Add(time.Hour)), lmstest.Now)
	require.Equal(t, lms.Identified, w.stageAt(ana, computer, lmstest.Now).Stage)
}

func TestSigningOutEverywhereForgetsEveryComputer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(maya(), lmstest.Now)
	computer := w.known(v.Person, new(lmstest.Now.Add(time.Hour)), lmstest.Now)
	require.NoError(t, w.SignOutEverywhere(t.Context(), v, desk.From, lmstest.Now))
	require.Equal(t, lms.Identified, w.stageAt(v.Person, computer, lmstest.Now).Stage)
}

func (w *world) giveRole(p lms.Person, role lms.Role) {
	w.t.Helper()
	_, err := w.db.Exec(w.t.Context(), `INSERT INTO accounts.roles (person, role) VALUES ($1, $2)`, p.ID, role)
	require.NoError(w.t, err)
}

func TestNoComputerIsRememberedForStaff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, a := w.signedIn(named("Ana", lms.Author), lmstest.Now)
	opened, err := w.Prove(t.Context(), v, Proof{Factor: a.factor, Code: a.code(lmstest.Now), Remember: true, Origin: desk}, lmstest.Now)
	require.NoError(t, err)
	require.NotEmpty(t, opened.Computer)
	require.Equal(t, lms.Identified, w.stageAt(v.Person, opened.Computer, lmstest.Now).Stage)

	caregiver, _ := w.signedIn(maya(), lmstest.Now)
	computer := w.known(caregiver.Person, new(lmstest.Now.Add(time.Hour)), lmstest.Now)
	w.giveRole(caregiver.Person, lms.Registrar)
	require.Equal(t, lms.Identified, w.stageAt(caregiver.Person, computer, lmstest.Now).Stage, "nor once they are staff")
}

func TestStaffWithACodeByEmailAloneSetUpSomethingStronger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	byEmail := w.emailOf(p, lmstest.Now)
	w.giveRole(p, lms.HelpDesk)
	w.hasCodes(p)
	now := lmstest.Now
	v := w.identified(p.Email, now)
	require.Equal(t, lms.Identified, v.Stage, "the code is still asked for")
	require.NoError(t, w.SendCode(t.Context(), v, byEmail, "en", now))
	opened, err := w.Prove(t.Context(), v, Proof{Factor: byEmail, Code: w.lastLetter(p.Email).Code, Origin: desk}, now)
	require.NoError(t, err)
	require.Equal(t, lms.Enrolling, opened.Stage)
	v = w.viewer(opened.Token, now)
	require.ErrorIs(t, lms.Refusal(&v, lms.Learn, now), lms.ErrFactorMissing)
	_, err = w.BeginText(t.Context(), v, "573 555 0100", desk, now)
	require.ErrorIs(t, err, lms.ErrNotFound, "that is not stronger")

	a, done := w.setUpApp(v, now)
	require.Equal(t, lms.SignedIn, done.Stage)
	later := now.Add(time.Hour)
	v = w.open(p, lms.Identified, later)
	v.Roles = []lms.Role{lms.HelpDesk}
	_, err = w.Prove(t.Context(), v, Proof{Factor: byEmail, Code: "123456", Origin: desk}, later)
	require.ErrorIs(t, err, ErrWrongCode, "the weaker one does not count beside it")
	require.ErrorIs(t, w.SendCode(t.Context(), v, byEmail, "en", later), lms.ErrNotFound)
	opened, err = a.prove(v, a.code(later), later)
	require.NoError(t, err)
	require.Equal(t, lms.SignedIn, opened.Stage)
}

func TestStaffMayNotAddWeakFactors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, _ := w.signedIn(named("Ana", lms.Administrator), lmstest.Now)
	_, err := w.AddEmail(t.Context(), v, desk, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
	_, err = w.BeginText(t.Context(), v, "573 555 0100", desk, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
}
