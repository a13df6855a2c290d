package registry

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/mail"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

type world struct {
	*Service
	t      *testing.T
	db     *pgxpool.Pool
	posted *letters
}

func newWorld(t *testing.T) world {
	db := lmstest.DB(t)
	inserter, err := jobs.NewInserter(db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	posted := &letters{}
	return world{New(Dependencies{
		DB: db, Jobs: inserter, Audit: trail{}, People: people{}, Mail: posted, Words: catalog(t), AppURL: &url.URL{Scheme: "https", Host: "learn.example.org"},
	}), t, db, posted}
}

// people are found as their owner finds them.
type people struct{}

func (people) Person(ctx context.Context, tx pgx.Tx, id lms.PersonID) (p lms.Person, err error) {
	p.ID = id
	err = tx.QueryRow(ctx, `SELECT p.lang, coalesce(l.email, '') FROM accounts.people p LEFT JOIN accounts.logins l ON l.person = p.id WHERE p.id = $1`, id).Scan(&p.Lang, &p.Email)
	return p, err
}

func (people) LookAtPerson(context.Context, lms.Viewer, lms.PersonID, string, time.Time) (lms.Person, error) {
	return lms.Person{}, lms.ErrNotFound
}

func (people) Find(context.Context, lms.Viewer, string, string, time.Time) ([]lms.PersonID, error) {
	return nil, nil
}

func (people) Holder(ctx context.Context, tx pgx.Tx, id lms.MOPDID, given, family string) (p lms.Person, held bool, err error) {
	err = tx.QueryRow(ctx, `SELECT n.person, n.given = $2 AND n.family = $3 FROM accounts.pub_mopd_ids m JOIN accounts.pub_people n ON n.person = m.person WHERE m.mopd_id = $1`, id, given, family).Scan(&p.ID, &held)
	_, err = pg.One(p, err)
	return p, held, err
}

func (people) Namesakes(context.Context, pgx.Tx, string, string) ([]lms.Person, error) {
	return nil, nil
}

// letters remember what was posted, as if every transaction were committed.
type letters struct {
	mu  sync.Mutex
	all []mail.Letter
}

func (l *letters) Post(_ context.Context, _ pgx.Tx, letter mail.Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.Contains(letter.To, "@") {
		return mail.ErrAddress
	}
	l.all = append(l.all, letter)
	return nil
}

func (*letters) PostText(context.Context, pgx.Tx, mail.Text) error { return mail.ErrNoGateway }

func (*letters) CanText() bool { return false }

// texts are the lines of every letter.
func (l *letters) texts() (texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, letter := range l.all {
		texts = append(texts, strings.Join(slices.Concat(letter.Lines, letter.After), "\n"))
	}
	return texts
}

// trail writes the audit trail as its owner does.
type trail struct{}

func (trail) Audit(ctx context.Context, tx pgx.Tx, e lms.AuditEntry) error {
	_, err := tx.Exec(ctx, `INSERT INTO accounts.audit (at, actor, action, subject, object, origin)
		VALUES ($1, nullif($2, 0), $3, nullif($4, 0), $5, '')`, e.At, int64(e.Actor), e.Action, int64(e.Subject), e.Object)
	return err
}

// completed records a completion at an instant.
func (w world) completed(p lms.Person, c lms.Course, at time.Time) lms.EnrollmentID {
	return lmstest.Enrollment(w.t, w.db, p, c, func(e *lms.Enrollment) {
		e.State, e.RegisteredOn, e.CompletedAt = lms.Completed, lms.DateOf(at), &at
	}).ID
}

func (w world) post(e lms.EnrollmentID) error {
	return pg.InTx(w.t.Context(), w.db, func(tx pgx.Tx) error { return w.Post(w.t.Context(), tx, e, lmstest.Now) })
}

func (w world) status(e lms.EnrollmentID) (status lms.CreditStatus) {
	w.t.Helper()
	w.in(func(tx pgx.Tx) (err error) {
		status, err = w.Posted(w.t.Context(), tx, e)
		return err
	})
	return status
}

func (w world) in(fn func(pgx.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, pg.InTx(w.t.Context(), w.db, fn))
}

func (w world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

// later is a moment after everything that tests do.
var later = Moment{lms.Date{Year: 2030, Month: 1, Day: 1}, lmstest.Now.AddDate(4, 0, 0)}

// year is how a year of a person's record stands.
func (w world) year(p lms.Person, year int) (y AllocatedYear) {
	w.t.Helper()
	w.in(func(tx pgx.Tx) error {
		r, err := w.Record(w.t.Context(), tx, p.ID, later)
		y = r.Year(year)
		return err
	})
	return y
}

// rows are the year's rows of a person's training report.
func (w world) rows(p lms.Person, year int) (rows []reportRow) {
	w.t.Helper()
	w.in(func(tx pgx.Tx) error {
		r, err := w.Record(w.t.Context(), tx, p.ID, later)
		if err != nil {
			return err
		}
		rows, _, err = reportRows(r, year)
		return err
	})
	return rows
}

func at(day string, t *testing.T) time.Time {
	t.Helper()
	d, err := lms.ParseDate(day)
	require.NoError(t, err)
	return d.Start().Add(10 * time.Hour)
}

func TestACompletionEarnsWhatWasShownAtRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	e := w.completed(p, c, lmstest.Now)
	require.Empty(t, w.status(e))
	require.NoError(t, w.post(e))
	require.Equal(t, lms.Credited, w.status(e))

	rows := w.rows(p, 2026)
	require.Len(t, rows, 1)
	got := rows[0].Recorded
	require.True(t, got.EarnedAt.Equal(lmstest.Now))
	require.Equal(t, Recorded{ID: got.ID, Source: sourceEnrollment, EarnedOn: lmstest.Today, EarnedAt: got.EarnedAt, Title: c.Title, Sponsor: c.Sponsor, Claimed: 5, Hours: 5,
		Status: lms.Credited, ReasonArgs: []byte("{}")}, got)
}

func TestACreditSaysWhichPolicyMadeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	changed := lmstest.Policy(t, w.db, lms.RepeatCredit, lms.CalendarYear, lmstest.Today)
	p := lmstest.Person(t, w.db)
	before, after := w.completed(p, lmstest.Course(t, w.db), lmstest.Now.AddDate(0, 0, -1)), w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	require.NoError(t, w.post(before))
	require.NoError(t, w.post(after))
	policy := func(e lms.EnrollmentID) (value string, until lms.Date) {
		require.NoError(t, w.db.QueryRow(t.Context(), `SELECT p.value, upper(b.during) FROM registry.credits c
			JOIN registry.decisions d ON d.credit = c.id JOIN registry.policies p ON p.id = d.policy
			JOIN registry.credit_blocks b ON b.credit = c.id WHERE c.reference = $1`, reference(e)).Scan(&value, &until))
		return value, until
	}
	value, until := policy(before)
	require.Equal(t, "twelve_months until 2027-03-15", value+" until "+until.String())
	value, until = policy(after)
	require.Equal(t, changed.Value+" until 2027-01-01", value+" until "+until.String())
}

