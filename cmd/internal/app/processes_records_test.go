package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/accounts"
	"mopd/lms/jobs"
	"mopd/registry"
)

// stopAt has a worker stop in the middle of its work about a person, where it is about to
// write to a table, and kills it there.
func (s *site) stopAt(table string) {
	s.Helper()
	release := s.holdPerson()
	worker := s.start("work")
	s.untilStopped("the worker waits for the person")
	lock, err := s.db.Begin(s.Context())
	require.NoError(s, err)
	defer lock.Rollback(context.WithoutCancel(s.Context()))
	_, err = lock.Exec(s.Context(), `LOCK TABLE `+table+` IN SHARE MODE`)
	require.NoError(s, err)
	release()
	s.until("the worker is about to write to "+table, `SELECT EXISTS (SELECT FROM pg_locks w JOIN pg_locks h ON h.pid = w.pid AND h.locktype = 'advisory' AND h.granted
		WHERE w.relation = '`+table+`'::regclass AND NOT w.granted AND w.database = `+thisDatabase+`)`)
	worker.kill()
	require.NoError(s, lock.Rollback(s.Context()))
}

// previews has a file of records of the one person read, which brings two credits, one of
// them of the course, and one row that waits.
func (s *site) previews() registry.ImportID {
	s.Helper()
	var id lms.MOPDID
	var code string
	require.NoError(s, s.db.QueryRow(s.Context(), `SELECT mopd_id FROM accounts.pub_mopd_ids ORDER BY person LIMIT 1`).Scan(&id))
	require.NoError(s, s.db.QueryRow(s.Context(), `SELECT code FROM courses.courses LIMIT 1`).Scan(&code))
	file := filepath.Join(s.TempDir(), "records.csv")
	rows := []string{
		"mopd_id,given,family,title,hours,completed_on,starts,ends,course_code",
		fmt.Sprintf("%d,Maya,Ortiz,First course,1.25,2025-03-15,2025-03-15 18:00,2025-03-15 19:15,%s", id, code),
		fmt.Sprintf("%d,Maya,Ortiz,Play and learning,2,2025-04-15,,,", id),
		fmt.Sprintf("%d,No,Body,Play and learning,2,2025-04-15,,,", id),
	}
	require.NoError(s, os.WriteFile(file, []byte(strings.Join(rows, "\n")), 0o600))
	s.run("", "import", "records", "--preview", file)
	return 1
}

// registrar does what registrars do on their pages.
func (s *site) registrar() *registry.Service {
	s.Helper()
	inserter, err := jobs.NewInserter(s.db, nil)
	require.NoError(s, err)
	people, err := accounts.New(accounts.Dependencies{DB: s.db})
	require.NoError(s, err)
	return registry.New(registry.Dependencies{DB: s.db, Jobs: inserter, Audit: people, People: people})
}

// orders orders an import of few rows, and has it checked once more: what comes next imports it.
func (s *site) orders(id registry.ImportID) {
	s.Helper()
	require.NoError(s, s.registrar().OrderImport(s.Context(), 0, id, true, "", time.Now()))
	ended, err := s.registrar().WorkImport(s.Context(), id, time.Now())
	require.NoError(s, err)
	require.False(s, ended)
	require.Equal(s, 1, s.counts(`SELECT count(*) FROM registry.imports WHERE state = 'importing'`))
}

// person is the first one there is.
func (s *site) person() lms.PersonID {
	s.Helper()
	return lms.PersonID(s.counts(`SELECT min(id)::int FROM accounts.people`))
}

func (s *site) counts(sql string) (n int) {
	s.Helper()
	require.NoError(s, s.db.QueryRow(s.Context(), sql).Scan(&n))
	return n
}

// importedOnce says that everything of the file is on record once, and its person told once.
func (s *site) importedOnce() {
	s.Helper()
	s.until("the import is through", `SELECT state = 'imported' FROM registry.imports`)
	for sql, want := range map[string]int{
		`SELECT count(*) FROM registry.credits`:                                         2,
		`SELECT count(*) FROM registry.decisions`:                                       2,
		`SELECT count(*) FROM registry.credit_blocks`:                                   1,
		`SELECT count(*) FROM registry.credit_sessions`:                                 1,
		`SELECT count(*) FROM accounts.audit WHERE action = 'credit_credited'`:          2,
		`SELECT count(*) FROM registry.import_rows WHERE done AND outcome = 'waiting'`:  1,
		`SELECT count(*) FROM registry.import_rows WHERE done AND outcome = 'credited'`: 2,
	} {
		require.Equal(s, want, s.counts(sql), sql)
	}
	require.Equal(s, 1, s.letters())
}

func TestAWorkerKilledInTheMiddleOfAnImportLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open()
	id := s.previews()
	require.Zero(t, s.credits(), "a preview brings nothing")
	s.orders(id)
	s.stopAt("registry.import_rows")
	require.Zero(t, s.credits())
	s.start("work")
	s.importedOnce()
}
