package main

import (
	"context"
	"fmt"
	"time"

	"mopd/lms"
	"mopd/lms/pg"
)

func insertSessions(ctx context.Context, db pg.Execer, people []lms.PersonID, hashes [][]byte, now time.Time) error {
	return pg.Exec(ctx, db, "insert sessions", `INSERT INTO accounts.sessions (token_hash, person, stage, proved_at, origin, agent, opened_at, seen_at)
		SELECT hash, person, 'signed_in', $3, '127.0.0.1', 'bench', $3, $3 FROM unnest($1::bigint[], $2::bytea[]) AS s (person, hash)`, people, hashes, now)
}

// insertWork has everybody employed since some day of the first year; one in three left
// for somewhere else later.
func insertWork(ctx context.Context, db pg.Execer, since time.Time) error {
	return pg.Exec(ctx, db, "insert work", `INSERT INTO registry.employments (person, employer, hired_on, left_on, source, recorded_at)
		SELECT p.id, 'Center ' || (p.id + n) % 5000, $1::date + (p.id % 300 + n * 430)::int, CASE WHEN n = 0 AND p.id % 3 = 0 THEN $1::date + (p.id % 300 + 400)::int END, 'sign_up', $1
		FROM accounts.people p CROSS JOIN LATERAL generate_series(0, CASE WHEN p.id % 3 = 0 THEN 1 ELSE 0 END) AS n`, since)
}

// insertCredits gives everybody up to twenty credits, ten on average, over three years and
// in the order in which they were earned, so that those of one person lie apart. One in
// twenty was corrected by a registrar.
func insertCredits(ctx context.Context, db pg.Execer, since time.Time) error {
	for _, step := range []struct{ what, sql string }{
		{"credits", `INSERT INTO registry.credits (source, reference, person, safe_sleep, title, sponsor, quarters, earned_on, earned_at, recorded_at)
			SELECT 'import', 'bench/' || p.id || '/' || k, p.id, k % 10 = 0, 'Course ' || k, 'Missouri training', 2 + (p.id + k) % 7, (at AT TIME ZONE 'America/Chicago')::date, at, at + interval '1 second'
			FROM accounts.people p CROSS JOIN LATERAL generate_series(1, p.id % 21) AS k
				CROSS JOIN LATERAL (SELECT $1::timestamptz + (k * 1040 / (p.id % 21) + p.id % 47) * interval '1 day' + (p.id * 7919 % 86400) * interval '1 second' AS at) a
			ORDER BY at`},
		{"decisions", `INSERT INTO registry.decisions (credit, status, quarters, policy, recorded_at)
			SELECT c.id, 'credited', c.quarters, (SELECT min(id) FROM registry.policies WHERE kind = 'repeat_credit'), c.recorded_at FROM registry.credits c WHERE c.earned_at >= $1`},
		{"corrections", `INSERT INTO registry.decisions (credit, status, quarters, policy, recorded_at, decided_by, note)
			SELECT d.credit, 'credited', d.quarters - 1, d.policy, d.recorded_at + interval '1 day', (SELECT min(id) FROM accounts.people), 'It was shorter.' FROM registry.decisions d WHERE d.credit % 20 = 0 AND d.recorded_at >= $1`},
	} {
		if err := pg.Exec(ctx, db, "insert "+step.what, step.sql, since); err != nil {
			return err
		}
	}
	// As they are where nothing was made a moment ago.
	for _, rest := range []string{`VACUUM (ANALYZE)`, `CHECKPOINT`} {
		if err := pg.Exec(ctx, db, "let the database rest", rest); err != nil {
			return err
		}
	}
	return nil
}

func countCredits(ctx context.Context, db pg.Querier) (int, error) {
	return pg.Value[int](ctx, db, "count credits", `SELECT count(*) FROM registry.credits`)
}

// selectPosted is which of some enrollments have their credit.
func selectPosted(ctx context.Context, db pg.Querier, asked []lms.EnrollmentID) ([]lms.EnrollmentID, error) {
	return pg.Values[lms.EnrollmentID](ctx, db, "select posted", `SELECT e FROM unnest($1::bigint[]) AS e
		WHERE EXISTS (SELECT FROM registry.credits c WHERE c.source = 'enrollment' AND c.reference = e::text)`, asked)
}

// wrongCredits is an error unless so many enrollments are completed and each has one
// credit with one decision, that it counts, and one letter.
func wrongCredits(ctx context.Context, db pg.Querier, completions int) error {
	found, err := pg.Row[struct{ Completed, Sound, Credits, Decisions, Letters, Sent int }](ctx, db, "check credits", `SELECT
			(SELECT count(*) FROM enrollments.enrollments WHERE state = 'completed') AS completed,
			(SELECT count(*) FROM enrollments.enrollments e JOIN registry.credits c ON c.source = 'enrollment' AND c.reference = e.id::text AND c.person = e.person
				JOIN registry.decisions d ON d.credit = c.id AND d.status = 'credited' AND d.quarters = e.quarters WHERE e.state = 'completed') AS sound,
			(SELECT count(*) FROM registry.credits) AS credits,
			(SELECT count(*) FROM registry.decisions) AS decisions,
			(SELECT count(*) FROM river.river_job WHERE kind = 'send_mail') AS letters,
			(SELECT count(*) FROM river.river_job WHERE kind = 'send_mail' AND state = 'completed') AS sent`)
	if err != nil {
		return err
	}
	want := found
	want.Completed, want.Sound, want.Credits, want.Decisions, want.Letters, want.Sent = completions, completions, completions, completions, completions, completions
	if found != want {
		return fmt.Errorf("credits are wrong: there is %+v, and should be %+v", found, want)
	}
	return nil
}
