package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/secrets"
)

// Promises about what is killed are tested on real processes of the real program.

var lmsBinary = sync.OnceValues(func() (string, error) {
	bin, err := filepath.Abs("../../../bin/lms-under-test")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", bin, "mopd/cmd/lms").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build lms: %w\n%s", err, out)
	}
	return bin, err
})

// site is one deployment: a database that survives kills, a bucket, and any number
// of processes.
type site struct {
	testing.TB
	db  *pgxpool.Pool
	url string
	env []string
}

func newSite(t testing.TB) *site {
	t.Helper()
	database, store := lmstest.DurableDB(t), lmstest.Store(t)
	db, err := pg.Open(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	s := &site{TB: t, db: db, url: "http://learn.ce.localhost:9999"}
	s.env = append(os.Environ(), "DATABASE_URL="+database, "APP_URL="+s.url, "CONTENT_HOST=content.ce.localhost", "SECRET_KEY="+strings.Repeat("k", 32),
		"DATA_KEYS="+secrets.NewKey(), "SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=Child Care Training <no-reply@example.org>",
		"S3_ENDPOINT="+store.Endpoint, "S3_ACCESS_KEY="+store.AccessKey, "S3_SECRET_KEY="+store.SecretKey, "S3_BUCKET="+store.Bucket)
	return s
}

type process struct {
	cmd   *exec.Cmd
	done  chan struct{}
	ended error
	out   *bytes.Buffer
}

// start runs a command of the program, which ends with the test.
func (s *site) start(args ...string) *process {
	s.Helper()
	bin, err := lmsBinary()
	require.NoError(s, err)
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{}), out: &bytes.Buffer{}}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = s.env, p.out, p.out
	require.NoError(s, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.ended = p.cmd.Wait()
	}()
	s.Cleanup(func() {
		p.kill()
		if s.Failed() {
			s.Logf("lms %s ended with %v and said:\n%s", strings.Join(args, " "), p.ended, p.out)
		}
	})
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(err)
	}
	<-p.done
}

// run runs a command of the program to its end.
func (s *site) run(stdin string, args ...string) {
	s.Helper()
	bin, err := lmsBinary()
	require.NoError(s, err)
	cmd := exec.Command(bin, args...)
	cmd.Env, cmd.Stdin = s.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(s, err, "lms %s\n%s", strings.Join(args, " "), out)
}

// serve starts a server and answers its address once it answers.
func (s *site) serve() (*process, string) {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s, err)
	address := l.Addr().String()
	require.NoError(s, l.Close())
	return s.serveAt(address), address
}

// serveAt starts a server at an address, once it answers.
func (s *site) serveAt(address string) *process {
	s.Helper()
	p := s.start("serve", "--listen", address)
	require.NoError(s, wait(s.Context(), func(ctx context.Context) (bool, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, err
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	}))
	return p
}

// open prepares a caregiver and a course from the command line.
func (s *site) open() {
	s.Helper()
	file := filepath.Join(s.TempDir(), "one.zip")
	require.NoError(s, os.WriteFile(file, onePackage(s), 0o600))
	s.run(password+"\n", "user", "add", "--email", "maya@example.org", "--given", "Maya", "--family", "Ortiz")
	s.run("", "publish", file, "--code", "ONE-1", "--hours", "1.25", "--approval", "A-1", "--fee", "0")
}

// session opens a session of somebody who has signed in with both factors.
func (s *site) session(email string) string {
	s.Helper()
	var p lms.PersonID
	require.NoError(s, s.db.QueryRow(s.Context(), `SELECT person FROM accounts.logins WHERE email = $1`, email).Scan(&p))
	return lmstest.Session(s, s.db, p, time.Now())
}

func TestTwoServersServeOneLearnerAlternatelyWithoutALostCommit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open()
	first, a := s.serve()
	_, b := s.serve()
	l := newLearner(t, s.url, a, b)
	l.begin(s.session("maya@example.org"), "ONE-1")
	for n := 1; n <= 30; n++ {
		l.commit(map[string]string{"cmi.suspend_data": strconv.Itoa(n), fmt.Sprintf("cmi.objectives.%d.id", n): "saved"})
	}
	first.kill()
	for n := 31; n <= 40; n++ {
		l.commit(map[string]string{"cmi.suspend_data": strconv.Itoa(n), fmt.Sprintf("cmi.objectives.%d.id", n): "saved"})
	}
	data := l.data()
	require.Equal(t, "40", data["cmi.suspend_data"])
	for n := 1; n <= 40; n++ {
		require.Equal(t, "saved", data[fmt.Sprintf("cmi.objectives.%d.id", n)], "commit %d is lost", n)
	}
	var seq int64
	require.NoError(t, s.db.QueryRow(t.Context(), `SELECT max(seq) FROM player.sessions`).Scan(&seq))
	require.EqualValues(t, 40, seq, "each commit counted once")
}

func TestAWorkerKilledBetweenCompletionAndPostingLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open()
	_, address := s.serve()
	l := newLearner(t, s.url, address)
	l.begin(s.session("maya@example.org"), "ONE-1")
	l.commit(map[string]string{"cmi.core.lesson_status": "completed"})
	require.Zero(t, s.credits(), "nobody works jobs yet")

	release := s.holdPerson()
	worker := s.start("work")
	s.untilStopped("the worker is in the middle of posting")
	worker.kill()
	release()
	require.Zero(t, s.credits(), "the killed worker had posted nothing")
	require.Zero(t, s.letters(), "nor told anybody")

	s.start("work")
	start := time.Now()
	s.until("the credit is posted", `SELECT EXISTS (SELECT FROM registry.credits)`)
	t.Logf("the credit stood %.1f s after the next worker started", time.Since(start).Seconds())
	s.until("the job is done", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'post_credit' AND state <> 'completed')`)
	require.Equal(t, 1, s.credits())
	require.Equal(t, 1, s.letters(), "the person is told once")
	require.Contains(t, l.get("/report").body, "1.25")
}

func (s *site) credits() int {
	s.Helper()
	return s.counts(`SELECT count(*) FROM registry.credits`)
}

// letters are the jobs that send mail, whether it could be sent or not, but for reminders:
// what the day asks for is none of these tests'.
func (s *site) letters() int {
	s.Helper()
	return s.counts(`SELECT (SELECT count(*) FROM river.river_job WHERE kind = 'send_mail') - (SELECT count(*) FROM registry.reminders)`)
}

// holdPerson takes the lock of the one person, so that a posting stops in its middle.
func (s *site) holdPerson() (release func()) {
	s.Helper()
	person := s.person()
	tx, err := s.db.Begin(s.Context())
	require.NoError(s, err)
	require.NoError(s, pg.LockPerson(s.Context(), tx, person))
	return func() { require.NoError(s, tx.Rollback(s.Context())) }
}

// thisDatabase is the database asked, as pg_locks tells it, which shows those of every database.
const thisDatabase = `(SELECT oid FROM pg_database WHERE datname = current_database())`

// untilStopped waits until somebody waits for the lock of a person.
func (s *site) untilStopped(what string) {
	s.Helper()
	s.until(what, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = `+thisDatabase+`)`)
}

// rescue is how long a killed worker's job may take to be run again: River's rescue,
// sweep and election together, and after a third kill the 81 s that it waits before a
// fourth try, on busy cores.
const rescue = 4 * time.Minute

func (s *site) until(what, sql string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), rescue)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for yes := false; !yes; {
		require.NoError(s, s.db.QueryRow(ctx, sql).Scan(&yes), "waiting until %s", what)
		<-tick.C
	}
}
