package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// session is a row about somebody's session on June 1, 2025.
func session(p lms.Person, title, starts, ends string) string {
	return row(p, fmt.Sprintf("%s,1,2025-06-01,2025-06-01 %s,2025-06-01 %s,,", title, starts, ends))
}

// released has a registrar let every credit of somebody count.
func (w world) released(p lms.Person) {
	w.t.Helper()
	ids, err := pg.Values[lms.CreditID](w.t.Context(), w.db, "credits", `SELECT id FROM registry.credits WHERE person = $1 ORDER BY id`, p.ID)
	require.NoError(w.t, err)
	rita := lms.Viewer{Person: lmstest.Person(w.t, w.db)}
	for _, id := range ids {
		require.NoError(w.t, w.Decide(w.t.Context(), rita, Verdict{Credit: id, Status: lms.Credited, Hours: 4, Note: "The times were misread"}, "", lmstest.Now))
	}
}

func TestWhatOverlapsASessionThatARegistrarReleasedIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	id := w.imports(session(maya, "Morning", "09:00", "11:00"), session(maya, "Elsewhere", "10:00", "12:00"))
	require.Equal(t, []string{"held at_once", "held at_once"}, w.became(id))
	w.released(maya)
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.credit_sessions`), "each has its guard")
	require.Equal(t, []string{"held at_once", "credited"}, w.became(w.imports(session(maya, "A third", "11:30", "12:30"), session(maya, "Another", "13:00", "14:00"))))
}

func TestTheDatabaseAloneRefusesWhatOverlapsASessionThatARegistrarReleased(t *testing.T) {
	w := newWorld(t)
	maya := lmstest.Person(t, w.db)
	w.imports(session(maya, "Morning", "09:00", "11:00"), session(maya, "Elsewhere", "10:00", "12:00"), session(maya, "Noon", "11:30", "13:00"))
	w.released(maya)
	require.Equal(t, 1, w.count(`SELECT count(DISTINCT together) FROM registry.credit_sessions`), "a chain is one group")
	starts := at("2025-06-01", t).Add(2 * time.Hour) // noon
	lmstest.OneWins(t, w.db, ErrAtOnce, func(i int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			if err := pg.LockPerson(t.Context(), tx, maya.ID); err != nil {
				return err
			}
			s := Session{starts, starts.Add(time.Hour)}
			if i == 0 {
				s = Session{starts.Add(2 * time.Hour), starts.Add(3 * time.Hour)} // overlaps nothing
			}
			c, err := insertCredit(t.Context(), tx, claim{Source: sourceImport, Reference: fmt.Sprint("race/", i), Person: maya.ID, Title: "Play", Hours: 4, EarnedAt: s.Ends, Session: &s}, lmstest.Now)
			if err != nil {
				return err
			}
			return explained(t, insertSession(t.Context(), tx, c, maya.ID, s), "credit_sessions_one_at_a_time")
		})
	})
}

func TestOfManyRegistrarsWhoReleaseOverlappingSessionsAtOnceEachIsGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lms.Viewer{Person: lmstest.Person(t, w.db)}
	var rows []string
	for i := range 8 {
		rows = append(rows, session(maya, fmt.Sprint("Training ", i), fmt.Sprintf("%02d:00", 8+i), fmt.Sprintf("%02d:30", 9+i)))
	}
	w.imports(rows...)
	ids, err := pg.Values[lms.CreditID](t.Context(), w.db, "credits", `SELECT id FROM registry.credits`)
	require.NoError(t, err)
	var releasing errgroup.Group
	for _, id := range ids {
		releasing.Go(func() error {
			return w.Decide(t.Context(), rita, Verdict{Credit: id, Status: lms.Credited, Hours: 4, Note: "Misread"}, "", lmstest.Now)
		})
	}
	require.NoError(t, releasing.Wait())
	require.Equal(t, len(rows), w.count(`SELECT count(*) FROM registry.credit_sessions`))
	require.Equal(t, 1, w.count(`SELECT count(DISTINCT together) FROM registry.credit_sessions`))
}

func TestAMergeHoldsNotWhatARegistrarReleasedButWhatTheOtherProfileAttendedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.imports(session(a, "Morning", "09:00", "11:00"), session(a, "Elsewhere", "10:00", "12:00"), session(b, "Late", "11:30", "12:30"))
	w.released(a)
	w.merge(a, b)
	standing := map[string]lms.CreditStatus{}
	for _, r := range w.rows(b, 2025) {
		standing[r.Title] = r.Status
	}
	require.Equal(t, map[string]lms.CreditStatus{"Morning": lms.Credited, "Elsewhere": lms.Held, "Late": lms.Held}, standing)
}
