package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/payments"
	"mopd/payments/stripesim"
)

// ordered has somebody order the course that the box sells.
func (b *box) ordered(who lms.Person) payments.Order {
	b.Helper()
	_, err := b.Payments.Checkout(b.Context(), lms.Purchase{Person: who, Code: "FIRE-1", Lang: "en", From: "127.0.0.1"}, b.clock.Now())
	require.NoError(b, err)
	id, err := pg.Value[payments.OrderID](b.Context(), b.DB, "order", `SELECT max(id) FROM payments.orders WHERE payer = $1`, who.ID)
	require.NoError(b, err)
	o, err := b.Payments.OrderOf(b.Context(), who.ID, id)
	require.NoError(b, err)
	return o
}

// paid has somebody order and pay; charge is "" if none is known.
func (b *box) paid(given string) (o payments.Order, charge string) {
	b.Helper()
	o = b.ordered(b.person(given))
	require.NoError(b, b.stripe.Pay(o.Session, stripesim.CardThatPays))
	_, err := b.Payments.Settle(b.Context(), o.ID, b.clock.Now())
	require.NoError(b, err)
	charge, err = pg.Value[string](b.Context(), b.DB, "charge", `SELECT coalesce(max(id), '') FROM payments.charges WHERE "order" = $1`, o.ID)
	require.NoError(b, err)
	return o, charge
}

// with has the stand-in break something while something is done.
func (b *box) with(change, back func(*stripesim.Faults), do func()) {
	b.stripe.Break(change)
	do()
	b.stripe.Break(back)
}

// altered has new objects of a kind say something else while something is done.
func (b *box) altered(kind string, fields map[string]any, do func()) {
	b.with(func(f *stripesim.Faults) { f.Alter = map[string]map[string]any{kind: fields} }, func(f *stripesim.Faults) { f.Alter = nil }, do)
}

// payout pays out what Stripe holds, with something done to it before it is told.
func (b *box) payout(before func(id string)) {
	b.Helper()
	id, err := b.stripe.ClosePayout()
	require.NoError(b, err)
	before(id)
	require.NoError(b, b.stripe.PayPayout(id))
}

// names is what an order has to be called in the metadata of Stripe's objects.
func names(o payments.Order) map[string]any { return map[string]any{"order": fmt.Sprint(o.ID)} }

// wrongs makes something wrong of every kind, each by the controls of the stand-in.
var wrongs = []struct {
	kind, title string
	make        func(*box)
}{
	{payments.NoEnrollment, "Paid, and no enrollment", func(b *box) {
		ana := b.person("Ana")
		o := b.ordered(ana)
		_, err := b.Payments.Cancel(b.Context(), ana.ID, o.ID, "127.0.0.1", b.clock.Now())
		require.NoError(b, err)
		b.stripe.ChargeAtDashboard(500, names(o))
	}},
	{payments.NoCharge, "Enrolled, and nothing was charged", func(b *box) {
		b.with(func(f *stripesim.Faults) { f.LoseCharges = true }, func(f *stripesim.Faults) { f.LoseCharges = false }, func() { b.paid("Ben") })
	}},
	{payments.WrongAmount, "A charge is not the order’s price", func(b *box) {
		b.altered("charge", map[string]any{"amount": int64(400)}, func() { b.paid("Cal") })
	}},
	{payments.WrongCurrency, "A charge is in another currency", func(b *box) {
		b.altered("charge", map[string]any{"currency": "cad"}, func() { b.paid("Dan") })
	}},
	{payments.ChargedTwice, "Charged twice", func(b *box) {
		o, _ := b.paid("Eva")
		b.stripe.ChargeAtDashboard(500, names(o))
	}},
	{payments.RefundAndAccess, "Refund and registration do not fit", func(b *box) {
		_, charge := b.paid("Fox")
		_, err := b.stripe.RefundAtDashboard(charge, 500)
		require.NoError(b, err)
	}},
	{payments.RefundNotDone, "Refund refused, failed or late", func(b *box) {
		_, charge := b.paid("Gil")
		refund, err := b.stripe.RefundAtDashboard(charge, 200)
		require.NoError(b, err)
		require.NoError(b, b.stripe.FailRefund(refund))
	}},
	{payments.Disputed, "Dispute", func(b *box) {
		_, charge := b.paid("Hal")
		_, err := b.stripe.Dispute(charge)
		require.NoError(b, err)
	}},
	{payments.WrongFee, "Stripe took other fees than agreed", func(b *box) {
		b.altered("balance_transaction", map[string]any{"fee": int64(75), "net": int64(425)}, func() { b.paid("Ida") })
	}},
	{payments.MissedEvent, "Webhooks did not arrive", func(b *box) {
		b.with(func(f *stripesim.Faults) { f.Drop = 3 }, func(f *stripesim.Faults) { f.Drop = 0 }, func() { b.paid("Jon") })
	}},
	{payments.WrongMode, "Test mode for live, or another account", func(b *box) {
		b.altered("charge", map[string]any{"livemode": true}, func() { b.paid("Kim") })
		b.stripe.Become("acct_another")
	}},
	{payments.WrongMetadata, "Charge of no order, or of another", func(b *box) { b.stripe.ChargeAtDashboard(700, map[string]any{}) }},
	{payments.ClosedPeriod, "Belongs to a closed day", func(b *box) {
		b.stripe.Advance(-48 * time.Hour)
		b.stripe.ChargeAtDashboard(900, map[string]any{})
		b.stripe.Advance(48 * time.Hour)
	}},
	{payments.UnknownKind, "Unknown category or API version", func(b *box) { b.stripe.Adjust("climate_order", -300) }},
	{payments.PayoutSum, "A payout is not the sum of its lines", func(b *box) {
		b.payout(func(id string) { require.NoError(b, b.stripe.Change(id, map[string]any{"amount": int64(1)})) })
	}},
	{payments.PayoutNotDone, "Payout failed, is late, or cannot be itemized", func(b *box) {
		b.stripe.ChargeAtDashboard(1100, map[string]any{})
		id, err := b.stripe.ClosePayout()
		require.NoError(b, err)
		require.NoError(b, b.stripe.PayPayout(id))
		require.NoError(b, b.stripe.FailPayout(id))
	}},
}

