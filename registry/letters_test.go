package registry

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestWhoCompletesACourseIsToldOnceWhereItsHoursCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	w.in(func(tx pgx.Tx) error {
		return w.Employed(t.Context(), tx, lms.Employment{Person: p.ID, HiredOn: lms.Date{Year: 2025, Month: 12, Day: 1}, Source: "sign_up"}, lmstest.Now)
	})
	e := w.completed(p, lmstest.Course(t, w.db, func(c *lms.Course) { c.Title = "Fire safety" }), lmstest.Now)
	require.NoError(t, w.post(e))
	require.NoError(t, w.post(e))
	require.Equal(t, []string{"1.25 clock hours count for Fire safety, completed on March 16, 2026.\nWhere they count: 1.0 h make up 2025, 0.25 h count for 2026."}, w.posted.texts())
	require.Equal(t, p.Email, w.posted.all[0].To)
	require.Equal(t, "https://learn.example.org/report?year=2026", w.posted.all[0].Button.URL)
}

func TestWhoEarnsNothingIsToldWhyAndWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db, func(c *lms.Course) { c.Title = "Fire safety" })
	require.NoError(t, w.post(w.completed(p, c, at("2026-01-05", t))))
	require.NoError(t, w.post(w.completed(p, c, at("2026-02-05", t))))
	require.NoError(t, w.post(w.completed(p, c, at("2025-12-05", t))))
	texts := w.posted.texts()
	require.Len(t, texts, 3)
	require.Contains(t, texts[1], "earns no clock hours")
	require.Contains(t, texts[1], "It can earn again from January 5, 2027.")
	require.Contains(t, texts[1], "ask a registrar to look at it again")
	require.Contains(t, texts[2], "is being looked at before its hours count")
	require.Contains(t, texts[2], "A registrar looks at both")
}

func TestALetterIsInThePersonsLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db, func(p *lms.Person) { p.Lang = "es" })
	require.NoError(t, w.post(w.completed(p, lmstest.Course(t, w.db), lmstest.Now)))
	require.Contains(t, w.posted.texts()[0], "Dónde cuentan: 1.25 h cuentan para 2026.")
}

func TestACreditIsPostedAlsoOfWhomNoLetterReaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, change := range []string{`DELETE FROM accounts.logins WHERE person = $1`, `UPDATE accounts.logins SET email = 'nowhere' WHERE person = $1`} {
		p := lmstest.Person(t, w.db)
		_, err := w.db.Exec(t.Context(), change, p.ID)
		require.NoError(t, err)
		e := w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
		require.NoError(t, w.post(e))
		require.Equal(t, lms.Credited, w.status(e))
	}
	require.Empty(t, strings.Join(w.posted.texts(), ""))
}
