package registry

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

const oneRecord = "First aid,2,2025-06-01,,,,R-1"

// creditOf is the one credit of somebody.
func (w world) creditOf(p lms.Person) lms.CreditID {
	w.t.Helper()
	return lms.CreditID(w.count(`SELECT id::int FROM registry.credits WHERE person = $1`, p.ID))
}

// shares lets a row that waits count for somebody beside another's credit.
func (w world) shares(id ImportID, line int, p lms.Person, beside lms.CreditID) error {
	return w.ResolveRow(w.t.Context(), lms.Viewer{Person: lmstest.Person(w.t, w.db)}, id, line, p.ID, beside, "Both were there", "", lmstest.Now)
}

func TestOneRecordOfTwoPeopleCountsForOneAndTheOtherWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.reads(row(a, oneRecord), row(b, oneRecord), row(a, oneRecord))
	want := []string{"credited", "waiting others", "same"}
	require.Equal(t, want, w.became(id), "in one file, before anything is imported")
	require.NoError(t, w.OrderImport(t.Context(), 0, id, false, "", lmstest.Now))
	w.works(id)
	require.Equal(t, want, w.became(id))
	other := w.imports(row(c, oneRecord), row(c, "Play,1,2025-06-01,,,,R-2"))
	require.Equal(t, []string{"waiting others", "credited"}, w.became(other), "in two files")
	require.Zero(t, w.recordAt(b, later).Year(2025).Earned)
	require.Equal(t, lms.Hours(8), w.recordAt(a, later).Year(2025).Earned)
}

func TestARegistrarLetsOneRecordCountForTwoPeopleHavingSeenWhoHasIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	id := w.imports(row(a, oneRecord), row(b, oneRecord))
	require.ErrorIs(t, w.shares(id, 3, b, 0), ErrRecordOthers)
	require.ErrorIs(t, w.shares(id, 3, b, w.creditOf(a)+1000), ErrRecordOthers, "not the one that was shown")
	require.NoError(t, w.shares(id, 3, b, w.creditOf(a)))
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)

	rita := lms.Viewer{Person: lmstest.Person(t, w.db)}
	deny := func(p lms.Person, status lms.CreditStatus) error {
		return w.Decide(t.Context(), rita, Verdict{Credit: w.creditOf(p), Status: status, Hours: 8, Note: "As found"}, "", lmstest.Now)
	}
	require.NoError(t, deny(a, lms.Denied))
	require.Equal(t, []string{"waiting others"}, w.became(w.imports(row(c, oneRecord))), "the other of the two has it still")
	require.NoError(t, deny(a, lms.Credited), "as it was decided once")
}

func TestARecordThatARegistrarFindsNotCompletedIsFreeForWhomItIsAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rita := lms.Viewer{Person: lmstest.Person(t, w.db)}
	id := w.imports(row(a, oneRecord), row(b, oneRecord))
	decide := func(status lms.CreditStatus) error {
		return w.Decide(t.Context(), rita, Verdict{Credit: w.creditOf(a), Status: status, NotCompleted: status == lms.Denied, Hours: 8, Note: "It is the other's"}, "", lmstest.Now)
	}
	require.NoError(t, decide(lms.Denied))
	require.NoError(t, w.shares(id, 3, b, 0))
	require.Equal(t, lms.Hours(8), w.recordAt(b, later).Year(2025).Earned)
	require.ErrorIs(t, decide(lms.Credited), ErrRecordOthers)
	require.ErrorIs(t, decide(lms.Held), ErrRecordOthers)
}

func TestAnUndoneRecordIsFreeForWhomItIsAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.undone(w.imports(row(a, oneRecord)), rita)
	require.Equal(t, []string{"credited"}, w.became(w.imports(row(b, oneRecord))))
	require.Equal(t, []string{"waiting others"}, w.became(w.imports(row(a, oneRecord))), "it does not come back beside the other")
}

func TestTwoSponsorsMayKnowTwoRecordsByOneReference(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	file := "mopd_id,given,family,title,hours,completed_on,sponsor,reference\n" +
		row(a, "First aid,2,2025-06-01,Sunny College,1\n") + row(b, "Play,2,2025-06-02,Hill Street,1\n") + row(c, "First aid,2,2025-06-01,SUNNY COLLEGE,1\n")
	id, err := w.ReadImport(t.Context(), 0, "records.csv", strings.NewReader(file), "", lmstest.Now)
	require.NoError(t, err)
	w.works(id)
	require.Equal(t, []string{"credited", "credited", "waiting others"}, w.became(id))
}

