package registry

import (
	"context"
	"time"

	"mopd/lms"
	"mopd/lms/pg"
)

// Waiting is a credit that a registrar has to look at.
type Waiting struct {
	ID       lms.CreditID
	Name     string
	MOPDID   lms.MOPDID
	Title    string
	EarnedOn lms.Date
	Status   lms.CreditStatus
	Reason   string // of the latest decision
	Since    time.Time
	Asked    bool // by its person
}

// waitingFilter says which of the credits that wait are looked for; the zero one is all.
type waitingFilter struct {
	Text   string         // in the title, or
	People []lms.PersonID // whose they are
	Newest bool           // first
}

// place is where a credit stands in the list of those that wait: those first whose person
// asked, then the oldest.
type place struct {
	Asked  bool
	Since  time.Time
	Credit lms.CreditID
}

const waitingCredits = `FROM registry.credits c JOIN accounts.pub_identities i ON i.person = c.person
	JOIN LATERAL (SELECT status, reason, recorded_at FROM registry.decisions WHERE credit = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true
	LEFT JOIN registry.reviews r ON r.credit = c.id AND r.answered_by IS NULL
	WHERE c.id IN (SELECT credit FROM registry.decisions WHERE status = 'held' UNION SELECT credit FROM registry.reviews WHERE answered_by IS NULL) AND (d.status = 'held' OR r.id IS NOT NULL)`

const lookedFor = ` AND ($1 = '' OR position(lower($1) IN lower(c.title)) > 0 OR i.canonical = ANY($2))`

func countWaiting(ctx context.Context, db pg.Querier, f waitingFilter) (int, error) {
	return pg.Value[int](ctx, db, "count waiting credits", `SELECT count(*) `+waitingCredits+lookedFor, f.Text, f.People)
}

// selectWaiting is the credits that are held, or that somebody asked to look at.
func selectWaiting(ctx context.Context, db pg.Querier, f waitingFilter, limit, offset int) ([]Waiting, error) {
	return pg.Rows[Waiting](ctx, db, "select waiting credits", `SELECT w.id, w.title, w.earned_on, w.status, w.reason, w.since, w.asked, p.given || ' ' || p.family AS name, (SELECT max(m.mopd_id) FROM accounts.pub_mopd_ids m WHERE m.person = p.person) AS mopd_id
		FROM (SELECT c.id, i.canonical, c.title, c.earned_on, d.status, d.reason, coalesce(r.asked_at, d.recorded_at) AS since, r.id IS NOT NULL AS asked
			`+waitingCredits+lookedFor+`
			ORDER BY asked DESC, CASE WHEN $3 THEN -extract(epoch FROM coalesce(r.asked_at, d.recorded_at)) END, since, c.id LIMIT $4 OFFSET $5) w
		JOIN accounts.pub_people p ON p.person = w.canonical
		ORDER BY w.asked DESC, CASE WHEN $3 THEN -extract(epoch FROM w.since) END, w.since, w.id`, f.Text, f.People, f.Newest, limit, offset)
}

// selectPlace is where a credit that waits stands in the list.
//
// Errors: lms.ErrNotFound of one that does not wait.
func selectPlace(ctx context.Context, db pg.Querier, id lms.CreditID) (place, error) {
	return pg.Row[place](ctx, db, "select place", `SELECT r.id IS NOT NULL AS asked, coalesce(r.asked_at, d.recorded_at) AS since, c.id AS credit `+waitingCredits+` AND c.id = $1`, id)
}

// beforeAll is the place before every credit.
var beforeAll = place{Asked: true}

// selectNext is the credit that waits after a place, or else the first of all, for somebody
// to decide about who has no say about their own.
//
// Errors: lms.ErrNotFound if none waits.
func selectNext(ctx context.Context, db pg.Querier, after place, by lms.PersonID) (lms.CreditID, error) {
	return pg.Value[lms.CreditID](ctx, db, "select next waiting credit", `SELECT w.credit FROM (SELECT r.id IS NULL AS unasked, coalesce(r.asked_at, d.recorded_at) AS since, c.id AS credit `+waitingCredits+` AND i.canonical <> $4) w
		ORDER BY (w.unasked, w.since, w.credit) > ($1, $2, $3) DESC, w.unasked, w.since, w.credit LIMIT 1`, !after.Asked, after.Since, after.Credit, by)
}

// selectRecordsWaiting is how much waits for registrars.
func selectRecordsWaiting(ctx context.Context, db pg.Querier) (lms.RecordsWaiting, error) {
	return pg.Row[lms.RecordsWaiting](ctx, db, "select what waits", `SELECT count(*) FILTER (WHERE r.id IS NULL) AS held, count(r.id) AS reviews,
		(SELECT count(*) FROM registry.import_rows WHERE done AND outcome = 'waiting') AS rows `+waitingCredits)
}
