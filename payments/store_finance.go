package payments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Figures are what a stretch of days brought, in cents.
type Figures struct {
	Earned   lms.Money // fees of enrollments made
	Refunded lms.Money // of these, given back
	Fees     lms.Money // kept by Stripe, also for disputes
	Cash     lms.Money // arrived at the bank
	Disputed lms.Money // taken back by cardholders' banks
}

const figures = `coalesce(-sum(l.amount) FILTER (WHERE l.account LIKE 'revenue/%'), 0)::bigint AS earned,
			coalesce(sum(l.amount) FILTER (WHERE l.account LIKE 'refunds/%'), 0)::bigint AS refunded,
			coalesce(sum(l.amount) FILTER (WHERE l.account IN ('fees', 'dispute_fees')), 0)::bigint AS fees,
			coalesce(sum(l.amount) FILTER (WHERE l.account = 'bank'), 0)::bigint AS cash,
			coalesce(sum(l.amount) FILTER (WHERE l.account = 'disputes'), 0)::bigint AS disputed
		FROM payments.entries e JOIN payments.entry_lines l ON l.entry = e.id WHERE e.effective_on`

func selectFigures(ctx context.Context, db pg.Querier, from, through lms.Date) (Figures, error) {
	return pg.Row[Figures](ctx, db, "select figures", `SELECT `+figures+` BETWEEN $1 AND $2`, from, through)
}

// FoundOrder is an order in a list of finance's.
type FoundOrder struct {
	ID        OrderID
	CreatedAt time.Time
	Name      string
	MOPDID    lms.MOPDID
	Title     string
	Total     lms.Money
	State     OrderState
	Refunding lms.Money
	Open      int // exceptions
}

// selectLastOrder is the newest order.
func selectLastOrder(ctx context.Context, db pg.Querier) (OrderID, error) {
	return pg.Value[OrderID](ctx, db, "select last order", `SELECT coalesce(max(id), 0) FROM payments.orders`)
}

const foundOrders = ` FROM payments.orders o JOIN payments.lines l ON l."order" = o.id 
	JOIN accounts.pub_identities i ON i.person = o.payer JOIN accounts.pub_people p ON p.person = i.canonical
	LEFT JOIN LATERAL (SELECT coalesce(sum(refunding), 0)::bigint AS refunding FROM payments.charges WHERE "order" = o.id) c ON true
	WHERE ($1 = '' OR o.state = $1) AND ($2 = '' OR o.id::text = $2 OR o.session = $2 OR o.payment_intent = $2 OR l.code = upper($2)
		OR EXISTS (SELECT FROM payments.charges c WHERE c."order" = o.id AND c.id = $2)
		OR EXISTS (SELECT FROM accounts.pub_mopd_ids m WHERE m.person = i.canonical AND m.mopd_id::text = $2)
		OR NOT EXISTS (SELECT FROM unnest(string_to_array(lower($2), ' ')) word WHERE strpos(lower(p.given || ' ' || p.family), word) = 0))`

func countOrders(ctx context.Context, db pg.Querier, state, text string) (int, error) {
	return pg.Value[int](ctx, db, "count orders", `SELECT count(*)`+foundOrders, state, text)
}

// selectFoundOrders is orders up to one, the newest first.
func selectFoundOrders(ctx context.Context, db pg.Querier, state, text string, upTo OrderID, limit, offset int) ([]FoundOrder, error) {
	return pg.Rows[FoundOrder](ctx, db, "find orders", `SELECT o.id, o.created_at, p.given || ' ' || p.family AS name,
			(SELECT max(m.mopd_id) FROM accounts.pub_mopd_ids m WHERE m.person = i.canonical) AS mopd_id, l.title, o.total, o.state, c.refunding,
			(SELECT count(*) FROM payments.exceptions x WHERE x."order" = o.id AND x.state = 'open')::int AS open`+foundOrders+`
		AND o.id <= $3 ORDER BY o.id DESC LIMIT $4 OFFSET $5`, state, text, upTo, limit, offset)
}

// Payer is who ordered.
type Payer struct {
	Name   string
	MOPDID lms.MOPDID
}

func selectPayer(ctx context.Context, db pg.Querier, p lms.PersonID) (Payer, error) {
	return pg.Row[Payer](ctx, db, "select payer", `SELECT given || ' ' || family AS name, (SELECT max(mopd_id) FROM accounts.pub_mopd_ids m WHERE m.person = p.person) AS mopd_id
		FROM accounts.pub_people p WHERE person = $1`, p)
}

