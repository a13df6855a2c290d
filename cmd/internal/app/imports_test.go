package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/registry"
)

func TestAnImportWithMismatchesEndsOnTheWorklistAndIsResolved(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	file := filepath.Join(t.TempDir(), "sponsor.csv")
	rows := []string{
		"mopd_id,given,family,title,hours,completed_on,sponsor,starts,ends",
		fmt.Sprintf("%d,%s,%s,Play and learning,2.40,2026-02-03,Sunny College,,", maya.MOPDID, maya.Given, maya.Family),
		fmt.Sprintf("%d,%s,%s,Talking with families,1.5,2026-02-05,Sunny College,,", maya.MOPDID, maya.Given, "Misspelt"),
		fmt.Sprintf("999999,%s,%s,First days,1,2026-02-06,Sunny College,,", maya.Given, maya.Family),
		fmt.Sprintf("%d,%s,%s,Evening,1,soon,Sunny College,,", maya.MOPDID, maya.Given, maya.Family),
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(rows, "\n")), 0o600))

	p := b.newTab(t)
	p.signIn(rita)
	p.open("/records")
	p.click(`a[href="/records/imports"]`)
	p.sees("No file was added yet.")
	p.accessibleInBoth("imports-empty")
	p.do("choose the file", chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	p.sees("Not imported yet: this is what will happen")
	p.sees("rounded down to whole quarters")
	p.sees("The person with this MOPD ID never had this name.")
	p.sees("Give the day of completion as 2025-03-15")
	p.accessibleInBoth("import-ready")
	require.Zero(t, b.counts(`SELECT count(*) FROM registry.credits`))
	p.click(`label[for="tells"]`)
	p.click(`form[action$="/order"] button`)
	p.sees("Imported")
	p.sees("Say whose 2 records are")
	p.accessibleInBoth("import-imported")
	require.Contains(t, p.mail("Your records of training from elsewhere").Text, "1 record counts.")

	p.open("/records")
	p.sees("2 imported rows wait: say whose they are")
	p.click(`a[href="/records/rows"]`)
	p.sees("Whose record is this?")
	p.sees("from 2.25 to 3.75 of 12.0")
	p.focuses("note") // where one types first
	p.accessibleInBoth("row")
	p.click(`button[name="person"]`)
	p.sees("Say why. It is kept for the record.")
	p.accessible("row-wrong")
	p.fill("#note", "Misspelt by the college")
	p.click(fmt.Sprintf(`button[name="person"][value="%d"]`, maya.ID))
	p.sees("The record is theirs now.")
	p.sees("Nobody has this MOPD ID.") // the next one is there at once
	p.fill("#mopd_id", fmt.Sprint(rita.MOPDID-1))
	p.click(`form[method="get"] button`)
	p.sees("Nobody has this MOPD ID.")
	p.fill("#note", "Not one of ours")
	p.click(`button[name="person"][value="0"]`)
	p.sees("Dismissed. The row goes to nobody.")
	require.Equal(t, 2, b.counts(`SELECT count(*) FROM registry.credits`))

	p.signIn(maya)
	p.open("/report?year=2026")
	p.sees("Play and learning")
	p.sees("Talking with families")
	p.sees("3.75")

	p.signIn(rita)
	p.open("/records/imports")
	p.accessible("imports")
	p.click("main table a")
	p.click("#undo")
	p.click(`form[action$="/undo"] button`)
	p.sees("Say why. The person reads it.")
	p.fill("#note", "The college sent a wrong file")
	p.click(`form[action$="/undo"] button`)
	p.sees("Undone")
	p.accessibleInBoth("import-undone")
	p.signIn(maya)
	p.open("/report?year=2026")
	p.sees("A registrar: The college sent a wrong file")
}

func TestRowsArePastedOutOfASpreadsheet(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	p := b.newTab(t)
	p.signIn(rita)
	p.open("/records/imports")
	p.click("main details summary")
	p.click("main details button")
	p.sees("There is no row to read.")
	p.accessible("imports-wrong")
	p.fill("#rows", "mopd_id\ttitle\n100000\tFirst aid")
	p.click("main details button")
	p.sees("This one is missing: given.")
	p.fill("#rows", fmt.Sprintf("mopd_id\tgiven\tfamily\ttitle\thours\tcompleted_on\n%d\t%s\t%s\tFirst aid\t2\t2/3/2026", maya.MOPDID, maya.Given, maya.Family))
	p.click("main details button")
	p.sees("Not imported yet: this is what will happen")
	p.click(`form[action$="/order"] button[formaction]`)
	p.sees("Put away. Nobody’s record changed.")
	require.Zero(t, b.counts(`SELECT count(*) FROM registry.credits`))
}

// worksImport works an import to its end.
func (b *box) worksImport(id registry.ImportID) {
	b.Helper()
	for ended := false; !ended; {
		var err error
		ended, err = b.Registry.WorkImport(b.Context(), id, b.clock.Now())
		require.NoError(b, err)
	}
}

