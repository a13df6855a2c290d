package accounts

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

var leaves = AccessChange{Disable: true, Reason: " Left the agency "}

func (w *world) admin(given string) lms.Viewer {
	w.t.Helper()
	return at(w.person(given, "Admin", lms.Administrator))
}

func (w *world) disables(by lms.Viewer, p lms.PersonID) error {
	return w.ChangeAccess(w.t.Context(), by, p, leaves, desk.From, lmstest.Now)
}

func TestADisabledAccountIsSignedOutAtOnceAndNobodyGetsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.admin("Ada")
	v, a := w.signedIn(maya(), lmstest.Now)
	here, half := w.tokenOf(v.Person, lms.SignedIn, lmstest.Now), w.identified(v.Email, lmstest.Now)
	computer := w.known(v.Person, new(lmstest.Now.Add(rememberFor)), lmstest.Now)
	reset := w.resetLink(v.Email, lmstest.Now)
	require.NoError(t, w.AskRecovery(t.Context(), half, "573-555-0142", "", desk.From, lmstest.Now))

	require.NoError(t, w.disables(ada, v.ID))
	w.isOver(here, lmstest.Now)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions WHERE person = $1`, v.ID))
	require.Contains(t, w.fenced, v.ID)
	why, err := w.Ended(t.Context(), here, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, EndedDisabled, why)
	require.Equal(t, w.subject("es", "account_disabled"), w.lastLetter(v.Email).Subject)
	require.Nil(t, w.lastLetter(v.Email).Button)
	require.NotContains(t, fmt.Sprint(w.lastLetter(v.Email)), "Left the agency")
	require.Equal(t, "account_disabled", w.actions(v.Person)[0])

	_, err = w.give(v.Email, lmstest.Now)
	require.ErrorIs(t, err, ErrDisabled)
	_, err = w.SignIn(t.Context(), Credentials{Email: v.Email, Password: password, Origin: Origin{Computer: computer}}, lmstest.Now)
	require.ErrorIs(t, err, ErrDisabled)
	require.ErrorIs(t, w.guess(v.Email, "wrong", desk, lmstest.Now), ErrWrongPassword, "who does not know the password learns nothing")
	_, err = a.prove(half, a.code(lmstest.Now), lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	_, err = w.Reset(t.Context(), reset, another, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrLinkOver)
	require.NoError(t, w.AskReset(t.Context(), v.Email, "en", desk.From, lmstest.Now))
	w.answerRequests(lmstest.Now)
	require.Equal(t, w.subject("en", "reset_disabled"), w.lastLetter(v.Email).Subject)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.worklist WHERE closed_at IS NULL`), "no registrar lets them in")
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.recoveries WHERE ended_at IS NULL`))
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.pub_reachable WHERE person = $1`, v.ID), "nor are they reminded of what they cannot do")
}

func TestAnAccountThatIsEnabledAgainIsAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.admin("Ada")
	v, a := w.signedIn(maya(), lmstest.Now)
	require.NoError(t, w.disables(ada, v.ID))
	r, err := w.LookAt(t.Context(), ada, v.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, "Left the agency", r.Disabled.Reason)
	require.Equal(t, "Ada Admin", r.Disabled.ByName)
	found, err := w.FindPeople(t.Context(), "rivera", 1)
	require.NoError(t, err)
	require.True(t, found.People[0].Disabled)

	require.NoError(t, w.ChangeAccess(t.Context(), ada, v.ID, AccessChange{Reason: "Came back"}, desk.From, lmstest.Now))
	require.Equal(t, w.subject("es", "account_enabled"), w.lastLetter(v.Email).Subject)
	require.Equal(t, "account_enabled", w.actions(v.Person)[0])
	later := lmstest.Now.Add(time.Minute)
	_, err = a.prove(w.identified(v.Email, later), a.code(later), later)
	require.NoError(t, err)
}

func TestDisablingNeedsAReasonAnAccountAndSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, p := w.admin("Ada"), w.add(maya())
	for _, reason := range []string{"", "  ", string(make([]rune, reasonLength+1))} {
		require.ErrorIs(t, w.ChangeAccess(t.Context(), ada, p.ID, AccessChange{true, reason}, desk.From, lmstest.Now), lms.ErrForm)
	}
	require.ErrorIs(t, w.disables(ada, ada.ID), ErrOwnAccount)
	require.ErrorIs(t, w.disables(ada, p.ID+100), lms.ErrNotFound)
	require.ErrorIs(t, w.ChangeAccess(t.Context(), ada, p.ID, AccessChange{Reason: "It is not"}, desk.From, lmstest.Now), ErrAccessChanged)
	w.imports(imported)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		profile, err := selectProfile(t.Context(), tx, 204118)
		require.ErrorIs(t, w.disables(ada, profile.Person), ErrNoLogin)
		return err
	}))
}

func TestTheRuleOfDisablingKeepsAnAdministrator(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		by, who := lms.PersonID(rapid.IntRange(1, 2).Draw(t, "by")), lms.PersonID(rapid.IntRange(1, 2).Draw(t, "who"))
		roles := rapid.SliceOfDistinct(rapid.SampledFrom(GrantedRoles), rapid.ID[lms.Role]).Draw(t, "roles")
		others := rapid.IntRange(0, 2).Draw(t, "others")
		p := lms.Person{ID: who, Roles: roles}
		switch err := canDisable(by, p, others); {
		case by == who:
			require.ErrorIs(t, err, ErrOwnAccount)
		case p.Has(lms.Administrator) && others == 0:
			require.ErrorIs(t, err, ErrLastAdmin)
		default:
			require.NoError(t, err)
		}
	})
}

