package registry

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func (w world) merge(from, into lms.Person) {
	w.t.Helper()
	w.in(func(tx pgx.Tx) error {
		if err := w.Merge(w.t.Context(), tx, from.ID, into.ID, lmstest.Now); err != nil {
			return err
		}
		lmstest.Merge(w.t, tx, from.ID, into.ID)
		return nil
	})
}

// earned posts a completion on a day.
func (w world) earned(p lms.Person, c lms.Course, day string) lms.EnrollmentID {
	w.t.Helper()
	e := w.completed(p, c, at(day, w.t))
	require.NoError(w.t, w.post(e))
	return e
}

func TestAMergeLosesNoCreditAndHoldsWhatStandsInTheWayOfAnOlderOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		goes, stays []string // completions of one course
		held        int
		first       bool // the oldest of the profile that goes stands
	}{
		"far apart":             {[]string{"2024-01-10"}, []string{"2026-01-10"}, 0, true},
		"the stay is later":     {[]string{"2025-06-10"}, []string{"2026-01-10"}, 1, true},
		"the stay is earlier":   {[]string{"2026-01-10"}, []string{"2025-06-10"}, 1, false},
		"on one day":            {[]string{"2026-01-10"}, []string{"2026-01-10"}, 1, true},
		"a year to the day":     {[]string{"2025-01-10"}, []string{"2026-01-10"}, 0, true},
		"one between two":       {[]string{"2025-06-10"}, []string{"2024-12-10", "2025-12-10"}, 1, false},
		"several, interleaving": {[]string{"2024-01-10", "2025-01-10", "2026-01-10"}, []string{"2024-07-10", "2025-07-10"}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			goes, stays, course := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Course(t, w.db)
			var first lms.EnrollmentID
			for _, day := range c.goes {
				first = max(first, 0)
				if e := w.earned(goes, course, day); first == 0 {
					first = e
				}
			}
			for _, day := range c.stays {
				w.earned(stays, course, day)
			}
			other := w.earned(goes, lmstest.Course(t, w.db), "2026-01-10")
			const claimed = `SELECT sum(quarters) FROM registry.credits`
			before := w.count(claimed)

			var titles []string
			w.in(func(tx pgx.Tx) (err error) {
				titles, err = w.HeldByMerge(t.Context(), tx, goes.ID, stays.ID)
				return err
			})
			require.Len(t, titles, c.held, "what a registrar is told before")
			w.merge(goes, stays)

			require.Equal(t, before, w.count(claimed))
			require.Equal(t, lms.Credited, w.status(other))
			require.Equal(t, c.first, w.status(first) == lms.Credited)
			var shown, held int
			for year := 2024; year <= 2026; year++ {
				for _, r := range w.rows(stays, year) {
					shown++
					if r.Status == lms.Held {
						held++
						require.Equal(t, reasonMerged, r.Reason)
						require.Zero(t, r.Hours)
					}
				}
			}
			require.Equal(t, len(c.goes)+len(c.stays)+1, shown, "the report of who stays shows all")
			require.Equal(t, c.held, held)
			require.Equal(t, shown-held, w.count(`SELECT count(*) FROM registry.credit_blocks WHERE person = $1`, stays.ID))
		})
	}
}

func TestOfCollidingCreditsTheOldestStandsAndWhatStandsNeverOverlaps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var blocks []ownedBlock
		for i := range rapid.IntRange(0, 12).Draw(t, "credits") {
			day := lmstest.Today.AddDays(rapid.IntRange(0, 1500).Draw(t, "day"))
			block := lms.Block{Course: lms.CourseID(rapid.IntRange(1, 3).Draw(t, "course")), During: lms.DateRange{From: day, Until: day.AddMonths(12)}}
			blocks = append(blocks, ownedBlock{Block: block, Credit: lms.CreditID(i + 1), EarnedAt: day.Start()})
		}
		slices.SortStableFunc(blocks, func(a, b ownedBlock) int { return a.EarnedAt.Compare(b.EarnedAt) })
		later := collisions(blocks)
		isLater := func(b ownedBlock) bool {
			return slices.ContainsFunc(later, func(l ownedBlock) bool { return l.Credit == b.Credit })
		}
		for i, b := range blocks {
			inTheWay := slices.ContainsFunc(blocks[:i], func(o ownedBlock) bool {
				return !isLater(o) && o.Course == b.Course && o.During.Overlaps(b.During)
			})
			if isLater(b) != inTheWay {
				t.Fatalf("credit %d: held %v, an older one in its way %v", b.Credit, isLater(b), inTheWay)
			}
		}
	})
}

func TestACompletionUnderAMergedProfileEarnsForWhoStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goes, stays, course := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	w.earned(stays, course, "2026-01-10")
	again, fresh := w.completed(goes, course, lmstest.Now), w.completed(goes, lmstest.Course(t, w.db), lmstest.Now.Add(time.Minute))
	w.merge(goes, stays)
	require.NoError(t, w.post(fresh))
	require.Equal(t, lms.Denied, w.status(again), "the same course earned under the other profile")
	require.Equal(t, lms.Credited, w.status(fresh))
	require.Len(t, w.rows(stays, 2026), 3)
	w.in(func(tx pgx.Tx) error {
		require.ErrorIs(t, w.CanEarn(t.Context(), tx, stays.ID, course.ID, lmstest.Today), lms.ErrEarnsAgain)
		require.EqualValues(t, 10, w.year(stays, 2026).Earned)
		n, err := w.CountCredits(t.Context(), tx, stays.ID)
		require.Equal(t, 3, n)
		return err
	})
}
