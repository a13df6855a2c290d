package registry

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

func TestWhoseImportIsUndoneGetsOneLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	var rows []string
	for i := range 20 {
		rows = append(rows, row(maya, fmt.Sprintf("Training %d,1,2025-06-01,,,,", i)))
	}
	id := w.reads(rows...)
	require.NoError(t, w.OrderImport(t.Context(), 0, id, true, "", lmstest.Now))
	w.works(id)
	require.Len(t, w.posted.texts(), 1)
	w.undone(id, rita)
	require.Len(t, w.posted.texts(), 2)
}
