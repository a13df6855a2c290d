package registry

import (
	"fmt"
	"strings"
	"testing"

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

func TestWhatWasUndoneMayBeImportedCorrected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.undone(w.imports(row(maya, "First aid,20,2025-06-01,,,,R-1")), rita) // the hours of another column
	again := w.imports(row(maya, "First aid,2,2025-06-01,,,,R-1"))
	require.Equal(t, []string{"credited"}, w.became(again))
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}

func TestWhatWasUndoneAndIsImportedWithItsCourseKnowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita, course := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	w.undone(w.imports(row(maya, course.Title+",1.25,2025-06-01,,,,R-1")), rita) // the column of course codes was forgotten
	w.imports(row(maya, course.Title+",1.25,2025-06-01,,,"+course.Code+",R-1"))
	require.Equal(t, lms.Hours(5), w.recordAt(maya, later).Year(2025).Earned)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits c JOIN registry.credit_blocks b ON b.credit = c.id WHERE c.course = b.course`), "the block is of the credit's course")
}

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

func TestWhatWasHeldBesideAnUndoneSessionStandsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.imports(row(maya, "Morning,2,2025-06-01,2025-06-01 09:00,2025-06-01 11:00,,"))
	w.undone(w.imports(row(maya, "Elsewhere,2,2025-06-01,2025-06-01 10:00,2025-06-01 12:00,,")), rita)
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned, "as before the import that is undone")
}

func TestAnUndoneTwinDoesNotComeBackBesideTheOneThatStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	first := w.imports(row(a, "First aid,2,2025-06-01,,,,R-1"))
	require.NoError(t, w.shares(w.imports(row(b, "First aid,2,2025-06-01,,,,R-1")), 2, b, w.creditOf(a)))
	w.merge(a, b)
	w.undone(first, rita)
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
	again := w.imports(row(lms.Person{MOPDID: a.MOPDID, Given: b.Given, Family: b.Family}, "First aid,2,2025-06-01,,,,R-1"))
	require.Equal(t, []string{"same"}, w.became(again))
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
}

func TestWhatARegistrarDeniedStaysDeniedWhenItsImportIsUndoneAndComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rows := row(maya, "First aid,2,2025-06-01,,,,R-1")
	id := w.imports(rows)
	credit := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: rita}, Verdict{Credit: credit, Status: lms.Denied, Note: "A forged certificate"}, "", lmstest.Now))
	w.undone(id, rita)
	w.imports(rows)
	require.Zero(t, w.recordAt(maya, later).Year(2025).Earned)
}

func TestHoursThatARegistrarDeniedRenewSafeSleepOnlyWhileTheirImportStandsAndStayDeniedWhenItComesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	renews := func() int { return w.count(`SELECT count(*) FROM registry.renewals`) }
	imports := func(hours string) ImportID {
		file := "mopd_id,given,family,title,hours,completed_on,reference,safe_sleep\n" + row(maya, "Safe sleep,"+hours+",2025-06-01,R-1,yes")
		id, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(file), "", lmstest.Now)
		require.NoError(t, err)
		w.works(id)
		require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
		w.works(id)
		return id
	}
	id := imports("2")
	credit := w.creditOf(maya)
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: rita}, Verdict{Credit: credit, Status: lms.Denied, Note: "Paid for by nobody"}, "", lmstest.Now))
	require.Equal(t, 1, renews(), "it was completed")
	w.undone(id, rita)
	require.Zero(t, renews(), "the file that said so is taken back")
	require.Equal(t, []string{"waiting differs"}, w.became(imports("3")), "a registrar denied it once")
	require.Equal(t, []string{"denied hours_denied"}, w.became(imports("2")))
	require.Equal(t, 1, renews())
	require.Zero(t, w.recordAt(maya, later).Year(2025).Earned)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits`))
}

func TestWhatALaterImportSaysTooStaysWhenTheFirstIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rows := row(maya, "First aid,2,2025-06-01,,,,R-1")
	first := w.imports(rows)
	w.imports(rows)
	w.undone(first, rita)
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}

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

func TestNobodyTakesBackTheirOwnRecordsByUndoingAnImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, ana := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.imports(row(rita, "First aid,2,2025-06-01,,,,R-1"))
	credit := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: ana}, Verdict{Credit: credit, Status: lms.Denied, Note: "A forged certificate"}, "", lmstest.Now))
	decisions := w.count(`SELECT count(*) FROM registry.decisions`)
	w.undone(id, rita)
	require.Equal(t, decisions, w.count(`SELECT count(*) FROM registry.decisions`), "another registrar's decision about her stays the latest")
}
