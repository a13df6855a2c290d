package app_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/payments"
	"mopd/payments/stripesim"
)

// history is a random history of sales, of which the product hears late, twice or in
// another order.
type history struct {
	*box
	random   *rand.Rand
	finance  lms.Viewer
	other    lms.Viewer // of finance
	people   int
	orders   []payments.Order
	later    []string // sessions that a bank works on
	refunds  []string
	disputes []string
	payouts  []string
}

const (
	historySteps = 120
	fee          = 6000 // cents, of which much is given back by two people
)

func TestWhateverHappensInAnyOrderTheLedgerBalancesAndFollowsFromWhatStripeMoved(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	defer func() {
		if t.Failed() {
			t.Logf("the history's seed is %d", seed)
		}
	}()
	h := &history{box: newBoxAt(t, otherSite, false), random: rand.New(rand.NewPCG(seed, 0))}
	h.sells("FIRE-1", "Fire safety", fee)
	h.finance = lms.Viewer{Person: h.person("Fay", lms.Finance)}
	h.other = lms.Viewer{Person: h.person("Frank", lms.Finance)}
	steps := []func(){h.second, h.second, h.order, h.order, h.pay, h.pay, h.pay, h.payLater, h.settleLater, h.cancel, h.giveBack, h.giveBack, h.giveBackElsewhere, h.failRefund, h.dispute, h.dispute, h.decide, h.decide, h.payOut, h.failPayout, h.hear, h.hear, h.hear, h.hear}
	for range historySteps {
		steps[h.random.IntN(len(steps))]()
		h.balanced()
		h.follows()
	}
	h.end()
}

// one is a random one of a list; there may be none.
func one[T any](h *history, list []T) (picked T, found bool) {
	if len(list) == 0 {
		return picked, false
	}
	return list[h.random.IntN(len(list))], true
}

func (h *history) order() {
	h.people++
	h.orders = append(h.orders, h.ordered(h.person(fmt.Sprint("Person", h.people))))
}

// The stand-in refuses what cannot be, such as paying twice; that is a step too.
func (h *history) pay() {
	if o, found := one(h, h.orders); found {
		_ = h.stripe.Pay(o.Session, stripesim.CardThatPays)
	}
}

func (h *history) payLater() {
	if o, found := one(h, h.orders); found && h.stripe.PayLater(o.Session) == nil {
		h.later = append(h.later, o.Session)
	}
}

func (h *history) settleLater() {
	if session, found := one(h, h.later); found {
		_ = h.stripe.SettleLater(session, h.random.IntN(3) > 0)
	}
}

func (h *history) cancel() {
	if o, found := one(h, h.orders); found {
		if _, err := h.Payments.Cancel(h.Context(), o.Payer, o.ID, "127.0.0.1", h.clock.Now()); err != nil {
			require.ErrorIs(h, err, payments.ErrOrderOver)
		}
	}
}

func (h *history) giveBack() {
	o, found := one(h, h.orders)
	if !found {
		return
	}
	id, err := h.Payments.AskRefund(h.Context(), h.finance, payments.RefundRequest{Order: o.ID, Amount: lms.Money(1 + h.random.IntN(fee)), Reason: "Asked for", KeepAccess: h.random.IntN(2) == 0}, "127.0.0.1", h.clock.Now())
	if e, refused := lms.AsError(err); refused {
		require.Equal(h, lms.Conflict, e.Kind, "not paid, disputed, or more than is left")
		return
	}
	require.NoError(h, err)
	require.NoError(h, h.Payments.SendRefund(h.Context(), id, h.clock.Now())) // of one that waits nothing comes
}

// second decides about a refund that waits for a second person.
func (h *history) second() {
	waiting, err := pg.Values[payments.RefundID](h.Context(), h.DB, "waiting refunds", `SELECT id FROM payments.refunds WHERE state = 'requested' ORDER BY id`)
	require.NoError(h, err)
	id, found := one(h, waiting)
	if !found {
		return
	}
	err = h.Payments.DecideRefund(h.Context(), h.other, id, h.random.IntN(3) > 0, "As asked", "127.0.0.1", h.clock.Now())
	if !errors.Is(err, payments.ErrRefundAmount) { // given back elsewhere meanwhile
		require.NoError(h, err)
	}
	require.NoError(h, h.Payments.SendRefund(h.Context(), id, h.clock.Now()))
}

func (h *history) giveBackElsewhere() {
	charges, err := pg.Values[string](h.Context(), h.DB, "charges", `SELECT id FROM payments.charges ORDER BY id`)
	require.NoError(h, err)
	if charge, found := one(h, charges); found {
		if refund, err := h.stripe.RefundAtDashboard(charge, int64(1+h.random.IntN(500))); err == nil {
			h.refunds = append(h.refunds, refund)
		}
	}
}

func (h *history) failRefund() {
	if refund, found := one(h, h.refunds); found {
		_ = h.stripe.FailRefund(refund)
	}
}

