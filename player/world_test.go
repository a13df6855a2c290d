package player

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/blob"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

// world is a database with one caregiver in one active course, and the player on it.
type world struct {
	t       *testing.T
	db      *pgxpool.Pool
	s       *Service
	person  lms.Person
	active  lms.Enrollment
	content lms.Content
	files   files
	// What the rooms around the player answer.
	blockedUntil lms.Date
	posted       lms.CreditStatus
	mu           sync.Mutex
	audit        []lms.AuditEntry
	touched      int
	now          time.Time
	down         atomic.Bool // the run-time endpoints do not answer
	turnedAway   atomic.Int32
	signedOut    atomic.Bool  // the application session is over
	proxied      atomic.Bool  // something on the way answers for the run-time endpoints
	prelude      atomic.Value // a string: runs in the frame before its script
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, db: lmstest.DB(t), files: files{}, now: lmstest.Now, posted: lms.Credited}
	w.person = lmstest.Person(t, w.db)
	course := lmstest.Course(t, w.db)
	w.active = lmstest.Enrollment(t, w.db, w.person, course, func(e *lms.Enrollment) { e.State = lms.Active })
	w.content = lms.Content{Version: course.Version, Course: course.ID, Title: course.Title, Standard: lms.SCORM12, Launch: "index.html", Activity: "item-1"}
	w.s = New(Dependencies{DB: w.db, Courses: w, Enrollments: w, Registry: w, Accounts: w, Blobs: w.files, Random: rand.Reader})
	return w
}

// --- courses ---

type files map[string][]byte

func (f files) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	for _, content := range f {
		if blob.Key(sha256.Sum256(content)) == key {
			if length < 0 {
				length = int64(len(content)) - offset
			}
			return io.NopCloser(bytes.NewReader(content[offset : offset+length])), nil
		}
	}
	return nil, lms.ErrNotFound
}

func (w *world) Content(context.Context, pgx.Tx, lms.VersionID) (lms.Content, error) {
	return w.content, nil
}

func (w *world) File(_ context.Context, _ lms.VersionID, path string) (lms.File, error) {
	content, ok := w.files[path]
	if !ok {
		return lms.File{}, lms.ErrNotFound
	}
	kind := "text/html"
	if len(path) > 3 && path[len(path)-3:] == ".js" {
		kind = "text/javascript"
	}
	return lms.File{Path: path, SHA256: sha256.Sum256(content), Size: int64(len(content)), ContentType: kind}, nil
}

// --- enrollments ---

func (w *world) Enrollment(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID) (lms.Enrollment, error) {
	rows, err := tx.Query(ctx, `SELECT id, person, course, version, title, sponsor, quarters AS hours, state, registered_on, last_day, first_launched, completed_at
		FROM enrollments.enrollments WHERE id = $1`, id)
	if err != nil {
		return lms.Enrollment{}, err
	}
	return pg.One(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[lms.Enrollment]))
}

func (w *world) Launched(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, day lms.Date) error {
	_, err := tx.Exec(ctx, `UPDATE enrollments.enrollments SET first_launched = coalesce(first_launched, $2) WHERE id = $1`, id, day)
	return err
}

func (w *world) Complete(ctx context.Context, tx pgx.Tx, id lms.EnrollmentID, at time.Time) error {
	tag, err := tx.Exec(ctx, `UPDATE enrollments.enrollments SET state = 'completed', completed_at = $2 WHERE id = $1 AND state = 'active'`, id, at)
	if err == nil && tag.RowsAffected() == 0 {
		return lms.ErrAlreadyCompleted
	}
	return err
}

// --- registry ---

func (w *world) CanEarn(_ context.Context, _ pgx.Tx, _ lms.PersonID, _ lms.CourseID, day lms.Date) error {
	if day.Before(w.blockedUntil) {
		return lms.ErrEarnsAgain.With("From", w.blockedUntil)
	}
	return nil
}

