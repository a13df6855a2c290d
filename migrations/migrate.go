// Package migrations brings a database to the schema that this program needs: the numbered SQL files
// beside this file, then the job queue's own tables in schema river.
//
// Migrations go forward only, and an applied file is never edited: a change is a new file. The package
// imports nothing of the product. Start reading at Up.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

const (
	versionTable = "public.mopd_goose"
	riverSchema  = "river"

	lockEverySeconds = 1
	lockTries        = 600
)

// Up applies what is missing, each file in its own transaction, and logs each one. Any number of
// processes may call it at once: one works, the others wait for it (ten minutes at most) and then find
// nothing to do. A failed file is rolled back and named in the error; those before it stay applied.
func Up(ctx context.Context, databaseURL string, log *slog.Logger) error {
	return up(ctx, databaseURL, files, log)
}

// Version says which numbered file the database has reached (0: none) and which is the newest that this
// program knows. It only reads.
func Version(ctx context.Context, databaseURL string) (have, want int64, err error) {
	return version(ctx, databaseURL, files)
}

func up(ctx context.Context, databaseURL string, files fs.FS, log *slog.Logger) (err error) {
	config, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	config.MaxConns = 4 // the lock keeps one, whatever the address says about pools
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()

	// One lock covers both sets of migrations. It is polled, not waited for: a waiting statement holds a
	// snapshot, which CREATE INDEX CONCURRENTLY in the lock's holder would wait for in turn.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockEverySeconds, lockTries))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return fmt.Errorf("migrate: wait for another migration to end: %w", err)
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()

	if err := upNumbered(ctx, db, files, log); err != nil {
		return err
	}
	return upRiver(ctx, pool, log)
}

func upNumbered(ctx context.Context, db *sql.DB, files fs.FS, log *slog.Logger) error {
	provider, err := newProvider(db, files)
	if err != nil {
		return err
	}
	applied, err := provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		applied = partial.Applied
		err = fmt.Errorf("migrate: %s: %w", partial.Failed.Source.Path, partial.Err)
	} else if err != nil {
		err = fmt.Errorf("migrate: %w", err)
	}
	for _, r := range applied {
		log.InfoContext(ctx, "migrated", "file", r.Source.Path, "took", r.Duration)
	}
	return err
}

func upRiver(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	if _, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+riverSchema); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	// River tells every version at Info; this package tells what it did in one line.
	quiet := slog.New(slog.DiscardHandler)
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: riverSchema, Logger: quiet})
	if err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	if n := len(result.Versions); n > 0 {
		log.InfoContext(ctx, "migrated the job queue", "version", result.Versions[n-1].Version)
	}
	return nil
}

func version(ctx context.Context, databaseURL string, files fs.FS) (have, want int64, err error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return 0, 0, fmt.Errorf("read the schema version: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()

	provider, err := newProvider(db, files)
	if err != nil {
		return 0, 0, err
	}
	sources := provider.ListSources()
	want = sources[len(sources)-1].Version

	// Asked itself, goose would make its table.
	var exists bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, versionTable).Scan(&exists); err != nil {
		return 0, 0, fmt.Errorf("read the schema version: %w", err)
	}
	if !exists {
		return 0, want, nil
	}
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable+` WHERE is_applied`).Scan(&have)
	if err != nil {
		return 0, 0, fmt.Errorf("read the schema version: %w", err)
	}
	return have, want, nil
}

func newProvider(db *sql.DB, files fs.FS) (*goose.Provider, error) {
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return provider, nil
}
