package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/payments"
	"mopd/payments/stripesim"
)

// sells publishes a course with a fee.
func (b *box) sells(code, title string, fee lms.Money) {
	b.Helper()
	pkg := onePackage(b)
	b.publish(code, title, bytes.NewReader(pkg), int64(len(pkg)), fee)
}

// buyer is Maya, signed in to a box that sells fire safety.
func buyer(t testing.TB) (*box, *tab) {
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	return b, p
}

// order is the only order.
func (b *box) order() payments.Order {
	b.Helper()
	var id payments.OrderID
	var payer lms.PersonID
	require.NoError(b, b.DB.QueryRow(b.Context(), `SELECT id, payer FROM payments.orders`).Scan(&id, &payer))
	o, err := b.Payments.OrderOf(b.Context(), payer, id)
	require.NoError(b, err)
	return o
}

// counts is a number from the database.
func (b *box) counts(sql string) (n int) {
	b.Helper()
	require.NoError(b, b.DB.QueryRow(b.Context(), sql).Scan(&n))
	return n
}

// toPay goes from a course's page to the page at Stripe on which it is paid.
func (p *tab) toPay(code string) {
	p.Helper()
	p.open("/courses/" + code)
	p.click(fmt.Sprintf(`form[action="/courses/%s/register"] button`, code))
	p.until("Stripe asks for a card", `document.querySelector("#card")`)
}

// buys pays for a course through the pages.
func (p *tab) buys(code string) {
	p.Helper()
	p.toPay(code)
	p.payBy(stripesim.CardThatPays)
	p.sees("Paid. Your course is ready")
}

// bought has somebody pay for the course of the box without its pages, and gives the
// charge.
func (b *box) bought(who lms.Person, code string) (charge string) {
	b.Helper()
	_, err := b.Payments.Checkout(b.Context(), lms.Purchase{Person: who, Code: code, Lang: "en", From: "127.0.0.1"}, b.clock.Now())
	require.NoError(b, err)
	o := b.order()
	require.NoError(b, b.stripe.Pay(o.Session, stripesim.CardThatPays))
	_, err = b.Payments.Settle(b.Context(), o.ID, b.clock.Now())
	require.NoError(b, err)
	charge, err = pg.Value[string](b.Context(), b.DB, "charge", `SELECT id FROM payments.charges`)
	require.NoError(b, err)
	return charge
}

// payBy pays on Stripe's page.
func (p *tab) payBy(card string) {
	p.Helper()
	p.fill("#card", card)
	p.click("form button")
}

// balanced fails unless every entry and the ledger as a whole sum to zero.
func (b *box) balanced() {
	b.Helper()
	require.Zero(b, b.counts(`SELECT coalesce(sum(amount), 0) FROM payments.entry_lines`))
	require.Zero(b, b.counts(`SELECT count(*) FROM (SELECT entry FROM payments.entry_lines GROUP BY entry HAVING sum(amount) <> 0) x`))
}

func TestACaregiverPaysAFeeAndStartsTheCourse(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.open("/courses/FIRE-1")
	p.sees("Pay $5.00 and register")
	p.accessibleInBoth("course-fee")
	p.toPay("FIRE-1")
	p.accessible("stand-in-pay")
	p.payBy(stripesim.CardThatPays)
	p.sees("Paid. Your course is ready")
	p.accessibleInBoth("order-paid")
	receipt := p.mail("Receipt: $5.00 for Fire safety")
	require.Contains(t, receipt.Text, "Paid $5.00")
	returned := eval[string](p, "location.href")

	p.open("/orders")
	p.sees("Fire safety")
	p.accessibleInBoth("orders")
	p.visit(returned)
	p.sees("Paid. Your course is ready")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM enrollments.enrollments`), "coming back again has no effect")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.charges`))
	require.Equal(t, -500, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'revenue/FIRE-1'`))
	require.Equal(t, 455, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'stripe'`))
	b.balanced()

	p.open("/courses/FIRE-1")
	p.click(`form[action$="/start"] button`)
	p.until("the attestation is asked for", `document.querySelector("#not-in-ratio")`)
}

