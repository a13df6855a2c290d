package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// makeDatabase makes a database beside another one.
func makeDatabase(ctx context.Context, admin, name string) (address string, err error) {
	u, err := url.Parse(admin)
	if err != nil {
		return "", fmt.Errorf("database URL: %w", err)
	}
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", fmt.Errorf("reach database: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("make database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// insertPeople records caregivers who cannot sign in: their login has no password, whose
// hash would take longest.
func insertPeople(ctx context.Context, db pg.Querier, count int, now time.Time) ([]lms.Person, error) {
	rows, err := pg.Rows[struct {
		ID    lms.PersonID
		Email string
	}](ctx, db, "insert people", `WITH p AS (
			INSERT INTO accounts.people (lang, recorded_at) SELECT 'en', $2 FROM generate_series(1, $1) RETURNING id
		), m AS (
			INSERT INTO accounts.mopd_ids (id, person, recorded_at) SELECT 100000 + id, id, $2 FROM p
		), n AS (
			INSERT INTO accounts.names (person, given, family, recorded_at) SELECT id, 'Maya', 'Rivera ' || id, $2 FROM p
		), l AS (
			INSERT INTO accounts.logins (person, email, password_hash)
			SELECT id, 'maya' || id || '@example.org', '$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' FROM p
		) SELECT id, 'maya' || id || '@example.org' AS email FROM p`, count, now)
	people := make([]lms.Person, len(rows))
	for i, r := range rows {
		people[i] = lms.Person{ID: r.ID, Email: r.Email, Lang: "en"}
	}
	return people, err
}

// insertEvents keeps events as if their webhooks had come and been worked.
func insertEvents(ctx context.Context, db pg.Execer, events []event, now time.Time) error {
	return pg.Exec(ctx, db, "insert events", `INSERT INTO payments.events (id, type, api_version, livemode, object, created_at, received_at, payload, via, processed_at, outcome)
		SELECT e->>'id', e->>'type', e->>'api_version', (e->>'livemode')::boolean, e#>>'{data,object,id}', to_timestamp((e->>'created')::bigint), $2, e, 'webhook', $2, 'settled'
		FROM unnest($1::jsonb[]) AS e`, events, now)
}

// countUndone is how many events and jobs wait or are worked.
func countUndone(ctx context.Context, db pg.Querier) (int, error) {
	return pg.Value[int](ctx, db, "count undone", `SELECT (SELECT count(*) FROM payments.events WHERE processed_at IS NULL)
		+ (SELECT count(*) FROM river.river_job WHERE finalized_at IS NULL AND state <> 'scheduled')`)
}

// wrongSales is an error unless so many people each have one paid order with one
// enrollment, one entry of the charge and one of what was earned, and the ledger balances.
func wrongSales(ctx context.Context, db pg.Querier, people int) error {
	found, err := pg.Row[struct{ Orders, Sound, Enrollments, Entries, Unbalanced int }](ctx, db, "check sales", `SELECT
			(SELECT count(*) FROM payments.orders) AS orders,
			(SELECT count(*) FROM payments.orders o WHERE state = 'paid'
				AND (SELECT count(*) FROM enrollments.enrollments e WHERE e.person = o.payer) = 1
				AND (SELECT count(*) FROM payments.entries e WHERE e."order" = o.id AND e.kind = 'charge') = 1
				AND (SELECT count(*) FROM payments.entries e WHERE e."order" = o.id AND e.kind = 'earned') = 1) AS sound,
			(SELECT count(*) FROM enrollments.enrollments) AS enrollments,
			(SELECT count(*) FROM payments.entries WHERE kind IN ('charge', 'earned')) AS entries,
			(SELECT count(*) FROM (SELECT FROM payments.entry_lines GROUP BY entry HAVING sum(amount) <> 0) u) AS unbalanced`)
	if err != nil {
		return err
	}
	want := found
	want.Orders, want.Sound, want.Enrollments, want.Entries, want.Unbalanced = people, people, people, 2*people, 0
	if found != want {
		return fmt.Errorf("sales are wrong: there is %+v, and should be %+v", found, want)
	}
	return nil
}

// wrongPayout is an error unless a payout is the sum of so many lines, to the cent, each
// is entered, and nothing is left at Stripe.
func wrongPayout(ctx context.Context, db pg.Querier, payout string, lines int) error {
	found, err := pg.Row[struct {
		Lines, Entered int
		Off, Left      lms.Money
	}](ctx, db, "check payout", `SELECT lines, lines_sum - amount AS off,
			(SELECT count(*) FROM payments.balance_transactions t JOIN payments.entries e ON e.reference = t.id WHERE t.payout = p.id AND t.category = 'charge')::int AS entered,
			(SELECT coalesce(sum(amount), 0) FROM payments.entry_lines WHERE account = 'stripe')::bigint AS left
		FROM payments.payouts p WHERE id = $1 AND reconciled_at IS NOT NULL`, payout)
	if errors.Is(err, lms.ErrNotFound) {
		return errors.New("the payout was not reconciled")
	}
	if err != nil {
		return err
	}
	if found.Lines != lines || found.Entered != lines || found.Off != 0 || found.Left != 0 {
		return fmt.Errorf("the payout is wrong: %+v, of %d lines", found, lines)
	}
	return nil
}
