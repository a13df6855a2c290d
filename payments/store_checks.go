package payments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stripe/stripe-go/v76"

	"mopd/lms"
	"mopd/lms/pg"
)

// Every check is a query for what is wrong with what is kept: its kind, the id of what
// it is about, the order, and the facts. An exception that is there stays; when its
// facts have changed since somebody resolved it, it is open again.
const (
	finds  = `found (kind, subject, "order", details) AS (`
	raises = `) INSERT INTO payments.exceptions (kind, subject, "order", details, found_at, seen_at)
		SELECT DISTINCT ON (kind, subject) kind, subject, "order", details, $1::timestamptz, $1 FROM found ORDER BY kind, subject, details::text
		ON CONFLICT (kind, subject) DO UPDATE SET seen_at = excluded.seen_at, details = excluded.details, "order" = excluded."order",
			state = CASE WHEN exceptions.details = excluded.details THEN exceptions.state ELSE 'open' END,
			resolved_at = CASE WHEN exceptions.details = excluded.details THEN exceptions.resolved_at END,
			resolved_by = CASE WHEN exceptions.details = excluded.details THEN exceptions.resolved_by END
		WHERE exceptions.details <> excluded.details OR exceptions.state = 'open' AND exceptions.seen_at < excluded.seen_at - interval '4 minutes'`
)

