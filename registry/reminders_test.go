package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/mail"
	"mopd/lms/pg"
	"mopd/lms/web"
	"mopd/lms/words"
)

func TestTheReminderThatFitsTheDayIsDueUntilItIsSent(t *testing.T) {
	t.Parallel()
	last := lms.Date{Year: 2026, Month: 12, Day: 31}
	cases := []struct {
		kind      reminderKind
		left, due int
	}{
		{ofWindow, 31, 0}, {ofWindow, 30, 30}, {ofWindow, 20, 30}, {ofWindow, 11, 30}, {ofWindow, 10, 10}, {ofWindow, 2, 10}, {ofWindow, 1, 1}, {ofWindow, 0, 1}, {ofWindow, -1, 0},
		{ofYear, 61, 0}, {ofYear, 60, 60}, {ofYear, 31, 60}, {ofYear, 30, 30}, {ofYear, 10, 10}, {ofYear, 0, 10},
		{ofSafeSleep, 61, 0}, {ofSafeSleep, 60, 60}, {ofSafeSleep, 0, 60}, {ofSafeSleep, -1, 0},
	}
	for _, c := range cases {
		o := occasion{Kind: c.kind, LastDay: last}
		due := remindersDue(last.AddDays(-c.left), []occasion{o}, nil)
		if c.due == 0 {
			require.Empty(t, due, c)
			continue
		}
		require.Equal(t, []reminder{{o, c.due}}, due, c)
		require.Empty(t, remindersDue(last.AddDays(-c.left), []occasion{o}, due), "%v is sent twice", c)
	}
}

func TestAWindowThatMovesIsRemindedOfAnew(t *testing.T) {
	t.Parallel()
	o := occasion{ofWindow, 7, lmstest.Today.AddDays(1)}
	sent := remindersDue(lmstest.Today, []occasion{o}, nil)
	moved := occasion{ofWindow, 7, lmstest.Today.AddDays(10)}
	require.Equal(t, []reminder{{moved, 10}}, remindersDue(lmstest.Today, []occasion{moved}, sent))
}

// The job runs on some days and not on others. Each reminder goes out once if it ran
// between the day on which it fell due and that of the next, and never otherwise.
func TestOnWhateverDaysTheJobRunsEachReminderGoesOutOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var occasions []occasion
		for i := range rapid.IntRange(1, 3).Draw(rt, "occasions") {
			kind := rapid.SampledFrom([]reminderKind{ofWindow, ofYear, ofSafeSleep}).Draw(rt, "kind")
			occasions = append(occasions, occasion{kind, lms.EnrollmentID(i + 1), lmstest.Today.AddDays(rapid.IntRange(0, 90).Draw(rt, "last"))})
		}
		ran := rapid.SliceOfN(rapid.Bool(), 100, 100).Draw(rt, "runs")
		var sent []reminder
		for i, runs := range ran {
			if !runs {
				continue
			}
			due := remindersDue(lmstest.Today.AddDays(i), occasions, sent)
			for _, o := range occasions {
				of := func(r reminder) bool { return r.occasion == o }
				require.LessOrEqual(rt, len(slices.DeleteFunc(slices.Clone(due), func(r reminder) bool { return !of(r) })), 1, "several at once")
			}
			sent = append(sent, due...)
		}
		for _, o := range occasions {
			stages := append(slices.Clone(remindersFor[o.Kind]), -1)
			for i, days := range stages[:len(stages)-1] {
				want := 0
				for n := days; n > stages[i+1]; n-- { // days left on which it is the one that fits
					if day := lmstest.Today.DaysUntil(o.LastDay.AddDays(-n)); day >= 0 && day < len(ran) && ran[day] {
						want = 1
					}
				}
				got := 0
				for _, r := range sent {
					if r == (reminder{o, days}) {
						got++
					}
				}
				require.Equal(rt, want, got, "%v, %d days before", o, days)
			}
		}
	})
}