func TestADeclinedCardIsFollowedByOneThatPays(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.toPay("FIRE-1")
	p.payBy(stripesim.CardDeclined)
	p.sees("The card was declined. Nothing was charged.")
	p.payBy(stripesim.CardThatPays)
	p.sees("Paid. Your course is ready")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.charges`))
	b.balanced()
}

func TestWhoClosesTheBrowserOnThePayPageFindsTheCourseReady(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.toPay("FIRE-1")
	require.NoError(t, b.stripe.Pay(b.order().Session, stripesim.CardThatPays)) // the way back is never taken
	p.open("/my-courses")
	p.until("the course is ready", `(document.body.innerText.includes("Fire safety") || (location.reload(), false))`)
	p.mail("Receipt: $5.00 for Fire safety")
}

func TestWhoPressesTwiceOrInTwoTabsOrComesBackPaysOnce(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	first := b.newTab(t)
	first.signIn(b.person("Maya"))
	first.toPay("FIRE-1")
	page := eval[string](first, "location.href")
	second := first.beside()
	second.open("/courses/FIRE-1")
	second.sees("It is not finished yet")
	second.accessible("course-ordered")
	second.click(`a[href^="/orders/"]`)
	second.sees("Not paid yet")
	second.accessibleInBoth("order-open")
	second.click(`form[action$="/pay"] button`)
	second.until("it is the same page", `location.href == `+js(page))
	second.payBy(stripesim.CardThatPays)
	second.sees("Paid. Your course is ready")
	first.payBy(stripesim.CardThatPays)
	first.sees("This page can no longer be used to pay")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.charges`))
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.orders`))
}

func TestAnOrderIsCanceledOrLapsesAndNothingIsCharged(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	p := b.newTab(t)
	maya := b.person("Maya")
	p.signIn(maya)
	p.toPay("FIRE-1")
	p.click("a") // back, without paying
	p.click(`form[action$="/cancel"] button`)
	p.sees("Canceled. Nothing was charged.")
	p.sees("Pay $5.00 and register")

	p.toPay("FIRE-1")
	b.clock.set(b.clock.Now().Add(2 * time.Hour))
	b.stripe.Advance(0)
	p.signIn(maya)
	p.open("/orders")
	p.until("both are canceled", `document.body.innerText.split("Canceled, nothing charged").length == 3 || (location.reload(), false)`)
	p.buys("FIRE-1")
}

func TestABankDebitIsToldAndMakesTheCourseReadyWhenItSettles(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.toPay("FIRE-1")
	p.click(`input[value="bank"]`)
	p.click("form button")
	p.sees("Your bank is working on it")
	p.accessibleInBoth("order-pending")
	p.open("/courses/FIRE-1")
	p.sees("It is not finished yet")
	p.click(`a[href^="/orders/"]`)
	require.NoError(t, b.stripe.SettleLater(b.order().Session, true))
	p.sees("Paid. Your course is ready") // by itself
	b.balanced()
}

func TestABankDebitThatIsRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.toPay("FIRE-1")
	require.NoError(t, b.stripe.PayLater(b.order().Session))
	require.NoError(t, b.stripe.SettleLater(b.order().Session, false))
	p.open(fmt.Sprintf("/orders/%d", b.order().ID))
	p.sees("Canceled. Nothing was charged")
	p.accessibleInBoth("order-canceled")
	require.Zero(t, b.counts(`SELECT count(*) FROM enrollments.enrollments`))
	b.balanced()
}

func TestWhileStripeIsSilentNothingIsChargedAndLaterItGoesOn(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	b.stripe.Break(func(f *stripesim.Faults) { f.Down = true })
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	p.open("/courses/FIRE-1")
	p.click(`form[action="/courses/FIRE-1/register"] button`)
	p.sees("The payment service does not answer just now. Nothing was charged.")
	p.accessible("stripe-silent")
	b.stripe.Break(func(f *stripesim.Faults) { f.Down = false })
	p.open(fmt.Sprintf("/orders/%d", b.order().ID))
	p.click(`form[action$="/pay"] button`)
	p.until("Stripe asks for a card", `document.querySelector("#card")`)
	p.payBy(stripesim.CardThatPays)
	p.sees("Paid. Your course is ready")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.orders`))
}

