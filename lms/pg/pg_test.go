package pg_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

func notes(t *testing.T) *pgxpool.Pool {
	db := lmstest.DB(t)
	_, err := db.Exec(t.Context(), `CREATE TABLE public.notes (id int CONSTRAINT notes_pkey PRIMARY KEY, n int NOT NULL DEFAULT 0)`)
	require.NoError(t, err)
	return db
}

func write(t *testing.T, tx pgx.Tx, id int) error {
	_, err := tx.Exec(t.Context(), `INSERT INTO public.notes (id) VALUES ($1)`, id)
	return err
}

func count(t *testing.T, db *pgxpool.Pool) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM public.notes`).Scan(&n))
	return n
}

// idle waits until every connection is back in the pool.
func idle(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	require.Eventually(t, func() bool { return db.Stat().AcquiredConns() == 0 }, 5*time.Second, time.Millisecond)
}

func TestATransactionIsKeptWhenItsFunctionSucceeds(t *testing.T) {
	t.Parallel()
	db := notes(t)
	require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error { return write(t, tx, 1) }))
	require.Equal(t, 1, count(t, db))
}

func TestNothingStaysOfATransactionThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	cases := map[string]func(context.Context, context.CancelFunc) error{
		"an error":                    func(context.Context, context.CancelFunc) error { return broken },
		"a cancelled caller":          func(ctx context.Context, cancel context.CancelFunc) error { cancel(); return ctx.Err() },
		"cancelled before the commit": func(_ context.Context, cancel context.CancelFunc) error { cancel(); return nil },
		"a panic":                     func(context.Context, context.CancelFunc) error { panic(broken) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := notes(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := func() (err error) {
				defer func() {
					if v := recover(); v != nil {
						err = v.(error)
					}
				}()
				return pg.InTx(ctx, db, func(tx pgx.Tx) error {
					require.NoError(t, write(t, tx, 1))
					return end(ctx, cancel)
				})
			}()
			require.Error(t, err)
			idle(t, db)
			require.Zero(t, count(t, db))
		})
	}
}

func TestAStatementCutOffByItsCallerLeavesTheConnectionUsable(t *testing.T) {
	t.Parallel()
	db := notes(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := pg.InTx(ctx, db, func(tx pgx.Tx) error {
		require.NoError(t, write(t, tx, 1))
		_, err := tx.Exec(ctx, `SELECT pg_sleep(30)`)
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	idle(t, db)
	require.Zero(t, count(t, db))
}

func raise(t *testing.T, tx pgx.Tx, code string) error {
	_, err := tx.Exec(t.Context(), fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$`, code))
	return fmt.Errorf("note: %w", err)
}

func TestDeadlocksAndSerializationFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"40001", "40P01"} {
		db, tries := notes(t), 0
		require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
			tries++
			if err := write(t, tx, tries); err != nil || tries == 3 {
				return err
			}
			return raise(t, tx, code)
		}))
		require.Equal(t, 3, tries, code)
		require.Equal(t, 1, count(t, db), "the failed tries left something")
	}
}

func TestTryingAgainHasAnEnd(t *testing.T) {
	t.Parallel()
	tries := 0
	err := pg.InTx(t.Context(), notes(t), func(tx pgx.Tx) error {
		tries++
		return raise(t, tx, "40001")
	})
	require.ErrorContains(t, err, "gave up after 5 tries")
	require.Equal(t, 5, tries)
	refused, ok := errors.AsType[*pgconn.PgError](err)
	require.True(t, ok)
	require.Equal(t, "40001", refused.Code)
}

func TestOtherErrorsAreNotTriedAgain(t *testing.T) {
	t.Parallel()
	db, tries := notes(t), 0
	err := pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
		tries++
		return errors.Join(write(t, tx, 1), write(t, tx, 1))
	})
	require.Equal(t, "notes_pkey", pg.Violated(err))
	require.Equal(t, 1, tries)
}

