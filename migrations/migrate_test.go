package migrations

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mopd/lms/pg/pglocal"
)

var cluster *pglocal.Cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "migrations-test-")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			code = fail(err)
		}
	}()
	if err := os.Chmod(dir, 0o711); err != nil {
		return fail(err)
	}
	if cluster, err = pglocal.Start(context.Background(), pglocal.Options{Dir: filepath.Join(dir, "pg")}); err != nil {
		return fail(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := cluster.Stop(ctx); err != nil {
			code = fail(err)
		}
	}()
	return m.Run()
}

var databases atomic.Int64

func emptyDatabase(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("t%d", databases.Add(1))
	conn := connect(t, cluster.URL("postgres"))
	_, err := conn.Exec(t.Context(), `CREATE DATABASE `+name)
	require.NoError(t, err)
	return cluster.URL(name)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

func count(t *testing.T, url, sql string) int {
	t.Helper()
	var n int
	require.NoError(t, connect(t, url).QueryRow(t.Context(), sql).Scan(&n))
	return n
}

var quiet = slog.New(slog.DiscardHandler)

func file(sql string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql)}
}

// small is slow enough that processes which start together overlap in it, and fails if it runs twice.
func small() fstest.MapFS {
	return fstest.MapFS{
		"0001_first.sql":  file(`CREATE TABLE first (n int); INSERT INTO first VALUES (1); SELECT pg_sleep(0.2);`),
		"0002_second.sql": file(`CREATE TABLE second (n int);`),
	}
}

func TestProcessesThatMigrateAtOnceApplyEveryFileOnce(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	var group errgroup.Group
	for range 4 {
		group.Go(func() error { return up(t.Context(), url, small(), quiet) })
	}
	require.NoError(t, group.Wait())
	require.Equal(t, 1, count(t, url, `SELECT count(*) FROM first`))
	require.Equal(t, 2, count(t, url, `SELECT count(*) FROM public.mopd_goose WHERE version_id > 0`))
	require.Equal(t, 1, count(t, url, `SELECT count(*) FROM pg_tables WHERE schemaname = 'river' AND tablename = 'river_job'`))
}

func TestTheVersionTellsWhatIsMissingAndChangesNothing(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	check := func(files fs.FS, wantHave, wantWant int64) {
		t.Helper()
		have, want, err := version(t.Context(), url, files)
		require.NoError(t, err)
		require.Equal(t, []int64{wantHave, wantWant}, []int64{have, want})
	}
	check(small(), 0, 2)
	require.Zero(t, count(t, url, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`))
	require.NoError(t, up(t.Context(), url, small(), quiet))
	check(small(), 2, 2)

	newer := small()
	newer["0003_third.sql"] = file(`CREATE TABLE third (n int);`)
	check(newer, 2, 3)
}

func TestAFailedFileIsNamedAndRolledBackAndCanBeMendedAndAppliedAgain(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	files := small()
	files["0002_second.sql"] = file(`CREATE TABLE second (n int); SELECT 1/0;`)
	require.ErrorContains(t, up(t.Context(), url, files, quiet), "0002_second.sql")
	require.Zero(t, count(t, url, `SELECT count(*) FROM pg_tables WHERE tablename = 'second'`))

	require.NoError(t, up(t.Context(), url, small(), quiet))
	require.Equal(t, 1, count(t, url, `SELECT count(*) FROM first`))
}

func TestTheProductsSchemaAppliesToAnEmptyDatabaseAndASecondTimeDoesNothing(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	require.NoError(t, Up(t.Context(), url, quiet))
	have, want, err := Version(t.Context(), url)
	require.NoError(t, err)
	require.Equal(t, want, have)
	require.NoError(t, Up(t.Context(), url, quiet))

	// Every table has an owner: it stands in a feature's schema or the job queue's.
	require.Equal(t, 1, count(t, url, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`), "goose's own table only")
}

func TestACourseOfEarlierBelongsToTheFirstPersonWhoSavedIt(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	earlier := fstest.MapFS{}
	names, err := fs.Glob(files, "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		if name < "0010" {
			data, err := files.ReadFile(name)
			require.NoError(t, err)
			earlier[name] = &fstest.MapFile{Data: data}
		}
	}
	require.NoError(t, up(t.Context(), url, earlier, quiet))
	conn := connect(t, url)
	_, err = conn.Exec(t.Context(), `
		INSERT INTO accounts.people (recorded_at) VALUES (now()), (now());
		INSERT INTO courses.courses (code, title, sponsor, fee_cents, recorded_at) VALUES ('A-1', 'A', 'S', 0, now()), ('B-1', 'B', 'S', 0, now());
		INSERT INTO accounts.audit (at, actor, action, object, origin) VALUES
			(now(), NULL, 'course.saved', 'course/1', ''), (now(), 2, 'course.saved', 'course/1', ''),
			(now(), 1, 'course.saved', 'course/1', ''), (now(), NULL, 'course.saved', 'course/2', ''), (now(), 1, 'version.published', 'version/2', '')`)
	require.NoError(t, err)
	require.NoError(t, Up(t.Context(), url, quiet))
	require.Equal(t, 1, count(t, url, `SELECT count(*) FROM courses.authors WHERE (course, person) = (1, 2)`))
	require.Equal(t, 1, count(t, url, `SELECT count(*) FROM courses.authors`), "the system's courses stay nobody's")
}
