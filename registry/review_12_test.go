package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhatALaterImportSaysTooStaysWhenTheFirstIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rows := row(maya, "First aid,2,2025-06-01,,,,R-1")
	first := w.imports(rows)
	w.imports(rows)
	w.undone(first, rita)
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}
