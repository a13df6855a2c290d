package accounts

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

// cheap is the PHC string of a password under 8 KiB, 1 pass, 1 lane.
func cheap(t *testing.T, password string) string {
	t.Helper()
	key, err := newHasher(1).derive(t.Context(), password, []byte("0123456789abcdef"), cost{memoryKiB: 8, passes: 1, lanes: 1})
	require.NoError(t, err)
	return "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + base64.RawStdEncoding.EncodeToString(key)
}

func TestAPasswordIsVerifiedAgainstItsHash(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	encoded, err := h.hash(t.Context(), "ñandú y caballo")
	require.NoError(t, err)
	for attempt, want := range map[string]bool{"ñandú y caballo": true, "Ñandú y caballo": false, "": false, "ñandú y caballo ": false} {
		right, err := newHasher(1).verify(t.Context(), encoded, attempt)
		require.NoError(t, err)
		require.Equal(t, want, right, attempt)
	}
	again, err := h.hash(t.Context(), "ñandú y caballo")
	require.NoError(t, err)
	require.NotEqual(t, encoded, again, "each hash has its own salt")
}

func TestAPasswordIsTheSameOnEveryKeyboard(t *testing.T) {
	t.Parallel()
	for written, typed := range map[string]string{
		"ñandú y caballo":               "n\u0303andu\u0301 y caballo",
		"n\u0303andu\u0301 y caballo":   "ñandú y caballo",
		"ｔｒａｉｎ ｂｌｕｅ":                    "train blue",
		"\u212bngström":                 "Ångström",
		"non-breaking\u00a0space horse": "non-breaking space horse",
	} {
		right, err := newHasher(1).verify(t.Context(), cheap(t, written), typed)
		require.NoError(t, err)
		require.True(t, right, "%q, typed as %q", written, typed)
	}
}

func TestAHashKeepsWorkingWhenParametersChange(t *testing.T) {
	t.Parallel()
	right, err := newHasher(1).verify(t.Context(), cheap(t, "old password"), "old password")
	require.NoError(t, err)
	require.True(t, right)
}

func TestAHashOfOtherParametersIsToBeMadeAgain(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	now, err := h.hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.False(t, h.needsRehash(now))
	for _, encoded := range []string{
		cheap(t, "correct horse"), strings.Replace(now, "m=19456", "m=194560", 1), strings.Replace(now, "t=2", "t=1", 1), strings.Replace(now, "p=1", "p=10", 1), "",
	} {
		require.True(t, h.needsRehash(encoded), encoded)
	}
}

func TestAHashThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{"", "x", "$argon2i$v=19$m=8,t=1,p=1$c2FsdA$a2V5", "$argon2id$v=18$m=8,t=1,p=1$c2FsdA$a2V5",
		"$argon2id$v=19$m=8,t=0,p=1$c2FsdA$a2V5", "$argon2id$v=19$m=8,t=1,p=0$c2FsdA$a2V5",
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdA", "$argon2id$v=19$m=8,t=1,p=1$!$a2V5", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$!"} {
		_, err := newHasher(1).verify(t.Context(), encoded, "anything")
		require.Error(t, err, "%q", encoded)
	}
}

func TestARightAndAWrongPasswordCostOneKeyEach(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	encoded, err := h.hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.EqualValues(t, 1, h.derived.Load())
	for i, attempt := range []string{"correct horse", "wrong horse", ""} {
		_, err := h.verify(t.Context(), encoded, attempt)
		require.NoError(t, err)
		require.EqualValues(t, i+2, h.derived.Load())
	}
}

func TestNobodyWaitsForAHashLongerThanTheyMay(t *testing.T) {
	t.Parallel()
	h, encoded := newHasher(1), cheap(t, "correct horse")
	h.places <- struct{}{} // somebody else's, who takes long
	late, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.hash(late, "correct horse")
	require.ErrorIs(t, err, lms.ErrUnavailable)
	right, err := h.verify(late, encoded, "correct horse")
	require.ErrorIs(t, err, lms.ErrUnavailable)
	require.False(t, right)
	require.Zero(t, h.derived.Load())

	<-h.places
	for range 3 { // each gives its place back
		right, err = h.verify(t.Context(), encoded, "correct horse")
		require.NoError(t, err)
		require.True(t, right)
	}
}