func TestWhatIsMissingIsTheYearsAndWhatEarlierYearsLack(t *testing.T) {
	t.Parallel()
	owed := []lms.YearHours{{Year: 2024, Hours: 4}, {Year: 2025, Hours: 10}}
	require.EqualValues(t, 3, missing(lms.YearStanding{Counted: 45, Required: 48}))
	require.EqualValues(t, 0, missing(lms.YearStanding{Counted: 50, Required: 48}))
	require.EqualValues(t, 62, missing(lms.YearStanding{Required: 48, Owed: owed}))
	require.EqualValues(t, 0, missing(lms.YearStanding{Owed: owed}), "who left the field is left alone")
}

func TestRemindersGoOutByDayInMissouri(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		from := lmstest.Now.Add(time.Duration(rapid.IntRange(0, 365*24*60).Draw(rt, "minutes")) * time.Minute)
		next := reminding{}.Next(from)
		require.True(rt, next.After(from))
		require.LessOrEqual(rt, next.Sub(from), 15*time.Hour)
		hour := next.In(lms.Central).Hour()
		require.True(rt, hour >= remindFrom && hour < remindUntil, next)
		require.True(rt, next.Before(remindToday(next).Until))
	})
}

// The alphabet of one text message of 160 characters (3GPP TS 23.038 §6.2.1), as far as it
// is used here.
const gsm = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;-!?()¿¡ñÑéÉèùìòàüÜöäÄÖ"

func TestAReminderIsOneTextMessage(t *testing.T) {
	t.Parallel()
	catalog := catalog(t)
	for _, lang := range words.Languages {
		for _, key := range catalog.Under("text.remind.") {
			for month := range 12 {
				text := catalog.Text(lang, key, "Last", lms.Date{Year: 2026, Month: time.Month(month + 1), Day: 28})
				require.LessOrEqual(t, len([]rune(text)), 160, text)
				require.False(t, strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(gsm, r) }), text)
				require.True(t, strings.HasPrefix(text, "Child Care Training: "), text)
			}
		}
	}
}

func catalog(t *testing.T) *words.Catalog {
	t.Helper()
	c, err := words.Load(map[string]fs.FS{"registry": Views, "web": web.Views})
	require.NoError(t, err)
	return c
}

// outbox keeps what is posted.
type outbox struct {
	letters []mail.Letter
	texts   []mail.Text
	fails   string // for whom no letter is taken
}

func (o *outbox) Post(_ context.Context, _ pgx.Tx, l mail.Letter) error {
	if l.To == o.fails {
		return errors.New("down")
	}
	o.letters = append(o.letters, l)
	return nil
}

func (o *outbox) PostText(_ context.Context, _ pgx.Tx, m mail.Text) error {
	o.texts = append(o.texts, m)
	return nil
}

func (o *outbox) CanText() bool { return true }

// counting counts letters, from wherever they come.
type counting struct {
	outbox
	n atomic.Int64
}

func (c *counting) Post(context.Context, pgx.Tx, mail.Letter) error {
	c.n.Add(1)
	return nil
}

// newReminding is a world whose mail is kept.
func newReminding(t *testing.T) (world, *outbox) {
	w, o := newWorld(t), &outbox{}
	w.Mail = o
	return w, o
}

// chosen makes somebody's phone known and has them want text messages there.
func (w world) chosen(p lms.Person, byText ...bool) {
	w.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(w.t.Context(), `INSERT INTO accounts.factors (person, kind, label, phone, made_at, confirmed_at) VALUES ($1, 'text', '', '+15735550100', $2, $2)`, p.ID, lmstest.Now)
		for _, choice := range byText {
			if err == nil {
				_, err = tx.Exec(w.t.Context(), `INSERT INTO accounts.reminder_choices (person, by_text, recorded_at) VALUES ($1, $2, $3)`, p.ID, choice, lmstest.Now)
			}
		}
		return err
	})
}

