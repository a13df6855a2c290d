package enrollments

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// manyReady are as many ready enrollments of one person as there are racers.
func manyReady(t *testing.T, db *pgxpool.Pool, p lms.Person) []lms.Enrollment {
	ready := make([]lms.Enrollment, lmstest.Racers)
	for i := range ready {
		ready[i] = lmstest.Enrollment(t, db, p, lmstest.Course(t, db))
	}
	return ready
}

func count(t *testing.T, db *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

func TestOfManyCoursesStartedAtOnceOneIsActive(t *testing.T) {
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	ready := manyReady(t, w.db, p)
	winner := lmstest.OneWins(t, w.db, lms.ErrAnotherActive, func(i int) error {
		return w.start(p, ready[i].ID, 0, lmstest.Now)
	})
	require.Equal(t, lms.Active, w.enrollment(ready[winner].ID).State)
	require.Equal(t, 1, count(t, w.db, `SELECT count(*) FROM enrollments.enrollments WHERE state = 'active'`))
}

func TestTheDatabaseAloneKeepsOneCourseActive(t *testing.T) {
	db := lmstest.DB(t)
	ready := manyReady(t, db, lmstest.Person(t, db))
	lmstest.OneWins(t, db, lms.ErrAnotherActive, func(i int) error {
		return pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
			err := updateActive(t.Context(), tx, ready[i].ID, lmstest.Now)
			return explained(t, err, "enrollments_one_active")
		})
	})
	require.Equal(t, 1, count(t, db, `SELECT count(*) FROM enrollments.enrollments WHERE state = 'active'`))
}

func TestOfManyRegistrationsAtOnceOneIsOpen(t *testing.T) {
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), w.course()
	lmstest.OneWins(t, w.db, lms.ErrAlreadyEnrolled, func(int) error {
		_, err := w.register(p, c, lmstest.Now)
		return err
	})
	require.Equal(t, 1, count(t, w.db, `SELECT count(*) FROM enrollments.enrollments`))
}

func TestTheDatabaseAloneKeepsOneEnrollmentOpen(t *testing.T) {
	db := lmstest.DB(t)
	p, c := lmstest.Person(t, db), lmstest.Course(t, db)
	window, err := lmstest.Policies(t, db).On(lms.WindowPolicy, lmstest.Today)
	require.NoError(t, err)
	lmstest.OneWins(t, db, lms.ErrAlreadyEnrolled, func(int) error {
		return pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
			_, err := insertEnrollment(t.Context(), tx, p.ID, c, window, lmstest.Today, lmstest.Today.AddMonths(12), lmstest.Now)
			return explained(t, err, "enrollments_one_open")
		})
	})
	require.Equal(t, 1, count(t, db, `SELECT count(*) FROM enrollments.enrollments`))
}

// explained wants a refusal to come from that constraint and no other.
func explained(t *testing.T, err error, constraint string) error {
	if err != nil && pg.Violated(err) != constraint {
		t.Errorf("violated %q, want %q: %v", pg.Violated(err), constraint, err)
	}
	return guards.Explain(err)
}

func TestOfManyCompletionsAtOnceOneCounts(t *testing.T) {
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course(), active)
	lmstest.OneWins(t, w.db, lms.ErrAlreadyCompleted, func(int) error { return w.complete(p, e.ID, lmstest.Now) })
	require.Equal(t, []lms.EnrollmentID{e.ID}, w.posting)
}

func TestPeopleDoNotWaitForEachOthersRules(t *testing.T) {
	w := newWorld(t)
	c := w.course()
	people := make([]lms.Person, lmstest.Racers)
	for i := range people {
		people[i] = lmstest.Person(t, w.db)
	}
	for i, err := range lmstest.Race(t, w.db, func(i int) error {
		id, err := w.register(people[i], c, lmstest.Now)
		if err != nil {
			return err
		}
		return w.start(people[i], id, 0, lmstest.Now)
	}) {
		require.NoError(t, err, i)
	}
}

func TestTheWindowInTheDatabaseIsTheWindowOfTheRule(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	p, c := lmstest.Person(t, db), lmstest.Course(t, db)
	conn, err := db.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	base := lms.Date{Year: 2023, Month: 1, Day: 1}
	rapid.Check(t, func(rt *rapid.T) {
		policy := rapid.SampledFrom([]string{lms.FromRegistration, lms.FromFirstLaunch, lms.CalendarYearEnd}).Draw(rt, "policy")
		registered := base.AddDays(rapid.IntRange(0, 3000).Draw(rt, "registered"))
		var launched *lms.Date
		if rapid.Bool().Draw(rt, "launched") {
			d := registered.AddDays(rapid.IntRange(0, 500).Draw(rt, "launched after"))
			launched = &d
		}
		last, err := lms.Window(policy, registered, launched)
		require.NoError(rt, err)
		store := func(last lms.Date) string {
			tx, err := conn.Begin(t.Context())
			require.NoError(rt, err)
			at := last
			if launched != nil { // it is stored as not launched first
				at, err = lms.Window(policy, registered, nil)
				require.NoError(rt, err)
			}
			id, err := insertEnrollment(t.Context(), tx, p.ID, c, lms.Policy{ID: 2, Value: policy}, registered, at, lmstest.Now)
			if launched != nil {
				require.NoError(rt, err)
				err = updateFirstLaunched(t.Context(), tx, id, *launched, last)
			}
			require.NoError(rt, tx.Rollback(t.Context()))
			require.Equal(rt, err == nil, pg.Violated(err) == "", "%v", err)
			return pg.Violated(err)
		}
		off := rapid.SampledFrom([]int{-366, -365, -31, -1, 1, 28, 365, 366}).Draw(rt, "off by")
		require.Empty(rt, store(last), "%s, %s, %v: %s is refused", policy, registered, launched, last)
		require.Equal(rt, "enrollments_window", store(last.AddDays(off)), "%s, %s, %v: %s is taken", policy, registered, launched, last.AddDays(off))
	})
}

func TestTheDatabaseAloneRefusesACompletionAfterTheWindow(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	e := lmstest.Enrollment(t, db, lmstest.Person(t, db), lmstest.Course(t, db), active)
	end := e.LastDay.End()
	complete := func(at time.Time) error {
		return pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
			return guards.Explain(updateCompleted(t.Context(), tx, e.ID, at))
		})
	}
	require.ErrorIs(t, complete(end), lms.ErrWindowOver)
	require.NoError(t, complete(end.Add(-time.Second)))
}