func TestFinanceGivesAFeeBackAndTheRegistrationEnds(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.buys("FIRE-1")

	p.signIn(b.person("Fay", lms.Finance))
	p.click(`nav a[href="/finance"]`)
	p.sees("This month")
	p.accessibleInBoth("finance")
	p.click(`a[href="/finance/orders"]`)
	p.fill("#q", "may ort")
	p.click(`main form button`)
	p.sees("1 order")
	p.accessibleInBoth("finance-orders")
	p.click(`a[href^="/finance/orders/"]`)
	p.sees("can be given back")
	p.accessibleInBoth("dossier")
	p.fill("#amount", "6.00")
	p.fill("#reason", "Asked within 30 days")
	p.click(`form[action$="/refund"] button`)
	p.sees("That is more than is left of the charge")
	p.accessible("dossier-wrong")
	p.fill("#amount", "5.00")
	p.click(`form[action$="/refund"] button`)
	p.sees("Refund of $5.00")
	p.until("it is given back", `(document.body.innerText.includes("Given back") || (location.reload(), false))`)
	p.accessibleInBoth("refund")
	p.mail("Refund: $5.00 for Fire safety")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM enrollments.enrollments WHERE state = 'revoked'`))
	require.NoError(t, b.stripe.Settle(t.Context()))
	p.until("the ledger has it", `(document.body.innerText, true)`)
	require.Equal(t, 500, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'refunds/FIRE-1'`))
	require.Equal(t, -45, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'stripe'`))
	b.balanced()
}

func TestARefundAboveTheLimitNeedsASecondPerson(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("CDA-1", "A long course", 9900)
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	p.buys("CDA-1")

	p.signIn(b.person("Fay", lms.Finance))
	p.open(fmt.Sprintf("/finance/orders/%d", b.order().ID))
	p.fill("#reason", "A mistake of ours")
	p.click(`form[action$="/refund"] button`)
	p.sees("Waits for a second person")
	p.sees("Somebody else of finance decides about it")
	page := eval[string](p, "location.href")
	p.signIn(b.person("Frank", lms.Finance))
	p.open("/finance")
	p.sees("Decide about $99.00 for A long course, asked for by Fay Ortiz")
	p.visit(page)
	p.accessibleInBoth("refund-decide")
	p.click(`button[value="deny"]`)
	p.sees("Say why not")
	p.click(`button[value="approve"]`)
	p.until("it is given back", `(document.body.innerText.includes("Given back") || (location.reload(), false))`)
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.refunds WHERE requested_by <> decided_by`))
	b.balanced()
}

func TestADisputeAndARefundInTheDashboardAreEnteredAndShown(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	p := b.newTab(t)
	for _, who := range []string{"Maya", "Ben"} {
		p.signIn(b.person(who))
		p.buys("FIRE-1")
	}
	charge := func(n int) (id string) {
		require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT id FROM payments.charges ORDER BY id OFFSET $1 LIMIT 1`, n).Scan(&id))
		return id
	}
	dispute, err := b.stripe.Dispute(charge(0))
	require.NoError(t, err)
	refund, err := b.stripe.RefundAtDashboard(charge(1), 500)
	require.NoError(t, err)
	p.signIn(b.person("Fay", lms.Finance))
	p.open("/finance/exceptions")
	p.until("both are listed", `(document.body.innerText.includes("Dispute") && document.body.innerText.includes("Refund and registration do not fit") || (location.reload(), false))`)
	p.accessibleInBoth("exceptions")
	require.NoError(t, b.stripe.CloseDispute(dispute, true))
	require.NoError(t, b.stripe.FailRefund(refund))
	p.until("the refund failed", `(document.body.innerText.includes("Refund refused, failed or late") || (location.reload(), false))`)
	p.do("find it", chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("main table a")].find(a => a.textContent == "Refund refused, failed or late").click()`))
	p.sees("The money has not reached the payer")
	p.accessibleInBoth("exception")
	p.click(`button[value="resolve"]`)
	p.sees("Say what was found or done")
	p.fill("#text", "Paid by check 1207")
	p.click(`button[value="resolve"]`)
	p.sees("Resolved.")
	p.open("/finance/exceptions?state=resolved")
	p.sees("Refund refused, failed or late")
	require.Equal(t, 0, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account IN ('refunds/FIRE-1', 'disputes')`))
	require.Equal(t, 1500, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'dispute_fees'`))
	b.balanced()
}