func TestFinanceFindsAndResolvesAnExceptionOfEachOfTheSixteenKinds(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	today := lms.DateOf(b.clock.Now())
	_, err := b.Payments.Reconcile(t.Context(), today, today, b.clock.Now()) // the account that answers is known
	require.NoError(t, err)
	p := b.newTab(t)
	p.signIn(b.person("Fay", lms.Finance))
	p.open("/finance/settings")
	p.accessibleInBoth("finance-settings")
	p.fill("#through", today.AddDays(-1).String())
	p.click(`form[action$="/books"] button`)
	p.sees("Saved. The page says through which day the books are closed.")

	require.Len(t, wrongs, 16)
	for _, w := range wrongs {
		w.make(b)
	}
	require.NoError(t, b.stripe.Settle(t.Context()))
	later := b.clock.Now().Add(15 * time.Minute)
	b.worked()
	_, err = b.Payments.Reconcile(t.Context(), today.AddDays(-3), today.AddDays(1), later)
	require.NoError(t, err)

	p.open("/finance/exceptions")
	p.accessibleInBoth("exceptions-all")
	for _, w := range wrongs {
		p.open("/finance/exceptions?kind=" + w.kind)
		p.sees(w.title)
		for {
			p.do("open it", chromedp.Evaluate[chromedp.Void](`document.querySelector('main table a[href^="/finance/exceptions/"]').click()`))
			p.until("it says what to do", `document.querySelector(".usa-intro") && location.pathname.startsWith("/finance/exceptions/")`)
			p.sees(w.title)
			p.fill("#text", "Looked at, and set right in Stripe’s dashboard")
			p.click(`button[value="resolve"]`)
			p.sees("Resolved.")
			p.open("/finance/exceptions?kind=" + w.kind)
			if eval[bool](p, `!document.querySelector("main table")`) {
				break
			}
		}
	}
	require.Zero(t, b.counts(`SELECT count(*) FROM payments.exceptions WHERE state = 'open'`), "and there is no other")
	_, err = b.Payments.Reconcile(t.Context(), today.AddDays(-3), today.AddDays(1), later.Add(2*time.Hour))
	require.NoError(t, err)
	require.Zero(t, b.counts(`SELECT count(*) FROM payments.exceptions WHERE state = 'open'`), "what is resolved stays so while its facts are the same")
	b.balanced()
}

// worked waits until no event waits for its work.
func (b *box) worked() {
	b.Helper()
	require.Eventually(b, func() bool { return b.counts(`SELECT count(*) FROM payments.events WHERE processed_at IS NULL`) == 0 }, time.Minute, 50*time.Millisecond)
}

func TestTheControlsOfTheStandInAreAPageThatDoesWhatItsButtonsSay(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	b.paid("Maya")
	p := b.newTab(t)
	control := func(verb, says string) {
		p.click(`form[action="/control/` + verb + `"] button`)
		p.sees(says)
	}
	p.visit(b.stripe.URL + "/control")
	p.accessible("stand-in-controls")
	control("close-payout", "close-payout: done")
	control("arrive", "arrive: done")
	control("fail-payout", "fail-payout: done")
	control("dispute", "dispute: done")
	control("win", "win: done")
	control("close-payout", "There is nothing to pay out.")
	control("drop", "drop: done")
	control("charge", "charge: done")
	control("mend", "mend: done")
	control("advance", "advance: done")
}
