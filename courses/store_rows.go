package courses

import (
	"context"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"

	"mopd/lms/pg"
)

// rowTo reads a struct by the order of its fields, anything else from the one column.
func rowTo[T any](row pgx.CollectableRow) (T, error) {
	if reflect.TypeFor[T]().Kind() == reflect.Struct {
		return pgx.RowToStructByPos[T](row)
	}
	return pgx.RowTo[T](row)
}

// one reads the one row of a statement. Errors: lms.ErrNotFound, those of the guards.
func one[T any](ctx context.Context, tx querier, what, sql string, args ...any) (T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", what, err)
	}
	row, err := pg.One(pgx.CollectExactlyOneRow(rows, rowTo[T]))
	if err != nil {
		return row, fmt.Errorf("%s: %w", what, guards.Explain(err))
	}
	return row, nil
}

func all[T any](ctx context.Context, tx querier, what, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	found, err := pgx.CollectRows(rows, rowTo[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}

func exec(ctx context.Context, tx pgx.Tx, what, sql string, args ...any) error {
	if _, err := tx.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("%s: %w", what, guards.Explain(err))
	}
	return nil
}

// digest is a SHA-256 in a bytea column.
type digest [32]byte

// ScanBytes reads the column.
func (d *digest) ScanBytes(raw []byte) error {
	if len(raw) != len(d) {
		return fmt.Errorf("a SHA-256 of %d bytes", len(raw))
	}
	copy(d[:], raw)
	return nil
}
