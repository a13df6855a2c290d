package lmstest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
)

// Now is the instant at which tests play unless they say otherwise: a Monday
// morning, 10:00 Central.
var Now = lms.Date{Year: 2026, Month: 3, Day: 16}.Start().Add(10 * time.Hour)

// Today is the day of Now.
var Today = lms.DateOf(Now)

// built numbers what the builders make, so that codes and addresses are unique.
var built atomic.Int64

// noPassword is the hash of no password.
const noPassword = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Person records a caregiver with a MOPD ID. Nobody can sign in as them: their
// login has no password.
//
//	author := lmstest.Person(t, db, func(p *lms.Person) { p.Roles = []lms.Role{lms.Author} })
func Person(t testing.TB, db *pgxpool.Pool, change ...func(*lms.Person)) lms.Person {
	t.Helper()
	n := built.Add(1)
	p := lms.Person{MOPDID: lms.MOPDID(100_000 + n), Given: "Maya", Family: fmt.Sprintf("Rivera %d", n), Email: fmt.Sprintf("maya%d@example.org", n), Lang: "en"}
	apply(&p, change)
	record(t, db, func(tx pgx.Tx) {
		insert(t, tx, &p.ID, `INSERT INTO accounts.people (lang, recorded_at) VALUES ($1, $2) RETURNING id`, p.Lang, Now)
		write(t, tx, `INSERT INTO accounts.mopd_ids (id, person, recorded_at) VALUES ($1, $2, $3)`, p.MOPDID, p.ID, Now)
		write(t, tx, `INSERT INTO accounts.names (person, given, family, recorded_at) VALUES ($1, $2, $3, $4)`, p.ID, p.Given, p.Family, Now)
		write(t, tx, `INSERT INTO accounts.logins (person, email, password_hash) VALUES ($1, $2, $3)`, p.ID, p.Email, noPassword)
		for _, role := range p.Roles {
			write(t, tx, `INSERT INTO accounts.roles (person, role) VALUES ($1, $2)`, p.ID, role)
		}
	})
	return p
}

// Session opens a session of somebody who has signed in at an instant, a second factor
// just given, and gives its token.
//
//	token := lmstest.Session(t, db, person.ID, lmstest.Now, func(v *lms.Viewer) { v.Stage = lms.Enrolling })
func Session(t testing.TB, db *pgxpool.Pool, p lms.PersonID, now time.Time, change ...func(*lms.Viewer)) string {
	t.Helper()
	v := lms.Viewer{Stage: lms.SignedIn, ProvedAt: now}
	apply(&v, change)
	token := rand.Text()
	hash := sha256.Sum256([]byte(token))
	record(t, db, func(tx pgx.Tx) {
		write(t, tx, `INSERT INTO accounts.sessions (token_hash, person, stage, proved_at, origin, agent, opened_at, seen_at)
			VALUES ($1, $2, $3, $4, '127.0.0.1', 'Chrome/156 Linux', $5, $5)`, hash[:], p, v.Stage, v.ProvedAt, now)
	})
	return token
}

