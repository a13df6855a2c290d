package enrollments

import (
	"context"
	"io/fs"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/mail"
	"mopd/lms/pg"
	"mopd/lms/words"
)

func (s standIn) Person(_ context.Context, _ pgx.Tx, id lms.PersonID) (lms.Person, error) {
	return lms.Person{ID: id, Email: "maya@example.org", Lang: "en"}, nil
}

func (s standIn) LookAtPerson(_ context.Context, _ lms.Viewer, id lms.PersonID, _ string, _ time.Time) (lms.Person, error) {
	return lms.Person{ID: id}, nil
}

func (s standIn) Post(_ context.Context, _ pgx.Tx, l mail.Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, l)
	return nil
}

// registrar gives a world somebody who gives more time, and mail.
func (w *world) registrar() lms.Viewer {
	catalog, err := words.Load(map[string]fs.FS{"enrollments": Views})
	require.NoError(w.t, err)
	w.People, w.Mail, w.Words, w.AppURL = standIn{w}, standIn{w}, catalog, &url.URL{Scheme: "https", Host: "learn.example.org"}
	return lms.Viewer{Person: lmstest.Person(w.t, w.db)}
}

func (w *world) extend(v lms.Viewer, e lms.Enrollment, to lms.Date) error {
	return w.Extend(w.t.Context(), v, Extension{Enrollment: e.ID, Was: e.LastDay, LastDay: to, Note: "She was ill"}, "127.0.0.1", lmstest.Now)
}

func TestAnExpiredCourseThatGetsMoreTimeGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, p := w.registrar(), lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course(), ago(400), active)
	require.ErrorIs(t, w.start(p, e.ID, 0, lmstest.Now), lms.ErrWindowOver)

	to := lmstest.Today.AddDays(14)
	require.NoError(t, w.extend(rita, e, to))
	got := w.enrollment(e.ID)
	require.Equal(t, lms.Ready, got.State)
	require.Equal(t, to, got.LastDay)
	require.Equal(t, []string{"window_extended"}, w.trail)
	require.Len(t, w.letters, 1)
	require.Contains(t, w.letters[0].Lines, "The registrar wrote: She was ill")
	require.Empty(t, w.moved)
	require.NoError(t, w.start(p, e.ID, 0, lmstest.Now))
	require.NoError(t, w.extend(rita, w.enrollment(e.ID), to.AddDays(1)))
	require.Equal(t, lms.Active, w.enrollment(e.ID).State, "what is in progress stays so")
	require.NoError(t, w.complete(p, e.ID, to.AddDays(2).Start().Add(-time.Second)))
}

func TestMoreTimeIsGivenWithAReasonToOthersWithinAYear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, p, c := w.registrar(), lmstest.Person(t, w.db), w.course()
	e := lmstest.Enrollment(t, w.db, p, c, ago(400))
	fields := func(err error) map[string]string {
		require.ErrorIs(t, err, lms.ErrForm)
		refused, _ := lms.AsError(err)
		return refused.Fields
	}
	require.Equal(t, "extension_note", fields(w.Extend(t.Context(), rita, Extension{Enrollment: e.ID, Was: e.LastDay, LastDay: lmstest.Today, Note: " "}, "", lmstest.Now))["note"])
	require.Equal(t, "extension_later", fields(w.extend(rita, e, lmstest.Today.AddDays(-1)))["last_day"])
	require.Equal(t, "extension_long", fields(w.extend(rita, e, lmstest.Today.AddMonths(12).AddDays(1)))["last_day"])
	require.ErrorIs(t, w.extend(lms.Viewer{Person: p}, e, lmstest.Today), ErrOwnWindow)
	again, err := w.register(p, c, lmstest.Now)
	require.NoError(t, err)
	require.ErrorIs(t, w.extend(rita, e, lmstest.Today), lms.ErrAlreadyEnrolled)
	require.ErrorIs(t, w.extend(rita, e, lms.Date{}), lms.ErrAlreadyEnrolled)
	require.ErrorIs(t, w.Extend(t.Context(), rita, Extension{Enrollment: 99, Note: "No such"}, "", lmstest.Now), lms.ErrNotFound)
	require.NoError(t, w.start(p, again, 0, lmstest.Now))
	require.NoError(t, w.complete(p, again, lmstest.Now))
	require.ErrorIs(t, w.extend(rita, w.enrollment(again), lmstest.Today.AddMonths(12)), lms.ErrAlreadyCompleted)
	require.Empty(t, w.letters)
}