// The checks of a stretch of orders, from $2 to $3. The charge's own are of every
// charge that an order has.
const (
	checkEnrollment = `(
		SELECT 'no_enrollment', 'order/' || o.id, o.id, (SELECT jsonb_build_object('order', o.state, 'charged', sum(c.amount), 'given_back', sum(c.refunding)) FROM payments.charges c WHERE c."order" = o.id)
		FROM payments.orders o JOIN payments.lines l ON l."order" = o.id JOIN payments.seats s ON s.line = l.id
		WHERE o.id BETWEEN $2 AND $3 AND s.enrollment IS NULL
			AND (o.state = 'paid' OR EXISTS (SELECT FROM payments.charges c WHERE c."order" = o.id AND c.created_at < $1::timestamptz - $4::interval))
			AND NOT EXISTS (SELECT FROM payments.charges c WHERE c."order" = o.id HAVING sum(c.refunding) >= sum(c.amount)))`
	checkCharges = `(
		SELECT 'wrong_amount', c.id, o.id, jsonb_build_object('charged', c.amount, 'moved', t.amount, 'price', o.total)
		FROM payments.orders o JOIN payments.charges c ON c."order" = o.id LEFT JOIN payments.balance_transactions t ON t.source = c.id AND t.category = 'charge'
		WHERE o.id BETWEEN $2 AND $3 AND (c.amount <> o.total OR t.amount <> c.amount)
		UNION ALL
		SELECT 'wrong_currency', c.id, o.id, jsonb_build_object('charged', c.currency, 'moved', t.currency)
		FROM payments.orders o JOIN payments.charges c ON c."order" = o.id LEFT JOIN payments.balance_transactions t ON t.source = c.id AND t.category = 'charge'
		WHERE o.id BETWEEN $2 AND $3 AND (c.currency <> o.currency OR t.currency <> o.currency)
		UNION ALL
		SELECT 'wrong_mode', c.id, o.id, jsonb_build_object('livemode', c.livemode)
		FROM payments.orders o JOIN payments.charges c ON c."order" = o.id
		WHERE o.id BETWEEN $2 AND $3 AND c.livemode <> $6
		UNION ALL
		SELECT 'wrong_metadata', c.id, o.id, jsonb_build_object('named', c.metadata_order)
		FROM payments.orders o JOIN payments.charges c ON c."order" = o.id
		WHERE o.id BETWEEN $2 AND $3 AND c.metadata_order <> o.id::text)`
	// A course may be bought again once its window is over; then it has an enrollment of its own.
	checkTwice = `(
		SELECT 'charged_twice', c.id, o.id, jsonb_build_object('before', d.id)
		FROM payments.orders o JOIN payments.lines l ON l."order" = o.id JOIN payments.seats s ON s.line = l.id JOIN payments.charges c ON c."order" = o.id AND c.refunding < c.amount
		JOIN accounts.pub_identities i ON i.person = o.payer JOIN accounts.pub_identities same ON same.canonical = i.canonical
		JOIN payments.orders p ON p.payer = same.person JOIN payments.lines m ON m."order" = p.id AND m.course = l.course
		JOIN payments.charges d ON d."order" = p.id AND d.refunding < d.amount AND (d.created_at, d.id) < (c.created_at, c.id)
		WHERE o.id BETWEEN $2 AND $3 AND (p.id = o.id OR s.enrollment IS NULL))`
	checkRefunds = `(
		SELECT 'refund_and_access', 'order/' || o.id, o.id, jsonb_build_object('seat', s.state, 'given_back', c.back)
		FROM payments.orders o JOIN payments.lines l ON l."order" = o.id JOIN payments.seats s ON s.line = l.id
		JOIN enrollments.pub_fees e ON e.enrollment = s.enrollment
		JOIN LATERAL (SELECT sum(refunding)::bigint AS back, sum(amount)::bigint AS charged FROM payments.charges WHERE "order" = o.id) c ON c.charged > 0
		WHERE o.id BETWEEN $2 AND $3 AND (c.back = 0 AND (s.state = 'revoked' OR e.state = 'revoked')
			OR c.back >= c.charged AND s.state = 'granted' AND e.state IN ('ready', 'active')
				AND NOT EXISTS (SELECT FROM payments.refunds r WHERE r."order" = o.id AND r.keep_access AND r.requested_by IS NOT NULL AND r.state IN ('pending', 'succeeded') HAVING sum(r.amount) >= c.charged))
		UNION ALL
		SELECT 'refund_not_done', 'refund/' || r.id, r."order", jsonb_build_object('state', r.state, 'failure', r.failure, 'amount', r.amount)
		FROM payments.refunds r
		WHERE r."order" BETWEEN $2 AND $3 AND (r.state = 'failed' OR r.state = 'pending' AND r.sent_at < $1::timestamptz - $5::interval OR r.state = 'approved' AND coalesce(r.sent_at, r.decided_at, r.requested_at) < $1::timestamptz - $7::interval
			OR r.state = 'requested' AND r.requested_at < $1::timestamptz - $5::interval))`
	checkDisputes = `(
		SELECT 'disputed', d.id || '/' || d.status, d."order", jsonb_build_object('status', d.status, 'amount', d.amount, 'reason', d.reason, 'due_by', (d.due_by AT TIME ZONE 'America/Chicago')::date)
		FROM payments.disputes d WHERE d."order" BETWEEN $2 AND $3
		UNION ALL
		SELECT 'disputed', d.id || '/refund/' || r.id, d."order", jsonb_build_object('status', d.status, 'refunded', r.amount)
		FROM payments.disputes d JOIN payments.refunds r ON r.charge = d.charge AND r.state NOT IN ('denied', 'failed') AND r.requested_at >= d.opened_at
		WHERE d."order" BETWEEN $2 AND $3 AND d.status NOT IN ('won', 'lost', 'warning_closed'))`
	checkOrders = `WITH ` + finds + checkEnrollment + ` UNION ALL ` + checkCharges + ` UNION ALL ` + checkTwice + ` UNION ALL ` + checkRefunds + ` UNION ALL ` + checkDisputes + raises
)

// raiseOfOrder finds the exceptions of an order.
func raiseOfOrder(ctx context.Context, db pg.Execer, live bool, id OrderID, now time.Time) error {
	return pg.Exec(ctx, db, "check order", checkOrders, now, id, id, enrollWithin, refundWithin, live, resendWithin)
}

// raiseOfOrders finds the exceptions of an order and all after it. It is planned for that
// each time: a plan that serves both this and one order serves neither.
func raiseOfOrders(ctx context.Context, db pg.Execer, live bool, first OrderID, now time.Time) error {
	return pg.Exec(ctx, db, "check orders", checkOrders, pgx.QueryExecModeCacheDescribe, now, first, lastOrder, enrollWithin, refundWithin, live, resendWithin)
}

