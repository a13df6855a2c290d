package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhatWasUndoneAndIsImportedWithItsCourseKnowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita, course := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	w.undone(w.imports(row(maya, course.Title+",1.25,2025-06-01,,,,R-1")), rita) // the column of course codes was forgotten
	w.imports(row(maya, course.Title+",1.25,2025-06-01,,,"+course.Code+",R-1"))
	require.Equal(t, lms.Hours(5), w.recordAt(maya, later).Year(2025).Earned)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits c JOIN registry.credit_blocks b ON b.credit = c.id WHERE c.course = b.course`), "the block is of the credit's course")
}