func TestWhoseYearsARegistrarSeesBesideARowIsWrittenDown(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	rows := fmt.Sprintf("mopd_id,given,family,title,hours,completed_on\n999999,%s,%s,First days,1.5,2026-02-06\n", maya.Given, maya.Family)
	id, err := b.Registry.ReadImport(t.Context(), 0, "rows.csv", strings.NewReader(rows), "", b.clock.Now())
	require.NoError(t, err)
	b.worksImport(id)
	require.NoError(t, b.Registry.OrderImport(t.Context(), 0, id, false, "", b.clock.Now()))
	b.worksImport(id)

	a := b.signedIn(rita).get(fmt.Sprintf("/records/imports/%d/rows/2", id))
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, maya.Name())
	require.Contains(t, a.body, "to 1.5 of 12.0", "how their year stands")
	require.Equal(t, 1, b.counts(fmt.Sprintf(`SELECT count(*) FROM accounts.audit WHERE actor = %d AND subject = %d AND action = 'record_viewed'`, rita.ID, maya.ID)))
}

func TestALineThatNoRowCanHaveIsNotFound(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	l := b.signedIn(b.person("Rita", lms.Registrar))
	for _, path := range []string{"/records/imports/1/rows/99999999999", "/records/rows?line=99999999999", "/records/imports?page=9000000000000000000"} {
		require.Less(t, l.get(path).status, 500, path)
	}
}

// pastes pastes rows, with the columns that they need and a reference.
func (p *tab) pastes(rows ...string) {
	p.Helper()
	p.open("/records/imports")
	p.click("main details summary")
	p.fill("#rows", "mopd_id,given,family,title,hours,completed_on,course_code,reference\n"+strings.Join(rows, "\n"))
	p.click("main details button")
	p.sees("Row by row")
}

// aRow is a row about somebody, for pastes.
func aRow(p lms.Person, rest string) string {
	return fmt.Sprintf("%d,%s,%s,%s", p.MOPDID, p.Given, p.Family, rest)
}

func TestOneRecordOfTwoPeopleIsSettledByARegistrarWhoSeesWhoseItIs(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, ana, rita := b.person("Maya"), b.person("Ana"), b.person("Rita", lms.Registrar)
	p := b.newTab(t)
	p.signIn(rita)
	p.pastes(aRow(maya, "First aid,2,2026-02-03,,R-1"), aRow(ana, "First aid,2,2026-02-03,,R-1"))
	p.sees("Another person has a record with the same reference.")
	p.click(`form[action$="/order"] button`)
	p.sees("Say whose 1 record is")
	p.click(`a[href^="/records/rows?import="]`)
	p.sees(maya.Name() + ", MOPD ID")
	p.sees("One record is one person’s training.")
	require.Equal(t, 1, b.counts(fmt.Sprintf(`SELECT count(*) FROM accounts.audit WHERE actor = %d AND subject = %d AND action = 'record_viewed'`, rita.ID, maya.ID)))
	p.accessibleInBoth("row-others")
	p.fill("#note", "Both were there")
	p.click(fmt.Sprintf(`button[name="person"][value="%d"]`, ana.ID))
	p.sees("The record is theirs now.")
	require.Equal(t, 2, b.counts(`SELECT count(*) FROM registry.credits`))
}

func TestAnOrderAsksToLookAgainWhenSomethingElseWouldHappenThanWasShown(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	course := lmstest.Course(t, b.DB)
	late := aRow(maya, course.Title+",1.25,"+lms.DateOf(b.clock.Now()).AddDays(-40).String()+","+course.Code+",R-1")
	p := b.newTab(t)
	p.signIn(rita)
	p.pastes(late, aRow(maya, "Play,1,2026-02-03,,R-2"))
	p.sees("Import 2 records")
	b.completes(maya, course, b.clock.Now().AddDate(0, 0, -20))
	p.click(`form[action$="/order"] button`)
	p.sees("Something has changed since you looked: 1 row would now become something else.")
	p.sees("Shown before: Counts")
	p.accessibleInBoth("import-changed")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM registry.credits`), "nothing is imported")
	p.click(`a[href$="?outcome=changed#rows"]`)
	p.sees("A later completion of the same course stands already.")
	p.click(`form[action$="/order"] button`)
	p.sees("Undo this import")
	require.Equal(t, 3, b.counts(`SELECT count(*) FROM registry.credits`))

	p.pastes(late)
	p.sees("Everything in this file is on record already. Put it away.")
	p.accessibleInBoth("import-nothing")
	p.pastes("x,No,Body,Play,1,2026-02-03,,")
	p.sees("No row brings anything new.")
	require.Zero(t, eval[int](p, `document.querySelectorAll("form[action$='/order'] button:not([formaction])").length`))
	p.pastes("999999,No,Body,Play,1,2026-02-03,,")
	p.sees("Put 1 row on the worklist")
}
