package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhatARegistrarDeniedStaysDeniedWhenItsImportIsUndoneAndComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rows := row(maya, "First aid,2,2025-06-01,,,,R-1")
	id := w.imports(rows)
	credit := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: rita}, Verdict{Credit: credit, Status: lms.Denied, Note: "A forged certificate"}, "", lmstest.Now))
	w.undone(id, rita)
	w.imports(rows)
	require.Zero(t, w.recordAt(maya, later).Year(2025).Earned)
}