func TestAFirstLaunchNeverShortensWhatARegistrarGave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lmstest.Policy(t, w.db, lms.WindowPolicy, lms.FromFirstLaunch, lmstest.Today.AddDays(-400))
	rita, p := w.registrar(), lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course(), ago(370))
	to := lmstest.Today.AddMonths(3)
	require.NoError(t, w.extend(rita, e, to))
	launch := func(day lms.Date) lms.Date {
		require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error { return w.Launched(t.Context(), tx, e.ID, day) }))
		return w.enrollment(e.ID).LastDay
	}
	require.Equal(t, to, launch(lmstest.Today))
}

func TestACourseThatExpiredUnderAnotherProfileComesToTheOneThatStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, goes, stays := w.registrar(), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, goes, w.course(), ago(400), expired)
	require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error { lmstest.Merge(t, tx, goes.ID, stays.ID); return nil }))
	require.NoError(t, w.extend(rita, e, lmstest.Today))
	require.Equal(t, []lms.EnrollmentID{e.ID}, w.moved)
	require.Equal(t, 1, count(t, w.db, `SELECT count(*) FROM enrollments.enrollments WHERE person = $1 AND state = 'ready'`, stays.ID))
}

func TestOfRegistrarsWhoGiveMoreTimeAtOnceOneWins(t *testing.T) {
	w := newWorld(t)
	rita := w.registrar()
	e := lmstest.Enrollment(t, w.db, lmstest.Person(t, w.db), w.course(), ago(400))
	winner := lmstest.OneWins(t, w.db, ErrWindowMoved, func(i int) error { return w.extend(rita, e, lmstest.Today.AddDays(i)) })
	require.Equal(t, lmstest.Today.AddDays(winner), w.enrollment(e.ID).LastDay)
	require.Len(t, w.letters, 1)
}

func TestTheDatabaseAloneLetsOneExtensionGoOnFromALastDay(t *testing.T) {
	w := newWorld(t)
	rita := w.registrar()
	e := lmstest.Enrollment(t, w.db, lmstest.Person(t, w.db), w.course(), ago(400))
	lmstest.OneWins(t, w.db, ErrWindowMoved, func(i int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			err := insertExtension(t.Context(), tx, Extension{Enrollment: e.ID, Was: e.LastDay, LastDay: lmstest.Today.AddDays(i), Note: "Ill"}, rita.ID, lmstest.Now)
			return explained(t, err, "extensions_was_key")
		})
	})
}

func TestTheDatabaseAloneKeepsExtensionsReasonedLaterAndWithinAYear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := w.registrar()
	e := lmstest.Enrollment(t, w.db, lmstest.Person(t, w.db), w.course(), ago(400))
	for constraint, x := range map[string]Extension{
		"extensions_say_why":       {Was: e.LastDay, LastDay: lmstest.Today},
		"extensions_later":         {Was: lmstest.Today, LastDay: lmstest.Today, Note: "Ill"},
		"extensions_within_a_year": {Was: e.LastDay, LastDay: lmstest.Today.AddMonths(12).AddDays(1), Note: "Ill"},
	} {
		x.Enrollment = e.ID
		err := pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error { return insertExtension(t.Context(), tx, x, rita.ID, lmstest.Now) })
		require.Equal(t, constraint, pg.Violated(err))
	}
	_, err := w.db.Exec(t.Context(), `UPDATE enrollments.enrollments SET last_day = last_day + 1 WHERE id = $1`, e.ID)
	require.Equal(t, "enrollments_window", pg.Violated(err), "no last day without an extension")
	_, err = w.db.Exec(t.Context(), `UPDATE enrollments.enrollments SET extended_to = last_day - 1, last_day = last_day - 1 WHERE id = $1`, e.ID)
	require.Equal(t, "enrollments_window", pg.Violated(err), "an extension never takes time away")
}