func (h *history) dispute() {
	charges, err := pg.Values[string](h.Context(), h.DB, "charges", `SELECT c.id FROM payments.charges c WHERE NOT EXISTS (SELECT FROM payments.disputes WHERE charge = c.id) ORDER BY id`)
	require.NoError(h, err)
	if charge, found := one(h, charges); found && h.random.IntN(3) == 0 {
		dispute, err := h.stripe.Dispute(charge)
		require.NoError(h, err)
		h.disputes = append(h.disputes, dispute)
	}
}

func (h *history) decide() {
	if dispute, found := one(h, h.disputes); found {
		_ = h.stripe.CloseDispute(dispute, h.random.IntN(2) == 0)
	}
}

func (h *history) payOut() {
	if payout, err := h.stripe.ClosePayout(); err == nil {
		require.NoError(h, h.stripe.PayPayout(payout))
		if h.random.IntN(2) == 0 { // the job of its webhook
			require.NoError(h, h.Payments.SyncPayout(h.Context(), payout, h.clock.Now()))
		}
		h.payouts = append(h.payouts, payout)
	}
}

func (h *history) failPayout() {
	if payout, found := one(h, h.payouts); found && h.random.IntN(3) == 0 {
		_ = h.stripe.FailPayout(payout)
	}
}

// hear works any of the events that came, perhaps again.
func (h *history) hear() {
	require.NoError(h, h.stripe.Settle(h.Context()))
	events, err := pg.Values[string](h.Context(), h.DB, "events", `SELECT id FROM payments.events ORDER BY id`)
	require.NoError(h, err)
	for range 5 {
		if event, found := one(h, events); found {
			require.NoError(h, h.Payments.Process(h.Context(), event, h.clock.Now()))
		}
	}
}

// follows fails unless the ledger is what the balance transactions that are known make,
// and what was earned.
func (h *history) follows() {
	h.Helper()
	for what, sql := range map[string]string{
		"held by Stripe": `SELECT coalesce((SELECT sum(amount) FROM payments.entry_lines WHERE account = 'stripe'), 0) - coalesce((SELECT sum(net) FROM payments.balance_transactions), 0)`,
		"fees":           `SELECT coalesce((SELECT sum(amount) FROM payments.entry_lines WHERE account IN ('fees', 'dispute_fees')), 0) - coalesce((SELECT sum(fee) FROM payments.balance_transactions), 0)`,
		"at the bank":    `SELECT coalesce((SELECT sum(amount) FROM payments.entry_lines WHERE account = 'bank'), 0) + coalesce((SELECT sum(amount) FROM payments.balance_transactions WHERE category LIKE 'payout%'), 0)`,
		"disputed":       `SELECT coalesce((SELECT sum(amount) FROM payments.entry_lines WHERE account = 'disputes'), 0) + coalesce((SELECT sum(amount) FROM payments.balance_transactions WHERE category LIKE 'dispute%'), 0)`,
		"revenue":        `SELECT coalesce((SELECT sum(amount) FROM payments.entry_lines WHERE account LIKE 'revenue/%'), 0) + 6000 * (SELECT count(*) FROM payments.seats WHERE enrollment IS NOT NULL)`,
	} {
		require.Zero(h, h.counts(sql), what)
	}
}

// end hears everything, reconciles, and fails unless no money is unexplained.
func (h *history) end() {
	h.Helper()
	require.NoError(h, h.stripe.Settle(h.Context()))
	require.NoError(h, h.Payments.ProcessMissed(h.Context(), h.clock.Now().Add(5*time.Minute)))
	today := lms.DateOf(h.clock.Now())
	_, err := h.Payments.Reconcile(h.Context(), today.AddDays(-1), today.AddDays(1), h.clock.Now().Add(time.Hour))
	require.NoError(h, err)
	h.balanced()
	h.follows()
	for what, sql := range map[string]string{
		"an event that was not worked":                       `SELECT count(*) FROM payments.events WHERE processed_at IS NULL`,
		"a charge without its enrollment":                    `SELECT count(*) FROM payments.charges c JOIN payments.lines l ON l."order" = c."order" JOIN payments.seats s ON s.line = l.id WHERE s.enrollment IS NULL`,
		"an enrollment without its charge":                   `SELECT count(*) FROM enrollments.enrollments e WHERE NOT EXISTS (SELECT FROM payments.seats s JOIN payments.lines l ON l.id = s.line JOIN payments.charges c ON c."order" = l."order" WHERE s.enrollment = e.id)`,
		"money that is owed or not explained":                `SELECT coalesce(sum(amount), 0) FROM payments.entry_lines WHERE account IN ('unearned', 'suspense')`,
		"a payout that does not tie":                         `SELECT count(*) FROM payments.payouts WHERE reconciled_at IS NULL OR lines_sum <> amount`,
		"a charge of which more is given back than was paid": `SELECT count(*) FROM payments.charges WHERE refunding > amount`,
	} {
		require.Zero(h, h.counts(sql), what)
	}
	odd, err := pg.Values[string](h.Context(), h.DB, "exceptions", `SELECT kind || ' ' || subject || ' ' || details::text FROM payments.exceptions
		WHERE kind NOT IN ('refund_and_access', 'refund_not_done', 'disputed', 'payout_not_done')`)
	require.NoError(h, err)
	require.Empty(h, odd, "nobody did anything that explains this")
}
