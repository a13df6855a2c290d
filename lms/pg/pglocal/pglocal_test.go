package pglocal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms/pg/pglocal/child"
)

const serveEnv = "PGLOCAL_TEST_SERVE"

// TestMain lets this binary play the process that is killed: with serveEnv it serves a folder until it dies.
func TestMain(m *testing.M) {
	if dir := os.Getenv(serveEnv); dir != "" {
		c, err := Start(context.Background(), Options{Dir: dir, Durable: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(c.URL("postgres"))
		<-c.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// folder is a new folder that another user may pass, unlike t.TempDir.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pglocal-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "pg")
}

func serve(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, c) })
	return c
}

func stop(t *testing.T, c *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(t, c.Stop(ctx))
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	var answer string
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
	return answer
}

// keep commits a fact.
func keep(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `CREATE TABLE kept AS SELECT 7 AS n`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

func TestADurableClusterKeepsItsDataOverAStop(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	first := serve(t, Options{Dir: dir, Durable: true})
	require.Equal(t, "on on on", query(t, first.URL("postgres"),
		`SELECT current_setting('fsync') || ' ' || current_setting('synchronous_commit') || ' ' || current_setting('full_page_writes')`))
	keep(t, first.URL("postgres"))
	stop(t, first)

	second := serve(t, Options{Dir: dir, Durable: true})
	require.Equal(t, "7", query(t, second.URL("postgres"), `SELECT n::text FROM kept`))
}

func TestAThrowawayClusterIsReachableFromThisMachineWithItsPasswordOnly(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{Dir: folder(t)})
	require.Equal(t, "off 127.0.0.1 200", query(t, c.URL("postgres"),
		`SELECT current_setting('fsync') || ' ' || current_setting('listen_addresses') || ' ' || current_setting('max_connections')`))

	config, err := pgx.ParseConfig(c.URL("postgres"))
	require.NoError(t, err)
	config.Password = "guess"
	_, err = pgx.ConnectConfig(t.Context(), config)
	require.ErrorContains(t, err, "password authentication failed")

	info, err := os.Stat(filepath.Join(c.Dir, "password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestAFolderIsServedOnlyOnceAtATime(t *testing.T) {
	t.Parallel()
	c := serve(t, Options{Dir: folder(t)})
	_, err := Start(t.Context(), Options{Dir: c.Dir})
	require.ErrorIs(t, err, ErrInUse)
	require.Equal(t, "1", query(t, c.URL("postgres"), `SELECT '1'`), "the first server must not suffer")
}

func TestAFolderWithOtherFilesIsRefused(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("mine"), 0o644))
	_, err := Start(t.Context(), Options{Dir: dir})
	require.ErrorContains(t, err, "holds other files")
}

func TestAnInterruptedFirstStartIsRepaired(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	h, err := openHome(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data.partial", "base"), 0o700))
	closeFile(h.server)
	h.release()

	c := serve(t, Options{Dir: dir})
	require.Equal(t, "1", query(t, c.URL("postgres"), `SELECT '1'`))
}

// A killed process takes its server along, and what was committed is there at the next start.
func TestAKilledProcessLeavesNoServerAndLosesNoCommit(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), serveEnv+"="+dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	process, err := child.Start(parent, syscall.SIGKILL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, process.Stop(context.Background(), syscall.SIGKILL)) })
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the process must say where it serves")
	url := lines.Text()
	keep(t, url)
	require.NoError(t, process.Stop(t.Context(), syscall.SIGKILL))

	c := serve(t, Options{Dir: dir, Durable: true}) // waits until the orphan has ended
	require.Equal(t, "7", query(t, c.URL("postgres"), `SELECT n::text FROM kept`))
	_, err = pgx.Connect(t.Context(), url)
	require.Error(t, err, "the orphan must be gone")
}

// Process ids are reused: after a crash the one in postmaster.pid may be anybody's.
func TestAStalePidFileThatNamesALiveProcessDoesNotStopAStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	c := serve(t, Options{Dir: dir})
	pid := filepath.Join(dir, "data", "postmaster.pid")
	raw, err := os.ReadFile(pid)
	require.NoError(t, err)
	stop(t, c)

	bystander := serve(t, Options{Dir: folder(t)}) // runs as the same user, so Postgres would believe the file
	_, rest, found := strings.Cut(string(raw), "\n")
	require.True(t, found)
	stale := strconv.Itoa(bystander.server.Pid()) + "\n" + rest
	require.NoError(t, os.WriteFile(pid, []byte(stale), 0o600))
	runner, err := serverUser(dir)
	require.NoError(t, err)
	require.NoError(t, runner.own(pid))

	again := serve(t, Options{Dir: dir})
	require.Equal(t, "1", query(t, again.URL("postgres"), `SELECT '1'`))
}

func TestAFolderThatTheServersUserCannotEnterIsExplained(t *testing.T) {
	t.Parallel()
	closed := folder(t)
	require.NoError(t, os.MkdirAll(closed, 0o700))
	err := owner{name: "user postgres", uid: 4242, gid: 4242, lent: true}.canEnter(filepath.Join(closed, "pg"))
	require.ErrorContains(t, err, "user postgres cannot enter "+closed)
	err = owner{name: "user postgres", uid: 4242, gid: 4242, lent: true}.canEnter(filepath.Join(closed, "not", "yet", "pg"))
	require.ErrorContains(t, err, "user postgres cannot enter "+closed)
	require.NoError(t, owner{name: "user postgres", uid: 4242, gid: 4242, lent: true}.canEnter(closed))
}
