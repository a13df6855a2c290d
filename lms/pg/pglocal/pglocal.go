// Package pglocal runs a Postgres server of one's own from the binaries on this machine: kept in a
// folder for the demo, thrown away after the tests.
//
// The server listens on 127.0.0.1 only, asks for a random password that is kept beside the data, and
// dies with the process that started it. The package never touches a server or a folder that it did not
// make, and production never uses it: there, Postgres is somebody's job. Start reading at Start.
package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mopd/lms/pg/pglocal/child"
)

// ErrInUse says that another live process serves the folder.
var ErrInUse = errors.New("another running process already serves this Postgres folder")

const (
	superuser      = "postgres"
	maxConnections = 200

	// A clean start takes a tenth of a second; recovery after a crash can take much longer.
	startLimit = 2 * time.Minute
	// How long a server whose parent was killed may need to shut down before its folder is free.
	handoverLimit = 30 * time.Second
	pollEvery     = 15 * time.Millisecond
)

// Options say where a cluster lives and what it must survive.
type Options struct {
	// Dir holds everything: data, password and log. It is made when missing. When this process runs as
	// root, every parent folder must let other users pass.
	Dir string
	// Durable keeps what was committed, whatever is killed. Without it the server is faster, and loses
	// data when the machine stops.
	Durable bool
	// Port on 127.0.0.1; 0 picks a free one.
	Port int
}

// Cluster is a running Postgres server.
type Cluster struct {
	// Dir is the absolute path of the cluster's folder.
	Dir string

	port     int
	password string
	server   *child.Process
	release  func() // frees the folder, once the server has ended
}

// Start makes the cluster on the first call for a folder, and serves it. It returns when the server
// answers. ErrInUse (wrapped) means that another process serves the same folder.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	home, err := openHome(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	// The server inherits its lock and holds it from then on.
	defer closeFile(home.server)

	c, err := start(ctx, home, o)
	if err != nil {
		home.release()
		return nil, err
	}
	c.release = sync.OnceFunc(home.release)
	go func() {
		<-c.Done()
		c.release()
	}()
	return c, nil
}

func start(ctx context.Context, home *home, o Options) (*Cluster, error) {
	bin, err := findBinaries(home.dataDir())
	if err != nil {
		return nil, err
	}
	if err := home.initialize(ctx, bin, o.Durable); err != nil {
		return nil, err
	}
	password, err := home.password()
	if err != nil {
		return nil, err
	}
	const tries = 5 // a free port can be taken by somebody else before Postgres binds it
	for try := 1; ; try++ {
		port := o.Port
		if port == 0 {
			if port, err = freePort(ctx); err != nil {
				return nil, err
			}
		}
		c := &Cluster{Dir: home.dir, port: port, password: password}
		err = c.serve(ctx, home, bin, o.Durable)
		if err == nil {
			return c, nil
		}
		if o.Port != 0 || try == tries || !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
	}
}

// URL is the address of a database of this cluster, with the superuser's name and password.
func (c *Cluster) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Done is closed when the server has ended, by Stop or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.server.Done() }

// Stop ends all sessions, shuts the server down cleanly and waits for it. When ctx ends first the
// server is killed and the error says so: a durable cluster recovers at its next start.
func (c *Cluster) Stop(ctx context.Context) error {
	defer c.release()
	return c.stop(ctx)
}

func (c *Cluster) stop(ctx context.Context) error {
	if err := c.server.Stop(ctx, syscall.SIGINT); err != nil {
		return fmt.Errorf("stop Postgres in %s: %w", c.Dir, err)
	}
	return nil
}

// serve starts the server and waits until it answers a query with the right password.
func (c *Cluster) serve(ctx context.Context, home *home, bin string, durable bool) error {
	logFile, err := os.OpenFile(home.path("postgres.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the Postgres log: %w", err)
	}
	defer closeFile(logFile)
	if err := home.user.own(logFile.Name()); err != nil {
		return err
	}
	begin, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("open the Postgres log: %w", err)
	}

	cmd := home.command(filepath.Join(bin, "postgres"), c.arguments(home, durable)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	// SIGINT is Postgres' fast shutdown: sessions end, and the data is left clean.
	if c.server, err = child.Start(cmd, syscall.SIGINT); err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-c.server.Done():
			return fmt.Errorf("start Postgres in %s: %s", c.Dir, tail(logFile.Name(), begin))
		case <-ctx.Done():
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return errors.Join(fmt.Errorf("wait for Postgres in %s: %w", c.Dir, ctx.Err()), c.stop(stopCtx))
		case <-ticker.C:
			if c.answers(ctx) {
				return nil
			}
		}
	}
}

// answers cannot take another server on the same port for this one: SCRAM proves the password both ways.
func (c *Cluster) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return false
	}
	if err := conn.Close(ctx); err != nil {
		slog.Debug("close the first connection to Postgres", "error", err)
	}
	return true
}

func (c *Cluster) arguments(home *home, durable bool) []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(c.port),
		"unix_socket_directories": "", // one way in, and no path length limit
		"max_connections":         strconv.Itoa(maxConnections),
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"lc_messages":             "C", // Start reads the log
		"logging_collector":       "off",
	}
	if !durable {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
		settings["wal_level"] = "minimal"
		settings["max_wal_senders"] = "0"
		settings["autovacuum"] = "off" // databases live for seconds
	}
	args := []string{"-D", home.dataDir()}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	return args
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer closeFile(l)
	return l.Addr().(*net.TCPAddr).Port, nil
}
