package payments

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

var noon = time.Date(2026, 3, 16, 17, 0, 0, 0, time.UTC)

func transaction(id, category string, amount, fee lms.Money) BalanceTransaction {
	return BalanceTransaction{ID: id, Category: category, Amount: amount, Fee: fee, Net: amount - fee, Currency: "usd", CreatedAt: noon, AvailableOn: noon}
}

func balances(entries ...Entry) map[string]lms.Money {
	sums := map[string]lms.Money{}
	for _, e := range entries {
		for _, l := range e.Lines {
			sums[l.Account] += l.Amount
		}
	}
	for account, sum := range sums {
		if sum == 0 {
			delete(sums, account)
		}
	}
	return sums
}

func TestTheWorkedPayoutComesOutToTheCent(t *testing.T) {
	t.Parallel()
	var entries []Entry
	for i := range 3 {
		o := Origin{Order: OrderID(i + 1), Course: "FIRE-1"}
		entries = append(entries, entryOf(transaction("txn_c", "charge", 500, 45), o), earnedEntry(o.Order, SeatID(i+1), o.Course, 500, noon))
	}
	entries = append(entries, entryOf(transaction("txn_r", "refund", -500, 0), Origin{Order: 1, Course: "FIRE-1", Earned: true}))
	require.Equal(t, lms.Money(865), balances(entries...)[accountStripe])
	entries = append(entries, entryOf(transaction("txn_p", "payout", -865, 0), Origin{}))
	require.Equal(t, map[string]lms.Money{
		accountBank: 865, accountFees: 135, revenueOf("FIRE-1"): -1500, refundsOf("FIRE-1"): 500,
	}, balances(entries...))
}

func TestADisputeTakesTheChargeAndItsOwnFee(t *testing.T) {
	t.Parallel()
	opened := entryOf(transaction("txn_d", "dispute", -500, 1500), Origin{Order: 1, Course: "FIRE-1", Earned: true})
	require.Equal(t, map[string]lms.Money{accountStripe: -2000, accountDisputes: 500, accountDisputeFees: 1500}, balances(opened))
	won := entryOf(transaction("txn_w", "dispute_reversal", 500, 0), Origin{Order: 1, Course: "FIRE-1", Earned: true})
	require.Equal(t, map[string]lms.Money{accountStripe: -1500, accountDisputeFees: 1500}, balances(opened, won))
}

func TestAFeeThatNobodyEarnedYetIsOwed(t *testing.T) {
	t.Parallel()
	charge := entryOf(transaction("txn_c", "charge", 500, 45), Origin{Order: 1, Course: "FIRE-1"})
	require.Equal(t, map[string]lms.Money{accountStripe: 455, accountFees: 45, accountUnearned: -500}, balances(charge))
	back := entryOf(transaction("txn_r", "refund", -500, 0), Origin{Order: 1, Course: "FIRE-1"})
	require.Equal(t, map[string]lms.Money{accountStripe: -45, accountFees: 45}, balances(charge, back))
}

func TestWhatIsNotKnownWaitsInSuspense(t *testing.T) {
	t.Parallel()
	require.Equal(t, lms.Money(-700), balances(entryOf(transaction("txn_x", "climate_order", 700, 0), Origin{}))[accountSuspense])
	require.Equal(t, lms.Money(-500), balances(entryOf(transaction("txn_c", "charge", 500, 45), Origin{}))[accountSuspense], "a charge of no order")
	require.False(t, knownCategory("climate_order"))
}

func TestEveryBalanceTransactionMakesAnEntryThatBalances(t *testing.T) {
	t.Parallel()
	categories := []string{"charge", "fee", "refund", "refund_failure", "dispute", "dispute_reversal", "payout", "payout_reversal", "unheard_of"}
	rapid.Check(t, func(t *rapid.T) {
		amount, fee := rapid.Int64Range(-1e9, 1e9).Draw(t, "amount"), rapid.Int64Range(-1e6, 1e6).Draw(t, "fee")
		x := transaction("txn", rapid.SampledFrom(categories).Draw(t, "category"), lms.Money(amount), lms.Money(fee))
		o := Origin{Order: OrderID(rapid.Int64Range(0, 3).Draw(t, "order")), Course: "C", Earned: rapid.Bool().Draw(t, "earned")}
		e := entryOf(x, o)
		require.Zero(t, e.Balance())
		require.Equal(t, x.Net, balances(e)[accountStripe], "what moves at Stripe is what Stripe says")
		seen := map[string]bool{}
		for _, l := range e.Lines {
			require.NotZero(t, l.Amount)
			require.False(t, seen[l.Account])
			seen[l.Account] = true
		}
	})
}

