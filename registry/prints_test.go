package registry

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestACodeIsReadHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	require.Equal(t, Code("7K3M9Q2TXW01"), ReadCode("7k3m-9q2t xwOl"))
	rapid.Check(t, func(t *rapid.T) {
		code := newCode()
		if len(code) != codeLength || ReadCode(code.String()) != code {
			t.Fatalf("%q is read as %q", code.String(), ReadCode(code.String()))
		}
	})
}
