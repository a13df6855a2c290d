// Package pg is how every room talks to Postgres: the pool, transactions that are
// retried when Postgres asks for it, the lock of a person, and named constraints.
// It knows no table of any feature. Start at InTx.
package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
)

// maxConns is how many connections a process has at most, unless the URL's
// pool_max_conns says otherwise: more than it works jobs at once.
const maxConns = 30

// Open connects a pool to the database. lms.Date reads and writes as date.
func Open(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if !strings.Contains(url, "pool_max_conns") {
		cfg.MaxConns = maxConns
	}
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		registerDate(c.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reach database: %w", err)
	}
	return pool, nil
}

// Beginner is what a transaction begins on: a pool, or a transaction.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

const tries = 5

// InTx runs fn in one transaction. A deadlock or serialization failure is tried
// again, so fn must not leave effects outside of it.
func InTx(ctx context.Context, db Beginner, fn func(pgx.Tx) error) error {
	var err error
	for range tries {
		if err = once(ctx, db, fn); !transient(err) {
			return err
		}
	}
	return fmt.Errorf("gave up after %d tries: %w", tries, err)
}

func once(ctx context.Context, db Beginner, fn func(pgx.Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		// Also for a caller that is gone; after a commit this does nothing.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := tx.Rollback(clean); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			tx.Conn().Close(clean)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func transient(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == "40P01" || pgErr.Code == "40001")
}

// LockPerson makes writes about one person wait for each other until the
// transaction ends. Take it before the first write.
func LockPerson(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('person', $1))`, int64(p)); err != nil {
		return fmt.Errorf("lock person %d: %w", p, err)
	}
	return nil
}

// Violated is the name of the constraint that err says was violated, or "".
func Violated(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(pgErr.Code, "23") { // integrity constraint violation
		return pgErr.ConstraintName
	}
	return ""
}

// Guards pairs the names of constraints with the errors of the rules that they
// guarantee.
type Guards map[string]*lms.Error

// Explain turns the violation of a guarding constraint into its rule's error and
// leaves every other error alone.
func (g Guards) Explain(err error) error {
	if rule, ok := g[Violated(err)]; ok {
		return rule.Because(err)
	}
	return err
}

// One turns "no rows" into lms.ErrNotFound.
func One[T any](row T, err error) (T, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return row, lms.ErrNotFound.Because(err)
	}
	return row, err
}