// The checks of what belongs to no order.
const (
	checkEnrolled = `(
		SELECT 'no_charge', 'enrollment/' || e.enrollment, l."order", jsonb_build_object('fee', e.fee)
		FROM enrollments.pub_fees e LEFT JOIN payments.seats s ON s.enrollment = e.enrollment LEFT JOIN payments.lines l ON l.id = s.line
		WHERE e.recorded_at BETWEEN $7 AND $1::timestamptz - $2::interval AND NOT EXISTS (SELECT FROM payments.charges c WHERE c."order" = l."order")
			AND NOT EXISTS (SELECT FROM payments.entries w WHERE w."order" = l."order" AND w.kind = 'waiver'))`
	checkStrays = `(
		SELECT 'wrong_metadata', id, NULL::bigint, jsonb_build_object('named', metadata_order) FROM payments.charges WHERE "order" IS NULL
		UNION ALL
		SELECT 'wrong_metadata', t.source, NULL::bigint, '{}'::jsonb FROM payments.entries e JOIN payments.balance_transactions t ON t.id = e.reference
		WHERE e.kind = 'charge' AND e."order" IS NULL AND NOT EXISTS (SELECT FROM payments.charges c WHERE c.id = t.source)
		UNION ALL
		SELECT 'wrong_metadata', object, NULL::bigint, '{}'::jsonb FROM payments.events WHERE outcome = 'no order' AND received_at > $1::timestamptz - $3::interval
		UNION ALL
		SELECT 'disputed', id || '/' || status, NULL::bigint, jsonb_build_object('status', status, 'amount', amount, 'reason', reason) FROM payments.disputes WHERE "order" IS NULL)`
	checkPayouts = `(
		SELECT 'payout_sum', id, NULL::bigint, jsonb_build_object('payout', amount, 'lines', lines_sum) FROM payments.payouts WHERE reconciled_at IS NOT NULL AND lines_sum <> amount
		UNION ALL
		SELECT 'payout_not_done', id, NULL::bigint, jsonb_build_object('status', status, 'failure', failure, 'amount', amount, 'automatic', automatic) FROM payments.payouts
		WHERE status IN ('failed', 'canceled') OR NOT automatic OR (status <> 'paid' OR reconciled_at IS NULL) AND arrives_on < $4::date)`
	// A rate that is not known differs from every fee.
	checkFees = `(
		SELECT 'wrong_fee', c.method || '/' || c.day, min(c."order"), jsonb_build_object('charges', count(*), 'first', min(c.id), 'fee', min(t.fee), 'rate', min(r.fee), 'method', c.method)
		FROM (SELECT *, (created_at AT TIME ZONE 'America/Chicago')::date AS day FROM payments.charges WHERE created_at >= $7 AND method <> '') c
		JOIN payments.balance_transactions t ON t.id = c.balance_transaction
		LEFT JOIN LATERAL (SELECT least(cap, round(c.amount * share / 10000.0) + fixed)::bigint AS fee FROM payments.fee_rates
			WHERE method = c.method AND effective_from <= c.day ORDER BY effective_from DESC LIMIT 1) r ON true
		WHERE t.fee IS DISTINCT FROM r.fee GROUP BY c.method, c.day)`
	checkEvents = `(
		SELECT 'missed_event', day::text, NULL::bigint, jsonb_build_object('events', count(*), 'first', min(id))
		FROM (SELECT id, (created_at AT TIME ZONE 'America/Chicago')::date AS day FROM payments.events WHERE via = 'list') listed GROUP BY day
		UNION ALL
		SELECT 'unworked_event', (received_at AT TIME ZONE 'America/Chicago')::date::text, NULL::bigint, jsonb_build_object('events', count(*), 'first', min(id))
		FROM payments.events WHERE processed_at IS NULL AND received_at < $1::timestamptz - $2::interval GROUP BY 2
		UNION ALL
		SELECT 'unknown_kind', api_version, NULL::bigint, jsonb_build_object('version', api_version) FROM payments.events WHERE via = 'webhook' AND api_version <> $5 AND received_at > $1::timestamptz - $3::interval GROUP BY api_version
		UNION ALL
		SELECT 'wrong_mode', id, NULL::bigint, jsonb_build_object('livemode', livemode) FROM payments.events WHERE livemode <> $6 AND received_at > $1::timestamptz - $3::interval
		UNION ALL
		SELECT 'wrong_mode', id, NULL::bigint, '{}'::jsonb FROM payments.stripe_accounts WHERE first_seen_at > (SELECT min(first_seen_at) FROM payments.stripe_accounts))`
	checkEntries = `(
		SELECT 'unknown_kind', e.reference, e."order", jsonb_build_object('category', t.category, 'amount', t.amount)
		FROM payments.entries e JOIN payments.balance_transactions t ON t.id = e.reference WHERE e.kind = 'unknown'
		UNION ALL
		SELECT 'closed_period', reference, "order", jsonb_build_object('belongs_on', belongs_on, 'entered_on', effective_on) FROM payments.entries WHERE belongs_on IS NOT NULL)`
	checkAtLarge = `WITH ` + finds + checkEnrolled + ` UNION ALL ` + checkStrays + ` UNION ALL ` + checkPayouts + ` UNION ALL ` + checkFees + ` UNION ALL ` + checkEvents + ` UNION ALL ` + checkEntries + raises
)