func TestOfAdministratorsWhoDisableAnAccountAtOnceOneDoes(t *testing.T) {
	w := newWorld(t)
	ada, p := w.admin("Ada"), w.add(maya())
	lmstest.OneWins(t, w.db, ErrAccessChanged, func(int) error { return w.disables(ada, p.ID) })
	require.Equal(t, 1, w.audited("account_disabled"))
	require.Len(t, w.letters(p.Email), 1)
}

func TestOfTwoAdministratorsWhoDisableEachOtherOneStays(t *testing.T) {
	w := newWorld(t)
	both := [2]lms.Viewer{w.admin("Ada"), w.admin("Ben")}
	won := 0
	for _, err := range lmstest.Race(t, w.db, func(i int) error { return w.disables(both[i%2], both[1-i%2].ID) }) {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrAccessChanged) {
			require.ErrorIs(t, err, ErrLastAdmin)
		}
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.disablings`))
}

// disableAlone disables an account by the database alone.
func (w *world) disableAlone(by, p lms.PersonID) error {
	return guards.Explain(w.inTx(func(tx pgx.Tx) error {
		return insertDisabling(w.t.Context(), tx, p, by, "test", lmstest.Now)
	}))
}

func TestTheDatabaseAloneKeepsAnAdministratorWhoMaySignIn(t *testing.T) {
	w := newWorld(t)
	ada, ben, cleo := w.admin("Ada"), w.admin("Ben"), w.admin("Cleo")
	require.ErrorIs(t, w.disableAlone(ada.ID, ada.ID), ErrOwnAccount)
	require.NoError(t, w.disableAlone(ada.ID, ben.ID))
	won := 0
	for _, err := range lmstest.Race(t, w.db, func(i int) error { // one is disabled, the other loses the role
		if i%2 == 0 {
			return w.disableAlone(cleo.ID, ada.ID)
		}
		return guards.Explain(w.inTx(func(tx pgx.Tx) error { return deleteRole(t.Context(), tx, cleo.ID, lms.Administrator) }))
	}) {
		if err == nil {
			won++
		}
	}
	require.Positive(t, won)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.roles r WHERE role = 'administrator' AND NOT EXISTS (SELECT FROM accounts.disablings d WHERE d.person = r.person)`))
	_, err := w.db.Exec(t.Context(), `UPDATE accounts.disablings SET reason = ''`)
	require.ErrorContains(t, err, "disablings_say_why")
}

func TestTheDatabaseAloneLetsADisabledAccountHaveNoSession(t *testing.T) {
	w := newWorld(t)
	ada, p := w.admin("Ada"), w.add(maya())
	lmstest.Race(t, w.db, func(i int) error {
		return w.inTx(func(tx pgx.Tx) error {
			if i%4 > 0 {
				return insertSession(t.Context(), tx, []byte(fmt.Sprint(i)), newSession{person: p.ID, stage: lms.SignedIn, origin: desk}, lmstest.Now)
			}
			if err := insertDisabling(t.Context(), tx, p.ID, ada.ID, "test", lmstest.Now); err != nil {
				return err
			}
			return deleteSessions(t.Context(), tx, p.ID, 0, EndedDisabled, lmstest.Now)
		})
	})
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.disablings`))
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions WHERE person = $1`, p.ID))
	err := guards.Explain(w.inTx(func(tx pgx.Tx) error {
		return insertSession(t.Context(), tx, []byte("late"), newSession{person: p.ID, stage: lms.SignedIn, origin: desk}, lmstest.Now)
	}))
	require.ErrorIs(t, err, ErrDisabled)
}

func TestAProfileIsNotMergedWithADisabledAccount(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	require.NoError(t, tw.disables(tw.admin("Ada"), tw.account.ID))
	for _, into := range []lms.PersonID{tw.profile, tw.account.ID} {
		require.ErrorIs(t, tw.mergeAt(into, lmstest.Now), ErrMergeDisabled)
	}
}

func TestAnAccountIsDisabledOnItsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	ada := w.add(named("Ada", lms.Administrator))
	v := w.visit(w.tokenOf(ada, lms.SignedIn, lmstest.Now), lmstest.Now)
	path := fmt.Sprintf("/people/%d", p.ID)
	contains(t, v.get(path), "Disable this account")
	contains(t, v.get(path+"/access"), "The record stays", "Your reason is not in that mail")
	wrong := v.post(path+"/access", "disable", "1", "reason", " ")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	contains(t, wrong.body, "Write in a few words why.")
	require.Equal(t, path+"?notice=account_disabled", v.post(path+"/access", "disable", "1", "reason", "Left").location)
	contains(t, v.get(path), "Enable this account again", "Reason: Left")
	again := v.post(path+"/access", "disable", "1", "reason", "Left")
	contains(t, again.body, "Somebody else changed this account", "Enable the account")
	require.NotContains(t, v.get(fmt.Sprintf("/people/%d", ada.ID)), "Disable this account")

	stranger := w.visit("", lmstest.Now)
	stranger.get("/sign-in")
	contains(t, stranger.post("/sign-in", "email", p.Email, "password", password).body, "This account is disabled")

	v = w.visit(w.tokenOf(ada, lms.SignedIn, lmstest.Now), lmstest.Now.Add(lms.ProofAge))
	require.Equal(t, http.StatusSeeOther, v.send(http.MethodGet, path+"/access", nil).status, "the second step again")
}
