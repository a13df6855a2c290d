package stripesim

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"
	"github.com/stripe/stripe-go/v76/webhook"
)

// account is a stand-in with the real client and a listener for its webhooks.
type account struct {
	*testing.T
	*Sim
	api    *client.API
	secret string
	mu     sync.Mutex
	events []stripe.Event
	refuse int // webhooks that the listener refuses
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{T: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Handler().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	listener := httptest.NewServer(http.HandlerFunc(a.hear))
	t.Cleanup(listener.Close)
	var err error
	a.Sim, err = New(Config{Now: time.Now, Key: "sk_test_sim", URL: server.URL})
	require.NoError(t, err)
	a.retryGap = time.Millisecond
	a.secret = a.Endpoint(listener.URL)
	a.api = clientOf(server.URL)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- a.Sim.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return a
}

func clientOf(url string) *client.API {
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{URL: &url, MaxNetworkRetries: stripe.Int64(0), LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull}})
	return client.New("sk_test_sim", &stripe.Backends{API: backend, Connect: backend, Uploads: backend})
}

func (a *account) hear(w http.ResponseWriter, r *http.Request) {
	payload, err := io.ReadAll(r.Body)
	event, verifyErr := webhook.ConstructEvent(payload, r.Header.Get("Stripe-Signature"), a.secret)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || verifyErr != nil || a.refuse > 0 {
		a.refuse--
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	a.events = append(a.events, event)
}

func (a *account) told() (types []string) {
	a.Helper()
	require.NoError(a, a.Settle(a.Context()))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		types = append(types, string(e.Type))
	}
	a.events = nil
	return types
}

func params(cents int64) *stripe.CheckoutSessionParams {
	return &stripe.CheckoutSessionParams{
		Mode: stripe.String("payment"), SuccessURL: stripe.String("http://localhost/back?s={CHECKOUT_SESSION_ID}"), CancelURL: stripe.String("http://localhost/"),
		ExpiresAt: stripe.Int64(time.Now().Add(time.Hour).Unix()), Metadata: map[string]string{"order": "7"},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{Metadata: map[string]string{"order": "7"}},
		LineItems: []*stripe.CheckoutSessionLineItemParams{{Quantity: stripe.Int64(1), PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
			Currency: stripe.String("usd"), UnitAmount: stripe.Int64(cents), ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String("Fire safety")},
		}}},
	}
}

func (a *account) session() *stripe.CheckoutSession {
	a.Helper()
	s, err := a.api.CheckoutSessions.New(params(500))
	require.NoError(a, err)
	return s
}

func (a *account) paid() (session *stripe.CheckoutSession, charge *stripe.Charge) {
	a.Helper()
	id := a.session().ID
	require.NoError(a, a.Pay(id, CardThatPays))
	p := &stripe.CheckoutSessionParams{}
	p.AddExpand("payment_intent.latest_charge.balance_transaction")
	session, err := a.api.CheckoutSessions.Get(id, p)
	require.NoError(a, err)
	return session, session.PaymentIntent.LatestCharge
}

func refusal(t *testing.T, err error) *stripe.Error {
	t.Helper()
	var e *stripe.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestAPaymentReadsAsStripesDoes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	session, charge := a.paid()
	require.Equal(t, stripe.CheckoutSessionStatusComplete, session.Status)
	require.Equal(t, stripe.CheckoutSessionPaymentStatusPaid, session.PaymentStatus)
	require.EqualValues(t, 500, session.AmountTotal)
	require.Equal(t, "7", charge.Metadata["order"])
	require.True(t, charge.Paid)
	x := charge.BalanceTransaction
	require.Equal(t, []int64{500, 45, 455}, []int64{x.Amount, x.Fee, x.Net})
	require.Equal(t, stripe.BalanceTransactionReportingCategoryCharge, x.ReportingCategory)
	require.Equal(t, []string{"charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"}, a.told())
}

func TestThePageTakesTheKnownCardsAndLeadsBack(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	session := a.session()
	pay := func(card string) *http.Response {
		browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := browser.PostForm(session.URL, map[string][]string{"card": {card}, "method": {"card"}})
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer
	}
	require.Equal(t, http.StatusPaymentRequired, pay("4000 0000 0000 0002").StatusCode)
	require.Equal(t, http.StatusPaymentRequired, pay("1").StatusCode)
	back := pay("4242 4242 4242 4242")
	require.Equal(t, "http://localhost/back?s="+session.ID, back.Header.Get("Location"))
	require.Equal(t, http.StatusOK, pay("4242 4242 4242 4242").StatusCode, "nobody pays twice")
	require.Len(t, a.each("charge"), 1)
}

func TestTheSameKeyGetsTheSameAnswerAndOtherParametersNone(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	p := params(500)
	p.SetIdempotencyKey("one")
	first, err := a.api.CheckoutSessions.New(p)
	require.NoError(t, err)
	again, err := a.api.CheckoutSessions.New(p)
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	other := params(600)
	other.SetIdempotencyKey("one")
	_, err = a.api.CheckoutSessions.New(other)
	require.Equal(t, stripe.ErrorTypeIdempotency, refusal(t, err).Type)
}

