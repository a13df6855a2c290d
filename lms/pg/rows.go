package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Querier reads: a pool or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Execer writes: a transaction, or a pool where one statement is all.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Row reads the one row of a statement into a struct, whose fields are matched with
// the columns by name: each must have its other half. what names the statement in an
// error.
//
// Errors: lms.ErrNotFound.
func Row[T any](ctx context.Context, db Querier, what, sql string, args ...any) (T, error) {
	return one(ctx, db, pgx.RowToStructByName[T], what, sql, args)
}

// Rows reads every row of a statement, each as Row does.
func Rows[T any](ctx context.Context, db Querier, what, sql string, args ...any) ([]T, error) {
	return all(ctx, db, pgx.RowToStructByName[T], what, sql, args)
}

// Value reads the one column of the one row of a statement.
//
// Errors: lms.ErrNotFound.
func Value[T any](ctx context.Context, db Querier, what, sql string, args ...any) (T, error) {
	return one(ctx, db, pgx.RowTo[T], what, sql, args)
}

// Values reads the one column of every row of a statement.
func Values[T any](ctx context.Context, db Querier, what, sql string, args ...any) ([]T, error) {
	return all(ctx, db, pgx.RowTo[T], what, sql, args)
}

// Exec runs a statement, however many rows it changes.
func Exec(ctx context.Context, db Execer, what, sql string, args ...any) error {
	_, err := Changed(ctx, db, what, sql, args...)
	return err
}

// Changed runs a statement and tells whether it changed any row.
func Changed(ctx context.Context, db Execer, what, sql string, args ...any) (bool, error) {
	tag, err := db.Exec(ctx, sql, args...)
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return tag.RowsAffected() > 0, nil
}

func one[T any](ctx context.Context, db Querier, read pgx.RowToFunc[T], what, sql string, args []any) (row T, err error) {
	rows, err := db.Query(ctx, sql, args...)
	if err == nil {
		row, err = One(pgx.CollectExactlyOneRow(rows, read))
	}
	if err != nil {
		return row, fmt.Errorf("%s: %w", what, err)
	}
	return row, nil
}

func all[T any](ctx context.Context, db Querier, read pgx.RowToFunc[T], what, sql string, args []any) (found []T, err error) {
	rows, err := db.Query(ctx, sql, args...)
	if err == nil {
		found, err = pgx.CollectRows(rows, read)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}
