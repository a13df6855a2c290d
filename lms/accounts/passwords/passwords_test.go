package passwords

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestPasswordsThatManyPeopleHaveAreCommon(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"password", "Password1", "12345678", "QWERTYUIOP", "iloveyou", "sunshine", "contrasena"} {
		require.True(t, Common(password), password)
	}
	for _, password := range []string{"", "maya likes blue trains", "password of the blue train", "ñandú y caballo"} {
		require.False(t, Common(password), password)
	}
}

// The search relies on the order, and on nothing being written in capitals.
func TestTheListIsFitToBeSearched(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(list()), 3_000, "OWASP ASVS 5.0, 6.2.4")
	require.Less(t, len(text), 400_000)
	require.True(t, slices.IsSorted(list()))
	require.Equal(t, list(), slices.Compact(slices.Clone(list())))
	for _, password := range list() {
		require.GreaterOrEqual(t, utf8.RuneCountInString(password), 8, password)
		require.Equal(t, strings.ToLower(password), password)
	}
}

func TestEveryPasswordOfTheListIsFound(t *testing.T) {
	t.Parallel()
	for _, password := range list() {
		require.True(t, Common(password), password)
		require.True(t, Common(strings.ToUpper(password)), password)
	}
}
