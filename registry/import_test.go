package registry

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/sheet"
)

const recordsHead = "mopd_id,given,family,title,hours,completed_on,starts,ends,course_code,reference\n"

// said reads one row.
func said(t *testing.T, rest string) (Said, error) {
	t.Helper()
	table, err := sheet.NewReader(strings.NewReader(recordsHead+"100001,Maya,Jones,"+rest), recordColumns...)
	require.NoError(t, err)
	row, _, err := table.Next()
	require.NoError(t, err)
	return readSaid(row, lmstest.Now)
}

func TestARecordFromElsewhereIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		row     string
		want    *lms.Error
		hours   lms.Hours
		rounded bool
	}{
		{row: "First aid,1.25,2025-03-15,,,,", hours: 5},
		{row: "First aid,1,3/15/2025,,,,", hours: 4},
		{row: "First aid,1.40,2025-03-15,,,,", hours: 5, rounded: true},
		{row: "First aid,1.2499999,2025-03-15,,,,", want: ErrRecordHours},
		{row: "First aid,0.24,2025-03-15,,,,", want: ErrRecordHours},
		{row: "First aid,100.25,2025-03-15,,,,", want: ErrRecordHours},
		{row: "First aid,-1,2025-03-15,,,,", want: ErrRecordHours},
		{row: "First aid,1e1,2025-03-15,,,,", want: ErrRecordHours},
		{row: ",1,2025-03-15,,,,", want: ErrRecordTitle},
		{row: "First aid,1,2030-03-15,,,,", want: ErrRecordDate},
		{row: "First aid,1,soon,,,,", want: ErrRecordDate},
		{row: "First aid,1,2025-03-15,2025-03-15 18:00,2025-03-15 19:00,,", hours: 4},
		{row: "First aid,1,2025-03-15,2025-03-15 18:00,,,", want: ErrRecordTimes},
		{row: "First aid,1,2025-03-15,2025-03-15 19:00,2025-03-15 18:00,,", want: ErrRecordTimes},
		{row: "First aid,1,2025-03-14,2025-03-15 18:00,2025-03-15 19:00,,", want: ErrRecordTimes},
		{row: "First aid,1,2025-11-02,2025-11-02 01:15,2025-11-02 03:00,,", want: ErrRecordClock}, // shown twice
		{row: "First aid,1,2025-03-09,2025-03-09 02:15,2025-03-09 03:30,,", want: ErrRecordClock}, // never shown
		{row: "First aid,1,2025-11-02,2025-11-02T01:15-05:00,2025-11-02 03:00,,", hours: 4},
	} {
		s, err := said(t, test.row)
		if test.want != nil {
			require.ErrorIs(t, err, test.want, test.row)
			continue
		}
		require.NoError(t, err, test.row)
		require.Equal(t, test.hours, s.Hours, test.row)
		require.Equal(t, test.rounded, s.Rounded, test.row)
	}
}

func TestAnHourThatIsNoWholeQuarterIsRoundedDownAndSaysSo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hundredths := rapid.IntRange(25, 10_000).Draw(t, "hundredths")
		hours, rounded, err := wholeQuarters(fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100))
		require.NoError(t, err)
		require.Equal(t, lms.Hours(hundredths/25), hours)
		require.Equal(t, hundredths%25 != 0, rounded)
	})
}

func FuzzARowOfRecordsIsReadOrRefused(f *testing.F) {
	f.Add("100001", "First aid", "1.25", "2025-03-15", "2025-03-15 18:00", "2025-03-15T19:00-05:00")
	f.Add("100001", "x", "999999999999", "2/30/2025", "2026-11-01 01:15", "1/1/2025 3:04 PM")
	f.Fuzz(func(t *testing.T, id, title, hours, day, starts, ends string) {
		cells := map[string]string{"mopd_id": id, "title": title, "hours": hours, "completed_on": day, "starts": starts, "ends": ends}
		s, err := readSaid(func(column string) string { return cells[column] }, lmstest.Now)
		if err != nil {
			_, refused := lms.AsError(err)
			require.True(t, refused, "%v", err)
			return
		}
		require.True(t, s.MOPDID.Valid() && s.Hours > 0 && s.Hours <= mostHours && !s.EarnedAt().After(s.On.End()))
		require.Equal(t, s.On, lms.DateOf(s.EarnedAt()))
	})
}

