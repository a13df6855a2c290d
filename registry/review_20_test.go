package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestNobodyTakesBackTheirOwnRecordsByUndoingAnImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, ana := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.imports(row(rita, "First aid,2,2025-06-01,,,,R-1"))
	credit := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: ana}, Verdict{Credit: credit, Status: lms.Denied, Note: "A forged certificate"}, "", lmstest.Now))
	decisions := w.count(`SELECT count(*) FROM registry.decisions`)
	w.undone(id, rita)
	require.Equal(t, decisions, w.count(`SELECT count(*) FROM registry.decisions`), "another registrar's decision about her stays the latest")
}
