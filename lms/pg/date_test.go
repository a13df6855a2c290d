package pg_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

var day = lms.Date{Year: 2028, Month: 2, Day: 29}

func TestDaysReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	for mode, name := range map[pgx.QueryExecMode]string{pgx.QueryExecModeCacheStatement: "binary", pgx.QueryExecModeSimpleProtocol: "text"} {
		for _, d := range []lms.Date{day, {Year: 1, Month: 1, Day: 1}, {Year: 9999, Month: 12, Day: 31}, lms.DateOf(time.Date(2026, 1, 1, 5, 59, 59, 0, time.UTC))} {
			var got lms.Date
			var text string
			require.NoError(t, db.QueryRow(t.Context(), `SELECT $1::date, to_char($1::date, 'YYYY-MM-DD')`, mode, d).Scan(&got, &text), name)
			require.Equal(t, d, got, name)
			require.Equal(t, d.String(), text, name)
		}
	}
}

func TestNoDayIsNull(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	var none *lms.Date
	for _, v := range []any{lms.Date{}, none, nil} {
		var null bool
		zero, pointer := day, &day
		require.NoError(t, db.QueryRow(t.Context(), `SELECT $1::date IS NULL, $1::date, $1::date`, v).Scan(&null, &zero, &pointer))
		require.True(t, null)
		require.True(t, zero.IsZero())
		require.Nil(t, pointer)
	}
	var pointer *lms.Date
	require.NoError(t, db.QueryRow(t.Context(), `SELECT $1::date`, &day).Scan(&pointer))
	require.Equal(t, day, *pointer)
}

func TestDaysReadInArraysRangesAndStructs(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	days := []lms.Date{day, {Year: 2026, Month: 1, Day: 1}}
	var got []lms.Date
	require.NoError(t, db.QueryRow(t.Context(), `SELECT $1::date[]`, days).Scan(&got))
	require.Equal(t, days, got)

	var r lms.DateRange
	require.NoError(t, db.QueryRow(t.Context(), `SELECT lower(d), upper(d) FROM daterange($1, $2) d`, day, day.AddDays(1)).Scan(&r.From, &r.Until))
	require.Equal(t, lms.DateRange{From: day, Until: day.AddDays(1)}, r)

	rows, err := db.Query(t.Context(), `SELECT $1::date AS day, NULL::date AS none`, day)
	require.NoError(t, err)
	type row struct {
		Day  lms.Date
		None *lms.Date
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	require.NoError(t, err)
	require.Equal(t, row{Day: day}, found)
}

func TestADateWithoutEndIsRefused(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	for _, endless := range []string{"infinity", "-infinity"} {
		var d lms.Date
		require.ErrorContains(t, db.QueryRow(t.Context(), `SELECT $1::text::date`, endless).Scan(&d), "without end")
	}
}

func TestInstantsAreNotDays(t *testing.T) {
	t.Parallel()
	var d lms.Date
	require.Error(t, lmstest.DB(t).QueryRow(t.Context(), `SELECT now()`).Scan(&d), "the zone would be anybody's guess")
}
