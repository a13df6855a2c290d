package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestARegistrarWhoSaysThatARepeatEarnsNothingTakesNoSafeSleepTrainingAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	course := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	w.earned(maya, course, "2025-06-10")
	w.earned(maya, course, "2026-02-01") // earns nothing, and renews (rules §6)
	renewed := lms.Date{Year: 2029, Month: 2, Day: 1}
	require.Equal(t, renewed, w.recordAt(maya, later).SafeSleep.Through)
	repeat := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	require.NoError(t, w.AskReview(t.Context(), maya.ID, repeat, "I did take it", "", lmstest.Now))
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: rita}, Verdict{Credit: repeat, Status: lms.Denied, Note: "Less than twelve months after the last one"}, "", lmstest.Now))
	require.Equal(t, renewed, w.recordAt(maya, later).SafeSleep.Through, "it was a real completion all the same")
}