// Course records a free course of 1.25 clock hours with a published version and an
// approval since 2020. Without Hours it gets no approval.
//
//	course := lmstest.Course(t, db, func(c *lms.Course) { c.Fee = 500 })
func Course(t testing.TB, db *pgxpool.Pool, change ...func(*lms.Course)) lms.Course {
	t.Helper()
	n := built.Add(1)
	c := lms.Course{Code: fmt.Sprintf("T-%d", n), Title: fmt.Sprintf("Course %d", n), Sponsor: "Missouri training", Topics: []string{}, Hours: 5}
	apply(&c, change)
	record(t, db, func(tx pgx.Tx) {
		insert(t, tx, &c.ID, `INSERT INTO courses.courses (code, title, summary, sponsor, topics, series, fee_cents, safe_sleep, recorded_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
			c.Code, c.Title, c.Summary, c.Sponsor, c.Topics, c.Series, c.Fee, c.SafeSleep, Now)
		pkg := make([]byte, 32)
		write(t, tx, `INSERT INTO courses.blobs (sha256, wanted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, pkg, Now)
		insert(t, tx, &c.Version, `INSERT INTO courses.versions (course, n, state, standard, title, launch, activity, package_sha256, package_name,
				package_size, content_size, file_count, published_at, recorded_at)
			VALUES ($1, 1, 'published', $2, $3, 'index.html', 'item-1', $4, 'course.zip', 1, 1, 1, $5, $5) RETURNING id`,
			c.ID, lms.SCORM12, c.Title, pkg, Now)
		if c.Hours > 0 {
			insert(t, tx, &c.Approval, `INSERT INTO courses.approvals (course, number, quarters, valid_from, approver, recorded_at)
				VALUES ($1, $2, $3, '2020-01-01', 'DESE', $4) RETURNING id`, c.ID, "A-"+c.Code, c.Hours, Now)
		}
	})
	return c
}

// Enrollment records a registration of Today, ready to start, with the window that
// the policies on record give it. A completed one was completed at Now unless
// CompletedAt says otherwise.
//
//	active := lmstest.Enrollment(t, db, person, course, func(e *lms.Enrollment) { e.State = lms.Active })
func Enrollment(t testing.TB, db *pgxpool.Pool, p lms.Person, c lms.Course, change ...func(*lms.Enrollment)) lms.Enrollment {
	t.Helper()
	e := lms.Enrollment{
		Person: p.ID, Course: c.ID, Version: c.Version, Title: c.Title, Sponsor: c.Sponsor, Hours: c.Hours,
		State: lms.Ready, RegisteredOn: Today,
	}
	apply(&e, change)
	if e.State == lms.Completed && e.CompletedAt == nil {
		now := Now
		e.CompletedAt = &now
	}
	window, err := Policies(t, db).On(lms.WindowPolicy, e.RegisteredOn)
	require.NoError(t, err)
	e.LastDay, err = lms.Window(window.Value, e.RegisteredOn, e.FirstLaunched)
	require.NoError(t, err)
	record(t, db, func(tx pgx.Tx) {
		insert(t, tx, &e.ID, `INSERT INTO enrollments.enrollments (person, course, version, title, sponsor, quarters, state, registered_on,
				window_policy, window_rule, first_launched, last_day, completed_at, recorded_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id`,
			e.Person, e.Course, e.Version, e.Title, e.Sponsor, e.Hours, e.State, e.RegisteredOn,
			window.ID, window.Value, e.FirstLaunched, e.LastDay, e.CompletedAt, Now)
	})
	return e
}

// Policy records a policy in force from a day on.
func Policy(t testing.TB, db *pgxpool.Pool, kind lms.PolicyKind, value string, from lms.Date) lms.Policy {
	t.Helper()
	p := lms.Policy{Kind: kind, Value: value, From: from}
	record(t, db, func(tx pgx.Tx) {
		insert(t, tx, &p.ID, `INSERT INTO registry.policies (kind, value, effective_from, follows, recorded_at)
				VALUES ($1, $2, $3, (SELECT max(id) FROM registry.policies WHERE kind = $1), $4) RETURNING id`,
			kind, value, from, Now)
	})
	return p
}

// Querier is a pool or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Policies are the policies on record.
func Policies(t testing.TB, db Querier) lms.Policies {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT id, kind, value, effective_from AS "from" FROM registry.policies ORDER BY id`)
	require.NoError(t, err)
	policies, err := pgx.CollectRows(rows, pgx.RowToStructByName[lms.Policy])
	require.NoError(t, err)
	return policies
}

// Racers is how many goroutines Race sets off.
const Racers = 32

// Race runs attempt in Racers goroutines at once and gives what each returned. It fails
// when they wait for each other; how long they take is told, not judged: what a race
// takes in a test depends on what else the machine does.
func Race(t testing.TB, db *pgxpool.Pool, attempt func(i int) error) []error {
	t.Helper()
	race(t, func(int) error { return db.Ping(t.Context()) }) // opens the pool's connections
	start := time.Now()
	results := race(t, attempt)
	t.Logf("the race took %d ms", time.Since(start).Milliseconds())
	return results
}

func race(t testing.TB, attempt func(i int) error) []error {
	t.Helper()
	results := make([]error, Racers)
	ready, gun := sync.WaitGroup{}, make(chan struct{})
	var finish sync.WaitGroup
	ready.Add(Racers)
	for i := range results {
		finish.Go(func() {
			ready.Done()
			<-gun
			results[i] = attempt(i)
		})
	}
	ready.Wait()
	done := make(chan struct{})
	close(gun)
	go func() {
		finish.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the racers wait for each other")
	}
	return results
}

// OneWins races attempt and wants exactly one success, and for every loser the same
// refusal. It gives the winner.
func OneWins(t testing.TB, db *pgxpool.Pool, refusal *lms.Error, attempt func(i int) error) (winner int) {
	t.Helper()
	winner = -1
	for i, err := range Race(t, db, attempt) {
		if err == nil {
			require.Equal(t, -1, winner, "two winners")
			winner = i
			continue
		}
		require.ErrorIs(t, err, refusal)
		got, ok := lms.AsError(err)
		require.True(t, ok)
		require.Equal(t, refusal.Code, got.Code)
		require.Equal(t, refusal.Kind, got.Kind)
	}
	require.NotEqual(t, -1, winner, "nobody won")
	return winner
}

func apply[T any](v *T, change []func(*T)) {
	for _, c := range change {
		c(v)
	}
}

func record(t testing.TB, db *pgxpool.Pool, fn func(pgx.Tx)) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		fn(tx)
		return nil
	}))
}

func insert(t testing.TB, tx pgx.Tx, id any, sql string, args ...any) {
	t.Helper()
	require.NoError(t, tx.QueryRow(t.Context(), sql, args...).Scan(id))
}

func write(t testing.TB, tx pgx.Tx, sql string, args ...any) {
	t.Helper()
	_, err := tx.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

// Merge records that two profiles are one person's, without what features do then.
func Merge(t testing.TB, tx pgx.Tx, from, into lms.PersonID) {
	t.Helper()
	write(t, tx, `INSERT INTO accounts.merges (from_person, into_person, recorded_at, by_person, reason) VALUES ($1, $2, $3, $2, 'the same person')`, from, into, Now)
}
