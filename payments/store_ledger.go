package payments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func upsertCharge(ctx context.Context, tx pgx.Tx, c Charge, order OrderID, now time.Time) error {
	transaction := ""
	if c.Transaction != nil {
		transaction = c.Transaction.ID
	}
	return pg.Exec(ctx, tx, "keep charge", `INSERT INTO payments.charges (id, "order", payment_intent, amount, currency, balance_transaction, created_at, metadata_order, livemode, method, seen_at)
		VALUES ($1, nullif($2, 0), nullif($3, ''), $4, $5, nullif($6, ''), $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO UPDATE SET "order" = coalesce(payments.charges."order", excluded."order"), amount = excluded.amount, currency = excluded.currency,
			balance_transaction = coalesce(excluded.balance_transaction, payments.charges.balance_transaction), metadata_order = excluded.metadata_order,
			livemode = excluded.livemode, method = excluded.method, seen_at = excluded.seen_at`,
		c.ID, order, c.PaymentIntent, c.Amount, c.Currency, transaction, c.CreatedAt, c.Order, c.Live, c.Method, now)
}

func upsertTransactions(ctx context.Context, tx pgx.Tx, list []BalanceTransaction, now time.Time) error {
	var ids, categories, currencies, sources, payouts []string
	var amounts, fees, nets []int64
	var created, available []time.Time
	for _, t := range list {
		ids, categories, currencies = append(ids, t.ID), append(categories, t.Category), append(currencies, t.Currency)
		sources, payouts = append(sources, t.Source), append(payouts, t.Payout)
		amounts, fees, nets = append(amounts, int64(t.Amount)), append(fees, int64(t.Fee)), append(nets, int64(t.Net))
		created, available = append(created, t.CreatedAt), append(available, t.AvailableOn)
	}
	return pg.Exec(ctx, tx, "keep balance transactions", `INSERT INTO payments.balance_transactions (id, category, amount, fee, net, currency, source, payout, created_at, available_on, seen_at)
		SELECT id, category, amount, fee, net, currency, source, nullif(payout, ''), created_at, available_on, $11
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::timestamptz[])
			AS t (id, category, amount, fee, net, currency, source, payout, created_at, available_on) ORDER BY id
		ON CONFLICT (id) DO UPDATE SET payout = coalesce(excluded.payout, payments.balance_transactions.payout), seen_at = excluded.seen_at`,
		ids, categories, amounts, fees, nets, currencies, sources, payouts, created, available, now)
}

// selectWithoutEntry is those of a list of balance transactions of which no entry is
// made, each with the order that its source belongs to; 0 if none is known.
func selectWithoutEntry(ctx context.Context, db pg.Querier, list []BalanceTransaction) (map[string]OrderID, error) {
	var ids, sources []string
	for _, t := range list {
		ids, sources = append(ids, t.ID), append(sources, t.Source)
	}
	rows, err := pg.Rows[struct {
		ID    string
		Order OrderID
	}](ctx, db, "select what has no entry", `SELECT t.id, coalesce(c."order", r."order", d."order", 0) AS "order"
		FROM unnest($1::text[], $2::text[]) AS t (id, source) LEFT JOIN payments.entries e ON e.reference = t.id
		LEFT JOIN payments.charges c ON c.id = t.source LEFT JOIN payments.refunds r ON r.stripe = t.source LEFT JOIN payments.disputes d ON d.id = t.source
		WHERE e.id IS NULL`, ids, sources)
	absent := map[string]OrderID{}
	for _, row := range rows {
		absent[row.ID] = row.Order
	}
	return absent, err
}

// insertEntry keeps an entry, on an open day, unless its reference is there already, and
// tells whether it is new.
func insertEntry(ctx context.Context, tx pgx.Tx, e Entry, now time.Time) (bool, error) {
	closed, err := lockBooks(ctx, tx)
	if err != nil {
		return false, err
	}
	e = e.within(closed, lms.DateOf(now))
	var belongsOn *lms.Date
	if !e.BelongsOn.IsZero() {
		belongsOn = &e.BelongsOn
	}
	accounts, amounts := make([]string, len(e.Lines)), make([]int64, len(e.Lines))
	for i, l := range e.Lines {
		accounts[i], amounts[i] = l.Account, int64(l.Amount)
	}
	return pg.Changed(ctx, tx, "insert entry", `WITH e AS (
			INSERT INTO payments.entries (kind, reference, "order", effective_at, effective_on, recorded_at, note, belongs_on)
			SELECT $1, $2, nullif($3, 0), $4, $5, $6, $7, $10 WHERE NOT EXISTS (SELECT FROM payments.entries WHERE reference = $2) -- or their numbers would have gaps
			ON CONFLICT (reference) DO NOTHING RETURNING id
		) INSERT INTO payments.entry_lines (entry, account, amount) SELECT e.id, l.account, l.amount FROM e, unnest($8::text[], $9::bigint[]) AS l (account, amount)`,
		e.Kind, e.Reference, e.Order, e.EffectiveAt, e.EffectiveOn, now, e.Note, accounts, amounts, belongsOn)
}

// insertAccounts opens the two accounts of a course.
func insertAccounts(ctx context.Context, tx pgx.Tx, id lms.CourseID, code string) error {
	return pg.Exec(ctx, tx, "open accounts of course", `INSERT INTO payments.accounts (code, kind, course) VALUES ($1, 'revenue', $3), ($2, 'revenue', $3) ON CONFLICT (code) DO NOTHING`,
		revenueOf(code), refundsOf(code), id)
}

// Balance is what an account holds, in cents: debits above zero.
type Balance struct {
	Account Account
	Amount  lms.Money
}

func selectBalances(ctx context.Context, db pg.Querier) ([]Balance, error) {
	return pg.Rows[Balance](ctx, db, "select balances", `SELECT account, sum(amount)::bigint AS amount FROM payments.entry_lines GROUP BY account HAVING sum(amount) <> 0 ORDER BY account`)
}
