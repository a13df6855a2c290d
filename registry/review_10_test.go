package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestAnUndoneTwinDoesNotComeBackBesideTheOneThatStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	first := w.imports(row(a, "First aid,2,2025-06-01,,,,R-1"))
	w.imports(row(b, "First aid,2,2025-06-01,,,,R-1"))
	w.merge(a, b)
	w.undone(first, rita)
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
	again := w.imports(row(lms.Person{MOPDID: a.MOPDID, Given: b.Given, Family: b.Family}, "First aid,2,2025-06-01,,,,R-1"))
	require.Equal(t, []string{"same"}, w.became(again))
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
}
