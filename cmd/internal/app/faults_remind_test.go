//go:build faults

package app_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/registry"
)

// A worker is killed while it reminds: in the middle of the first person, of one in
// between and of the last. Everybody gets one letter.
func TestFaultsAWorkerKilledWhileItRemindsSendsEachReminderOnce(t *testing.T) {
	t.Parallel()
	const people = 30
	s := newSite(t)
	s.run("", "migrate")
	course, today := lmstest.Course(t, s.db), lms.DateOf(time.Now())
	var ids []lms.PersonID
	for range people {
		p := lmstest.Person(t, s.db)
		lmstest.Enrollment(t, s.db, p, course, func(e *lms.Enrollment) { e.RegisteredOn = today.AddMonths(-12).AddDays(10) })
		ids = append(ids, p.ID)
	}
	inserter, err := jobs.NewInserter(s.db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, pg.InTx(t.Context(), s.db, func(tx pgx.Tx) error {
		_, err := inserter.InsertTx(t.Context(), tx, registry.RemindArgs{Until: time.Now().Add(time.Hour)}, nil)
		return err
	}))
	for _, n := range []int{0, people / 2, people - 1} {
		tx, err := s.db.Begin(t.Context())
		require.NoError(t, err)
		require.NoError(t, pg.LockPerson(t.Context(), tx, ids[n]))
		worker := s.start("work")
		s.untilStopped("the worker is in the middle of a person")
		worker.kill()
		require.NoError(t, tx.Rollback(t.Context()))
		s.holds(map[string]string{
			fmt.Sprintf("reminders of %d people", n): fmt.Sprintf(`SELECT count(*) >= %d AND count(*) < %d FROM registry.reminders WHERE kind = 'window'`, n, people),
			"a letter for each":                      `SELECT (SELECT count(*) FROM river.river_job WHERE kind = 'send_mail') = (SELECT count(DISTINCT (person, kind)) FROM registry.reminders)`,
		})
	}
	s.start("work")
	s.until("everybody is reminded", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'remind' AND state <> 'completed')`)
	s.holds(map[string]string{
		"everybody once":    fmt.Sprintf(`SELECT count(*) = %d AND count(DISTINCT person) = %[1]d FROM registry.reminders WHERE kind = 'window'`, people),
		"a letter for each": `SELECT (SELECT count(*) FROM river.river_job WHERE kind = 'send_mail') = (SELECT count(DISTINCT (person, kind)) FROM registry.reminders)`,
	})
}