// raiseAtLarge finds the exceptions that belong to no order; of charges and enrollments
// those since an instant.
func raiseAtLarge(ctx context.Context, db pg.Execer, live bool, since, now time.Time) error {
	return pg.Exec(ctx, db, "check at large", checkAtLarge, pgx.QueryExecModeCacheDescribe, now, enrollWithin, listedWithin, lms.DateOf(now).AddDays(-payoutWithin), stripe.APIVersion, live, since)
}

// selectChargedSince is the orders before one that were charged since an instant.
func selectChargedSince(ctx context.Context, db pg.Querier, first OrderID, since time.Time) ([]OrderID, error) {
	return pg.Values[OrderID](ctx, db, "select charged orders", `SELECT DISTINCT "order" FROM payments.charges WHERE created_at >= $2 AND "order" < $1`, first, since)
}

// selectListed is until when events were listed last.
func selectListed(ctx context.Context, db pg.Querier) (time.Time, error) {
	return pg.Value[time.Time](ctx, db, "select listed", `SELECT until FROM payments.listed`)
}

func updateListed(ctx context.Context, db pg.Execer, until time.Time) error {
	return pg.Exec(ctx, db, "note listed", `INSERT INTO payments.listed (until) VALUES ($1) ON CONFLICT (one) DO UPDATE SET until = greatest(listed.until, excluded.until)`, until)
}

// selectSince is the first order made since an instant; the last one there can be if
// there is none.
func selectSince(ctx context.Context, db pg.Querier, since time.Time) (OrderID, error) {
	return pg.Value[OrderID](ctx, db, "select first order since", `SELECT coalesce(min(id), $2) FROM payments.orders WHERE created_at >= $1`, since, lastOrder)
}

// raiseRefused tells of a webhook that was refused, in one exception a day.
func raiseRefused(ctx context.Context, db pg.Execer, why string, now time.Time) error {
	return pg.Exec(ctx, db, "tell of refused webhook", `INSERT INTO payments.exceptions (kind, subject, details, found_at, seen_at) VALUES ('bad_signature', $1, $2, $3, $3)
		ON CONFLICT (kind, subject) DO UPDATE SET seen_at = excluded.seen_at, times = exceptions.times + 1, details = excluded.details, state = 'open', resolved_at = NULL, resolved_by = NULL`,
		lms.DateOf(now).String(), map[string]any{"why": why}, now)
}

// insertAccount notes which account at Stripe answers to the key.
func insertAccount(ctx context.Context, db pg.Execer, id string, now time.Time) error {
	return pg.Exec(ctx, db, "note account at Stripe", `INSERT INTO payments.stripe_accounts (id, first_seen_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, id, now)
}

// lockBooks is the day through which the books are closed; nobody closes more until the
// transaction ends.
func lockBooks(ctx context.Context, tx pgx.Tx) (lms.Date, error) {
	return pg.Value[lms.Date](ctx, tx, "read books", `SELECT closed_through FROM payments.books FOR SHARE`)
}

func selectBooks(ctx context.Context, db pg.Querier) (lms.Date, error) {
	return pg.Value[lms.Date](ctx, db, "read books", `SELECT closed_through FROM payments.books`)
}

func updateBooks(ctx context.Context, tx pgx.Tx, through lms.Date) error {
	return pg.Exec(ctx, tx, "close books", `UPDATE payments.books SET closed_through = $1`, through)
}
