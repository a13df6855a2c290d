package payments

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/stripe/stripe-go/v76"

	"mopd/lms"
)

// metadataRefund is the name under which Stripe's refunds carry the refund here.
const metadataRefund = "refund"

// chargeHistory is everything that happened to a charge.
type chargeHistory struct {
	Charge   Charge
	Refunds  []stripeRefund
	Disputes []Dispute
	Moves    []BalanceTransaction // of all of them
}

// history reads a charge with its refunds and disputes.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (g *gateway) history(ctx context.Context, charge string) (h chargeHistory, err error) {
	p := &stripe.ChargeParams{}
	p.Context = ctx
	p.AddExpand("balance_transaction")
	c, err := g.api.Charges.Get(charge, p)
	if err != nil {
		return h, missing("read a charge", err)
	}
	h.Charge = chargeOf(c)
	if h.Charge.Transaction != nil {
		h.Moves = append(h.Moves, *h.Charge.Transaction)
	}
	if h.Refunds, err = g.refunds(ctx, charge); err != nil {
		return h, err
	}
	for _, r := range h.Refunds {
		h.Moves = append(h.Moves, r.Moves...)
	}
	disputes := &stripe.DisputeListParams{Charge: stripe.String(charge)}
	disputes.Context = ctx
	for i := g.api.Disputes.List(disputes); ; {
		if !i.Next() {
			return h, silent("list disputes", i.Err())
		}
		d := i.Dispute()
		h.Disputes = append(h.Disputes, disputeOf(d))
		for _, t := range d.BalanceTransactions {
			h.Moves = append(h.Moves, transactionOf(t))
		}
	}
}

func (g *gateway) refunds(ctx context.Context, charge string) (list []stripeRefund, err error) {
	p := &stripe.RefundListParams{Charge: stripe.String(charge)}
	p.Context = ctx
	p.AddExpand("data.balance_transaction")
	p.AddExpand("data.failure_balance_transaction")
	i := g.api.Refunds.List(p)
	for i.Next() {
		list = append(list, refundOf(i.Refund()))
	}
	return list, silent("list refunds", i.Err())
}

func refundOf(r *stripe.Refund) stripeRefund {
	refund := stripeRefund{ID: r.ID, Amount: lms.Money(r.Amount), Status: string(r.Status), Failure: string(r.FailureReason), CreatedAt: time.Unix(r.Created, 0)}
	if id, err := strconv.ParseInt(r.Metadata[metadataRefund], 10, 64); err == nil {
		refund.Refund = RefundID(id)
	}
	for _, t := range []*stripe.BalanceTransaction{r.BalanceTransaction, r.FailureBalanceTransaction} {
		if t != nil && t.ReportingCategory != "" {
			refund.Moves = append(refund.Moves, transactionOf(t))
		}
	}
	return refund
}

func disputeOf(d *stripe.Dispute) Dispute {
	dispute := Dispute{ID: d.ID, Amount: lms.Money(d.Amount), Status: string(d.Status), Reason: string(d.Reason), OpenedAt: time.Unix(d.Created, 0)}
	if d.Charge != nil {
		dispute.Charge = d.Charge.ID
	}
	if d.EvidenceDetails != nil && d.EvidenceDetails.DueBy > 0 {
		due := time.Unix(d.EvidenceDetails.DueBy, 0)
		dispute.DueBy = &due
	}
	return dispute
}

// refund asks Stripe for a refund. Asked again with its key, it makes no second. A
// refusal comes with Stripe's code.
//
// Errors: ErrStripeSilent, ErrRefundRefused.
func (g *gateway) refund(ctx context.Context, r Refund) error {
	p := &stripe.RefundParams{
		Charge: stripe.String(r.Charge), Amount: stripe.Int64(int64(r.Amount)),
		Metadata: map[string]string{metadataRefund: strconv.FormatInt(int64(r.ID), 10), metadataOrder: strconv.FormatInt(int64(r.Order), 10)},
	}
	p.Context = ctx
	p.SetIdempotencyKey(r.Key)
	_, err := g.api.Refunds.New(p)
	if refusal, ok := errors.AsType[*stripe.Error](err); ok && refusal.Type == stripe.ErrorTypeInvalidRequest {
		return ErrRefundRefused.With("Code", string(refusal.Code)).Because(err)
	}
	return silent("make a refund", err)
}

// chargeOfRefund is the charge that a refund gives back.
func (g *gateway) chargeOfRefund(ctx context.Context, id string) (string, error) {
	p := &stripe.RefundParams{}
	p.Context = ctx
	r, err := g.api.Refunds.Get(id, p)
	if err != nil {
		return "", missing("read a refund", err)
	}
	if r.Charge == nil {
		return "", lms.ErrNotFound
	}
	return r.Charge.ID, nil
}

// chargeOfDispute is the charge that is disputed.
func (g *gateway) chargeOfDispute(ctx context.Context, id string) (string, error) {
	p := &stripe.DisputeParams{}
	p.Context = ctx
	d, err := g.api.Disputes.Get(id, p)
	if err != nil {
		return "", missing("read a dispute", err)
	}
	if d.Charge == nil {
		return "", lms.ErrNotFound
	}
	return d.Charge.ID, nil
}

// missing is silent, but for what Stripe does not have.
func missing(what string, err error) error {
	if refusal, ok := errors.AsType[*stripe.Error](err); ok && refusal.Code == stripe.ErrorCodeResourceMissing {
		return lms.ErrNotFound.Because(err)
	}
	return silent(what, err)
}