func TestSessionsOverlapInUTC(t *testing.T) {
	t.Parallel()
	session := func(starts, ends string) Session {
		s, err := said(t, "First aid,1,2025-11-02,"+starts+","+ends+",,")
		require.NoError(t, err)
		return Session{*s.Starts, *s.Ends}
	}
	daylight, standard := session("2025-11-02T01:15-05:00", "2025-11-02T01:50-05:00"), session("2025-11-02T01:10-06:00", "2025-11-02T01:55-06:00")
	require.False(t, daylight.overlaps(standard) || standard.overlaps(daylight), "an hour lies between them, though clocks show the same")
	next := session("2025-11-02T01:50-05:00", "2025-11-02T02:50-05:00")
	require.False(t, daylight.overlaps(next), "half-open: one may begin when another ends")
	require.True(t, next.overlaps(standard))
}

// imports works a file to its end.
func (w world) imports(rows ...string) ImportID {
	w.t.Helper()
	id := w.reads(rows...)
	require.NoError(w.t, w.OrderImport(w.t.Context(), 0, id, false, "", lmstest.Now))
	w.works(id)
	return id
}

// reads foresees what a file would bring.
func (w world) reads(rows ...string) ImportID {
	w.t.Helper()
	id, err := w.ReadImport(w.t.Context(), 0, "records.csv", strings.NewReader(recordsHead+strings.Join(rows, "\n")), "", lmstest.Now)
	require.NoError(w.t, err)
	w.works(id)
	return id
}

func (w world) works(id ImportID) {
	w.t.Helper()
	for ended := false; !ended; {
		var err error
		ended, err = w.WorkImport(w.t.Context(), id, lmstest.Now)
		require.NoError(w.t, err)
	}
}

// row is a row about somebody.
func row(p lms.Person, rest string) string {
	return fmt.Sprintf("%d,%s,%s,%s", p.MOPDID, p.Given, p.Family, rest)
}

// became is what became of an import's rows, in their order.
func (w world) became(id ImportID) (list []string) {
	w.t.Helper()
	rows, err := selectRows(w.t.Context(), w.db, id, "", 1000, 0)
	require.NoError(w.t, err)
	for _, r := range rows {
		list = append(list, strings.TrimSpace(string(r.Outcome)+" "+r.Why))
	}
	return list
}