func TestOfManyWhoRegisterAtOnceOneOrderIsMade(t *testing.T) {
	b := newBoxAt(t, otherSite, false)
	b.sells("FIRE-1", "Fire safety", 500)
	maya := b.person("Maya")
	addresses := make([]string, lmstest.Racers)
	for i, err := range lmstest.Race(t, b.DB, func(i int) (err error) {
		addresses[i], err = b.Payments.Checkout(t.Context(), lms.Purchase{Person: maya, Code: "FIRE-1", Lang: "en", From: "127.0.0.1"}, b.clock.Now())
		return err
	}) {
		require.NoError(t, err, i)
		require.Equal(t, addresses[0], addresses[i])
	}
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.orders`))
}

func TestTheDatabaseAloneLetsOneOrderForACourseWait(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	b.sells("FIRE-1", "Fire safety", 500)
	maya := b.person("Maya")
	reserve := func() error {
		_, err := b.DB.Exec(t.Context(), `INSERT INTO payments.seats (person, course, state) SELECT $1, id, 'reserved' FROM courses.courses`, maya.ID)
		return err
	}
	require.NoError(t, reserve())
	require.Equal(t, "seats_one_reserved", pg.Violated(reserve()))
}

func TestNoCardComesNear(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.toPay("FIRE-1")
	p.payBy(stripesim.CardDeclined)
	p.sees("The card was declined")
	p.payBy(stripesim.CardThatPays)
	p.sees("Paid. Your course is ready")
	pages := eval[string](p, "document.documentElement.outerHTML")
	p.mail("Receipt: $5.00 for Fire safety")
	require.NoError(t, b.stripe.Settle(t.Context()))
	for _, card := range []string{stripesim.CardDeclined, stripesim.CardThatPays, "4242 4242", "4000 0000"} {
		require.NotContains(t, pages, card)
		require.NotContains(t, b.said.String(), card, "in the log")
		require.Zero(t, b.counts(`SELECT count(*) FROM regexp_matches(database_to_xml(true, false, '')::text, '`+card+`')`), "in a table")
	}
	require.NotZero(t, b.counts(`SELECT count(*) FROM regexp_matches(database_to_xml(true, false, '')::text, 'Fire safety')`), "the tables were read")
	require.Contains(t, b.said.String(), "working jobs", "the log was read")
}

func TestAWebhookNeedsNoFormTokenButItsSignature(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	answer, err := http.Post(b.url+"/stripe/webhook", "application/json", strings.NewReader(`{}`))
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusUnprocessableEntity, answer.StatusCode)
}

func TestOfManyRefundsAtOnceNoMoreThanThePaymentGoesBack(t *testing.T) {
	b := newBoxAt(t, otherSite, false)
	b.sells("FIRE-1", "Fire safety", 500)
	maya, fay := b.person("Maya"), b.person("Fay", lms.Finance)
	b.bought(maya, "FIRE-1")
	asked := 0
	for _, err := range lmstest.Race(t, b.DB, func(int) error {
		_, err := b.Payments.AskRefund(t.Context(), lms.Viewer{Person: fay}, payments.RefundRequest{Order: b.order().ID, Amount: 200, Reason: "A part"}, "127.0.0.1", b.clock.Now())
		return err
	}) {
		if err == nil {
			asked++
			continue
		}
		require.ErrorIs(t, err, payments.ErrRefundAmount)
	}
	require.Equal(t, 2, asked)
	_, err := b.DB.Exec(t.Context(), `UPDATE payments.charges SET refunding = refunding + 200`)
	require.Equal(t, "charges_refund_within", pg.Violated(err), "the database alone")
}

func TestTheDatabaseAloneNeedsASecondPersonForALargeRefund(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	b.sells("CDA-1", "A long course", 9900)
	maya, fay := b.person("Maya"), b.person("Fay", lms.Finance)
	b.bought(maya, "CDA-1")
	viewer := lms.Viewer{Person: fay}
	id, err := b.Payments.AskRefund(t.Context(), viewer, payments.RefundRequest{Order: b.order().ID, Amount: 9900, Reason: "All of it"}, "127.0.0.1", b.clock.Now())
	require.NoError(t, err)
	require.ErrorIs(t, b.Payments.DecideRefund(t.Context(), viewer, id, true, "", "127.0.0.1", b.clock.Now()), payments.ErrOwnRefund)
	_, err = b.DB.Exec(t.Context(), `UPDATE payments.refunds SET state = 'approved', decided_by = requested_by`)
	require.Equal(t, "refunds_two_people", pg.Violated(err))
	_, err = b.DB.Exec(t.Context(), `UPDATE payments.refunds SET state = 'approved'`)
	require.Equal(t, "refunds_second_decided", pg.Violated(err))
}

func TestThePayoutOfThreeFeesAndARefundTiesToTheCentAndUnfoldsToItsOrders(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	for _, given := range []string{"Maya", "Ben", "Ana"} {
		_, err := b.Payments.Checkout(t.Context(), lms.Purchase{Person: b.person(given), Code: "FIRE-1", Lang: "en", From: "127.0.0.1"}, b.clock.Now())
		require.NoError(t, err)
	}
	sessions, err := pg.Values[string](t.Context(), b.DB, "sessions", `SELECT session FROM payments.orders`)
	require.NoError(t, err)
	for _, session := range sessions {
		require.NoError(t, b.stripe.Pay(session, stripesim.CardThatPays))
	}
	p := b.newTab(t)
	p.signIn(b.person("Fay", lms.Finance))
	p.open("/finance")
	p.until("three fees are earned", `document.body.innerText.includes("$15.00") || (location.reload(), false)`)
	charge, err := pg.Value[string](t.Context(), b.DB, "charge", `SELECT min(id) FROM payments.charges`)
	require.NoError(t, err)
	_, err = b.stripe.RefundAtDashboard(charge, 500)
	require.NoError(t, err)
	payout, err := b.stripe.ClosePayout()
	require.NoError(t, err)
	require.NoError(t, b.stripe.PayPayout(payout))
	p.click(`a[href="/finance/payouts"]`)
	p.until("the payout ties", `document.body.innerText.includes("To the cent") || (location.reload(), false)`)
	p.sees("$8.65")
	p.accessibleInBoth("payouts")
	p.click(`a[href^="/finance/payouts/po_"]`)
	p.sees("It is the sum of its lines, to the cent")
	p.accessibleInBoth("payout")
	p.click(`a[href^="/finance/orders/"]`)
	p.sees("In the ledger")
	require.Equal(t, 865, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'bank'`))
	require.Zero(t, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'stripe'`))
	b.balanced()

	require.NoError(t, b.stripe.ChangePayout(payout, 1))
	b.stripe.Adjust("climate_order", 5000)
	other, err := b.stripe.ClosePayout()
	require.NoError(t, err)
	require.NoError(t, b.stripe.PayPayout(other))
	require.NoError(t, b.stripe.FailPayout(other))
	today := lms.DateOf(b.clock.Now())
	done, err := b.Payments.Reconcile(t.Context(), today, today, b.clock.Now())
	require.NoError(t, err)
	require.Equal(t, payments.Reconciled{Payouts: 2, Lines: 5, Tied: 1, Exceptions: 4}, done, "the sum, the failure, the unknown category and the refund in the dashboard")
	p.open("/finance/exceptions")
	p.sees("A payout is not the sum of its lines")
	p.sees("Payout failed, is late, or cannot be itemized")
	p.sees("Unknown category or API version")
	require.Equal(t, -5000, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'suspense'`))
	b.balanced()
}

