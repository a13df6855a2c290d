package registry

import (
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// undone undoes an import to its end.
func (w world) undone(id ImportID, by lms.Person) {
	w.t.Helper()
	require.NoError(w.t, w.UndoImport(w.t.Context(), by.ID, id, "The wrong file", "", lmstest.Now))
	w.works(id)
}
