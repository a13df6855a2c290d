package pg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestColumnsFindTheirFieldsByName(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	type course struct{ Code, LongTitle string }
	got, err := pg.Row[course](t.Context(), db, "course", `SELECT 'Safe Sleep' AS long_title, 'SSL-100' AS code`)
	require.NoError(t, err)
	require.Equal(t, course{"SSL-100", "Safe Sleep"}, got, "whatever their order")
	for _, sql := range []string{`SELECT 'SSL-100' AS code`, `SELECT 'SSL-100' AS code, 'Safe Sleep' AS name`, `SELECT '' AS code, '' AS long_title, '' AS more`} {
		_, err := pg.Rows[course](t.Context(), db, "courses", sql)
		require.Error(t, err, "each has its other half: %s", sql)
	}
}

func TestOneRowIsExactlyOne(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	_, err := pg.Value[int](t.Context(), db, "find it", `SELECT 1 WHERE false`)
	require.ErrorIs(t, err, lms.ErrNotFound)
	require.ErrorContains(t, err, "find it")
	_, err = pg.Value[int](t.Context(), db, "find it", `SELECT generate_series(1, 2)`)
	require.Error(t, err)
	require.NotErrorIs(t, err, lms.ErrNotFound)

	numbers, err := pg.Values[int](t.Context(), db, "count", `SELECT generate_series(1, 3)`)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3}, numbers)
	day, err := pg.Value[lms.Date](t.Context(), db, "day", `SELECT date '2026-03-16'`)
	require.NoError(t, err)
	require.Equal(t, lmstest.Today, day)
}

func TestAStatementTellsWhetherItChangedAnything(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	p := lmstest.Person(t, db)
	for person, want := range map[lms.PersonID]bool{p.ID: true, p.ID + 1: false} {
		changed, err := pg.Changed(t.Context(), db, "choose language", `UPDATE accounts.people SET lang = 'es' WHERE id = $1`, person)
		require.NoError(t, err)
		require.Equal(t, want, changed)
	}
	err := pg.Exec(t.Context(), db, "choose language", `UPDATE accounts.people SET lang = 'xx' WHERE id = $1`, p.ID)
	require.ErrorContains(t, err, "choose language")
	require.NotEmpty(t, pg.Violated(err), "the constraint is still found")
}
