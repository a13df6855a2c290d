package pg_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

type appendOnly struct{ Relation, Trigger, Column string }

func TestFactsAreNeverEditedOrRemoved(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	rows, err := db.Query(t.Context(), `SELECT tgrelid::regclass::text AS relation, tgname::text AS trigger,
			(SELECT attname::text FROM pg_attribute WHERE attrelid = tgrelid AND attnum > 0 AND attidentity = '' LIMIT 1) AS column
		FROM pg_trigger WHERE tgfoid = 'accounts.append_only'::regproc`)
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByName[appendOnly])
	require.NoError(t, err)
	var names []string
	for _, table := range tables {
		names = append(names, table.Relation)
		for _, sql := range []string{
			fmt.Sprintf(`UPDATE %s SET %s = %[2]s`, table.Relation, table.Column),
			fmt.Sprintf(`DELETE FROM %s`, table.Relation),
			fmt.Sprintf(`TRUNCATE %s CASCADE`, table.Relation),
		} {
			_, err := db.Exec(t.Context(), sql)
			require.ErrorContains(t, err, "is append-only", sql)
			require.Contains(t, pg.Violated(err), "append_only", sql)
		}
	}
	require.Subset(t, names, []string{
		"accounts.audit", "registry.policies", "registry.credits", "registry.decisions", "player.attestations", "player.no_credit_choices",
	})
}

// Guards match constraints by name, so that each must have one that somebody chose.
func TestEveryConstraintIsNamedAfterItsTable(t *testing.T) {
	t.Parallel()
	rows, err := lmstest.DB(t).Query(t.Context(), `SELECT format('%s: %s', conrelid::regclass, conname) FROM pg_constraint
		WHERE connamespace::regnamespace::text IN ('accounts', 'courses', 'enrollments', 'player', 'registry')
			AND contype IN ('c', 'x', 'u', 'f', 'p')
			AND NOT starts_with(conname, (SELECT relname FROM pg_class WHERE oid = conrelid) || '_')`)
	require.NoError(t, err)
	odd, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Empty(t, odd)
}
