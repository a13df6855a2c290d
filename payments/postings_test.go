package payments

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// Whatever Stripe tells, in any order and however often, the balances follow from the
// balance transactions alone.
func TestTheBalancesFollowFromWhatStripeToldInAnyOrderAndNumber(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	categories := []string{"charge", "fee", "refund", "refund_failure", "dispute", "dispute_reversal", "payout", "payout_reversal", "unheard_of"}
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		var history []Entry
		for i := range rapid.IntRange(1, 8).Draw(r, "transactions") {
			amount := lms.Money(rapid.Int64Range(-100000, 100000).Draw(r, "amount"))
			x := transaction("txn_"+string(rune('a'+i))+"_"+rapid.StringMatching(`[a-z0-9]{12}`).Draw(r, "id"), rapid.SampledFrom(categories).Draw(r, "category"), amount, lms.Money(rapid.Int64Range(0, 2000).Draw(r, "fee")))
			if e := entryOf(x, Origin{}); len(e.Lines) > 0 {
				history = append(history, e)
			}
		}
		before, err := selectBalances(t.Context(), db)
		require.NoError(t, err)
		want := map[Account]lms.Money{}
		for _, b := range before {
			want[b.Account] += b.Amount
		}
		fresh := map[string]bool{}
		told := rapid.SliceOfN(rapid.SampledFrom(append(history, Entry{})), 0, 12).Draw(r, "told")
		for _, e := range append(told, history...) { // some several times, in any order; each at last
			if e.Reference == "" {
				continue
			}
			isNew, err := insertInto(t, db, e)
			require.NoError(t, err)
			if isNew {
				require.False(t, fresh[e.Reference], "entered twice")
				fresh[e.Reference] = true
				for _, l := range e.Lines {
					want[Account(l.Account)] += l.Amount
				}
			}
			after, err := selectBalances(t.Context(), db)
			require.NoError(t, err)
			var sum lms.Money
			for _, b := range after {
				require.Equal(t, want[b.Account], b.Amount, b.Account)
				sum += b.Amount
			}
			require.Zero(t, sum)
		}
	})
}

func TestABalanceTransactionIsKeptWithThePayoutThatCarriesItInTheEnd(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	x := transaction("txn_1", "charge", 500, 45)
	keep := func() {
		require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error { return upsertTransactions(t.Context(), tx, []BalanceTransaction{x}, noon) }))
	}
	keep()
	x.Payout = "po_1"
	keep()
	x.Payout = ""
	keep()
	require.Equal(t, 1, count(t, db, `SELECT count(*) FROM payments.balance_transactions WHERE payout = 'po_1' AND net = 455`))
}
