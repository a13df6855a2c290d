package enrollments

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/mail"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

// world is the feature on a database of its own, among stand-ins for the others that
// remember what they were asked.
type world struct {
	*Service
	t  *testing.T
	db *pgxpool.Pool

	mu      sync.Mutex
	courses map[string]lms.Course
	blocks  []lms.Block
	posting []lms.EnrollmentID
	fenced  []lms.PersonID
	moved   []lms.EnrollmentID
	trail   []string
	letters []mail.Letter
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, db: lmstest.DB(t), courses: map[string]lms.Course{}}
	w.Service = New(Dependencies{DB: w.db, Courses: standIn{w}, Registry: standIn{w}, Player: standIn{w}, Audit: standIn{w}})
	return w
}

type standIn struct{ *world }

func (s standIn) Course(_ context.Context, _ pgx.Tx, code string, _ lms.Date) (lms.Course, error) {
	c, ok := s.courses[code]
	if !ok {
		return c, lms.ErrNotFound
	}
	return c, nil
}

func (s standIn) Work(context.Context) (lms.RecordsWaiting, error) {
	return lms.RecordsWaiting{}, nil
}

func (s standIn) Open(context.Context, pgx.Tx, lms.Date) ([]lms.Course, error) {
	return slices.SortedFunc(maps.Values(s.courses), func(a, b lms.Course) int { return int(a.ID - b.ID) }), nil
}

func (s standIn) Policies(_ context.Context, tx pgx.Tx) (lms.Policies, error) {
	return lmstest.Policies(s.t, tx), nil
}

func (s standIn) CanEarn(_ context.Context, _ pgx.Tx, _ lms.PersonID, _ lms.CourseID, day lms.Date) error {
	return lms.CanEarn(s.blocks, lms.DateRange{From: day, Until: day.AddMonths(12)})
}

func (s standIn) EarnsAgain(ctx context.Context, tx pgx.Tx, p lms.PersonID, day lms.Date) (map[lms.CourseID]lms.Date, error) {
	again := map[lms.CourseID]lms.Date{}
	for _, b := range s.blocks {
		if b.During.Contains(day) {
			again[b.Course] = b.During.Until
		}
	}
	return again, nil
}

func (s standIn) EnqueuePosting(_ context.Context, _ pgx.Tx, e lms.EnrollmentID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posting = append(s.posting, e)
	return nil
}

func (s standIn) Standing(context.Context, pgx.Tx, lms.PersonID, time.Time) (lms.YearStanding, error) {
	return lms.YearStanding{}, nil
}

func (s standIn) SafeSleep(context.Context, pgx.Tx, lms.PersonID, time.Time) (lms.SafeSleep, error) {
	return lms.SafeSleep{}, nil
}

func (s standIn) Fence(_ context.Context, _ pgx.Tx, p lms.PersonID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fenced = append(s.fenced, p)
	return nil
}

func (s standIn) SeatTime(context.Context, pgx.Tx, lms.EnrollmentID) (time.Duration, error) {
	return 0, nil
}

func (s standIn) Audit(_ context.Context, _ pgx.Tx, e lms.AuditEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trail = append(s.trail, e.Action)
	return nil
}

func (w *world) course(change ...func(*lms.Course)) lms.Course {
	c := lmstest.Course(w.t, w.db, change...)
	w.courses[c.Code] = c
	return c
}

func (w *world) register(p lms.Person, c lms.Course, now time.Time) (lms.EnrollmentID, error) {
	return w.Register(w.t.Context(), Registration{Person: p.ID, Code: c.Code}, now)
}

func (w *world) start(p lms.Person, id, setAside lms.EnrollmentID, now time.Time) error {
	return w.Start(w.t.Context(), p.ID, id, setAside, "", now)
}

// complete does as the player does: the person's lock first.
func (w *world) complete(p lms.Person, id lms.EnrollmentID, at time.Time) error {
	return pg.InTx(w.t.Context(), w.db, func(tx pgx.Tx) error {
		if err := pg.LockPerson(w.t.Context(), tx, p.ID); err != nil {
			return err
		}
		return w.Complete(w.t.Context(), tx, id, at)
	})
}

func (w *world) enrollment(id lms.EnrollmentID) (e lms.Enrollment) {
	w.t.Helper()
	require.NoError(w.t, pg.InTx(w.t.Context(), w.db, func(tx pgx.Tx) (err error) {
		e, err = w.Enrollment(w.t.Context(), tx, id)
		return err
	}))
	return e
}

