package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhatWasHeldBesideAnUndoneSessionStandsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.imports(row(maya, "Morning,2,2025-06-01,2025-06-01 09:00,2025-06-01 11:00,,"))
	w.undone(w.imports(row(maya, "Elsewhere,2,2025-06-01,2025-06-01 10:00,2025-06-01 12:00,,")), rita)
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned, "as before the import that is undone")
}
