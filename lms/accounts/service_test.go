package accounts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/secrets"
	"mopd/lms/web"
)

func TestASignInTakesAPasswordAndASecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	a, _ := w.protect("maya@example.org", lmstest.Now)
	now := lmstest.Now.Add(time.Hour)
	half := w.identified("maya@example.org", now)
	require.Equal(t, lms.Identified, half.Stage)
	opened, err := w.Prove(t.Context(), half, Proof{Factor: a.factor, Code: a.code(now), Origin: desk}, now)
	require.NoError(t, err)
	require.Equal(t, lms.SignedIn, opened.Stage)
	v := w.viewer(opened.Token, now)
	require.Equal(t, lms.SignedIn, v.Stage)
	require.True(t, now.Equal(v.ProvedAt))
}

func TestWhoHasNoSecondFactorSetsOneUpBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	v := w.identified("maya@example.org", lmstest.Now)
	require.Equal(t, lms.Enrolling, v.Stage)
	require.False(t, lms.May(&v, lms.Learn))
	_, done := w.setUpApp(v, lmstest.Now)
	require.Equal(t, lms.SignedIn, done.Stage)
	require.Len(t, done.RecoveryCodes, 10)
	require.Equal(t, lms.SignedIn, w.viewer(done.Token, lmstest.Now).Stage)
}

func TestTheTokenOfASessionChangesWithEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	a, first := w.protect("maya@example.org", lmstest.Now)
	now := lmstest.Now.Add(time.Hour)
	half, err := w.give("maya@example.org", now)
	require.NoError(t, err)
	v := w.viewer(half.Token, now)
	whole, err := w.Prove(t.Context(), v, Proof{Factor: a.factor, Code: a.code(now), Origin: desk}, now)
	require.NoError(t, err)
	again, err := w.Prove(t.Context(), w.viewer(whole.Token, now), Proof{Factor: a.factor, Code: a.code(now.Add(time.Minute)), Origin: desk}, now.Add(time.Minute))
	require.NoError(t, err)
	for _, old := range []string{half.Token, whole.Token} {
		_, err := w.Viewer(t.Context(), old, now.Add(time.Minute))
		require.ErrorIs(t, err, lms.ErrUnauthenticated)
	}
	require.Equal(t, v.Session, w.viewer(again.Token, now.Add(time.Minute)).Session, "the session is the same")
	require.NotEqual(t, first.Token, again.Token)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions WHERE token_hash = $1`, []byte(again.Token)), "tokens are stored as hashes")
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.sessions WHERE token_hash = $1`, web.HashToken(again.Token)))
}

func TestSecretsAreSealedAnewUnderAFreshKeyAndStillWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	a, _ := w.protect("maya@example.org", lmstest.Now)
	old, fresh := w.key, secrets.NewKey()
	var err error
	w.Keys, err = secrets.Parse([]string{fresh, old})
	require.NoError(t, err)
	n, err := w.Reseal(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = w.Reseal(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "nothing is left to do")

	w.Keys, err = secrets.Parse([]string{fresh})
	require.NoError(t, err)
	now := lmstest.Now.Add(time.Hour)
	_, err = w.Prove(t.Context(), w.identified("maya@example.org", now), Proof{Factor: a.factor, Code: a.code(now), Origin: desk}, now)
	require.NoError(t, err, "without the old key")
}
