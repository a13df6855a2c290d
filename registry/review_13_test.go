package registry

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

func TestAReportThatWasPrintedWhileAnImportWorkedStaysWhatItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"))
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	printed := Moment{later.Through, lmstest.Now.Add(time.Second)}
	before := w.recordAt(maya, printed)
	w.works(id) // a job that began a second before, and has other people's rows to work first
	require.Equal(t, before, w.recordAt(maya, printed))
}
