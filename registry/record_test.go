package registry

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// recordAt is a person's record at a moment.
func (w world) recordAt(p lms.Person, m Moment) (r Record) {
	w.t.Helper()
	w.in(func(tx pgx.Tx) (err error) {
		r, err = w.Record(w.t.Context(), tx, p.ID, m)
		return err
	})
	return r
}

// hired says when somebody began to work, as it becomes known at an instant.
func (w world) hired(p lms.Person, day string, known time.Time) {
	w.t.Helper()
	hired, err := lms.ParseDate(day)
	require.NoError(w.t, err)
	w.in(func(tx pgx.Tx) error {
		return w.Employed(w.t.Context(), tx, lms.Employment{Person: p.ID, HiredOn: hired, Source: "sign_up"}, known)
	})
}

// renamed gives somebody another name, as it becomes known at an instant.
func (w world) renamed(p lms.Person, given, family string, known time.Time) {
	w.t.Helper()
	_, err := w.db.Exec(w.t.Context(), `INSERT INTO accounts.names (person, given, family, recorded_at) VALUES ($1, $2, $3, $4)`, p.ID, given, family, known)
	require.NoError(w.t, err)
}

// completedAt posts a completion of a day, and the posting becomes known then.
func (w world) completedAt(p lms.Person, hours lms.Hours, day string) lms.EnrollmentID {
	w.t.Helper()
	e := w.completed(p, lmstest.Course(w.t, w.db, func(c *lms.Course) { c.Hours = hours }), at(day, w.t))
	w.in(func(tx pgx.Tx) error { return w.Post(w.t.Context(), tx, e, at(day, w.t).Add(time.Second)) })
	return e
}

func TestAReportOfAnEarlierMomentStaysAsItWasWhateverComesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	moments := []Moment{}
	var kept []Record
	keep := func(day string) {
		m := Now(at(day, t).Add(time.Hour))
		moments, kept = append(moments, m), append(kept, w.recordAt(p, m))
	}
	w.completedAt(p, 36, "2026-05-01")
	keep("2026-12-31")
	w.hired(p, "2026-04-10", at("2027-01-10", t))
	w.completedAt(p, 8, "2027-02-01")
	keep("2027-02-01")
	lmstest.Policy(t, w.db, lms.AnnualHours, "16", lms.Date{Year: 2028, Month: 1, Day: 1})
	corrected := w.recordAt(p, later).Credits[0].ID
	w.in(func(tx pgx.Tx) error {
		return insertDecision(t.Context(), tx, corrected, decision{Status: lms.Credited, Hours: 32, Policy: 3}, at("2027-06-01", t))
	})
	keep("2027-06-02")
	w.renamed(p, "Maya", "Brooks", at("2027-06-15", t))
	w.completedAt(other, 4, "2027-07-01")
	w.in(func(tx pgx.Tx) error {
		if err := w.Merge(t.Context(), tx, other.ID, p.ID, at("2028-02-01", t)); err != nil {
			return err
		}
		lmstest.Merge(t, tx, other.ID, p.ID)
		return nil
	})
	w.completedAt(p, 20, "2028-03-01")
	for i, m := range moments {
		require.Equal(t, kept[i], w.recordAt(p, m), m)
	}
	require.Equal(t, p.Name(), kept[2].Name, "as it was then")
	require.Equal(t, "Maya Brooks", w.recordAt(p, later).Name)
	require.Equal(t, p.MOPDID, w.recordAt(p, later).MOPDID, "that of the other profile is an alias")
	require.Equal(t, p.Name(), w.recordAt(p, Moment{lmstest.Today, lmstest.Now.AddDate(0, -1, 0)}).Name, "the first one, before there was any")
	require.Equal(t, lms.Hours(48), kept[0].Year(2026).Hours, "no hire date was known")
	require.True(t, kept[0].Year(2026).Missing)
	require.Equal(t, lms.Hours(36), kept[1].Year(2026).Hours, "hired in April: nine months")
	require.Equal(t, lms.Hours(8), kept[1].Year(2027).Counted())
	require.Equal(t, lms.Hours(4), kept[2].Year(2027).Counted(), "the correction of 2026 left one hour to make up")
	require.Equal(t, lms.Hours(36), kept[2].Year(2026).Counted())
}

func TestWhatIsCompletedAfterTheDayIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	w.completedAt(p, 8, "2026-05-01")
	w.completedAt(p, 12, "2026-06-01")
	m := later
	m.Through = lms.Date{Year: 2026, Month: 5, Day: 31}
	require.Equal(t, lms.Hours(8), w.recordAt(p, m).Year(2026).Earned)
}

func TestTheNewestVersionOfAWorkCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	w.hired(p, "2026-03-20", lmstest.Now)
	_, err := w.db.Exec(t.Context(), `INSERT INTO registry.employments (person, employer, hired_on, left_on, source, replaces, recorded_at)
		SELECT person, employer, '2026-10-05', '2026-11-30', 'registrar', id, $1 FROM registry.employments`, lmstest.Now.AddDate(1, 0, 0))
	require.NoError(t, err)
	require.Equal(t, lms.Hours(40), w.recordAt(p, Moment{later.Through, lmstest.Now.AddDate(0, 6, 0)}).Year(2026).Hours, "ten months, as it was known first")
	require.Equal(t, lms.Hours(8), w.recordAt(p, later).Year(2026).Hours, "two months")
	require.Zero(t, w.recordAt(p, later).Year(2027).Hours, "and then no more")
}

func TestWhatIsEarnedNextMakesUpTheOldestYearFirst(t *testing.T) {
	t.Parallel()
	r := Record{Allocation: Allocate(full(2024, 2025, 2026), earns(t, "2024-05-01", 11.0, "2025-05-01", 12.0))}
	require.Equal(t, []lms.YearHours{{Year: 2025, Hours: 4}}, r.Standing(2026).Owed, "an hour of 2025 made up 2024")
	require.Equal(t, []lms.YearHours{{Year: 2025, Hours: 4}, {Year: 2026, Hours: 2}}, r.Would(6, 2026))
	require.Equal(t, []lms.YearHours{{Year: 2025, Hours: 3}}, r.Would(3, 2026))
}
