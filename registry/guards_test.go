package registry

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// manyCompleted are as many completions of one course by one person on one day as
// there are racers.
func (w world) manyCompleted(p lms.Person, c lms.Course) []lms.EnrollmentID {
	all := make([]lms.EnrollmentID, lmstest.Racers)
	for i := range all {
		all[i] = w.completed(p, c, lmstest.Now)
	}
	return all
}

func TestOfManyCompletionsOfACourseOneEarns(t *testing.T) {
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	all := w.manyCompleted(p, c)
	for _, err := range lmstest.Race(t, w.db, func(i int) error { return w.post(all[i]) }) {
		require.NoError(t, err)
	}
	rows := w.rows(p, 2026)
	require.Len(t, rows, lmstest.Racers)
	credited := 0
	for _, r := range rows {
		if r.Status == lms.Credited {
			credited++
			continue
		}
		require.Equal(t, lms.Denied, r.Status)
		require.Equal(t, lmstest.Today.AddMonths(12), r.From)
	}
	require.Equal(t, 1, credited)
	w.in(func(tx pgx.Tx) error {
		require.ErrorIs(t, w.CanEarn(t.Context(), tx, p.ID, c.ID, lmstest.Today), lms.ErrEarnsAgain)
		return nil
	})
}

// Without the person's lock these transactions would, in some rounds, deadlock on the
// exclusion constraint instead of losing.
func TestTheDatabaseAloneLetsACourseEarnOnceAYear(t *testing.T) {
	w := newWorld(t)
	for round := range 5 {
		w.raceForABlock()
		require.Equal(t, round+1, w.count(`SELECT count(*) FROM registry.credit_blocks`))
		require.Equal(t, round+1, w.count(`SELECT count(*) FROM registry.credits`), "a loser left a credit")
	}
}

func (w world) raceForABlock() {
	t := w.t
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	all := w.manyCompleted(p, c)
	lmstest.OneWins(t, w.db, lms.ErrEarnsAgain, func(i int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			if err := pg.LockPerson(t.Context(), tx, p.ID); err != nil {
				return err
			}
			completion := lms.Completion{Enrollment: all[i], Person: p.ID, Course: c.ID, Title: c.Title, Sponsor: c.Sponsor, Hours: c.Hours, At: lmstest.Now}
			id, err := insertCredit(t.Context(), tx, completed(completion), lmstest.Now)
			if err != nil {
				return err
			}
			from := lmstest.Today.AddDays(i) // every range overlaps every other
			err = insertBlock(t.Context(), tx, id, p.ID, c.ID, lms.DateRange{From: from, Until: from.AddMonths(12)})
			return explained(t, err, "credit_blocks_once_a_year")
		})
	})
}

func TestACompletionPostedManyTimesAtOnceIsOneCredit(t *testing.T) {
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	for _, err := range lmstest.Race(t, w.db, func(int) error { return w.post(e) }) {
		require.NoError(t, err)
	}
	require.Len(t, w.rows(p, 2026), 1)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.decisions`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit`))
}

func TestTheDatabaseAloneTakesOneCreditForOneCompletion(t *testing.T) {
	w := newWorld(t)
	p, course := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	lmstest.OneWins(t, w.db, lms.ErrCreditPosted, func(int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			_, err := insertCredit(t.Context(), tx, completed(lms.Completion{Enrollment: 1, Person: p.ID, Course: course.ID, Title: "Safe sleep", Hours: 5, At: lmstest.Now}), lmstest.Now)
			return explained(t, err, "credits_source_reference_key")
		})
	})
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.credits`))
}

// explained wants a refusal to come from that constraint and no other.
func explained(t *testing.T, err error, constraint string) error {
	if err != nil && pg.Violated(err) != constraint {
		t.Errorf("violated %q, want %q: %v", pg.Violated(err), constraint, err)
	}
	return guards.Explain(err)
}