func TestWhoseCourseEndsIsToldOnceByMailAndByTextWhereChosen(t *testing.T) {
	t.Parallel()
	w, o := newReminding(t)
	p, other := lmstest.Person(t, w.db, func(p *lms.Person) { p.Lang = "es" }), lmstest.Person(t, w.db)
	w.chosen(p, true)
	w.chosen(other, true, false)
	e := lmstest.Enrollment(t, w.db, p, lmstest.Course(t, w.db, func(c *lms.Course) { c.Title = "Sueño seguro" }))
	lmstest.Enrollment(t, w.db, other, lmstest.Course(t, w.db))
	done := lmstest.Person(t, w.db)
	w.completed(done, lmstest.Course(t, w.db), lmstest.Now)

	morning := func(left int) time.Time { return e.LastDay.AddDays(-left).Start().Add(9 * time.Hour) }
	everyone := []lms.PersonID{p.ID, other.ID, done.ID}
	remind := func(left int) {
		for _, id := range everyone {
			require.NoError(t, w.Remind(t.Context(), id, morning(left)))
		}
	}
	remind(31)
	require.Empty(t, o.letters)
	remind(30)
	remind(29)
	require.Len(t, o.letters, 2)
	require.Equal(t, "Uno de sus cursos termina el 16 de marzo de 2027", o.letters[0].Subject)
	require.Contains(t, o.letters[0].Lines, "Puede terminar «Sueño seguro» hasta el 16 de marzo de 2027 inclusive.")
	require.Equal(t, "https://learn.example.org/my-courses", o.letters[0].Button.URL)
	require.Len(t, o.texts, 1)
	require.Equal(t, "+15735550100", o.texts[0].To)
	require.NotContains(t, o.texts[0].Body, "Sueño", "what somebody learns is nobody else's business")
	remind(7) // the job did not run for three days
	remind(1)
	remind(0)
	remind(-1)
	require.Len(t, o.letters, 6)
	require.Equal(t, 6, w.count(`SELECT count(*) FROM registry.reminders`))
	candidates, err := w.toRemind(t.Context(), 0, morning(30))
	require.NoError(t, err)
	require.Equal(t, []lms.PersonID{p.ID, other.ID}, candidates)
}