func TestARefundInTheDashboardThatFailedBeforeItWasHeardOfLeavesAllToGiveBack(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	b.sells("FIRE-1", "Fire safety", 500)
	charge := b.bought(b.person("Maya"), "FIRE-1")
	refund, err := b.stripe.RefundAtDashboard(charge, 500)
	require.NoError(t, err)
	require.NoError(t, b.stripe.FailRefund(refund))
	require.NoError(t, b.Payments.SyncCharge(t.Context(), charge, b.clock.Now()))
	require.NoError(t, b.Payments.SyncCharge(t.Context(), charge, b.clock.Now()), "read again")
	require.Zero(t, b.counts(`SELECT refunding FROM payments.charges`))
	require.Zero(t, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'refunds/FIRE-1'`))
	b.balanced()
}

func TestFinanceUnfoldsAFigureAndDownloadsItWithTheCodesOfTheState(t *testing.T) {
	t.Parallel()
	b, p := buyer(t)
	p.buys("FIRE-1")
	require.NoError(t, b.stripe.Settle(t.Context()))
	b.worked()
	p.signIn(b.person("Fay", lms.Finance))
	p.open("/finance/settings")
	p.sees("Revenue of FIRE-1")
	p.fill(`input[name="revenue/FIRE-1"]`, "=0101-4120")
	p.click(`form[action$="/accounts"] button`)
	p.sees("The codes are saved.")
	p.fill("#share", "much")
	p.click(`form[action$="/rates"] button`)
	p.sees("Enter a percentage between 0 and 100")
	p.accessible("finance-settings-wrong")
	p.fill("#share", "2.2")
	p.fill("#fixed", "0.30")
	p.click(`form[action$="/rates"] button`)
	p.sees("The rate is saved.")

	p.open("/finance")
	p.click(`main table a[href*="account=revenue"]`)
	p.sees("1 line, -$5.00 in all")
	p.sees("=0101-4120")
	p.accessibleInBoth("entries")
	table := func(path string) string {
		text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`fetch(`+js(path)+`).then(a => a.text())`, chromedp.EvalAwaitPromise))
		require.NoError(t, err)
		return text
	}
	lines := table("/finance/entries.csv?account=revenue")
	require.Contains(t, lines, "Revenue of FIRE-1,revenue/FIRE-1,FIRE-1,'=0101-4120,,5.00,1,Maya Ortiz,", "no spreadsheet takes the code for a formula")
	require.Len(t, strings.Split(strings.TrimSpace(lines), "\n"), 2)
	require.Len(t, strings.Split(strings.TrimSpace(table("/finance/entries.csv")), "\n"), 6, "a head, and both entries")
	require.Contains(t, table("/finance/orders.csv"), "Maya Ortiz")
	require.Contains(t, table("/finance/payouts.csv"), "Fiscal year")
	require.Equal(t, 4, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'money_exported'`))
	p.click(`main table a[href^="/finance/orders/"]`)
	p.sees("In the ledger")
	p.open("/finance/entries?course=NONE")
	p.sees("No line fits")
	p.accessible("entries-none")
	p.open("/finance")
	p.click(`a[href^="/finance?month="]`)
	p.sees("The last twelve months")
	p.accessible("finance-days")
}

