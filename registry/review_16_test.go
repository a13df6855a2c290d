package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhoseRowARegistrarMatchesIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.reads("999999,May,Jones,First aid,2,2025-06-01,,,,")
	require.NoError(t, w.OrderImport(t.Context(), 0, id, true, "", lmstest.Now))
	w.works(id)
	require.NoError(t, w.ResolveRow(t.Context(), lms.Viewer{Person: rita}, id, 2, maya.ID, "Misspelt", "", lmstest.Now))
	require.NotEmpty(t, w.posted.texts(), "the import tells people, and this is their record")
}
