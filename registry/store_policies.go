package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// RecordedPolicy is a policy with who recorded it and why.
type RecordedPolicy struct {
	lms.Policy
	RecordedAt time.Time
	ByName     string // "" if it came with the record
	Note       string
}

// selectPolicyHistory is every policy, the latest days first.
func selectPolicyHistory(ctx context.Context, db pg.Querier) ([]RecordedPolicy, error) {
	return pg.Rows[RecordedPolicy](ctx, db, "select history of policies", `SELECT y.id, y.kind, y.value, y.effective_from AS "from", y.recorded_at, coalesce(p.given || ' ' || p.family, '') AS by_name, y.note
		FROM registry.policies y LEFT JOIN accounts.pub_people p ON p.person = y.recorded_by ORDER BY y.effective_from DESC, y.id DESC`)
}

// insertPolicy records a change as later than the one that it follows, whatever the
// clocks of two processes say.
func insertPolicy(ctx context.Context, tx pgx.Tx, c PolicyChange, by lms.PersonID, now time.Time) (lms.PolicyID, error) {
	return pg.Value[lms.PolicyID](ctx, tx, "record policy", `INSERT INTO registry.policies (kind, value, effective_from, follows, recorded_by, note, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, greatest($7, (SELECT recorded_at + interval '1 microsecond' FROM registry.policies WHERE id = $4))) RETURNING id`,
		c.Kind, c.Value, c.From, c.Follows, by, c.Note, now)
}

func insertPolicyDraft(ctx context.Context, tx pgx.Tx, c PolicyChange, by lms.PersonID, now time.Time) (PolicyDraftID, error) {
	return pg.Value[PolicyDraftID](ctx, tx, "keep draft of policy", `INSERT INTO registry.policy_drafts (kind, value, effective_from, note, follows, made_by, made_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`, c.Kind, c.Value, c.From, c.Note, c.Follows, by, now)
}

func selectPolicyDraft(ctx context.Context, db pg.Querier, id PolicyDraftID) (PolicyDraft, error) {
	return pg.Row[PolicyDraft](ctx, db, "select draft of policy", `SELECT id, kind, value, effective_from AS "from", note, follows, made_by, effects FROM registry.policy_drafts WHERE id = $1`, id)
}

func updatePolicyDraft(ctx context.Context, tx pgx.Tx, id PolicyDraftID, e PolicyEffects) error {
	return pg.Exec(ctx, tx, "keep effects of policy", `UPDATE registry.policy_drafts SET effects = $2 WHERE id = $1`, id, e)
}

// opened is whose record there is, and since when.
type opened struct {
	Person lms.PersonID
	MadeAt time.Time
}

// selectAccounts is everybody, in order of their keys; who was merged away is left out.
func selectAccounts(ctx context.Context, db pg.Querier) ([]opened, error) {
	return pg.Rows[opened](ctx, db, "select accounts", `SELECT a.person, a.made_at FROM accounts.pub_accounts a
		JOIN accounts.pub_identities i ON i.person = a.person AND i.canonical = a.person ORDER BY a.person`)
}

// employedPerson is work that somebody is known to have.
type employedPerson struct {
	Person lms.PersonID
	Employed
}

// selectEverybodyEmployed is selectEmployed of everybody, as it is known now.
func selectEverybodyEmployed(ctx context.Context, db pg.Querier) ([]employedPerson, error) {
	return pg.Rows[employedPerson](ctx, db, "select everybody's work", `SELECT i.canonical AS person, e.employer, e.hired_on, e.left_on
		FROM accounts.pub_identities i JOIN registry.employments e ON e.person = i.person
		WHERE e.hired_on IS NOT NULL AND NOT EXISTS (SELECT FROM registry.employments n WHERE n.replaces = e.id) ORDER BY e.hired_on, e.id`)
}

// eachCredit reads everybody's credits, person by person in order of their keys: those
// of safe sleep training, or those that count.
func eachCredit(ctx context.Context, db pg.Querier, safeSleep bool, look func(lms.PersonID, Recorded) error) error {
	rows, err := db.Query(ctx, `SELECT i.canonical, c.id, c.earned_on, c.earned_at, d.quarters, d.status, d.reason, c.safe_sleep
		FROM registry.credits c JOIN accounts.pub_identities i ON i.person = c.person
		JOIN (SELECT DISTINCT ON (credit) credit, quarters, status, reason FROM registry.decisions ORDER BY credit, recorded_at DESC, id DESC) d ON d.credit = c.id
		WHERE CASE WHEN $1 THEN c.safe_sleep ELSE d.quarters > 0 END ORDER BY i.canonical`, safeSleep)
	if err != nil {
		return fmt.Errorf("read everybody's credits: %w", err)
	}
	var p lms.PersonID
	var c Recorded
	_, err = pgx.ForEachRow(rows, []any{&p, &c.ID, &c.EarnedOn, &c.EarnedAt, &c.Hours, &c.Status, &c.Reason, &c.SafeSleep}, func() error { return look(p, c) })
	return err
}

// selectNamed gives those who are listed their names and IDs.
func selectNamed(ctx context.Context, db pg.Querier, people []lms.PersonID) ([]named, error) {
	return pg.Rows[named](ctx, db, "select names", `SELECT p.person, p.given || ' ' || p.family AS name, coalesce((SELECT max(m.mopd_id) FROM accounts.pub_mopd_ids m WHERE m.person = p.person), 0) AS mopd_id
		FROM accounts.pub_people p WHERE p.person = ANY($1)`, people)
}

type named struct {
	Person lms.PersonID
	Name   string
	MOPDID lms.MOPDID
}

func countOpenEnrollments(ctx context.Context, db pg.Querier) (int, error) {
	return pg.Value[int](ctx, db, "count open enrollments", `SELECT count(*) FROM enrollments.pub_windows`)
}

// countBlocksBeyond is how many credits keep a course from earning beyond a day.
func countBlocksBeyond(ctx context.Context, db pg.Querier, day lms.Date) (int, error) {
	return pg.Value[int](ctx, db, "count blocks", `SELECT count(*) FROM registry.credit_blocks WHERE upper(during) > $1`, day)
}