func TestTheDatabaseAloneKeepsClosedBooksClosed(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	fay := b.person("Fay", lms.Finance)
	today := lms.DateOf(b.clock.Now())
	require.ErrorIs(t, b.Payments.CloseBooks(t.Context(), lms.Viewer{Person: fay}, today, "127.0.0.1", b.clock.Now()), lms.ErrForm, "today goes on")
	require.NoError(t, b.Payments.CloseBooks(t.Context(), lms.Viewer{Person: fay}, today.AddDays(-1), "127.0.0.1", b.clock.Now()))
	_, err := b.DB.Exec(t.Context(), `INSERT INTO payments.entries (kind, reference, effective_at, effective_on, recorded_at) VALUES ('charge', 'x', now(), $1, now())`, today.AddDays(-1))
	require.Equal(t, "entries_period_open", pg.Violated(err))
}

func TestFinanceEndsARegistrationWhoseFeeWasGivenBackElsewhere(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.sells("FIRE-1", "Fire safety", 500)
	fay := b.person("Fay", lms.Finance)
	charge := b.bought(b.person("Maya"), "FIRE-1")
	end := func() error {
		return b.Payments.EndAccess(t.Context(), lms.Viewer{Person: fay}, b.order().ID, "127.0.0.1", b.clock.Now())
	}
	require.ErrorIs(t, end(), payments.ErrNotGivenBack)
	_, err := b.stripe.RefundAtDashboard(charge, 500)
	require.NoError(t, err)
	require.NoError(t, b.Payments.SyncCharge(t.Context(), charge, b.clock.Now()))
	p := b.newTab(t)
	p.signIn(fay)
	p.open(fmt.Sprintf("/finance/orders/%d", b.order().ID))
	p.sees("The course is kept")
	p.accessibleInBoth("dossier-kept")
	p.click(`form[action$="/end"] button`)
	p.sees("The registration is ended, unless the course is completed.")
	require.Equal(t, payments.Revoked, b.order().SeatState)
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM enrollments.enrollments WHERE state = 'revoked'`))
	require.NoError(t, end(), "again changes nothing")
}

func TestARefundInTheDashboardWhileOneWaitsForASecondPersonIsEntered(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	b.sells("CDA-1", "A long course", 9900)
	fay, frank := lms.Viewer{Person: b.person("Fay", lms.Finance)}, lms.Viewer{Person: b.person("Frank", lms.Finance)}
	charge := b.bought(b.person("Maya"), "CDA-1")
	ask := func(amount lms.Money) (payments.RefundID, error) {
		return b.Payments.AskRefund(t.Context(), fay, payments.RefundRequest{Order: b.order().ID, Amount: amount, Reason: "All of it"}, "127.0.0.1", b.clock.Now())
	}
	waiting, err := ask(9900)
	require.NoError(t, err)
	_, err = ask(1)
	require.ErrorIs(t, err, payments.ErrRefundAmount, "what is asked for is spoken for")
	require.ErrorIs(t, b.Payments.EndAccess(t.Context(), fay, b.order().ID, "127.0.0.1", b.clock.Now()), payments.ErrNotGivenBack)
	_, err = b.stripe.RefundAtDashboard(charge, 9900)
	require.NoError(t, err)
	require.NoError(t, b.Payments.SyncCharge(t.Context(), charge, b.clock.Now()))
	require.Equal(t, 9900, b.counts(`SELECT sum(amount) FROM payments.entry_lines WHERE account = 'refunds/CDA-1'`))
	require.ErrorIs(t, b.Payments.DecideRefund(t.Context(), frank, waiting, true, "", "127.0.0.1", b.clock.Now()), payments.ErrRefundAmount)
	require.NoError(t, b.Payments.DecideRefund(t.Context(), frank, waiting, false, "Given back already", "127.0.0.1", b.clock.Now()))
	b.balanced()
}

func TestWithinTenMinutesAChargeHasItsEnrollmentOrSomebodyIsTold(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	b.sells("FIRE-1", "Fire safety", 500)
	maya := b.person("Maya")
	lost := b.ordered(maya)
	_, err := b.Payments.Cancel(t.Context(), maya.ID, lost.ID, "127.0.0.1", b.clock.Now())
	require.NoError(t, err)
	paid := b.ordered(b.person("Ben"))
	b.with(func(f *stripesim.Faults) { f.Drop = 100 }, func(f *stripesim.Faults) { f.Drop = 0 }, func() {
		require.NoError(t, b.stripe.Pay(paid.Session, stripesim.CardThatPays))
		b.stripe.ChargeAtDashboard(500, names(lost))
	})
	start := b.clock.Now()
	for _, minutes := range []time.Duration{4, 9} { // as jobs would, every five minutes at most
		now := start.Add(minutes * time.Minute)
		require.NoError(t, b.Payments.CatchUp(t.Context(), now))
		events, err := pg.Values[string](t.Context(), b.DB, "events", `SELECT id FROM payments.events WHERE processed_at IS NULL`)
		require.NoError(t, err)
		for _, event := range events {
			require.NoError(t, b.Payments.Process(t.Context(), event, now))
		}
	}
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM enrollments.enrollments`), "who paid has the course")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.exceptions WHERE kind = 'no_enrollment' AND "order" = `+fmt.Sprint(lost.ID)))
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM payments.exceptions WHERE kind = 'missed_event'`))
}