// Two transactions that lock two rows in opposite order: one is the victim, and
// tries again.
func TestTwoTransactionsThatDeadlockBothSucceed(t *testing.T) {
	t.Parallel()
	db := notes(t)
	_, err := db.Exec(t.Context(), `INSERT INTO public.notes (id) VALUES (1), (2)`)
	require.NoError(t, err)
	var both sync.WaitGroup
	both.Add(2)
	errs := make(chan error, 2)
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		var once sync.Once
		go func() {
			errs <- pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
				for i, id := range order {
					if _, err := tx.Exec(t.Context(), `UPDATE public.notes SET n = n + 1 WHERE id = $1`, id); err != nil {
						return err
					}
					if i == 0 {
						once.Do(func() { both.Done(); both.Wait() })
					}
				}
				return nil
			})
		}()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	var sum int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT sum(n) FROM public.notes`).Scan(&sum))
	require.Equal(t, 4, sum)
}

func TestATransactionWithinAnotherFailsAlone(t *testing.T) {
	t.Parallel()
	db := notes(t)
	require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
		require.NoError(t, write(t, tx, 1))
		require.Error(t, pg.InTx(t.Context(), tx, func(tx pgx.Tx) error {
			return errors.Join(write(t, tx, 2), write(t, tx, 1))
		}))
		return write(t, tx, 3)
	}))
	require.Equal(t, 2, count(t, db))
}

func TestWritesAboutOnePersonWaitForEachOther(t *testing.T) {
	t.Parallel()
	db := notes(t)
	lock := func(tx pgx.Tx, p lms.PersonID) string {
		require.NoError(t, pgx.BeginFunc(t.Context(), tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(t.Context(), `SET LOCAL lock_timeout = '50ms'`)
			return err
		}))
		refused, _ := errors.AsType[*pgconn.PgError](pg.LockPerson(t.Context(), tx, p))
		if refused == nil {
			return ""
		}
		return refused.Code
	}
	holder, err := db.Begin(t.Context())
	require.NoError(t, err)
	require.Empty(t, lock(holder, 1))
	require.Empty(t, lock(holder, 1), "who has the lock may take it again")
	for person, want := range map[lms.PersonID]string{1: "55P03", 2: ""} {
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, lock(tx, person), person)
		require.NoError(t, tx.Rollback(t.Context()))
	}
	require.NoError(t, holder.Rollback(t.Context()))
	require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error { return pg.LockPerson(t.Context(), tx, 1) }))
}

func TestGuardsExplainTheirConstraintsAndNothingElse(t *testing.T) {
	t.Parallel()
	guards := pg.Guards{"notes_pkey": lms.ErrCreditPosted}
	db := notes(t)
	twice := pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
		return fmt.Errorf("insert: %w", errors.Join(write(t, tx, 1), write(t, tx, 1)))
	})
	explained := guards.Explain(twice)
	require.ErrorIs(t, explained, lms.ErrCreditPosted)
	require.ErrorIs(t, explained, twice, "the cause is kept for the log")

	other := pg.InTx(t.Context(), db, func(tx pgx.Tx) error { return raise(t, tx, "23505") })
	require.Equal(t, other, guards.Explain(other))
	require.NoError(t, guards.Explain(nil))
	require.Equal(t, context.Canceled, guards.Explain(context.Canceled))
}

func TestNoRowIsNotFound(t *testing.T) {
	t.Parallel()
	_, err := pg.One(0, fmt.Errorf("collect: %w", pgx.ErrNoRows))
	require.ErrorIs(t, err, lms.ErrNotFound)
	require.ErrorIs(t, err, pgx.ErrNoRows)
	_, err = pg.One(0, pgx.ErrTooManyRows)
	require.NotErrorIs(t, err, lms.ErrNotFound)
	n, err := pg.One(7, nil)
	require.NoError(t, err)
	require.Equal(t, 7, n)
}

func TestADatabaseThatDoesNotAnswerIsAnError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://127.0.0.1:1/none?connect_timeout=2", "://"} {
		_, err := pg.Open(t.Context(), url)
		require.Error(t, err, url)
	}
}
