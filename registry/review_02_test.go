package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

func TestAnImportThatTellsIsNotStoppedByWhomNoLetterReaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	_, err := w.db.Exec(t.Context(), `UPDATE accounts.logins SET email = 'nowhere' WHERE person = $1`, maya.ID)
	require.NoError(t, err)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"))
	require.NoError(t, w.OrderImport(t.Context(), 0, id, true, "", lmstest.Now))
	w.works(id)
	require.Equal(t, []string{"credited"}, w.became(id))
}
