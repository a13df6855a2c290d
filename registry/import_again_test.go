package registry

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/sheet"
)

func TestARowWithALongReferenceStopsNoImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, ana := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	random := make([]byte, 4000)
	_, err := rand.Read(random)
	require.NoError(t, err)
	id := w.imports(row(maya, "First aid,2,2025-06-01,,,,"+hex.EncodeToString(random)), row(ana, "First aid,2,2025-06-01,,,,R-2"))
	require.Equal(t, "credited", w.became(id)[1])
}

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

func TestARecordThatLaterComesWithItsReferenceCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(row(maya, "First aid,2,2025-06-01,,,,"))
	w.imports(row(maya, "First aid,2,2025-06-01,,,,R-1"))
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}

func TestARecordThatLaterComesWithItsSessionCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(row(maya, "First aid,2,2025-06-01,,,,"))
	w.imports(row(maya, "First aid,2,2025-06-01,2025-06-01 09:00,2025-06-01 11:00,,"))
	require.Equal(t, lms.Hours(8), w.recordAt(maya, later).Year(2025).Earned)
}

func TestOneRecordUnderTwoProfilesCountsOnceWhenTheyAreMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.imports(row(a, "First aid,2,2025-06-01,,,,R-1"), row(b, "First aid,2,2025-06-01,,,,R-1"))
	w.merge(a, b)
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
}

func TestAReportThatWasPrintedWhileAnImportWorkedStaysWhatItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	id := w.reads(row(maya, "First aid,2,2025-06-01,,,,"))
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	printed := Moment{later.Through, lmstest.Now.Add(time.Second)}
	_, err := w.MakePrint(t.Context(), lms.Viewer{Person: maya}, maya.ID, 2026, printed, "", printed.Known)
	require.NoError(t, err)
	before := w.recordAt(maya, printed)
	w.works(id) // a job that began a second before, and has other people's rows to work first
	require.Equal(t, before, w.recordAt(maya, printed))
}

func TestAJobOfAnImportWorksSoManyRowsHoweverManyPeopleHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const each = 2 * rowsAtATime / 3
	var rows []string
	for range 3 {
		p := lmstest.Person(t, w.db)
		for i := range each {
			rows = append(rows, row(p, fmt.Sprintf("Training %d,1,2025-06-01,,,,", i)))
		}
	}
	id, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(recordsHead+strings.Join(rows, "\n")), "", lmstest.Now)
	require.NoError(t, err)
	ended, err := w.WorkImport(t.Context(), id, lmstest.Now)
	require.NoError(t, err)
	require.False(t, ended)
	require.Equal(t, 2*each, w.count(`SELECT count(*) FROM registry.import_rows WHERE outcome <> ''`), "two people's: a job ends soon after %d rows", rowsAtATime)
}

func TestARecordThatIsFoundToBeOfSafeSleepIsNotCalledTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(row(maya, "Safe sleep,1,2025-06-01,,,,R-1"))
	file := "mopd_id,given,family,title,hours,completed_on,reference,safe_sleep\n" + row(maya, "Safe sleep,1,2025-06-01,R-1,yes")
	id, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(file), "", lmstest.Now)
	require.NoError(t, err)
	w.works(id)
	require.NotEqual(t, []string{"same"}, w.became(id))
}

func TestWhoseRowARegistrarMatchesIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.reads("999999,May,Jones,First aid,2,2025-06-01,,,,")
	require.NoError(t, w.OrderImport(t.Context(), 0, id, true, "", lmstest.Now))
	w.works(id)
	require.NoError(t, w.ResolveRow(t.Context(), lms.Viewer{Person: rita}, id, 2, maya.ID, 0, "Misspelt", "", lmstest.Now))
	require.NotEmpty(t, w.posted.texts(), "the import tells people, and this is their record")
}

func TestTheDatabaseAloneTakesARecordThatSaysNoMoreThanItsDayAndTitleOnce(t *testing.T) {
	w := newWorld(t)
	maya, titles := lmstest.Person(t, w.db), []string{"First aid", "FIRST AID"}
	comes := claim{Source: sourceImport, Person: maya.ID, Hours: 8, EarnedAt: lmstest.Now}
	brings := func(reference, title string, c claim) error {
		c.Reference, c.Title = reference, title
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			_, err := insertCredit(t.Context(), tx, c, lmstest.Now)
			return err
		})
	}
	lmstest.OneWins(t, w.db, ErrRecordThere, func(i int) error {
		return explained(t, brings(fmt.Sprint(i), titles[i%2], comes), "credits_same_record")
	})
	numbered, attended, another := comes, comes, comes
	numbered.Record, attended.Session, another.Person = "R-1", &Session{lmstest.Now.Add(-time.Hour), lmstest.Now}, lmstest.Person(t, w.db).ID
	for i, c := range []claim{numbered, attended, another} {
		require.NoError(t, brings(fmt.Sprint("other/", i), "First aid", c), "says more, or is another person's")
	}
}

func TestOfManyImportsOfOneRecordOneBringsIt(t *testing.T) {
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	ids := make([]ImportID, lmstest.Racers)
	for i := range ids {
		ids[i] = w.reads(row(maya, "First aid,2,2025-06-01,,,,"))
		require.NoError(t, w.OrderImport(t.Context(), 0, ids[i], false, "", lmstest.Now))
	}
	lmstest.OneWins(t, w.db, ErrRecordThere, func(i int) error {
		w.works(ids[i])
		if w.became(ids[i])[0] != "credited" {
			return ErrRecordThere
		}
		return nil
	})
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits`))
}

func TestAFileWithAQuoteThatIsNotClosedIsRefusedAndNothingOfItIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	rows := []string{row(maya, "First aid,2,2025-06-01,,,,"), row(maya, `"Play,1,2025-06-02,,,,`), row(maya, `"Talk",1,2025-06-03,,,,`)}
	_, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(recordsHead+strings.Join(rows, "\n")), "", lmstest.Now)
	require.ErrorIs(t, err, sheet.ErrQuote)
	e, _ := lms.AsError(err)
	require.Equal(t, 3, e.Args["Line"])
	require.Zero(t, w.count(`SELECT count(*) FROM registry.imports`))
}

func TestARowThatSwallowedTheNextOneBringsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, ana := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	// Two stray quotes make one row of two, which has as many cells as each.
	id := w.imports(row(maya, "\"Play,1,2025-06-01,,,,R-1"), row(ana, "Walk\",1,2025-06-01,,,,R-2"))
	require.Equal(t, []string{"unreadable import_row"}, w.became(id))
	require.Zero(t, w.recordAt(maya, later).Year(2025).Earned)
}