func active(e *lms.Enrollment)  { e.State = lms.Active }
func expired(e *lms.Enrollment) { e.State = lms.Expired }

// ago makes a registration of some days before Today.
func ago(days int) func(*lms.Enrollment) {
	return func(e *lms.Enrollment) { e.RegisteredOn = lmstest.Today.AddDays(-days) }
}

// args are what a refusal says beside its code.
func args(t *testing.T, err error) map[string]any {
	t.Helper()
	refused, ok := lms.AsError(err)
	require.True(t, ok, "%v", err)
	return refused.Args
}

func TestARegistrationIsReadyForTwelveMonths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), w.course()
	id, err := w.register(p, c, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, lms.Enrollment{
		ID: id, Person: p.ID, Course: c.ID, Version: c.Version, Title: c.Title, Sponsor: c.Sponsor, Hours: c.Hours,
		State: lms.Ready, RegisteredOn: lmstest.Today, LastDay: lmstest.Today.AddMonths(12),
	}, w.enrollment(id))
	require.Equal(t, []string{"registered"}, w.trail)
}

func TestTheDayOfRegistrationIsCentral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, err := w.register(lmstest.Person(t, w.db), w.course(), time.Date(2026, 1, 1, 5, 59, 59, 0, time.UTC))
	require.NoError(t, err)
	require.Equal(t, "2025-12-31", w.enrollment(id).RegisteredOn.String())
	require.Equal(t, "2026-12-31", w.enrollment(id).LastDay.String())
}

func TestThePolicyOfTheDayOfRegistrationSetsTheWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lmstest.Policy(t, w.db, lms.WindowPolicy, lms.CalendarYearEnd, lmstest.Today)
	p, c := lmstest.Person(t, w.db), w.course()
	before, err := w.register(p, w.course(), lmstest.Now.AddDate(0, 0, -1))
	require.NoError(t, err)
	id, err := w.register(p, c, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, "2027-03-15", w.enrollment(before).LastDay.String())
	require.Equal(t, "2026-12-31", w.enrollment(id).LastDay.String())
}

func TestARegistrationIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	open, fee, unapproved := w.course(), w.course(func(c *lms.Course) { c.Fee = 500 }), w.course(func(c *lms.Course) { c.Hours = 0 })
	id, err := w.register(p, open, lmstest.Now)
	require.NoError(t, err)

	_, err = w.register(p, open, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrAlreadyEnrolled)
	_, err = w.register(p, fee, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrFeeDue)
	require.Equal(t, fee.Title, args(t, err)["Title"])
	_, err = w.register(p, unapproved, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrCourseNotOpen)
	_, err = w.register(p, lms.Course{Code: "NO-SUCH"}, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)

	require.Equal(t, []string{"registered"}, w.trail)
	require.Equal(t, lms.Ready, w.enrollment(id).State)
}

func TestACourseThatWouldEarnNothingAsksFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), w.course()
	from := lmstest.Today.AddDays(10)
	w.blocks = []lms.Block{{Course: c.ID, During: lms.DateRange{From: lmstest.Today.AddDays(-300), Until: from}}}

	_, err := w.register(p, c, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrEarnsAgain)
	require.Equal(t, from, args(t, err)["From"])

	id, err := w.Register(t.Context(), Registration{Person: p.ID, Code: c.Code, AcceptNoCredit: true}, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, lms.Ready, w.enrollment(id).State)
}

func TestStartingMakesACourseTheActiveOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course())
	require.NoError(t, w.start(p, e.ID, 0, lmstest.Now))
	require.NoError(t, w.start(p, e.ID, 0, lmstest.Now), "starting again is harmless")
	require.Equal(t, lms.Active, w.enrollment(e.ID).State)
	require.Equal(t, []string{"started"}, w.trail)
}

func TestASecondCourseStartsOnlyWhenTheFirstIsSetAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	first, second := lmstest.Enrollment(t, w.db, p, w.course(), active), lmstest.Enrollment(t, w.db, p, w.course())

	err := w.start(p, second.ID, 0, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrAnotherActive)
	require.Equal(t, map[string]any{"Title": first.Title, "Enrollment": first.ID}, args(t, err))
	require.ErrorIs(t, w.start(p, second.ID, second.ID, lmstest.Now), lms.ErrAnotherActive, "not the active one was named")
	require.Empty(t, w.fenced)

	require.NoError(t, w.start(p, second.ID, first.ID, lmstest.Now))
	require.Equal(t, lms.Ready, w.enrollment(first.ID).State)
	require.Equal(t, lms.Active, w.enrollment(second.ID).State)
	require.Equal(t, []lms.PersonID{p.ID}, w.fenced)
	require.Equal(t, []string{"set_aside", "started"}, w.trail)
}