func TestARepeatedCourseIsDeniedWithTheDayFromWhichItEarns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	first, repeat, later := w.completed(p, c, at("2025-12-20", t)), w.completed(p, c, at("2026-01-05", t)), w.completed(p, c, at("2026-12-20", t))
	for _, e := range []lms.EnrollmentID{first, repeat, later} {
		require.NoError(t, w.post(e))
	}
	require.Equal(t, []lms.CreditStatus{lms.Credited, lms.Denied, lms.Credited}, []lms.CreditStatus{w.status(first), w.status(repeat), w.status(later)})

	rows := w.rows(p, 2026)
	require.Len(t, rows, 2)
	require.Equal(t, reasonRepeat, rows[0].Reason)
	require.Equal(t, "2026-12-20", rows[0].From.String())
	require.Equal(t, lms.Hours(5), rows[0].Claimed)
	require.Zero(t, rows[0].Hours)
	require.True(t, rows[1].From.IsZero())
}

func TestADeniedCompletionBlocksNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	for _, day := range []string{"2025-12-20", "2026-12-19", "2026-12-21"} {
		require.NoError(t, w.post(w.completed(p, c, at(day, t))))
	}
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.decisions WHERE status = 'credited'`))
}

func TestOtherCoursesAndOtherPeopleAreNotInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	all := []lms.EnrollmentID{
		w.completed(p, c, lmstest.Now), w.completed(p, lmstest.Course(t, w.db), lmstest.Now), w.completed(lmstest.Person(t, w.db), c, lmstest.Now),
	}
	for _, e := range all {
		require.NoError(t, w.post(e))
		require.Equal(t, lms.Credited, w.status(e))
	}
	w.in(func(tx pgx.Tx) error {
		again, err := w.EarnsAgain(t.Context(), tx, p.ID, lmstest.Today)
		require.Len(t, again, 2, "both courses of this person, and nobody else's")
		require.Equal(t, lmstest.Today.AddMonths(12), again[c.ID])
		return err
	})
}

func TestTheOrderOfJobsDoesNotDecideWhichCompletionEarns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	december, january := w.completed(p, c, at("2026-12-31", t)), w.completed(p, c, at("2027-01-01", t))
	require.NoError(t, w.post(january))
	require.Equal(t, lms.Credited, w.status(december), "the older one is posted first, whatever its job does")
	require.Equal(t, lms.Denied, w.status(january))
	require.NoError(t, w.post(december))
	require.Equal(t, 2, w.count(`SELECT count(*) FROM registry.credits`))
}

func TestACompletionWhoseCreditIsStillToComeCountsForWhatCanEarn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	w.completed(p, c, lmstest.Now)
	w.in(func(tx pgx.Tx) error {
		require.ErrorIs(t, w.CanEarn(t.Context(), tx, p.ID, c.ID, lmstest.Today), lms.ErrEarnsAgain)
		return nil
	})
}

func TestALateCompletionThatCollidesWithAYoungerCreditIsHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	require.NoError(t, w.post(w.completed(p, c, at("2027-01-01", t))))
	late := w.completed(p, c, at("2026-12-31", t))
	require.NoError(t, w.post(late))
	require.Equal(t, lms.Held, w.status(late))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM registry.decisions WHERE reason = 'younger_stands'`))
}