func TestWhatStripeRefusesIsRefused(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	_, err := a.api.CheckoutSessions.New(params(49))
	require.Equal(t, stripe.ErrorCodeAmountTooSmall, refusal(t, err).Code)
	soon := params(500)
	soon.ExpiresAt = stripe.Int64(time.Now().Add(20 * time.Minute).Unix())
	_, err = a.api.CheckoutSessions.New(soon)
	require.Equal(t, "expires_at", refusal(t, err).Param)
	odd := params(500)
	odd.AddExtra("submit_kind", "x")
	_, err = a.api.CheckoutSessions.New(odd)
	require.Equal(t, stripe.ErrorCodeParameterUnknown, refusal(t, err).Code)
	_, err = a.api.Charges.Get("ch_none", nil)
	require.Equal(t, stripe.ErrorCodeResourceMissing, refusal(t, err).Code)

	session, charge := a.paid()
	_, err = a.api.CheckoutSessions.Expire(session.ID, nil)
	require.Error(t, err)
	_, err = a.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID, Amount: stripe.Int64(501)})
	require.Equal(t, "amount", refusal(t, err).Param)
	_, err = a.Dispute(charge.ID)
	require.NoError(t, err)
	_, err = a.api.Refunds.New(&stripe.RefundParams{Charge: &charge.ID})
	require.EqualValues(t, "charge_disputed", refusal(t, err).Code)
}

func TestRefundsAndDisputesMoveTheBalanceAsStripeSays(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	_, first := a.paid()
	_, second := a.paid()
	a.told()
	refund, err := a.api.Refunds.New(&stripe.RefundParams{Charge: &first.ID, Amount: stripe.Int64(200)})
	require.NoError(t, err)
	require.NoError(t, a.FailRefund(refund.ID))
	dispute, err := a.Dispute(second.ID)
	require.NoError(t, err)
	require.NoError(t, a.CloseDispute(dispute, true))
	require.Equal(t, []string{"charge.refunded", "charge.refund.updated", "charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "charge.dispute.closed"}, a.told())
	var net int64
	list := a.api.BalanceTransactions.List(&stripe.BalanceTransactionListParams{ListParams: stripe.ListParams{Limit: stripe.Int64(2)}})
	var categories []string
	for list.Next() { // over several pages, the newest first
		net += list.BalanceTransaction().Net
		categories = append(categories, string(list.BalanceTransaction().ReportingCategory))
	}
	require.NoError(t, list.Err())
	require.Equal(t, []string{"dispute_reversal", "dispute", "refund_failure", "refund", "charge", "charge"}, categories)
	require.EqualValues(t, 2*455-1500, net)
}

func TestWebhooksAreRepeatedUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.refuse = 2
	a.paid()
	require.ElementsMatch(t, []string{"charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"}, a.told())
	a.Break(func(f *Faults) { f.Drop = 1; f.Repeat = 1 })
	a.paid()
	require.Len(t, a.told(), 4, "one of three is lost, the others come twice")
}

func TestWhatHasEndedDoesNotMoveMoneyAgain(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	_, first := a.paid()
	_, second := a.paid()
	refund, err := a.RefundAtDashboard(first.ID, 500)
	require.NoError(t, err)
	require.NoError(t, a.FailRefund(refund))
	require.Error(t, a.FailRefund(refund))
	require.Error(t, a.SucceedRefund(refund))
	dispute, err := a.Dispute(second.ID)
	require.NoError(t, err)
	require.NoError(t, a.CloseDispute(dispute, true))
	require.Error(t, a.CloseDispute(dispute, true))
	a.Adjust("other_adjustment", 5000)
	payout, err := a.ClosePayout()
	require.NoError(t, err)
	require.NoError(t, a.FailPayout(payout))
	require.Error(t, a.FailPayout(payout))
	require.Error(t, a.PayPayout(payout))
}

func TestWebhooksAreSignedWithTheReceiversTimeWhateverTheAccountsClock(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.Advance(48 * time.Hour)
	a.Adjust("other_adjustment", 5000)
	_, err := a.ClosePayout()
	require.NoError(t, err)
	require.Equal(t, []string{"payout.created"}, a.told())
}

func TestASessionLapsesWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	session := a.session()
	a.Advance(2 * time.Hour)
	require.Error(t, a.Pay(session.ID, CardThatPays))
	require.Equal(t, []string{"checkout.session.expired"}, a.told())
}

func TestABankDebitSettlesLater(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	one, other := a.session(), a.session()
	require.NoError(t, a.PayLater(one.ID))
	require.NoError(t, a.PayLater(other.ID))
	require.NoError(t, a.SettleLater(one.ID, true))
	require.NoError(t, a.SettleLater(other.ID, false))
	require.Equal(t, []string{"checkout.session.completed", "checkout.session.completed", "charge.succeeded", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"}, a.told())
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "stripe.json")
	start := func() (*Sim, *client.API) {
		s, err := New(Config{Now: time.Now, Key: "sk_test_sim", File: file})
		require.NoError(t, err)
		server := httptest.NewServer(s.Handler())
		t.Cleanup(server.Close)
		return s, clientOf(server.URL)
	}
	before, api := start()
	session, err := api.CheckoutSessions.New(params(500))
	require.NoError(t, err)
	require.NoError(t, before.Pay(session.ID, CardThatPays))
	after, api := start()
	found, err := api.CheckoutSessions.Get(session.ID, nil)
	require.NoError(t, err)
	require.Equal(t, stripe.CheckoutSessionPaymentStatusPaid, found.PaymentStatus)
	charge := after.each("charge")[0]
	_, err = after.RefundAtDashboard(charge.id(), 500)
	require.NoError(t, err)
}
