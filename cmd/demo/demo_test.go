package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

// demo is the program, running.
type demo struct {
	testing.TB
	cmd   *exec.Cmd
	url   string
	out   *bytes.Buffer
	ready chan string
	done  chan error
}

var address = regexp.MustCompile(`Open (http://\S+)`)

func startDemo(t testing.TB, args ...string) *demo {
	t.Helper()
	bin := os.Getenv("MOPD_DEMO_BIN")
	if bin == "" {
		bin = t.TempDir() + "/demo"
		out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput()
		require.NoError(t, err, string(out))
	}
	d := &demo{TB: t, cmd: exec.Command(bin, args...), out: &bytes.Buffer{}, ready: make(chan string, 1), done: make(chan error, 1)}
	stdout, err := d.cmd.StdoutPipe()
	require.NoError(t, err)
	d.cmd.Stderr = d.cmd.Stdout
	require.NoError(t, d.cmd.Start())
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(d.out, lines.Text())
			if found := address.FindStringSubmatch(lines.Text()); found != nil {
				d.url = found[1]
			}
			if strings.Contains(lines.Text(), "Ctrl-C stops") {
				d.ready <- d.url
			}
		}
		d.done <- d.cmd.Wait()
	}()
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil {
			d.stop()
		}
	})
	return d
}

// serving waits until the demo says where it is.
func (d *demo) serving() string {
	d.Helper()
	select {
	case url := <-d.ready:
		return url
	case err := <-d.done:
		d.Fatalf("the demo ended: %v\n%s", err, d.out)
	case <-time.After(time.Minute):
		d.Fatalf("the demo did not serve within a minute\n%s", d.out)
	}
	return ""
}

// stop presses Ctrl-C.
func (d *demo) stop() {
	d.Helper()
	require.NoError(d, d.cmd.Process.Signal(syscall.SIGINT))
	select {
	case err := <-d.done:
		require.NoError(d, err, d.out.String())
	case <-time.After(30 * time.Second):
		require.NoError(d, d.cmd.Process.Kill())
		d.Fatalf("the demo did not stop\n%s", d.out)
	}
}

func page(t testing.TB, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

func freePort(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		beside, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		require.NoError(t, l.Close())
		if err == nil {
			require.NoError(t, beside.Close())
			return fmt.Sprint(port)
		}
	}
}

func enterable(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "mopd-demo-test")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755)) // Postgres runs as another user than root
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func TestTheDemoServesItsCatalogStopsCleanlyAndStartsAgainOnTheSameData(t *testing.T) {
	t.Parallel()
	data := enterable(t)
	args := []string{"--data", data, "--port", freePort(t)}
	start := time.Now()
	first := startDemo(t, args...)
	url := first.serving()
	t.Logf("the demo served %.1f s after its start", time.Since(start).Seconds())
	require.Contains(t, page(t, url+"/courses"), "13 courses")
	require.Contains(t, first.out.String(), "caregiver@demo.example")
	require.Contains(t, first.out.String(), url+"/demo/mail")
	require.Contains(t, page(t, url+"/demo/mail"), "No messages yet")
	first.stop()

	again := startDemo(t, args...)
	catalog := page(t, again.serving()+"/courses")
	require.Contains(t, catalog, "13 courses", "nothing is there twice")
	again.stop()
}

func TestTheDemoRefusesADatabaseThatItDidNotMake(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := lmstest.DatabaseURL(t)
	require.ErrorIs(t, ownDatabase(ctx, url), errNotOurs)

	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	fresh := strings.Replace(url, conn.Config().Database, "fresh_demo", 1)
	require.NoError(t, ownDatabase(ctx, fresh), "it makes one that does not exist")
	require.NoError(t, ownDatabase(ctx, fresh), "and knows it again")
}