func TestACreditThatNoJobPostedIsFoundAndPosted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	require.NoError(t, w.PostMissing(t.Context(), lmstest.Now.Add(missingAfter)))
	require.Zero(t, w.count(`SELECT count(*) FROM river.river_job WHERE kind = 'post_credit'`), "it may still have its job")
	require.NoError(t, w.PostMissing(t.Context(), lmstest.Now.Add(missingAfter+time.Second)))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM river.river_job WHERE kind = 'post_credit'`))
}

func TestAReleasedBlockLetsTheCourseEarnAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	require.NoError(t, w.post(w.completed(p, c, lmstest.Now)))
	can := func() (err error) {
		w.in(func(tx pgx.Tx) error {
			err = w.CanEarn(t.Context(), tx, p.ID, c.ID, lmstest.Today)
			return nil
		})
		return err
	}
	require.ErrorIs(t, can(), lms.ErrEarnsAgain)
	_, err := w.db.Exec(t.Context(), `DELETE FROM registry.credit_blocks`)
	require.NoError(t, err)
	require.NoError(t, can())
}

func TestPostingTwiceGivesOneCreditAndOneAuditLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	require.NoError(t, w.post(e))
	require.NoError(t, w.post(e))
	require.Len(t, w.rows(p, 2026), 1)
	var action, object string
	var subject lms.PersonID
	require.NoError(t, w.db.QueryRow(t.Context(), `SELECT action, object, subject FROM accounts.audit`).Scan(&action, &object, &subject))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit`))
	require.Equal(t, "credit_credited", action)
	require.Contains(t, object, "credit/")
	require.Equal(t, p.ID, subject)
}

func TestWhatIsNotCompletedIsNotPosted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	active := lmstest.Enrollment(t, w.db, lmstest.Person(t, w.db), lmstest.Course(t, w.db), func(e *lms.Enrollment) { e.State = lms.Active })
	require.ErrorIs(t, w.post(active.ID), lms.ErrNotFound)
	require.ErrorIs(t, w.post(999), lms.ErrNotFound)
	require.Zero(t, w.count(`SELECT count(*) FROM registry.credits`))
}

func TestACreditCountsInTheCentralYearOfItsCompletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	midnight := time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC)
	require.NoError(t, w.post(w.completed(p, lmstest.Course(t, w.db), midnight.Add(-time.Second))))
	require.NoError(t, w.post(w.completed(p, lmstest.Course(t, w.db, func(c *lms.Course) { c.Hours = 8 }), midnight)))
	for year, want := range map[int]lms.Hours{2024: 0, 2025: 5, 2026: 8, 2027: 0} {
		require.Equal(t, want, w.year(p, year).Earned, year)
	}
}

func TestDeniedHoursDoNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
	require.NoError(t, w.post(w.completed(p, c, lmstest.Now)))
	require.NoError(t, w.post(w.completed(p, c, lmstest.Now.Add(time.Hour))))
	require.Equal(t, lms.Hours(5), w.year(p, 2026).Counted())
}

func TestTheLatestDecisionStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	e := w.completed(p, lmstest.Course(t, w.db), lmstest.Now)
	require.NoError(t, w.post(e))
	id := w.rows(p, 2026)[0].ID
	w.in(func(tx pgx.Tx) error {
		return insertDecision(t.Context(), tx, id, decision{Status: lms.Held, Policy: 3}, lmstest.Now.Add(time.Minute))
	})
	require.Equal(t, lms.Held, w.status(e))
	require.Zero(t, w.rows(p, 2026)[0].Hours)
}

func TestNothingOfACreditStaysWhenPostingFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := errors.New("the audit trail is full")
	w.Service = New(Dependencies{DB: w.db, Jobs: w.Jobs, Audit: failing{broken}})
	e := w.completed(lmstest.Person(t, w.db), lmstest.Course(t, w.db), lmstest.Now)
	require.ErrorIs(t, w.post(e), broken)
	require.Empty(t, w.status(e))
	require.Zero(t, w.count(`SELECT count(*) FROM registry.credit_blocks`))
}

type failing struct{ err error }

func (f failing) Audit(context.Context, pgx.Tx, lms.AuditEntry) error { return f.err }
