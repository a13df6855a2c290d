package registry

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// orders has an import ordered and worked.
func (w world) orders(id ImportID) Import {
	w.t.Helper()
	require.NoError(w.t, w.OrderImport(w.t.Context(), 0, id, false, "", lmstest.Now))
	w.works(id)
	imp, err := selectImport(w.t.Context(), w.db, id)
	require.NoError(w.t, err)
	return imp
}

// shown is what was shown of the rows of which something else became.
func (w world) shown(id ImportID) (list []string) {
	w.t.Helper()
	rows, err := selectRows(w.t.Context(), w.db, id, rowChanged, 1000, 0)
	require.NoError(w.t, err)
	for _, r := range rows {
		list = append(list, string(r.Shown))
	}
	return list
}

func TestAnOrderNoticesThatSomethingElseWouldHappenThanWasShown(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w world, maya lms.Person, c lms.Course){
		"a policy": func(w world, maya lms.Person, _ lms.Course) {
			lmstest.Policy(w.t, w.db, lms.RepeatCredit, lms.CalendarYear, lms.Date{Year: 2025, Month: 1, Day: 1})
		},
		"a completion": func(w world, maya lms.Person, c lms.Course) { w.earned(maya, c, "2026-02-01") },
		"another import": func(w world, maya lms.Person, c lms.Course) {
			w.imports(row(maya, c.Title+",1.25,2025-12-25,,,"+c.Code+","))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			maya, course, ana := lmstest.Person(t, w.db), lmstest.Course(t, w.db), lmstest.Person(t, w.db)
			if name == "a policy" {
				w.earned(maya, course, "2026-01-05")
			}
			id := w.reads(row(maya, course.Title+",1.25,2025-12-20,,,"+course.Code+","), row(ana, "Play,1,2025-06-01,,,,"))
			foreseen := w.became(id)
			credits := w.count(`SELECT count(*) FROM registry.credits`)
			change(w, maya, course)
			brought := w.count(`SELECT count(*) FROM registry.credits`) - credits

			imp := w.orders(id)
			require.Equal(t, ImportReady, imp.State, "nothing is imported")
			require.Equal(t, 1, imp.Changed)
			require.Equal(t, credits+brought, w.count(`SELECT count(*) FROM registry.credits`))
			fresh := w.became(id)
			require.NotEqual(t, foreseen, fresh, "what would happen now is shown")
			require.Len(t, w.shown(id), 1)

			imp = w.orders(id)
			require.Equal(t, ImportImported, imp.State)
			require.Zero(t, imp.Changed)
			require.Equal(t, fresh, w.became(id))
		})
	}
}

func TestAnImportSaysOfWhichRowsSomethingElseBecameThanWasShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, ana, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"), row(ana, "Play,1,2025-06-01,,,,"))
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	ended, err := w.WorkImport(t.Context(), id, lmstest.Now) // it is checked once more
	require.NoError(t, err)
	require.False(t, ended)
	w.renamed(ana, "Ana", "Nowak", lmstest.Now.Add(time.Second))
	w.works(id)
	imp, err := selectImport(t.Context(), w.db, id)
	require.NoError(t, err)
	require.Equal(t, 1, imp.Changed)
	require.Equal(t, []string{"credited", "waiting name_differs"}, w.became(id))
	require.Equal(t, []string{"credited"}, w.shown(id))
	require.NoError(t, w.ResolveRow(t.Context(), lms.Viewer{Person: rita}, id, 3, ana.ID, 0, "Married", "", lmstest.Now))
	require.Empty(t, w.shown(id), "a registrar settled it")
}

// fails has the rows of somebody given up, as after many tries.
func (w world) fails(id ImportID, state ImportState) {
	w.t.Helper()
	rows, err := selectImportGroup(w.t.Context(), w.db, id, state, 0)
	require.NoError(w.t, err)
	require.NoError(w.t, w.passOver(w.t.Context(), id, &rowsError{rows, lms.ErrUnavailable}))
}

func TestARowThatFailsWhileAnOrderIsCheckedIsShownAndStopsNoSecondOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, ana := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"), row(ana, "Play,1,2025-06-01,,,,"))
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	w.fails(id, ImportChecking)
	w.works(id)
	imp, err := w.Import(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, ImportReady, imp.State)
	require.Equal(t, []string{"credited"}, w.shown(id))

	imp = w.orders(id)
	require.Equal(t, ImportImported, imp.State, "it was seen")
	require.Equal(t, []string{"failed record_failed", "credited"}, w.became(id))
}

func TestWhatAnotherWorkerImportedMeanwhileDoesNotFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"))
	rows, err := selectRows(t.Context(), w.db, id, "", 10, 0)
	require.NoError(t, err)
	require.Equal(t, ImportImported, w.orders(id).State)
	require.NoError(t, w.passOver(t.Context(), id, &rowsError{rows, lms.ErrUnavailable}))
	require.Equal(t, []string{"credited"}, w.became(id))
	w.undone(id, rita)
	require.Zero(t, w.recordAt(maya, later).Year(2025).Earned, "and it is undone with the others")
}

func TestARowThatCannotBeUndoneIsStillSaidToStand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.imports(row(maya, "First aid,2,2025-06-01,,,,"))
	require.NoError(t, w.UndoImport(t.Context(), rita.ID, id, "The wrong file", "", lmstest.Now))
	w.fails(id, ImportUndoing)
	w.works(id)
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
	require.Equal(t, []string{"credited"}, w.became(id))
}

func TestAWorkerThatIsLateEndsNoCheckThatAnotherOrderBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"))
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	imp, err := w.Import(t.Context(), id)
	require.NoError(t, err)
	_, err = w.endWork(t.Context(), imp) // no row is checked yet
	require.NoError(t, err)
	imp, err = w.Import(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, ImportChecking, imp.State)
	w.works(id)
	require.Equal(t, []string{"credited"}, w.became(id))
}
