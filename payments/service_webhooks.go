package payments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"mopd/lms"
	"mopd/lms/pg"
)

// tolerance is how far from now a webhook's signature may have been made, either way.
const tolerance = 5 * time.Minute

// ErrSignature is of a webhook that Stripe did not sign, or not just now.
var ErrSignature = lms.NewError(lms.Invalid, "webhook_signature")

// Receive keeps a webhook and the job that will work it, in one transaction, each once
// however often it comes. payload is the body as it came. Whatever is not signed with
// one of the secrets within the tolerance is refused, and somebody is told.
//
// Errors: ErrSignature.
func (s *Service) Receive(ctx context.Context, payload []byte, header string, now time.Time) error {
	if err := s.verify(payload, header, now); err != nil {
		s.Log.Error("a webhook was refused", "error", err)
		return errors.Join(ErrSignature.Because(err), raiseRefused(ctx, s.DB, err.Error(), now))
	}
	e, err := readEvent(payload)
	if err != nil {
		return ErrSignature.Because(err)
	}
	e.Via = "webhook"
	return s.keep(ctx, e, now)
}

// verify errors: why the header signs nothing.
func (s *Service) verify(payload []byte, header string, now time.Time) error {
	at, err := signedAt(header)
	if err != nil {
		return err
	}
	if d := now.Sub(at); d > tolerance || d < -tolerance {
		return fmt.Errorf("signed at %s, %s from now", at.UTC().Format(time.RFC3339), d.Round(time.Second))
	}
	err = errors.New("no webhook secret is set")
	for _, secret := range s.WebhookSecrets {
		if err = webhook.ValidatePayloadIgnoringTolerance(payload, header, secret); err == nil {
			return nil
		}
	}
	return err
}

// readEvent reads what of an event is trusted: which it is and what it is about.
func readEvent(payload []byte) (Event, error) {
	var e stripe.Event
	if err := json.Unmarshal(payload, &e); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	if e.ID == "" || e.Data == nil {
		return Event{}, errors.New("read event: no id or no object")
	}
	var object struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(e.Data.Raw, &object); err != nil {
		return Event{}, fmt.Errorf("read object of event: %w", err)
	}
	return Event{ID: e.ID, Type: string(e.Type), APIVersion: e.APIVersion, Livemode: e.Livemode, Object: object.ID,
		CreatedAt: time.Unix(e.Created, 0), Payload: payload}, nil
}

func (s *Service) keep(ctx context.Context, e Event, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		isNew, err := insertEvent(ctx, tx, e, now)
		if err != nil || !isNew {
			return err
		}
		_, err = s.Jobs.InsertTx(ctx, tx, ProcessEventArgs{Event: e.ID}, nil)
		return err
	})
}

// Process does what an event asks for. What it is about is read anew from Stripe, so
// that order, number and API version of the events make no difference.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (s *Service) Process(ctx context.Context, id string, now time.Time) error {
	e, err := selectEvent(ctx, s.DB, id)
	if err != nil {
		return err
	}
	outcome, odd := "wrong mode", e.Livemode != s.stripe.live
	if !odd {
		if outcome, err = s.dispatch(ctx, e, now); err != nil {
			return err
		}
	}
	if e.APIVersion != stripe.APIVersion {
		s.Log.Error("an event has another API version", "event", e.ID, "version", e.APIVersion)
		odd = true
	}
	if err := updateProcessed(ctx, s.DB, id, outcome, now); err != nil || !odd && outcome != noOrder {
		return err
	}
	return s.checkAtLarge(ctx, s.DB, now)
}

// What events are about.
const (
	aboutSession = "session"
	aboutCharge  = "charge"
	aboutRefund  = "refund"
	aboutDispute = "dispute"
	aboutPayout  = "payout"
)

