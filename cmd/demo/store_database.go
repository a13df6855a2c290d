package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var errNotOurs = errors.New("this database was not made by the demo, which would fill it with invented people; name one that does not exist yet")

const noSuchDatabase = "3D000"

// ownDatabase makes the database that the URL names, or refuses one that exists
// and that it did not make: the demo's people must never meet real ones.
func ownDatabase(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == noSuchDatabase {
		if err := makeDatabase(ctx, url); err != nil {
			return err
		}
		conn, err = pgx.Connect(ctx, url)
	}
	if err != nil {
		return fmt.Errorf("demo database: %w", err)
	}
	defer conn.Close(ctx)
	var ours bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('public.made_by_mopd_demo') IS NOT NULL`).Scan(&ours); err != nil {
		return fmt.Errorf("demo database: %w", err)
	}
	if !ours {
		return errNotOurs
	}
	return nil
}

func makeDatabase(ctx context.Context, url string) error {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("demo database: %w", err)
	}
	name := cfg.Database
	cfg.Database = "postgres"
	admin, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("demo database: %w", err)
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("make demo database: %w", err)
	}
	cfg.Database = name
	made, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("demo database: %w", err)
	}
	defer made.Close(ctx)
	if _, err := made.Exec(ctx, `CREATE TABLE public.made_by_mopd_demo ()`); err != nil {
		return fmt.Errorf("mark demo database: %w", err)
	}
	return nil
}
