package payments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"mopd/lms"
)

// metadataOrder is the name under which Stripe's objects carry the order they pay.
const metadataOrder = "order"

// stripeTimeout bounds one call of Stripe.
const stripeTimeout = 8 * time.Second

// gateway speaks to Stripe. No transaction of the database is open meanwhile.
type gateway struct {
	api  *client.API
	live bool // the mode of the key
}

// newGateway makes a gateway with a secret key; url is Stripe's API, or "" for the real one.
func newGateway(key, url string, log *slog.Logger) *gateway {
	config := &stripe.BackendConfig{
		HTTPClient:        &http.Client{Timeout: stripeTimeout},
		MaxNetworkRetries: stripe.Int64(1),
		LeveledLogger:     quiet{log},
	}
	if url != "" {
		config.URL = stripe.String(url)
	}
	backend := stripe.GetBackendWithConfig(stripe.APIBackend, config)
	return &gateway{
		api:  client.New(key, &stripe.Backends{API: backend, Connect: backend, Uploads: backend}),
		live: strings.Contains(key, "_live_"),
	}
}

// ErrStripeSilent is what a person reads when Stripe does not answer: nothing was charged.
var ErrStripeSilent = lms.NewError(lms.Unavailable, "stripe_silent")

// silent wraps an error of a call: a refusal is a mistake of ours, everything else is
// ErrStripeSilent.
func silent(what string, err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*stripe.Error](err); ok && refusal.HTTPStatusCode < 500 && refusal.HTTPStatusCode != http.StatusTooManyRequests {
		return fmt.Errorf("%s: %w", what, err)
	}
	return ErrStripeSilent.Because(fmt.Errorf("%s: %w", what, err))
}

// checkout asks for the Checkout session of an order. Asked again with the order's key,
// it gives the same session.
//
// Errors: ErrStripeSilent.
func (g *gateway) checkout(ctx context.Context, o Order, email, success, cancel string) (session, url string, err error) {
	order := strconv.FormatInt(int64(o.ID), 10)
	p := &stripe.CheckoutSessionParams{
		Mode:              stripe.String(string(stripe.CheckoutSessionModePayment)),
		ClientReferenceID: stripe.String(order),
		CustomerEmail:     stripe.String(email),
		Locale:            stripe.String(o.Lang),
		ExpiresAt:         stripe.Int64(o.ExpiresAt.Unix()),
		SuccessURL:        stripe.String(success),
		CancelURL:         stripe.String(cancel),
		LineItems: []*stripe.CheckoutSessionLineItemParams{{
			Quantity: stripe.Int64(int64(o.Quantity)),
			PriceData: &stripe.CheckoutSessionLineItemPriceDataParams{
				Currency:    stripe.String(string(stripe.CurrencyUSD)),
				UnitAmount:  stripe.Int64(int64(o.Price)),
				ProductData: &stripe.CheckoutSessionLineItemPriceDataProductDataParams{Name: stripe.String(o.Title)},
			},
		}},
		PaymentIntentData: &stripe.CheckoutSessionPaymentIntentDataParams{
			Description: stripe.String(o.Title),
			Metadata:    map[string]string{metadataOrder: order},
		},
		Metadata: map[string]string{metadataOrder: order},
	}
	p.Context = ctx
	p.SetIdempotencyKey(o.Key)
	s, err := g.api.CheckoutSessions.New(p)
	if err != nil {
		return "", "", silent("make a Checkout session", err)
	}
	return s.ID, s.URL, nil
}

// session is how a Checkout session stands, with the charge that paid it.
//
// Errors: ErrStripeSilent.
func (g *gateway) session(ctx context.Context, id string) (sessionState, error) {
	p := &stripe.CheckoutSessionParams{}
	p.Context = ctx
	p.AddExpand("payment_intent.latest_charge.balance_transaction")
	s, err := g.api.CheckoutSessions.Get(id, p)
	if err != nil {
		return sessionState{}, silent("read a Checkout session", err)
	}
	return sessionOf(s), nil
}