func TestAFeeEarnedOnTheLastEveningOfTheFiscalYearIsCashOfTheNext(t *testing.T) {
	t.Parallel()
	charged := time.Date(2026, 7, 1, 4, 30, 0, 0, time.UTC) // 2026-06-30 23:30 CDT
	x := transaction("txn_c", "charge", 500, 45)
	x.CreatedAt = charged
	require.Equal(t, 2026, FiscalYear(entryOf(x, Origin{Order: 1}).EffectiveOn))
	require.Equal(t, 2026, FiscalYear(earnedEntry(1, 1, "C", 500, charged).EffectiveOn))
	arrives := arrivalDay(time.Date(2026, 7, 2, 0, 0, 0, 0, time.UTC))
	require.Equal(t, lms.Date{Year: 2026, Month: 7, Day: 2}, arrives)
	require.Equal(t, 2027, FiscalYear(entryOf(transaction("txn_p", "payout", -455, 0), Origin{ArriveOn: arrives}).EffectiveOn))
	require.Equal(t, lms.Date{Year: 2026, Month: 7, Day: 1}, arrivalDay(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)), "never converted to Central, or July 1 becomes June 30")
}

func insertInto(t *testing.T, db pg.Beginner, e Entry) (fresh bool, err error) {
	t.Helper()
	err = pg.InTx(t.Context(), db, func(tx pgx.Tx) error {
		fresh, err = insertEntry(t.Context(), tx, e, noon)
		return err
	})
	return fresh, err
}

func TestTheDatabaseAloneKeepsNoEntryThatDoesNotBalance(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	for what, lines := range map[string][]Line{
		"lines that do not sum to zero": {{accountStripe, 500}, {accountFees, -499}},
		"one line":                      {{accountStripe, 500}},
	} {
		_, err := insertInto(t, db, Entry{Kind: EntryAdjustment, Reference: what, EffectiveAt: noon, EffectiveOn: lms.DateOf(noon), Lines: lines})
		require.Equal(t, "entries_balance", pg.Violated(err), what)
	}
	_, err := db.Exec(t.Context(), `INSERT INTO payments.entries (kind, reference, effective_at, effective_on, recorded_at) VALUES ('adjustment', 'x', now(), now(), now())`)
	require.Equal(t, "entries_balance", pg.Violated(err), "no lines")
	_, err = insertInto(t, db, Entry{Kind: EntryAdjustment, Reference: "zero", EffectiveAt: noon, EffectiveOn: lms.DateOf(noon), Lines: []Line{{accountStripe, 0}, {accountFees, 0}}})
	require.Equal(t, "entry_lines_amount_some", pg.Violated(err))
	found, err := selectBalances(t.Context(), db)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAnEntryOnceKeptIsNeverChangedAndComesOnce(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	e := entryOf(transaction("txn_d", "dispute", -500, 1500), Origin{})
	fresh, err := insertInto(t, db, e)
	require.NoError(t, err)
	require.True(t, fresh)
	fresh, err = insertInto(t, db, e)
	require.NoError(t, err)
	require.False(t, fresh, "a replay is harmless")
	for _, statement := range []string{
		`UPDATE payments.entries SET note = 'x'`, `DELETE FROM payments.entry_lines`, `DELETE FROM payments.entries`, `TRUNCATE payments.entry_lines`, `UPDATE payments.entry_lines SET amount = 1`,
	} {
		_, err := db.Exec(t.Context(), statement)
		require.Error(t, err, statement)
	}
	found, err := selectBalances(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, []Balance{{accountDisputeFees, 1500}, {accountDisputes, 500}, {accountStripe, -2000}}, found)
}

func TestWhatBelongsToAClosedDayAdjustsAnOpenOne(t *testing.T) {
	t.Parallel()
	day := func(d int) lms.Date { return lms.Date{Year: 2026, Month: 7, Day: d} }
	for _, c := range []struct {
		what               string
		on, closed, today  lms.Date
		effective, belongs lms.Date
	}{
		{"an open day stays", day(9), day(8), day(12), day(9), lms.Date{}},
		{"a closed one adjusts today's", day(8), day(8), day(12), day(12), day(8)},
		{"or the first open one, where today is closed", day(2), day(31), day(12), lms.Date{Year: 2026, Month: 8, Day: 1}, day(2)},
	} {
		e := Entry{EffectiveOn: c.on}.within(c.closed, c.today)
		require.Equal(t, c.effective, e.EffectiveOn, c.what)
		require.Equal(t, c.belongs, e.BelongsOn, c.what)
	}
}