func (w *world) Posted(context.Context, pgx.Tx, lms.EnrollmentID) (lms.CreditStatus, error) {
	return w.posted, nil
}

// --- accounts ---

func (w *world) Person(context.Context, pgx.Tx, lms.PersonID) (lms.Person, error) {
	return w.person, nil
}

func (w *world) Audit(_ context.Context, _ pgx.Tx, e lms.AuditEntry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.audit = append(w.audit, e)
	return nil
}

func (w *world) Touch(context.Context, pgx.Tx, lms.SessionID, time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touched++
	if w.signedOut.Load() {
		return lms.ErrUnauthenticated
	}
	return nil
}

// --- what a test does ---

var computer = Device{Computer: true, Name: "Chrome, Windows"}

func (w *world) attest() {
	w.t.Helper()
	require.NoError(w.t, w.s.Attest(w.t.Context(), w.person.ID, w.active.ID, "en", w.now))
}

func (w *world) tryLaunch(d Device) (Launched, error) {
	return w.s.Launch(w.t.Context(), LaunchRequest{Person: w.person.ID, Enrollment: w.active.ID, Session: 1, Device: d, From: "192.0.2.1"}, w.now)
}

func (w *world) launch() *session {
	w.t.Helper()
	w.attest()
	l, err := w.tryLaunch(computer)
	require.NoError(w.t, err)
	return &session{w, l, 0}
}

// session is a player as its browser holds it.
type session struct {
	w   *world
	l   Launched
	seq int64
}

func (s *session) bearer() Bearer { return Bearer{s.l.Label, s.l.Token, s.l.Epoch} }

func (s *session) send(b Batch, earlier ...Batch) (Saved, error) {
	if b.Activity == "" {
		b.Activity = "item-1"
	}
	return s.w.s.Commit(s.w.t.Context(), s.bearer(), CommitRequest{Epoch: s.l.Epoch, Batch: b, Earlier: earlier}, s.w.now)
}

// set commits pairs of element and value under the next number.
func (s *session) set(pairs ...string) Saved {
	s.w.t.Helper()
	saved, err := s.send(s.next(pairs...))
	require.NoError(s.w.t, err)
	return saved
}

func (s *session) next(pairs ...string) Batch {
	s.seq++
	b := Batch{Seq: s.seq, Activity: "item-1", Changes: map[string]string{}}
	for pair := range slices.Chunk(pairs, 2) {
		b.Changes[pair[0]] = pair[1]
	}
	return b
}

func (s *session) finish(pairs ...string) Saved {
	s.w.t.Helper()
	b := s.next(pairs...)
	b.Over = true
	saved, err := s.send(b)
	require.NoError(s.w.t, err)
	return saved
}

func (s *session) state() State {
	s.w.t.Helper()
	st, err := s.w.s.Restore(s.w.t.Context(), s.bearer(), s.w.now)
	require.NoError(s.w.t, err)
	return st
}

func (w *world) pass(d time.Duration) { w.setClock(w.clock().Add(d)) }

// clock is read by the server's goroutines too.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) setClock(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

func (w *world) state() lms.EnrollmentState {
	w.t.Helper()
	var state lms.EnrollmentState
	require.NoError(w.t, w.db.QueryRow(w.t.Context(), `SELECT state FROM enrollments.enrollments WHERE id = $1`, w.active.ID).Scan(&state))
	return state
}

func (w *world) fence() {
	w.t.Helper()
	require.NoError(w.t, pg.InTx(w.t.Context(), w.db, func(tx pgx.Tx) error { return w.s.Fence(w.t.Context(), tx, w.person.ID) }))
}

// live is the person's live session, as the shell hears of it.
func (w *world) live() *Live {
	w.t.Helper()
	st, err := w.s.Status(w.t.Context(), w.person.ID, w.active.ID)
	require.NoError(w.t, err)
	return st.Live
}

func numbered(n int) string { return fmt.Sprint("page ", n) }