// eventTypes are the events that have an effect, each with what it is about: those that
// the webhook endpoint subscribes to (docs/stripe.md).
var eventTypes = map[string]string{
	"checkout.session.completed": aboutSession, "checkout.session.async_payment_succeeded": aboutSession,
	"checkout.session.async_payment_failed": aboutSession, "checkout.session.expired": aboutSession,
	"charge.succeeded": aboutCharge, "charge.refunded": aboutCharge,
	"charge.refund.updated":  aboutRefund,
	"charge.dispute.created": aboutDispute, "charge.dispute.updated": aboutDispute, "charge.dispute.closed": aboutDispute,
	"charge.dispute.funds_withdrawn": aboutDispute, "charge.dispute.funds_reinstated": aboutDispute,
	"payout.created": aboutPayout, "payout.updated": aboutPayout, "payout.paid": aboutPayout, "payout.failed": aboutPayout,
	"payout.canceled": aboutPayout, "payout.reconciliation_completed": aboutPayout,
}

func (s *Service) dispatch(ctx context.Context, e Event, now time.Time) (outcome string, err error) {
	switch eventTypes[e.Type] {
	case aboutSession:
		id, err := selectOrderID(ctx, s.DB, e.Object)
		if errors.Is(err, lms.ErrNotFound) {
			return s.adopt(ctx, e, now)
		}
		if err != nil {
			return "", err
		}
		_, err = s.Settle(ctx, id, now)
		return "settled", err
	case aboutCharge:
		return s.syncCharge(ctx, e.Object, nil, now)
	case aboutRefund:
		charge, err := s.stripe.chargeOfRefund(ctx, e.Object)
		return s.syncCharge(ctx, charge, err, now)
	case aboutDispute:
		charge, err := s.stripe.chargeOfDispute(ctx, e.Object)
		return s.syncCharge(ctx, charge, err, now)
	case aboutPayout:
		return "payout to be read", s.enqueuePayout(ctx, e.Object) // its pages take longer than an event may
	default:
		return "nothing to do", nil
	}
}

// syncCharge reads a charge's history; what Stripe does not have any more is left.
func (s *Service) syncCharge(ctx context.Context, charge string, err error, now time.Time) (string, error) {
	if err == nil {
		err = s.SyncCharge(ctx, charge, now)
	}
	if errors.Is(err, lms.ErrNotFound) {
		return "not there any more", nil
	}
	return "charge read", err
}

// noOrder is the outcome of an event about a session of no order here.
const noOrder = "no order"

// adopt finds the order of a session whose creation was never heard of: the answer was
// lost, or has not been kept yet.
func (s *Service) adopt(ctx context.Context, e Event, now time.Time) (string, error) {
	id, err := s.stripe.orderOf(ctx, e.Object)
	if err != nil {
		return "", err
	}
	o, err := selectOrder(ctx, s.DB, id)
	if errors.Is(err, lms.ErrNotFound) || err == nil && o.Session != "" {
		return noOrder, nil
	}
	if err != nil {
		return "", err
	}
	if err := updateSession(ctx, s.DB, id, e.Object, ""); err != nil {
		return "", err
	}
	_, err = s.Settle(ctx, id, now)
	return "adopted", err
}

// missedAfter is how old an event without an effect is before it is worked again, and
// how long after its time an order is settled without a webhook.
const missedAfter = 2 * time.Minute

// ProcessMissed works the events whose job was lost.
//
// Errors: ErrStripeSilent.
func (s *Service) ProcessMissed(ctx context.Context, now time.Time) (err error) {
	missed, err := selectUnprocessed(ctx, s.DB, now.Add(-missedAfter))
	for _, id := range missed {
		err = errors.Join(err, s.Process(ctx, id, now))
	}
	return err
}

// SettleLapsed settles the orders whose time to pay is over and of which no webhook
// told.
//
// Errors: ErrStripeSilent.
func (s *Service) SettleLapsed(ctx context.Context, now time.Time) (err error) {
	lapsed, err := selectLapsed(ctx, s.DB, now.Add(-missedAfter))
	for _, id := range lapsed {
		_, settleErr := s.Settle(ctx, id, now)
		err = errors.Join(err, settleErr)
	}
	return err
}