// orderOf is the order that a Checkout session says it is for; 0 if none.
//
// Errors: ErrStripeSilent.
func (g *gateway) orderOf(ctx context.Context, session string) (OrderID, error) {
	p := &stripe.CheckoutSessionParams{}
	p.Context = ctx
	s, err := g.api.CheckoutSessions.Get(session, p)
	if err != nil {
		return 0, silent("read a Checkout session", err)
	}
	id, err := strconv.ParseInt(s.Metadata[metadataOrder], 10, 64)
	if err != nil {
		return 0, nil
	}
	return OrderID(id), nil
}

// expire makes a Checkout session one that can no longer be paid. It gives how the
// session stands then: it may have been paid before.
//
// Errors: ErrStripeSilent.
func (g *gateway) expire(ctx context.Context, id string) (sessionState, error) {
	p := &stripe.CheckoutSessionExpireParams{}
	p.Context = ctx
	_, err := g.api.CheckoutSessions.Expire(id, p)
	if refusal, ok := errors.AsType[*stripe.Error](err); err != nil && (!ok || refusal.HTTPStatusCode >= 500) {
		return sessionState{}, silent("expire a Checkout session", err)
	}
	return g.session(ctx, id)
}

func sessionOf(s *stripe.CheckoutSession) sessionState {
	state := sessionState{
		ID:      s.ID,
		Open:    s.Status == stripe.CheckoutSessionStatusOpen,
		Expired: s.Status == stripe.CheckoutSessionStatusExpired,
		Paid:    s.PaymentStatus == stripe.CheckoutSessionPaymentStatusPaid,
	}
	if intent := s.PaymentIntent; intent != nil {
		state.PaymentIntent = intent.ID
		// Refused for good by the bank, after the session was complete.
		state.Refused = s.Status == stripe.CheckoutSessionStatusComplete && intent.Status == stripe.PaymentIntentStatusRequiresPaymentMethod
		if c := intent.LatestCharge; c != nil && c.Paid {
			charge := chargeOf(c)
			state.Charge = &charge
		}
	}
	return state
}

func chargeOf(c *stripe.Charge) Charge {
	charge := Charge{
		ID: c.ID, Amount: lms.Money(c.Amount), Currency: string(c.Currency),
		Live: c.Livemode, Order: c.Metadata[metadataOrder], CreatedAt: time.Unix(c.Created, 0),
	}
	if c.PaymentIntent != nil {
		charge.PaymentIntent = c.PaymentIntent.ID
	}
	if m := c.PaymentMethodDetails; m != nil {
		charge.Method = string(m.Type)
	}
	if t := c.BalanceTransaction; t != nil && t.ReportingCategory != "" {
		transaction := transactionOf(t)
		charge.Transaction = &transaction
	}
	return charge
}

func transactionOf(t *stripe.BalanceTransaction) BalanceTransaction {
	b := BalanceTransaction{
		ID: t.ID, Category: string(t.ReportingCategory), Amount: lms.Money(t.Amount), Fee: lms.Money(t.Fee), Net: lms.Money(t.Net),
		Currency: string(t.Currency), CreatedAt: time.Unix(t.Created, 0), AvailableOn: time.Unix(t.AvailableOn, 0),
	}
	if t.Source != nil {
		b.Source = t.Source.ID
	}
	return b
}

// quiet gives what stripe-go logs to the product's log.
type quiet struct{ log *slog.Logger }

func (q quiet) Debugf(string, ...any) {}
func (q quiet) Infof(string, ...any)  {}
func (q quiet) Warnf(format string, args ...any) {
	q.log.Warn("stripe: " + fmt.Sprintf(format, args...))
}
func (q quiet) Errorf(format string, args ...any) {
	q.log.Warn("stripe: " + fmt.Sprintf(format, args...))
}