func TestWhatAnImportWillDoIsShownBeforeAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, course := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	w.completedAt(maya, 5, "2026-02-01")
	before := w.recordAt(maya, later)
	rows := []string{
		row(maya, "First aid,2,2025-06-01,,,,"),
		row(maya, "First aid,2,2025-06-01,,,,"), // twice in the file
		row(maya, course.Title+",1.25,2025-01-10,,,"+course.Code+","),
		row(maya, course.Title+",1.25,2025-06-10,,,"+course.Code+","),
		"999999,No,Body,First aid,2,2025-06-01,,,,",
		fmt.Sprintf("%d,Maya,Nobody,First aid,2,2025-06-01,,,,", maya.MOPDID),
		"x,No,Body,First aid,2,2025-06-01,,,,",
	}
	foreseen := w.reads(rows...)
	want := []string{"credited", "same", "credited", "denied repeat_credit", "waiting no_such_id", "waiting name_differs", "unreadable import_mopd_id"}
	require.Equal(t, want, w.became(foreseen))
	require.Equal(t, before, w.recordAt(maya, later))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits`))
	require.NoError(t, w.OrderImport(t.Context(), 0, foreseen, false, "", lmstest.Now))
	w.works(foreseen)
	require.Equal(t, want, w.became(foreseen), "what was shown is what is done")
	require.Equal(t, 1+3, w.count(`SELECT count(*) FROM registry.credits`))
	require.ErrorIs(t, w.OrderImport(t.Context(), 0, foreseen, false, "", lmstest.Now), ErrImportState)
}

func TestALateRecordOfACourseThatCollidesIsHeldAndWhatIsRecordedStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, course := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	e := w.completed(maya, course, at("2026-02-01", t))
	w.in(func(tx pgx.Tx) error { return w.Post(t.Context(), tx, e, lmstest.Now) })
	id := w.imports(row(maya, course.Title+",1.25,2025-12-20,,,"+course.Code+","))
	require.Equal(t, []string{"held younger_stands"}, w.became(id))
	require.Equal(t, lms.Credited, w.rows(maya, 2026)[0].Status)
}

func TestACompletionThatIsStillToBePostedComesBeforeALateRecordOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, course := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	w.completed(maya, course, at("2026-02-01", t))
	id := w.imports(row(maya, course.Title+",1.25,2025-12-20,,,"+course.Code+","))
	require.Equal(t, []string{"held younger_stands"}, w.became(id))
	require.Equal(t, lms.Credited, w.rows(maya, 2026)[0].Status)
}

func TestRecordsThatWereAttendedAtOnceAreBothHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(row(maya, "Morning,2,2025-06-01,2025-06-01 09:00,2025-06-01 11:00,,"), row(maya, "Noon,1,2025-06-01,2025-06-01 11:00,2025-06-01 12:00,,"))
	require.Equal(t, 12, w.count(`SELECT sum(quarters)::int FROM registry.decisions`), "one begins when the other ends")
	id := w.imports(row(maya, "Elsewhere,1,2025-06-01,2025-06-01 10:00,2025-06-01 11:00,,"), row(maya, "Some time,1,2025-06-01,,,,"))
	require.Equal(t, []string{"held at_once", "credited"}, w.became(id), "a record with a date only is not held for this")
	held := map[string]lms.CreditStatus{}
	for _, r := range w.rows(maya, 2025) {
		held[r.Title] = r.Status
	}
	require.Equal(t, map[string]lms.CreditStatus{"Morning": lms.Held, "Noon": lms.Credited, "Elsewhere": lms.Held, "Some time": lms.Credited}, held)
}

func TestAFileImportedTwiceBringsNothingTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	rows := []string{row(maya, "First aid,2,2025-06-01,,,,R-1"), row(maya, "Play,1,2025-07-01,,,,")}
	w.imports(rows...)
	require.Equal(t, []string{"same", "same"}, w.became(w.imports(rows...)))
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.credits`))
	other := w.imports(row(maya, "First aid,3,2025-06-01,,,,R-1"))
	require.Equal(t, []string{"waiting differs"}, w.became(other), "another number of hours under the same reference is for a registrar")
}

