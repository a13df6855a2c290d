package payments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func upsertPayout(ctx context.Context, tx pgx.Tx, p Payout, now time.Time) error {
	return pg.Exec(ctx, tx, "keep payout", `INSERT INTO payments.payouts (id, amount, status, automatic, failure, arrives_on, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, status = excluded.status, failure = excluded.failure, arrives_on = excluded.arrives_on, seen_at = excluded.seen_at`,
		p.ID, p.Amount, p.Status, p.Automatic, p.Failure, p.ArrivesOn, p.CreatedAt, now)
}

func updateReconciled(ctx context.Context, db pg.Execer, id string, lines int, sum lms.Money, now time.Time) error {
	return pg.Exec(ctx, db, "note lines of payout", `UPDATE payments.payouts SET lines = $2, lines_sum = $3, reconciled_at = $4 WHERE id = $1`, id, lines, sum, now)
}

// KeptPayout is a payout as finance sees it.
type KeptPayout struct {
	ID           string
	Amount       lms.Money
	Status       string
	Failure      string
	ArrivesOn    lms.Date
	CreatedAt    time.Time
	Lines        int
	LinesSum     lms.Money
	ReconciledAt *time.Time
}

// Ties tells whether the payout is the sum of its lines, to the cent.
func (p KeptPayout) Ties() bool { return p.ReconciledAt != nil && p.LinesSum == p.Amount }

const payouts = `SELECT id, amount, status, failure, arrives_on, created_at, lines, lines_sum, reconciled_at FROM payments.payouts`

func selectPayouts(ctx context.Context, db pg.Querier, limit, offset int) ([]KeptPayout, error) {
	return pg.Rows[KeptPayout](ctx, db, "select payouts", payouts+` ORDER BY arrives_on DESC, id DESC LIMIT $1 OFFSET $2`, limit, offset)
}

func selectPayout(ctx context.Context, db pg.Querier, id string) (KeptPayout, error) {
	return pg.Row[KeptPayout](ctx, db, "select payout", payouts+` WHERE id = $1`, id)
}

// PayoutLine is a balance transaction that a payout carried.
type PayoutLine struct {
	ID        string
	Category  string
	Amount    lms.Money
	Fee       lms.Money
	Net       lms.Money
	Source    string
	Order     OrderID
	Title     string
	CreatedAt time.Time
}

func selectPayoutLines(ctx context.Context, db pg.Querier, id string, limit, offset int) ([]PayoutLine, error) {
	return pg.Rows[PayoutLine](ctx, db, "select lines of payout", `SELECT t.id, t.category, t.amount, t.fee, t.net, t.source, coalesce(e."order", 0) AS "order", coalesce(l.title, '') AS title, t.created_at
		FROM payments.balance_transactions t LEFT JOIN payments.entries e ON e.reference = t.id LEFT JOIN payments.lines l ON l."order" = e."order"
		WHERE t.payout = $1 AND t.category <> 'payout' ORDER BY t.created_at, t.id LIMIT $2 OFFSET $3`, id, limit, offset)
}
