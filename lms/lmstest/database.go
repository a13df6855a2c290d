package lmstest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms/pg"
	"mopd/lms/pg/pglocal"
	"mopd/migrations"
)

const (
	template = "mopd_template"

	// Enough for a race test with a goroutine per connection, and little enough for several such tests
	// at once on the 200 connections of a cluster.
	poolSize = 16

	closeLimit = 10 * time.Second
)

// DB is a pool on a database of the test's own, migrated and empty. It is dropped when the test ends.
func DB(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pool(t, DatabaseURL(t))
}

// DatabaseURL is the address of a database of the test's own, migrated and empty, for tests that start
// processes or need a pool with settings of their own. It is dropped when the test ends.
func DatabaseURL(t testing.TB) string {
	t.Helper()
	return clone(t, throwaway)
}

// DurableDB is as DatabaseURL, on a server that loses no commit whatever is killed: for tests that kill.
func DurableDB(t testing.TB) string {
	t.Helper()
	return clone(t, durable)
}

var (
	throwaway = sync.OnceValues(func() (*server, error) { return startServer(memory(), "pg", false) })
	durable   = sync.OnceValues(func() (*server, error) { return startServer(os.TempDir(), "pg-durable", true) })
)

// server is a cluster with a migrated template database.
type server struct {
	cluster *pglocal.Cluster
	admin   *pgxpool.Pool // on database postgres
	clones  atomic.Int64
}

func startServer(parent, name string, durable bool) (*server, error) {
	ctx := context.Background()
	dir, err := newFolder(parent, name)
	if err != nil {
		return nil, err
	}
	cluster, err := pglocal.Start(ctx, pglocal.Options{Dir: dir, Durable: durable})
	if err != nil {
		return nil, err
	}
	AtEnd(cluster.Stop)

	config, err := pgxpool.ParseConfig(cluster.URL("postgres"))
	if err != nil {
		return nil, err
	}
	admin, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	AtEnd(func(context.Context) error { admin.Close(); return nil })

	if _, err := admin.Exec(ctx, `CREATE DATABASE `+template); err != nil {
		return nil, fmt.Errorf("make the template database: %w", err)
	}
	if err := migrations.Up(ctx, cluster.URL(template), slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	// A template with a session in it cannot be cloned.
	if _, err := admin.Exec(ctx, `ALTER DATABASE `+template+` WITH ALLOW_CONNECTIONS false`); err != nil {
		return nil, fmt.Errorf("close the template database: %w", err)
	}
	return &server{cluster: cluster, admin: admin}, nil
}

func clone(t testing.TB, start func() (*server, error)) string {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatalf("start Postgres for tests: %v", err)
	}
	name := fmt.Sprintf("t%d_%s", s.clones.Add(1), identifier(t.Name()))
	quoted := pgx.Identifier{name}.Sanitize()
	// Copying files takes a fraction of what copying through the log takes, Postgres' own choice.
	if _, err := s.admin.Exec(t.Context(), `CREATE DATABASE `+quoted+` TEMPLATE `+template+` STRATEGY FILE_COPY`); err != nil {
		t.Fatalf("clone the template database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		if _, err := s.admin.Exec(ctx, `DROP DATABASE `+quoted+` WITH (FORCE)`); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return s.cluster.URL(name)
}

func pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	p, err := pg.Open(t.Context(), fmt.Sprintf("%s&pool_max_conns=%d", url, poolSize))
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			p.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(closeLimit):
			t.Errorf("%d connections were never given back to the pool", p.Stat().AcquiredConns())
		}
	})
	return p
}

// identifier makes a test's name fit to be seen in a server log, where it says whose statement failed.
func identifier(name string) string {
	const limit = 40 // Postgres cuts names at 63 bytes
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.TrimPrefix(name, "Test"))
	return name[:min(len(name), limit)]
}