func TestAnImportIsUndoneByNewerDecisionsAndMayBeImportedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	course := lmstest.Course(t, w.db)
	rows := []string{row(maya, course.Title+",1.25,2025-06-01,,,"+course.Code+","), row(maya, "Play,1,2025-07-01,2025-07-01 09:00,2025-07-01 10:00,,"), "999999,No,Body,Play,1,2025-07-01,,,,"}
	id := w.imports(rows...)
	imported := Moment{later.Through, lmstest.Now.Add(time.Hour)}
	before := w.recordAt(maya, imported)
	require.ErrorIs(t, w.UndoImport(t.Context(), rita.ID, id, "", "", lmstest.Now), lms.ErrForm)
	require.NoError(t, w.UndoImport(t.Context(), rita.ID, id, "The wrong file", "", lmstest.Now.Add(2*time.Hour)))
	for ended := false; !ended; {
		var err error
		ended, err = w.WorkImport(t.Context(), id, lmstest.Now.Add(2*time.Hour))
		require.NoError(t, err)
	}
	require.Zero(t, w.recordAt(maya, later).Year(2025).Earned)
	require.Equal(t, before, w.recordAt(maya, imported), "a report as known before the undoing stays")
	require.Zero(t, w.count(`SELECT count(*) FROM registry.credit_blocks`)+w.count(`SELECT count(*) FROM registry.credit_sessions`))
	require.Equal(t, []string{"denied undone", "denied undone", "dismissed no_such_id"}, w.became(id))

	again := w.reads(rows...)
	require.NoError(t, w.OrderImport(t.Context(), 0, again, false, "", lmstest.Now))
	w.works(again)
	require.Equal(t, []string{"credited", "credited", "waiting no_such_id"}, w.became(again))
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.credits`), "the same credits, by newer decisions")
	require.Equal(t, lms.Hours(9), w.recordAt(maya, later).Year(2025).Earned)
}

func TestNobodyImportsTheirOwnRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	id, err := w.ReadImport(t.Context(), rita.ID, "mine.csv", strings.NewReader(recordsHead+row(rita, "First aid,12,2025-06-01,,,,")), "", lmstest.Now)
	require.NoError(t, err)
	w.works(id)
	require.Equal(t, []string{"waiting own"}, w.became(id))
	require.NoError(t, w.OrderImport(t.Context(), rita.ID, id, false, "", lmstest.Now))
	w.works(id)
	require.ErrorIs(t, w.ResolveRow(t.Context(), lms.Viewer{Person: rita}, id, 2, rita.ID, 0, "It is me", "", lmstest.Now), ErrOwnCredit)
	require.Zero(t, w.count(`SELECT count(*) FROM registry.credits`))
}

func TestOfManyWorkersOnOneImportEachRowIsBroughtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var rows []string
	for range 20 {
		p := lmstest.Person(t, w.db)
		rows = append(rows, row(p, "First aid,2,2025-06-01,,,,"), row(p, "Play,1,2025-07-01,,,,"))
	}
	id := w.reads(rows...)
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	var workers errgroup.Group
	for range 4 {
		workers.Go(func() error {
			_, err := w.WorkImport(t.Context(), id, lmstest.Now)
			return err
		})
	}
	require.NoError(t, workers.Wait())
	w.works(id)
	require.Equal(t, len(rows), w.count(`SELECT count(*) FROM registry.credits`))
	require.Equal(t, len(rows), w.count(`SELECT count(*) FROM registry.decisions`))
}

func TestOfManyRegistrarsWhoSettleARowOneDoes(t *testing.T) {
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.imports("999999,May,Jones,First aid,2,2025-06-01,,,,")
	lmstest.OneWins(t, w.db, ErrRecordSettled, func(i int) error {
		if i%2 == 0 {
			return w.DismissRow(t.Context(), lms.Viewer{Person: rita}, id, 2, "Unknown", "", lmstest.Now)
		}
		return w.ResolveRow(t.Context(), lms.Viewer{Person: rita}, id, 2, maya.ID, 0, "Misspelt", "", lmstest.Now)
	})
}

func TestTheDatabaseAloneLetsNobodyStandAtTwoSessionsAtOnce(t *testing.T) {
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	lmstest.OneWins(t, w.db, ErrAtOnce, func(i int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			if err := pg.LockPerson(t.Context(), tx, maya.ID); err != nil {
				return err
			}
			starts := lmstest.Now.Add(time.Duration(i) * time.Minute)
			id, err := insertCredit(t.Context(), tx, claim{Source: sourceImport, Reference: fmt.Sprint(i), Person: maya.ID, Title: "Play", Hours: 4, EarnedAt: starts.Add(time.Hour), Session: &Session{starts, starts.Add(time.Hour)}}, lmstest.Now)
			if err != nil {
				return err
			}
			return explained(t, insertSession(t.Context(), tx, id, maya.ID, Session{starts, starts.Add(time.Hour)}), "credit_sessions_one_at_a_time")
		})
	})
}

func TestTheDatabaseAloneWantsAReasonForUndoingAndForSettlingARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	id := w.imports("999999,May,Jones,First aid,2,2025-06-01,,,,")
	_, err := w.db.Exec(t.Context(), `UPDATE registry.imports SET state = 'undoing', undone_by = $2 WHERE id = $1`, id, rita.ID)
	require.Equal(t, "imports_undoing_says_why", pg.Violated(err))
	_, err = w.db.Exec(t.Context(), `UPDATE registry.import_rows SET resolved_by = $2 WHERE import = $1`, id, rita.ID)
	require.Equal(t, "import_rows_resolved_says_why", pg.Violated(err))
}

func TestProfilesOfOnePersonThatWereAtTwoSessionsAtOnceHaveBothHeldWhenMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.imports(row(a, "Morning,2,2025-06-01,2025-06-01 09:00,2025-06-01 11:00,,"), row(b, "Elsewhere,2,2025-06-01,2025-06-01 10:00,2025-06-01 12:00,,"))
	w.in(func(tx pgx.Tx) error {
		titles, err := w.HeldByMerge(t.Context(), tx, a.ID, b.ID)
		require.ElementsMatch(t, []string{"Morning", "Elsewhere"}, titles)
		if err != nil {
			return err
		}
		return w.Merge(t.Context(), tx, a.ID, b.ID, lmstest.Now.Add(time.Minute))
	})
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.decisions WHERE status = 'held' AND reason = 'at_once'`))
	require.Zero(t, w.count(`SELECT count(*) FROM registry.credit_sessions`))
}