// Booked is one line of an entry, as an order's page shows it.
type Booked struct {
	Kind        EntryKind
	Reference   string
	EffectiveOn lms.Date
	Account     Account
	Amount      lms.Money
}

func selectBooked(ctx context.Context, db pg.Querier, id OrderID) ([]Booked, error) {
	return pg.Rows[Booked](ctx, db, "select entries of order", `SELECT e.kind, e.reference, e.effective_on, l.account, l.amount
		FROM payments.entries e JOIN payments.entry_lines l ON l.entry = e.id WHERE e."order" = $1 ORDER BY e.effective_at, e.id, l.amount DESC`, id)
}

// Charged is a charge as an order's page shows it.
type Charged struct {
	ID        string
	Amount    lms.Money
	Refunding lms.Money
	CreatedAt time.Time
	Payout    string // that carried it
	ArrivesOn *lms.Date
}

func selectCharged(ctx context.Context, db pg.Querier, id OrderID) ([]Charged, error) {
	return pg.Rows[Charged](ctx, db, "select charges of order", `SELECT c.id, c.amount, c.refunding, c.created_at, coalesce(p.id, '') AS payout, p.arrives_on
		FROM payments.charges c LEFT JOIN payments.balance_transactions t ON t.id = c.balance_transaction LEFT JOIN payments.payouts p ON p.id = t.payout WHERE c."order" = $1 ORDER BY c.created_at`, id)
}

// Exception is something that somebody has to look at.
type Exception struct {
	ID         int64
	Kind       string
	Subject    string
	Order      OrderID
	Details    map[string]any
	FoundAt    time.Time
	SeenAt     time.Time
	Times      int
	State      string
	Owner      lms.PersonID
	OwnerName  string
	PayerName  string
	ResolvedAt *time.Time
	Resolver   string
}

const exceptions = `SELECT x.id, x.kind, x.subject, coalesce(x."order", 0) AS "order", x.details, x.found_at, x.seen_at, x.times, x.state, coalesce(x.owner, 0) AS owner,
		coalesce(o.given || ' ' || o.family, '') AS owner_name, coalesce(y.given || ' ' || y.family, '') AS payer_name, x.resolved_at, coalesce(r.given || ' ' || r.family, '') AS resolver
	FROM payments.exceptions x LEFT JOIN accounts.pub_people o ON o.person = x.owner LEFT JOIN accounts.pub_people r ON r.person = x.resolved_by
		LEFT JOIN payments.orders b ON b.id = x."order" LEFT JOIN accounts.pub_identities i ON i.person = b.payer LEFT JOIN accounts.pub_people y ON y.person = i.canonical`

// ExceptionFilter says which exceptions are looked for.
type ExceptionFilter struct {
	State string
	Kind  string       // "": any
	Owner lms.PersonID // 0: any
}

func selectExceptions(ctx context.Context, db pg.Querier, f ExceptionFilter, limit, offset int) ([]Exception, error) {
	return pg.Rows[Exception](ctx, db, "select exceptions", exceptions+` WHERE x.state = $1 AND ($2 = '' OR x.kind = $2) AND ($3::bigint = 0 OR x.owner = $3)
		ORDER BY CASE WHEN $1 = 'open' THEN x.found_at END, x.resolved_at DESC, x.id LIMIT $4 OFFSET $5`, f.State, f.Kind, f.Owner, limit, offset)
}

// KindCount is how many exceptions of a kind there are.
type KindCount struct {
	Kind  string
	Count int
}

func countKinds(ctx context.Context, db pg.Querier, state string) ([]KindCount, error) {
	return pg.Rows[KindCount](ctx, db, "count kinds of exceptions", `SELECT kind, count(*)::int AS count FROM payments.exceptions WHERE state = $1 GROUP BY kind ORDER BY count(*) DESC, kind`, state)
}

func countOpen(ctx context.Context, db pg.Querier) (int, error) {
	return pg.Value[int](ctx, db, "count exceptions", `SELECT count(*) FROM payments.exceptions WHERE state = 'open'`)
}