func TestWhoIsShortOfTheYearsHoursIsToldHowMuchIsMissing(t *testing.T) {
	t.Parallel()
	w, o := newReminding(t)
	p := lmstest.Person(t, w.db)
	require.NoError(t, w.post(w.completed(p, lmstest.Course(t, w.db), lmstest.Now)))
	o.letters = nil
	gone := lmstest.Person(t, w.db) // left the field long ago, four hours short
	w.in(func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO registry.employments (person, employer, hired_on, left_on, source, recorded_at) VALUES ($1, '', '2024-09-01', '2024-12-31', 'import', $2)`, gone.ID, lmstest.Now)
		return err
	})
	remind := func(day string) {
		for _, id := range []lms.PersonID{p.ID, gone.ID} {
			require.NoError(t, w.Remind(t.Context(), id, at(day, t)))
		}
	}
	remind("2026-10-31")
	require.Empty(t, o.letters)
	for _, day := range []string{"2026-11-01", "2026-11-20", "2026-12-01", "2026-12-05", "2026-12-25", "2026-12-31"} {
		remind(day)
	}
	require.Len(t, o.letters, 3)
	require.Equal(t, "10.75 clock hours to go by December 31, 2026", o.letters[0].Subject)
	require.Contains(t, o.letters[0].Lines, "For 2026 you have 1.25 of 12.0 clock hours.")
	require.Equal(t, "https://learn.example.org/plan", o.letters[0].Button.URL)
	remind("2027-11-10")
	require.Len(t, o.letters, 4)
	require.Equal(t, "22.75 clock hours to go by December 31, 2027", o.letters[3].Subject)
	require.Contains(t, o.letters[3].Lines, "10.75 clock hours are still missing for 2026. What you earn next counts there first.")
}

func TestWhoseSafeSleepTrainingExpiresIsToldOnceSixtyDaysBefore(t *testing.T) {
	t.Parallel()
	w, o := newReminding(t)
	p := lmstest.Person(t, w.db)
	course := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	require.NoError(t, w.post(w.completed(p, course, at("2026-05-10", t))))
	o.letters = nil
	lmstest.Person(t, w.db)
	for _, day := range []string{"2029-03-10", "2029-03-11", "2029-03-12", "2029-05-10", "2029-05-11"} {
		require.NoError(t, w.Remind(t.Context(), p.ID, at(day, t)))
		require.Len(t, o.letters, map[bool]int{true: 0, false: 1}[day == "2029-03-10"], day)
	}
	require.Equal(t, "Renew your safe sleep training by May 10, 2029", o.letters[0].Subject)
	require.Contains(t, o.letters[0].Lines, "You completed safe sleep training on May 10, 2026. It is valid through May 10, 2029.")
	candidates, err := w.toRemind(t.Context(), 0, at("2029-04-01", t))
	require.NoError(t, err)
	require.Equal(t, []lms.PersonID{p.ID}, candidates)
	candidates, err = w.toRemind(t.Context(), 0, at("2029-03-10", t))
	require.NoError(t, err)
	require.Empty(t, candidates)
}

func TestAMergedPersonIsRemindedOnce(t *testing.T) {
	t.Parallel()
	w, o := newReminding(t)
	from, into := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	day := at("2026-11-10", t)
	require.NoError(t, w.Remind(t.Context(), from.ID, day))
	require.Len(t, o.letters, 1)
	w.in(func(tx pgx.Tx) error { lmstest.Merge(t, tx, from.ID, into.ID); return nil })
	require.NoError(t, w.Remind(t.Context(), from.ID, day))
	require.NoError(t, w.Remind(t.Context(), into.ID, day))
	require.Len(t, o.letters, 1)
}

func TestOfManyWhoRemindAtOnceOneSends(t *testing.T) {
	w, _ := newReminding(t)
	p := lmstest.Person(t, w.db)
	sent := &counting{}
	w.Mail = sent
	for _, err := range lmstest.Race(t, w.db, func(int) error { return w.Remind(t.Context(), p.ID, at("2026-11-10", t)) }) {
		require.NoError(t, err)
	}
	require.EqualValues(t, 1, sent.n.Load())
}

func TestTheDatabaseAloneLetsAReminderBeSentOnce(t *testing.T) {
	w, _ := newReminding(t)
	p := lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, lmstest.Course(t, w.db))
	for _, r := range []reminder{{occasion{ofWindow, e.ID, e.LastDay}, 30}, {occasion{Kind: ofYear, LastDay: yearEnd(lmstest.Today)}, 60}} {
		lmstest.OneWins(t, w.db, ErrReminded, func(int) error {
			return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
				return explained(t, insertReminder(t.Context(), tx, p.ID, r, lmstest.Now), "reminders_once")
			})
		})
	}
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.reminders`))
}

func TestTheJobGoesThroughEveryoneAndOneWhoFailsStopsNobody(t *testing.T) {
	t.Parallel()
	w, o := newReminding(t)
	people := make([]lms.Person, remindAtOnce+3)
	for i := range people {
		people[i] = lmstest.Person(t, w.db)
	}
	o.fails = people[1].Email
	worker := &remind{service: w.Service, now: func() time.Time { return at("2026-11-10", t) }}
	args := remindToday(worker.now())
	err := worker.Work(t.Context(), &river.Job[RemindArgs]{Args: args})
	require.ErrorContains(t, err, fmt.Sprintf("remind person %d", people[1].ID))
	require.Len(t, o.letters, remindAtOnce-1)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM river.river_job WHERE kind = 'remind' AND (args->>'after')::bigint = $1`, people[remindAtOnce-1].ID))
	o.fails = ""
	require.NoError(t, worker.Work(t.Context(), &river.Job[RemindArgs]{Args: args}), "it is done again")
	args.After = people[remindAtOnce-1].ID
	require.NoError(t, worker.Work(t.Context(), &river.Job[RemindArgs]{Args: args}))
	require.Len(t, o.letters, len(people))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM river.river_job WHERE kind = 'remind'`), "the next people are asked for once")
	args.Until = worker.now().Add(-time.Minute)
	require.NoError(t, worker.Work(t.Context(), &river.Job[RemindArgs]{Args: args}), "at night it waits for the next day")
}
