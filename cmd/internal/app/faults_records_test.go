//go:build faults

package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

// eachTable runs a test with a worker killed where it is about to write to each of the tables.
func eachTable(t *testing.T, tables []string, test func(s *site, table string)) {
	for _, table := range tables {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.open()
			test(s, table)
		})
	}
}

func TestFaultsAWorkerKilledAtAnyStepOfPostingPostsOnce(t *testing.T) {
	eachTable(t, []string{"registry.credits", "registry.decisions", "registry.credit_blocks", "accounts.audit", "river.river_job"}, func(s *site, table string) {
		_, address := s.serve()
		l := newLearner(s, s.url, address)
		l.begin(s.session("maya@example.org"), "ONE-1")
		l.commit(map[string]string{"cmi.core.lesson_status": "completed"})
		s.stopAt(table)
		require.Zero(s, s.credits(), "the killed worker had posted nothing")
		require.Zero(s, s.letters())
		s.start("work")
		s.until("the job is done", `SELECT EXISTS (SELECT FROM registry.credits) AND NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'post_credit' AND state <> 'completed')`)
		require.Equal(s, 1, s.credits())
		require.Equal(s, 1, s.counts(`SELECT count(*) FROM registry.decisions`))
		require.Equal(s, 1, s.counts(`SELECT count(*) FROM registry.credit_blocks`))
		require.Equal(s, 1, s.letters(), "the person is told once")
		require.Contains(s, l.get("/report").body, "1.25")
	})
}

func TestFaultsAWorkerKilledAtAnyStepOfAnImportImportsOnce(t *testing.T) {
	eachTable(t, []string{"registry.credits", "registry.decisions", "registry.credit_blocks", "registry.credit_sessions", "accounts.audit", "registry.import_rows", "river.river_job"}, func(s *site, table string) {
		id := s.previews()
		s.orders(id)
		s.stopAt(table)
		require.Zero(s, s.credits(), "the killed worker had imported nothing")
		s.start("work")
		s.importedOnce()
	})
}

func TestFaultsAWorkerKilledAtAnyStepOfUndoingAnImportUndoesItOnce(t *testing.T) {
	eachTable(t, []string{"registry.decisions", "registry.credit_blocks", "registry.credit_sessions", "accounts.audit", "registry.import_rows", "river.river_job"}, func(s *site, table string) {
		id := s.previews()
		s.orders(id)
		worker := s.start("work")
		s.importedOnce()
		worker.kill()
		s.run(password+"\n", "user", "add", "--email", "rita@example.org", "--given", "Rita", "--family", "Ortiz")
		rita := lms.PersonID(s.counts(`SELECT max(id)::int FROM accounts.people`))
		require.NoError(s, s.registrar().UndoImport(s.Context(), rita, id, "The wrong file", "", time.Now()))
		s.stopAt(table)
		require.Equal(s, 2, s.counts(`SELECT count(*) FROM registry.decisions`), "the killed worker had undone nothing")
		s.start("work")
		s.until("it is undone", `SELECT state = 'undone' FROM registry.imports`)
		require.Equal(s, 4, s.counts(`SELECT count(*) FROM registry.decisions`))
		require.Zero(s, s.counts(`SELECT count(*) FROM registry.credit_blocks`)+s.counts(`SELECT count(*) FROM registry.credit_sessions`))
		require.Equal(s, 2, s.letters(), "the undoing is told once")
		require.Equal(s, lms.Hours(0), lms.Hours(s.counts(`SELECT sum(quarters)::int FROM (SELECT DISTINCT ON (credit) quarters FROM registry.decisions ORDER BY credit, recorded_at DESC, id DESC) d`)))
	})
}