func TestNothingIsSetAsideForACourseThatCannotStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	first := lmstest.Enrollment(t, w.db, p, w.course(), active)
	over := lmstest.Enrollment(t, w.db, p, w.course(), expired)
	require.ErrorIs(t, w.start(p, over.ID, first.ID, lmstest.Now), lms.ErrWindowOver)
	require.Equal(t, lms.Active, w.enrollment(first.ID).State)
}

func TestSettingAsideKeepsTheCourseReadyAndStopsItsPlayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course(), active)
	require.NoError(t, w.SetAside(t.Context(), p.ID, e.ID, "", lmstest.Now))
	require.ErrorIs(t, w.SetAside(t.Context(), p.ID, e.ID, "", lmstest.Now), lms.ErrNotActive, "the second time changes nothing")
	require.Equal(t, lms.Ready, w.enrollment(e.ID).State)
	require.Equal(t, []lms.PersonID{p.ID}, w.fenced)
	require.Equal(t, []string{"set_aside"}, w.trail)
}

func TestSomebodyElsesEnrollmentCannotBeFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, other := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	mine, theirs := lmstest.Enrollment(t, w.db, p, w.course()), lmstest.Enrollment(t, w.db, other, w.course(), active)
	require.ErrorIs(t, w.start(p, theirs.ID, 0, lmstest.Now), lms.ErrNotFound)
	require.ErrorIs(t, w.start(p, mine.ID, theirs.ID, lmstest.Now), lms.ErrNotFound)
	require.ErrorIs(t, w.SetAside(t.Context(), p.ID, theirs.ID, "", lmstest.Now), lms.ErrNotFound)
	require.ErrorIs(t, w.start(p, 999, 0, lmstest.Now), lms.ErrNotFound)
	require.Equal(t, lms.Active, w.enrollment(theirs.ID).State)
	require.Equal(t, lms.Ready, w.enrollment(mine.ID).State)
	require.Empty(t, w.fenced)
}

func TestTheLastDayCountsInFullAndNotASecondMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course(), active)
	lastSecond := time.Date(2027, 3, 16, 23, 59, 59, 0, lms.Central)
	require.Equal(t, lastSecond.Add(time.Second), e.LastDay.End())

	err := w.complete(p, e.ID, lastSecond.Add(time.Second))
	require.ErrorIs(t, err, lms.ErrWindowOver)
	require.Equal(t, e.LastDay, args(t, err)["Last"])
	require.Empty(t, w.posting)

	require.NoError(t, w.complete(p, e.ID, lastSecond))
	require.Equal(t, lms.Completed, w.enrollment(e.ID).State)
}

func TestACompletionIsPostedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := lmstest.Enrollment(t, w.db, p, w.course(), active)
	require.NoError(t, w.complete(p, e.ID, lmstest.Now))
	require.ErrorIs(t, w.complete(p, e.ID, lmstest.Now.Add(time.Minute)), lms.ErrAlreadyCompleted)
	require.Equal(t, []lms.EnrollmentID{e.ID}, w.posting)
	require.True(t, lmstest.Now.Equal(*w.enrollment(e.ID).CompletedAt))
	require.ErrorIs(t, w.start(p, e.ID, 0, lmstest.Now), lms.ErrAlreadyCompleted)
}

func TestOnlyTheActiveCourseIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	ready := lmstest.Enrollment(t, w.db, p, w.course())
	require.ErrorIs(t, w.complete(p, ready.ID, lmstest.Now), lms.ErrNotActive)
	require.ErrorIs(t, w.complete(p, 999, lmstest.Now), lms.ErrNotFound)
	require.Empty(t, w.posting)
}

func TestWhatIsOverdueCannotBeStartedAndCanBeRegisteredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), w.course()
	old := lmstest.Enrollment(t, w.db, p, c, ago(400))
	err := w.start(p, old.ID, 0, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrWindowOver)
	require.Equal(t, old.LastDay, args(t, err)["Last"])

	again, err := w.register(p, c, lmstest.Now)
	require.NoError(t, err)
	require.NotEqual(t, old.ID, again)
	require.Equal(t, lms.Expired, w.enrollment(old.ID).State)
	require.NoError(t, w.start(p, again, 0, lmstest.Now))
}

