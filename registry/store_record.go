package registry

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectFacts is what was known of somebody at a moment.
func selectFacts(ctx context.Context, db pg.Querier, p lms.PersonID, m Moment) (f facts, err error) {
	if f.policies, err = pg.Rows[lms.Policy](ctx, db, "select policies known", `SELECT id, kind, value, effective_from AS "from" FROM registry.policies WHERE recorded_at <= $1 ORDER BY effective_from, id`, m.Known); err != nil {
		return f, err
	}
	if f.account, err = pg.Row[account](ctx, db, "select account known", `SELECT a.made_at, k.given || ' ' || k.family AS name, k.mopd_id
		FROM accounts.pub_accounts a, accounts.pub_person_at($1, $2) k WHERE a.person = $1`, p, m.Known); err != nil {
		return f, err
	}
	if f.employed, err = selectEmployed(ctx, db, p, m.Known); err != nil {
		return f, err
	}
	f.credits, err = pg.Rows[Recorded](ctx, db, "select credits known", `SELECT c.id, c.source, c.earned_on, c.earned_at, c.title, c.sponsor, c.quarters AS claimed, d.quarters AS hours, d.status, d.reason, d.reason_args, d.note, c.safe_sleep
		FROM registry.credits c
		JOIN LATERAL (SELECT * FROM registry.decisions WHERE credit = c.id AND recorded_at <= $3 ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true
		WHERE c.person IN (SELECT accounts.pub_profiles_at($1, $3)) AND c.earned_on <= $2 AND c.recorded_at <= $3
		ORDER BY c.earned_at, c.id`, p, m.Through, m.Known)
	return f, err
}

// selectEmployed is where and when somebody was known to be employed: the newest version
// of what was said of each work, where it has a hire date.
func selectEmployed(ctx context.Context, db pg.Querier, p lms.PersonID, known time.Time) ([]Employed, error) {
	return pg.Rows[Employed](ctx, db, "select employed", `SELECT e.employer, e.hired_on, e.left_on FROM registry.employments e
		WHERE e.person IN (SELECT accounts.pub_profiles_at($1, $2)) AND e.recorded_at <= $2 AND e.hired_on IS NOT NULL
			AND NOT EXISTS (SELECT FROM registry.employments n WHERE n.replaces = e.id AND n.recorded_at <= $2)
		ORDER BY e.hired_on, e.id`, p, known)
}

const works = `SELECT e.id, e.employer, e.hired_on, e.left_on, e.source, e.recorded_at, coalesce(p.given || ' ' || p.family, '') AS by_name, e.note
	FROM registry.employments e LEFT JOIN accounts.pub_people p ON p.person = e.recorded_by
	WHERE e.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1)`

// selectWorks is the newest versions of somebody's work, the latest hire first.
func selectWorks(ctx context.Context, db pg.Querier, p lms.PersonID) ([]Work, error) {
	return pg.Rows[Work](ctx, db, "select works", works+` AND NOT EXISTS (SELECT FROM registry.employments n WHERE n.replaces = e.id) ORDER BY e.hired_on DESC NULLS LAST, e.id`, p)
}

// selectWork is a version of somebody's work.
func selectWork(ctx context.Context, db pg.Querier, p lms.PersonID, id WorkID) (Work, error) {
	return pg.Row[Work](ctx, db, "select work", works+` AND e.id = $2`, p, id)
}

func insertWork(ctx context.Context, tx pgx.Tx, c WorkChange, by lms.PersonID, now time.Time) error {
	return pg.Exec(ctx, tx, "record work", `INSERT INTO registry.employments (person, employer, hired_on, left_on, source, replaces, recorded_at, recorded_by, note)
		VALUES ($1, $2, $3, $4, 'registrar', nullif($5, 0), $6, $7, $8)`, c.Person, c.Employer, c.HiredOn, c.LeftOn, c.Replaces, now, by, c.Note)
}