func selectExceptionsOf(ctx context.Context, db pg.Querier, id OrderID) ([]Exception, error) {
	return pg.Rows[Exception](ctx, db, "select exceptions of order", exceptions+` WHERE x."order" = $1 ORDER BY x.found_at`, id)
}

func selectException(ctx context.Context, db pg.Querier, id int64) (Exception, error) {
	return pg.Row[Exception](ctx, db, "select exception", exceptions+` WHERE x.id = $1`, id)
}

// updateResolved tells whether the exception was open.
func updateResolved(ctx context.Context, tx pgx.Tx, id int64, by lms.PersonID, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "resolve exception", `UPDATE payments.exceptions SET state = 'resolved', resolved_by = $2, resolved_at = $3, owner = coalesce(owner, $2) WHERE id = $1 AND state = 'open'`, id, by, now)
}

func updateReopened(ctx context.Context, tx pgx.Tx, id int64) (bool, error) {
	return pg.Changed(ctx, tx, "open exception again", `UPDATE payments.exceptions SET state = 'open', resolved_by = NULL, resolved_at = NULL WHERE id = $1 AND state = 'resolved'`, id)
}

func updateOwner(ctx context.Context, tx pgx.Tx, id int64, by lms.PersonID) error {
	return pg.Exec(ctx, tx, "take exception", `UPDATE payments.exceptions SET owner = $2 WHERE id = $1`, id, by)
}

// Note is what somebody wrote about an exception.
type Note struct {
	By   string
	At   time.Time
	Text string
}

func insertNote(ctx context.Context, tx pgx.Tx, id int64, by lms.PersonID, text string, now time.Time) error {
	return pg.Exec(ctx, tx, "insert note", `INSERT INTO payments.exception_notes (exception, by, at, text) VALUES ($1, $2, $3, $4)`, id, by, now, text)
}

func selectNotes(ctx context.Context, db pg.Querier, id int64) ([]Note, error) {
	return pg.Rows[Note](ctx, db, "select notes", `SELECT p.given || ' ' || p.family AS by, n.at, n.text FROM payments.exception_notes n JOIN accounts.pub_people p ON p.person = n.by
		WHERE n.exception = $1 ORDER BY n.id`, id)
}

// WaitingRefund is a refund that waits for a second person.
type WaitingRefund struct {
	ID          RefundID
	Order       OrderID
	Amount      lms.Money
	Title       string
	Reason      string
	By          string
	RequestedAt time.Time
}

func selectWaitingRefunds(ctx context.Context, db pg.Querier) ([]WaitingRefund, error) {
	return pg.Rows[WaitingRefund](ctx, db, "select waiting refunds", `SELECT r.id, r."order", r.amount, l.title, r.reason, p.given || ' ' || p.family AS by, r.requested_at
		FROM payments.refunds r JOIN payments.lines l ON l."order" = r."order" JOIN accounts.pub_people p ON p.person = r.requested_by
		WHERE r.state = 'requested' ORDER BY r.requested_at, r.id LIMIT 200`)
}

// selectHeld is what Stripe held for us at the end of a day; below zero it is owed.
func selectHeld(ctx context.Context, db pg.Querier, day lms.Date) (lms.Money, error) {
	return pg.Value[lms.Money](ctx, db, "select what Stripe holds", `SELECT coalesce(sum(l.amount), 0)::bigint FROM payments.entries e JOIN payments.entry_lines l ON l.entry = e.id
		WHERE l.account = 'stripe' AND e.effective_on <= $1`, day)
}

// selectRefundNames is how the people of a refund are called; "" if nobody is.
func selectRefundNames(ctx context.Context, db pg.Querier, id RefundID) (RefundNames, error) {
	return pg.Row[RefundNames](ctx, db, "select names of refund", `SELECT coalesce(a.given || ' ' || a.family, '') AS asked, coalesce(d.given || ' ' || d.family, '') AS decided, y.given || ' ' || y.family AS payer
		FROM payments.refunds r JOIN payments.orders o ON o.id = r."order" JOIN accounts.pub_identities i ON i.person = o.payer JOIN accounts.pub_people y ON y.person = i.canonical
		LEFT JOIN accounts.pub_people a ON a.person = r.requested_by LEFT JOIN accounts.pub_people d ON d.person = r.decided_by WHERE r.id = $1`, id)
}

// RefundNames is how the people of a refund are called.
type RefundNames struct{ Asked, Decided, Payer string }
