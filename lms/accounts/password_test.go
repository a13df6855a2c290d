package accounts

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPasswordIsVerifiedAgainstItsHash(t *testing.T) {
	t.Parallel()
	encoded := hashPassword("ñandú y caballo")
	for attempt, want := range map[string]bool{"ñandú y caballo": true, "Ñandú y caballo": false, "": false, "ñandú y caballo ": false} {
		right, err := verifyPassword(encoded, attempt)
		require.NoError(t, err)
		require.Equal(t, want, right, attempt)
	}
	require.NotEqual(t, encoded, hashPassword("ñandú y caballo"), "each hash has its own salt")
}

func TestAHashKeepsWorkingWhenParametersChange(t *testing.T) {
	t.Parallel()
	// Made with 8 KiB, 1 pass, 1 lane.
	salt := []byte("0123456789abcdef")
	encoded := "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + base64.RawStdEncoding.EncodeToString(derive("old password", salt, 1, 8, 1))
	right, err := verifyPassword(encoded, "old password")
	require.NoError(t, err)
	require.True(t, right)
}

func TestAHashThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{"", "x", "$argon2i$v=19$m=8,t=1,p=1$c2FsdA$a2V5", "$argon2id$v=18$m=8,t=1,p=1$c2FsdA$a2V5",
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdA", "$argon2id$v=19$m=8,t=1,p=1$!$a2V5", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$!"} {
		_, err := verifyPassword(encoded, "anything")
		require.Error(t, err, "%q", encoded)
	}
}
