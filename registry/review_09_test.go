package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestOneRecordUnderTwoProfilesCountsOnceWhenTheyAreMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.imports(row(a, "First aid,2,2025-06-01,,,,R-1"), row(b, "First aid,2,2025-06-01,,,,R-1"))
	w.merge(a, b)
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
}