func TestARecordIsAnothersWhereSponsorAndReferenceAreTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sponsor, record := rapid.SampledFrom([]string{"", "Sunny", "sunny", "Hill"}), rapid.SampledFrom([]string{"", "1", "2"})
		var others []numbered
		for i := range rapid.IntRange(0, 4).Draw(t, "others") {
			others = append(others, numbered{lms.CreditID(i + 1), sponsor.Draw(t, "sponsor"), record.Draw(t, "record")})
		}
		c := claim{Sponsor: sponsor.Draw(t, "own sponsor"), Record: record.Draw(t, "own record")}
		var want lms.CreditID
		for _, o := range others {
			if want == 0 && c.Record != "" && o.Record == c.Record && strings.EqualFold(o.Sponsor, c.Sponsor) {
				want = o.Credit
			}
		}
		other, has := c.hasElse(others)
		if has != (want != 0) || other.Credit != want {
			t.Fatalf("found %v, want credit %d", other, want)
		}
	})
}

func TestOfManyImportsOfOneRecordOfManyPeopleOneCounts(t *testing.T) {
	w := newWorld(t)
	ids := make([]ImportID, lmstest.Racers)
	for i := range ids {
		ids[i] = w.reads(row(lmstest.Person(t, w.db), oneRecord))
		require.NoError(t, w.OrderImport(t.Context(), 0, ids[i], false, "", lmstest.Now))
	}
	lmstest.OneWins(t, w.db, ErrRecordOthers, func(i int) error {
		for ended := false; !ended; {
			var err error
			if ended, err = w.WorkImport(t.Context(), ids[i], lmstest.Now); err != nil {
				return err
			}
		}
		if became := w.became(ids[i])[0]; became != "credited" {
			require.Equal(t, "waiting others", became)
			return ErrRecordOthers
		}
		return nil
	})
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits`))
}

func TestTheDatabaseAloneLetsOneRecordBeOnePersons(t *testing.T) {
	w := newWorld(t)
	people := make([]lms.Person, lmstest.Racers)
	for i := range people {
		people[i] = lmstest.Person(t, w.db)
	}
	lmstest.OneWins(t, w.db, ErrRecordOthers, func(i int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			if _, err := selectOthers(t.Context(), tx, people[i].ID, 0, "R-1"); err != nil { // only to wait: what it says is not looked at
				return err
			}
			id, err := insertCredit(t.Context(), tx, claim{Source: sourceImport, Reference: fmt.Sprint(i), Person: people[i].ID, Record: "R-1", Sponsor: "Sunny", Title: "Play", Hours: 4, EarnedAt: lmstest.Now}, lmstest.Now)
			if err != nil {
				return err
			}
			return explained(t, insertReference(t.Context(), tx, id, 0), "credit_references_one_person")
		})
	})
}

func TestARecordThatWasDeniedBeforeReferencesWereKeptIsGuardedOnceItCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rita := lms.Viewer{Person: lmstest.Person(t, w.db)}
	w.imports(row(a, oneRecord))
	decide := func(v Verdict) error {
		v.Credit, v.Note = w.creditOf(a), "As found"
		return w.Decide(t.Context(), rita, v, "", lmstest.Now)
	}
	require.NoError(t, decide(Verdict{Status: lms.Denied, NotCompleted: true}))
	_, err := w.db.Exec(t.Context(), `DELETE FROM registry.credit_references`) // the migration gave it none
	require.NoError(t, err)
	require.NoError(t, decide(Verdict{Status: lms.Credited, Hours: 8}))
	require.Equal(t, []string{"waiting others"}, w.became(w.imports(row(b, oneRecord))))
}

func TestARecordWhoseHoursAloneWereDeniedRenewsSafeSleepOfOnePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rita := lms.Viewer{Person: lmstest.Person(t, w.db)}
	course := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	sleep := course.Title + ",1.25,2025-06-01,,," + course.Code + ",R-1"
	w.imports(row(a, sleep))
	require.NoError(t, w.Decide(t.Context(), rita, Verdict{Credit: w.creditOf(a), Status: lms.Denied, Note: "No hours"}, "", lmstest.Now))
	require.NotEqual(t, lms.SafeSleepNone, w.recordAt(a, later).SafeSleep.State)
	require.Equal(t, []string{"waiting others"}, w.became(w.imports(row(b, sleep))))
	require.Equal(t, lms.SafeSleepNone, w.recordAt(b, later).SafeSleep.State)
}

func TestAMergeLeavesARecordDeniedThatARegistrarFoundNotCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	rita := lms.Viewer{Person: lmstest.Person(t, w.db)}
	course := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	for _, p := range []lms.Person{a, b} {
		w.imports(row(p, course.Title+",1.25,2025-06-01,,,"+course.Code+","))
		require.NoError(t, w.Decide(t.Context(), rita, Verdict{Credit: w.creditOf(p), Status: lms.Denied, NotCompleted: true, Note: "Forged"}, "", lmstest.Now))
	}
	w.merge(a, b)
	require.Equal(t, lms.SafeSleepNone, w.recordAt(b, later).SafeSleep.State)
	require.Zero(t, w.count(`SELECT count(*) FROM registry.decisions WHERE status = 'held'`), "what was decided stands")
}
