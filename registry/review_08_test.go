package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestARecordThatLaterComesWithItsSessionCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(row(maya, "First aid,2,2025-06-01,,,,"))
	w.imports(row(maya, "First aid,2,2025-06-01,2025-06-01 09:00,2025-06-01 11:00,,"))
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}
