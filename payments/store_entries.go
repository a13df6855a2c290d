package payments

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// EntryFilter says which lines of the ledger are looked for.
type EntryFilter struct {
	From, Through lms.Date // zero: any day
	Accounts      []string // kinds, such as revenue; none: any
	Course        string   // code; "": any
}

// The days between which everything is.
var (
	firstDay = lms.Date{Year: 1990, Month: 1, Day: 1}
	lastDay  = lms.Date{Year: 9999, Month: 12, Day: 31}
)

func (f EntryFilter) args() []any {
	from, through, accounts := f.From, f.Through, f.Accounts
	if from.IsZero() {
		from = firstDay
	}
	if through.IsZero() {
		through = lastDay
	}
	if accounts == nil {
		accounts = []string{}
	}
	return []any{from, through, accounts, f.Course}
}

// FoundLine is a line of an entry, with what it is made of.
type FoundLine struct {
	Entry       int64
	Kind        EntryKind
	EffectiveOn lms.Date
	BelongsOn   *lms.Date
	RecordedAt  time.Time
	Account     Account
	GL          string
	Amount      lms.Money
	Order       OrderID
	Name        string
	MOPDID      lms.MOPDID
	Reference   string
	Source      string // at Stripe; of what was earned that of the charge
	Payout      string // that carried it
	ArrivesOn   *lms.Date
}

const foundLines = ` FROM payments.entries e JOIN payments.entry_lines l ON l.entry = e.id JOIN payments.accounts a ON a.code = l.account
	LEFT JOIN payments.balance_transactions t ON t.id = coalesce((SELECT c.balance_transaction FROM payments.charges c WHERE c."order" = e."order" AND e.kind = 'earned' ORDER BY c.created_at LIMIT 1), e.reference)
	LEFT JOIN payments.payouts p ON p.id = t.payout
	LEFT JOIN payments.orders o ON o.id = e."order" LEFT JOIN accounts.pub_identities i ON i.person = o.payer LEFT JOIN accounts.pub_people n ON n.person = i.canonical
	WHERE e.effective_on BETWEEN $1 AND $2 AND (cardinality($3::text[]) = 0 OR split_part(l.account, '/', 1) = ANY($3)) AND ($4 = '' OR split_part(l.account, '/', 2) = $4)`

const foundLine = `SELECT e.id AS entry, e.kind, e.effective_on, e.belongs_on, e.recorded_at, l.account, a.gl, l.amount, coalesce(e."order", 0) AS "order",
	coalesce(n.given || ' ' || n.family, '') AS name, coalesce((SELECT max(m.mopd_id) FROM accounts.pub_mopd_ids m WHERE m.person = i.canonical), 0) AS mopd_id,
	e.reference, coalesce(t.source, '') AS source, coalesce(p.id, '') AS payout, p.arrives_on` + foundLines

// Sum is how many lines there are, and what they come to.
type Sum struct {
	Lines  int
	Amount lms.Money
}

func sumLines(ctx context.Context, db pg.Querier, f EntryFilter) (Sum, error) {
	return pg.Row[Sum](ctx, db, "sum lines", `SELECT count(*)::int AS lines, coalesce(sum(l.amount), 0)::bigint AS amount`+foundLines, f.args()...)
}

// selectLines is lines, the newest day first.
func selectLines(ctx context.Context, db pg.Querier, f EntryFilter, limit, offset int) ([]FoundLine, error) {
	return pg.Rows[FoundLine](ctx, db, "find lines", foundLine+` ORDER BY e.effective_on DESC, e.id DESC, l.account LIMIT $5 OFFSET $6`, append(f.args(), limit, offset)...)
}

// selectLinesFrom is the lines of so many entries from one on, as they were recorded.
func selectLinesFrom(ctx context.Context, db pg.Querier, f EntryFilter, entry int64, entries int) ([]FoundLine, error) {
	return pg.Rows[FoundLine](ctx, db, "read lines", foundLine+` AND e.id >= $5 AND e.id < $5 + $6 ORDER BY e.id, l.account`, append(f.args(), entry, entries)...)
}

// selectLastEntry is the newest entry; 0 if there is none.
func selectLastEntry(ctx context.Context, db pg.Querier) (int64, error) {
	return pg.Value[int64](ctx, db, "select last entry", `SELECT coalesce(max(id), 0) FROM payments.entries`)
}

// Stretch is what a month or a day brought.
type Stretch struct {
	From, Through lms.Date
	Figures
}

// selectStretches is the figures of each month, or day, that lies between two days.
func selectStretches(ctx context.Context, db pg.Querier, from, through lms.Date, step string) ([]Stretch, error) {
	return pg.Rows[Stretch](ctx, db, "select stretches", `SELECT s::date AS "from", (s + $3::interval - interval '1 day')::date AS through, f.*
		FROM generate_series($1::timestamp, $2::timestamp, $3::interval) s CROSS JOIN LATERAL (SELECT `+figures+` BETWEEN s::date AND (s + $3::interval - interval '1 day')::date) f ORDER BY s DESC`,
		from, through, step)
}

// selectGLs is every account with its code in the state's general ledger.
func selectGLs(ctx context.Context, db pg.Querier) ([]AccountGL, error) {
	return pg.Rows[AccountGL](ctx, db, "select accounts", `SELECT a.code AS account, a.gl, coalesce(max(l.title), '') AS title FROM payments.accounts a LEFT JOIN payments.lines l ON l.course = a.course
		GROUP BY a.code ORDER BY a.course NULLS FIRST, a.code`)
}

// AccountGL is an account with its code in the state's general ledger.
type AccountGL struct {
	Account Account
	GL      string
	Title   string // of its course
}

func updateGL(ctx context.Context, tx pgx.Tx, a Account, gl string) (bool, error) {
	return pg.Changed(ctx, tx, "name account", `UPDATE payments.accounts SET gl = $2 WHERE code = $1 AND gl <> $2`, a, gl)
}

// FeeRate is what Stripe takes for a charge from a day on.
type FeeRate struct {
	Method        string
	EffectiveFrom lms.Date
	Share         int // ten-thousandths
	Fixed         lms.Money
	Cap           lms.Money // 0: none
}

func selectFeeRates(ctx context.Context, db pg.Querier) ([]FeeRate, error) {
	return pg.Rows[FeeRate](ctx, db, "select fee rates", `SELECT method, effective_from, share, fixed, coalesce(cap, 0) AS cap FROM payments.fee_rates ORDER BY method, effective_from DESC`)
}

func insertFeeRate(ctx context.Context, tx pgx.Tx, r FeeRate) error {
	return pg.Exec(ctx, tx, "set fee rate", `INSERT INTO payments.fee_rates (method, effective_from, share, fixed, cap) VALUES ($1, $2, $3, $4, nullif($5, 0))
		ON CONFLICT (method, effective_from) DO UPDATE SET share = excluded.share, fixed = excluded.fixed, cap = excluded.cap`, r.Method, r.EffectiveFrom, r.Share, r.Fixed, r.Cap)
}
