package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhatWasUndoneMayBeImportedCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.undone(w.imports(row(maya, "First aid,20,2025-06-01,,,,R-1")), rita) // the hours of another column
	again := w.imports(row(maya, "First aid,2,2025-06-01,,,,R-1"))
	require.Equal(t, []string{"credited"}, w.became(again))
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}
