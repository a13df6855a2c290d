package payments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

const refundColumns = `id, "order", charge, amount, reason, keep_access, state, key::text AS key, coalesce(stripe, '') AS stripe, needs_second,
	coalesce(requested_by, 0) AS requested_by, requested_at, coalesce(decided_by, 0) AS decided_by, decided_at, why_denied, sent_at, settled_at, failure`

// paidCharge is a charge that an order was paid with.
type paidCharge struct {
	ID        string
	Amount    lms.Money
	Refunding lms.Money // given back, being given back, or asked for
	Disputed  bool      // the bank has not decided
}

func selectPaidCharge(ctx context.Context, tx pgx.Tx, id OrderID) (paidCharge, error) {
	return pg.Row[paidCharge](ctx, tx, "select charge of order", `SELECT c.id, c.amount, c.refunding + (SELECT coalesce(sum(amount), 0) FROM payments.refunds WHERE charge = c.id AND state = 'requested')::bigint AS refunding, EXISTS (
			SELECT FROM payments.disputes d WHERE d.charge = c.id AND d.status NOT IN ('won', 'lost', 'warning_closed')) AS disputed
		FROM payments.charges c WHERE c."order" = $1 ORDER BY c.created_at LIMIT 1`, id)
}

func selectRefundPolicy(ctx context.Context, db pg.Querier, day lms.Date) (RefundPolicy, error) {
	return pg.Row[RefundPolicy](ctx, db, "select refund policy", `SELECT days, second_over FROM payments.refund_policies WHERE effective_from <= $1 ORDER BY effective_from DESC LIMIT 1`, day)
}

const refunding = `(SELECT coalesce(sum(amount), 0) FROM payments.refunds WHERE charge = $1 AND state NOT IN ('requested', 'denied', 'failed'))`

// reserveRefund notes what the refunds of a charge give back, in a transaction that has
// its order's lock.
func reserveRefund(ctx context.Context, tx pgx.Tx, charge string) error {
	return pg.Exec(ctx, tx, "reserve refund", `UPDATE payments.charges SET refunding = `+refunding+` WHERE id = $1`, charge)
}

// noteRefunded is reserveRefund for what Stripe tells. It may tell of a refund of its
// dashboard while one of ours, which it will refuse, is on its way.
func noteRefunded(ctx context.Context, tx pgx.Tx, charge string) error {
	return pg.Exec(ctx, tx, "note refund", `UPDATE payments.charges SET refunding = least(amount, `+refunding+`) WHERE id = $1`, charge)
}

func insertRefund(ctx context.Context, tx pgx.Tx, r RefundRequest, charge string, state RefundState, by lms.PersonID, now time.Time) (RefundID, error) {
	return pg.Value[RefundID](ctx, tx, "insert refund", `INSERT INTO payments.refunds ("order", charge, amount, reason, keep_access, state, needs_second, requested_by, requested_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6 = 'requested', $7, $8) RETURNING id`, r.Order, charge, r.Amount, r.Reason, r.KeepAccess, state, by, now)
}

// insertForeignRefund keeps a refund that was made in Stripe's dashboard.
func insertForeignRefund(ctx context.Context, tx pgx.Tx, id OrderID, charge string, r stripeRefund) (Refund, error) {
	return pg.Row[Refund](ctx, tx, "insert refund of Stripe", `INSERT INTO payments.refunds ("order", charge, amount, reason, keep_access, state, stripe, needs_second, requested_at, sent_at)
		VALUES ($1, $2, $3, '', true, 'pending', $4, false, $5, $5) RETURNING `+refundColumns, id, charge, r.Amount, r.ID, r.CreatedAt)
}

// selectRefundOf is the refund here that Stripe's is.
func selectRefundOf(ctx context.Context, tx pgx.Tx, r stripeRefund) (Refund, error) {
	return pg.Row[Refund](ctx, tx, "select refund of Stripe", `SELECT `+refundColumns+` FROM payments.refunds WHERE stripe = $1 OR id = $2 AND stripe IS NULL FOR UPDATE`, r.ID, r.Refund)
}

func selectRefundsOf(ctx context.Context, db pg.Querier, id OrderID) ([]Refund, error) {
	return pg.Rows[Refund](ctx, db, "select refunds", `SELECT `+refundColumns+` FROM payments.refunds WHERE "order" = $1 ORDER BY id`, id)
}

func selectRefund(ctx context.Context, db pg.Querier, id RefundID) (Refund, error) {
	return pg.Row[Refund](ctx, db, "select refund", `SELECT `+refundColumns+` FROM payments.refunds WHERE id = $1`, id)
}

func lockRefund(ctx context.Context, tx pgx.Tx, id RefundID) (Refund, error) {
	return pg.Row[Refund](ctx, tx, "lock refund", `SELECT `+refundColumns+` FROM payments.refunds WHERE id = $1 FOR UPDATE`, id)
}

// startRefund notes when Stripe was first asked for an approved refund.
func startRefund(ctx context.Context, db pg.Querier, id RefundID, now time.Time) (Refund, error) {
	return pg.Row[Refund](ctx, db, "start refund", `UPDATE payments.refunds SET sent_at = coalesce(sent_at, $2) WHERE id = $1 AND state = 'approved' RETURNING `+refundColumns, id, now)
}

func updateRefund(ctx context.Context, tx pgx.Tx, r Refund, now time.Time) error {
	return pg.Exec(ctx, tx, "update refund", `UPDATE payments.refunds SET state = $2, stripe = nullif($3, ''), failure = $4, decided_by = nullif($5, 0), decided_at = $6, why_denied = $7,
			settled_at = CASE WHEN $2 IN ('succeeded', 'failed', 'denied') THEN coalesce(settled_at, $8) END WHERE id = $1`,
		r.ID, r.State, r.Stripe, r.Failure, r.DecidedBy, r.DecidedAt, r.WhyDenied, now)
}

func upsertDispute(ctx context.Context, tx pgx.Tx, d Dispute, id OrderID, now time.Time) error {
	return pg.Exec(ctx, tx, "keep dispute", `INSERT INTO payments.disputes (id, charge, "order", amount, status, reason, due_by, opened_at, seen_at) VALUES ($1, $2, nullif($3, 0), $4, $5, $6, $7, $8, $9)
		ON CONFLICT (id) DO UPDATE SET "order" = coalesce(payments.disputes."order", excluded."order"), status = excluded.status, amount = excluded.amount, due_by = excluded.due_by, seen_at = excluded.seen_at`,
		d.ID, d.Charge, id, d.Amount, d.Status, d.Reason, d.DueBy, d.OpenedAt, now)
}

func selectDisputesOf(ctx context.Context, db pg.Querier, id OrderID) ([]Dispute, error) {
	return pg.Rows[Dispute](ctx, db, "select disputes", `SELECT id, charge, amount, status, reason, due_by, opened_at FROM payments.disputes WHERE "order" = $1 ORDER BY opened_at`, id)
}

// hasEarned tells whether what an order paid was earned.
func hasEarned(ctx context.Context, db pg.Querier, id OrderID) (bool, error) {
	return pg.Value[bool](ctx, db, "look for earned entry", `SELECT EXISTS (SELECT FROM payments.entries WHERE "order" = $1 AND kind = 'earned')`, id)
}
