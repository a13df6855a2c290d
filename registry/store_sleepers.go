package registry

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Sleeper is somebody employed whose safe sleep training is due, has expired or is on no
// record.
type Sleeper struct {
	Person  lms.PersonID
	Name    string
	MOPDID  lms.MOPDID
	Through lms.Date           // last day on which it is or was valid; zero: none is on record
	State   lms.SafeSleepState // due, expired or none
}

// sleepFilter says of whom safe sleep training is looked for.
type sleepFilter struct {
	Today    lms.Date
	Searched bool
	People   []lms.PersonID     // where Searched
	State    lms.SafeSleepState // "": all of them
	ByName   bool               // sorted by it; else those first whose training expired first, then those who have none
}

// sleepCounts are how many there are of each state.
type sleepCounts struct{ Due, Expired, None int }

// selectSleepers is a page of those whose safe sleep training is not valid beyond dueDays
// from today, with how many there are of each state: safeSleepOn, read of everybody who is
// employed at once. Of whom no hire date is known, an employer is. Who is not searched for
// must not cost a search anything, so each query is planned with its own values.
func selectSleepers(ctx context.Context, db pg.Querier, f sleepFilter, limit, offset int) (list []Sleeper, counts sleepCounts, err error) {
	rows, err := pg.Rows[struct {
		sleepCounts
		Person  *lms.PersonID // nil: the one row that there is where the page is empty
		Name    *string
		MOPDID  *lms.MOPDID
		Through lms.Date
		State   *lms.SafeSleepState
	}](ctx, db, "select safe sleep training that lapses", `WITH policies AS MATERIALIZED (
		SELECT DISTINCT ON (effective_from) effective_from AS since, value::int AS years FROM registry.policies WHERE kind = 'safe_sleep' ORDER BY effective_from, id DESC
	), ruled AS MATERIALIZED (
		SELECT since, lead(since, 1, 'infinity'::date) OVER (ORDER BY since) AS until, make_interval(years => years) AS valid FROM policies
	), employed AS (
		SELECT e.person FROM registry.employments e
		WHERE (e.hired_on <= $1 OR e.hired_on IS NULL AND e.employer <> '') AND (e.left_on IS NULL OR e.left_on >= $1)
			AND NOT EXISTS (SELECT FROM registry.employments n WHERE n.replaces = e.id)
	), trained AS (
		SELECT n.person, max((n.earned_on + r.valid)::date) AS through
		FROM registry.renewals n JOIN ruled r ON n.earned_on >= r.since AND n.earned_on < r.until WHERE n.earned_on <= $1 GROUP BY 1
	), known AS (
		SELECT i.canonical AS person, max(t.through) AS through
		FROM accounts.pub_identities i LEFT JOIN employed e ON e.person = i.person LEFT JOIN trained t ON t.person = i.person
		WHERE NOT $3 OR i.canonical = ANY($4) GROUP BY 1 HAVING count(e.person) > 0
	), lapsing AS MATERIALIZED (
		SELECT person, through, CASE WHEN through IS NULL THEN 'none' WHEN through < $1 THEN 'expired' ELSE 'due' END AS state
		FROM known WHERE through IS NULL OR through <= $2
	), page AS (
			SELECT l.*, p.given || ' ' || p.family AS name, lower(p.family) AS family, lower(p.given) AS given
			FROM lapsing l LEFT JOIN LATERAL (SELECT given, family FROM accounts.pub_people WHERE person = l.person) p ON $6
			WHERE $5 = '' OR l.state = $5 ORDER BY family, given, through, person LIMIT $7 OFFSET $8
		), counts AS (
			SELECT count(*) FILTER (WHERE state = 'due') AS due, count(*) FILTER (WHERE state = 'expired') AS expired, count(*) FILTER (WHERE state = 'none') AS none FROM lapsing
		) SELECT c.due, c.expired, c.none, p.person, coalesce(p.name, (SELECT given || ' ' || family FROM accounts.pub_people n WHERE n.person = p.person)) AS name,
			(SELECT max(m.mopd_id) FROM accounts.pub_mopd_ids m WHERE m.person = p.person) AS mopd_id, p.through, p.state
		FROM counts c LEFT JOIN page p ON true ORDER BY p.family, p.given, p.through, p.person`, pgx.QueryExecModeCacheDescribe, f.Today, f.Today.AddDays(dueDays), f.Searched, f.People, f.State, f.ByName, limit, offset)
	for _, r := range rows {
		counts = r.sleepCounts
		if r.Person != nil {
			list = append(list, Sleeper{*r.Person, *r.Name, *r.MOPDID, r.Through, *r.State})
		}
	}
	return list, counts, err
}
