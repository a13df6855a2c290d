package accounts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func (w *world) endedBecause(token string, now time.Time) Ended {
	w.t.Helper()
	why, err := w.Ended(w.t.Context(), token, now)
	require.NoError(w.t, err)
	return why
}

func TestWhoHoldsTheCookieOfASessionThatEndedLearnsWhy(t *testing.T) {
	t.Parallel()
	for why, end := range map[Ended]func(w *world, p lms.Person, here lms.Viewer) error{
		EndedElsewhere: func(w *world, _ lms.Person, here lms.Viewer) error {
			return w.SignOutEverywhere(w.t.Context(), here, "", lmstest.Now)
		},
		EndedPassword: func(w *world, _ lms.Person, here lms.Viewer) error {
			return w.ChangePassword(w.t.Context(), here, password, another, "", lmstest.Now)
		},
		EndedByAdmin: func(w *world, p lms.Person, _ lms.Viewer) error {
			return w.EndSessions(w.t.Context(), w.admin("Ada"), p.ID, "", lmstest.Now)
		},
		EndedRoles: func(w *world, p lms.Person, _ lms.Viewer) error {
			return w.ChangeRoles(w.t.Context(), w.admin("Ada"), p.ID, RoleChange{Want: []lms.Role{lms.Author}}, "", lmstest.Now)
		},
		EndedDisabled: func(w *world, p lms.Person, _ lms.Viewer) error { return w.disables(w.admin("Ada"), p.ID) },
	} {
		t.Run(string(why), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			here, _ := w.signedIn(maya(), lmstest.Now)
			there := w.tokenOf(here.Person, lms.SignedIn, lmstest.Now)
			require.Empty(t, w.endedBecause(there, lmstest.Now), "it lives")
			require.NoError(t, end(w, here.Person, here))
			require.Equal(t, why, w.endedBecause(there, lmstest.Now))
			require.Empty(t, w.endedBecause(there+"x", lmstest.Now), "a stranger learns nothing")
			require.NoError(t, w.Sweep(t.Context(), lmstest.Now.Add(endedKept)))
			require.Empty(t, w.endedBecause(there, lmstest.Now), "nobody comes back that late")
		})
	}
}

func TestASessionThatIsOverByItselfSaysWhetherItWasIdleOrOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	idle, old := w.tokenOf(p, lms.SignedIn, lmstest.Now), w.tokenOf(p, lms.SignedIn, lmstest.Now)
	for since := time.Duration(0); since < Longest; since += 20 * time.Minute {
		w.viewer(old, lmstest.Now.Add(since))
	}
	over := lmstest.Now.Add(2 * Longest)
	for range 2 { // before and after it is swept
		require.Equal(t, EndedIdle, w.endedBecause(idle, over))
		require.Equal(t, EndedOld, w.endedBecause(old, over))
		require.NoError(t, w.Sweep(t.Context(), over))
	}
}

func TestTheSignInPageSaysWhyASessionEndedAndLeadsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.tokenOf(w.add(maya()), lms.SignedIn, lmstest.Now)
	v := w.visit(token, lmstest.Now.Add(Idle))
	require.Equal(t, "/sign-in?next=%2Faccount%3Fq%3D1", v.send("GET", "/account?q=1", nil).location)
	contains(t, v.get("/sign-in?next=%2Faccount%3Fq%3D1"), "nothing happened here for 30 minutes", "Nothing that was saved is lost", `value="/account?q=1"`)
	require.NotContains(t, w.visit("guessed", lmstest.Now).get("/sign-in"), "You were signed out")
	require.NotContains(t, w.visit("", lmstest.Now).get("/sign-in"), "You were signed out")
}