func TestAnOverdueCourseDoesNotKeepAnotherFromStarting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	overdue := lmstest.Enrollment(t, w.db, p, w.course(), ago(400), active)
	next := lmstest.Enrollment(t, w.db, p, w.course())
	require.NoError(t, w.start(p, next.ID, 0, lmstest.Now))
	require.Equal(t, lms.Expired, w.enrollment(overdue.ID).State)
	require.Equal(t, lms.Active, w.enrollment(next.ID).State)
}

func TestAnEnrollmentIsOpenOnItsLastDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), w.course()
	e := lmstest.Enrollment(t, w.db, p, c, func(e *lms.Enrollment) { e.RegisteredOn = lmstest.Today.AddMonths(-12) })
	require.Equal(t, lmstest.Today, e.LastDay)
	_, err := w.register(p, c, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrAlreadyEnrolled)
	require.NoError(t, w.start(p, e.ID, 0, e.LastDay.End().Add(-time.Second)))
}

func TestTheFirstLaunchMovesTheWindowOnlyUnderItsPolicy(t *testing.T) {
	t.Parallel()
	cases := []struct{ policy, first, last string }{
		{lms.FromRegistration, "2026-06-01", "2027-03-16"},
		{lms.FromFirstLaunch, "2026-06-01", "2027-06-01"},
		{lms.CalendarYearEnd, "2026-06-01", "2026-12-31"},
	}
	for _, c := range cases {
		t.Run(c.policy, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			lmstest.Policy(t, w.db, lms.WindowPolicy, c.policy, lmstest.Today)
			e := lmstest.Enrollment(t, w.db, lmstest.Person(t, w.db), w.course(), active)
			first, err := lms.ParseDate(c.first)
			require.NoError(t, err)
			for _, day := range []lms.Date{first, first.AddDays(30)} { // the second launch moves nothing
				require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
					return w.Launched(t.Context(), tx, e.ID, day)
				}))
				got := w.enrollment(e.ID)
				require.Equal(t, first, *got.FirstLaunched)
				require.Equal(t, c.last, got.LastDay.String())
			}
		})
	}
}

func TestAnUnknownEnrollmentIsNotLaunched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.ErrorIs(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
		return w.Launched(t.Context(), tx, 999, lmstest.Today)
	}), lms.ErrNotFound)
}

func TestStandingsTellWhatEachCourseIsToAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	ready, playing, done, overdue, never := w.course(), w.course(), w.course(), w.course(), w.course()
	r := lmstest.Enrollment(t, w.db, p, ready)
	a := lmstest.Enrollment(t, w.db, p, playing, active)
	lmstest.Enrollment(t, w.db, p, done, func(e *lms.Enrollment) { e.State = lms.Completed })
	again := lmstest.Enrollment(t, w.db, p, done)
	lmstest.Enrollment(t, w.db, p, overdue, ago(400))
	lmstest.Enrollment(t, w.db, lmstest.Person(t, w.db), never) // somebody else's
	w.blocks = []lms.Block{
		{Course: done.ID, During: lms.DateRange{From: lmstest.Today, Until: lmstest.Today.AddMonths(12)}},
		{Course: never.ID, During: lms.DateRange{From: lmstest.Today.AddMonths(-12), Until: lmstest.Today}}, // over since today
	}

	got, err := w.Standings(t.Context(), p.ID, lmstest.Today)
	require.NoError(t, err)
	require.Equal(t, lms.Standing{Enrollment: r.ID, State: lms.Ready, LastDay: r.LastDay}, got[ready.ID])
	require.Equal(t, lms.Standing{Enrollment: a.ID, State: lms.Active, LastDay: a.LastDay}, got[playing.ID])
	require.Equal(t, lms.Standing{
		Enrollment: again.ID, State: lms.Ready, LastDay: again.LastDay,
		CompletedOn: lmstest.Today, EarnsAgainOn: lmstest.Today.AddMonths(12),
	}, got[done.ID])
	require.Zero(t, got[overdue.ID])
	require.NotContains(t, got, never.ID)
	require.False(t, slices.Contains(w.trail, "expired"), "looking changes nothing")
	require.Equal(t, lms.Ready, w.enrollment(r.ID).State)
}
