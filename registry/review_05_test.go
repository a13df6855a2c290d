package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhatAnUndoneImportStoodInTheWayOfIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita, course := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	id := w.imports(row(maya, course.Title+",1.25,2025-06-01,,,"+course.Code+","))
	e := w.earned(maya, course, "2026-02-01")
	require.Equal(t, lms.Denied, w.status(e))
	w.undone(id, rita)
	require.NotEqual(t, lms.Denied, w.status(e), "nothing that counts stands in its way, and no registrar is told")
}
