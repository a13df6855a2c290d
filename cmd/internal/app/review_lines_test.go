package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestALineThatNoRowCanHaveIsNotFound(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	l := b.signedIn(b.person("Rita", lms.Registrar))
	for _, path := range []string{"/records/imports/1/rows/99999999999", "/records/rows?line=99999999999", "/records/imports?page=9000000000000000000"} {
		require.Less(t, l.get(path).status, 500, path)
	}
}
