package stripesim

import (
	"net/http"
	"regexp"
	"strconv"
)

const disputeFee = 1500

// feeOf is what Stripe takes of a charge: of a card's 2.9 % and 30 cents, of a bank
// debit's 0.8 % and 5 dollars at most, half a cent up.
func feeOf(amount int64, method string) int64 {
	if method == "us_bank_account" {
		return min((amount*8+500)/1000, 500)
	}
	return (amount*29+500)/1000 + 30
}

// move makes a balance transaction.
func (s *Sim) move(kind, category, source string, amount, fee int64) object {
	return s.add("balance_transaction", "txn", object{
		"type": kind, "reporting_category": category, "source": source, "amount": amount, "fee": fee, "net": amount - fee, "currency": "usd",
		"status": "available", "available_on": s.now().Unix(), "payout": "", "exchange_rate": nil,
	})
}

// charge takes a payment intent's money.
func (s *Sim) charge(intent object, method string) object {
	amount := intent.cents("amount")
	charge := s.add("charge", "ch", object{
		"amount": amount, "amount_captured": amount, "amount_refunded": int64(0), "currency": intent["currency"], "payment_intent": intent.id(), "paid": true, "captured": true,
		"refunded": false, "disputed": false, "status": "succeeded", "metadata": intent["metadata"], "payment_method_details": map[string]any{"type": method},
	})
	charge["balance_transaction"] = s.move("charge", "charge", charge.id(), amount, feeOf(amount, method)).id()
	s.tell("charge.succeeded", charge)
	return charge
}

// ChargeAtDashboard charges a card without a Checkout session, as somebody in Stripe's
// dashboard would.
func (s *Sim) ChargeAtDashboard(amount int64, metadata map[string]any) (charge string) {
	s.alter(func() {
		intent := s.add("payment_intent", "pi", object{"amount": amount, "currency": "usd", "status": "succeeded", "metadata": metadata})
		charge = s.charge(intent, "card").id()
		intent["latest_charge"] = charge
	})
	return charge
}

var refundParams = regexp.MustCompile(`^(charge|payment_intent|amount|reason|metadata\[\w+\]|expand\[\d*\])$`)

func (s *Sim) createRefund(r *http.Request) (any, error) {
	for name := range r.PostForm {
		if !refundParams.MatchString(name) {
			return nil, invalid("parameter_unknown", name, "Received unknown parameter: %s", name)
		}
	}
	charge, err := s.get("charge", r.PostForm.Get("charge"))
	if err != nil {
		return nil, err
	}
	amount := charge.cents("amount") - charge.cents("amount_refunded")
	if text := r.PostForm.Get("amount"); text != "" {
		if amount, err = strconv.ParseInt(text, 10, 64); err != nil || amount < 1 {
			return nil, invalid("parameter_invalid_integer", "amount", "Invalid positive integer")
		}
	}
	return s.refund(charge, amount, metadataOf(r, "metadata"))
}

func (s *Sim) refund(charge object, amount int64, metadata map[string]any) (object, error) {
	left := charge.cents("amount") - charge.cents("amount_refunded")
	switch {
	case left == 0:
		return nil, invalid("charge_already_refunded", "", "Charge %s has already been refunded.", charge.id())
	case amount > left:
		return nil, invalid("", "amount", "Refund amount is greater than unrefunded amount on charge")
	}
	for _, d := range s.each("dispute") {
		if d.text("charge") == charge.id() && d.text("status") != "won" {
			return nil, invalid("charge_disputed", "", "Charge %s has been charged back; cannot issue a refund.", charge.id())
		}
	}
	status := "succeeded"
	if s.faults.HoldRefunds {
		status = "pending"
	}
	refund := s.add("refund", "re", object{"amount": amount, "charge": charge.id(), "payment_intent": charge["payment_intent"], "currency": charge["currency"], "status": status, "metadata": metadata, "failure_balance_transaction": nil})
	refund["balance_transaction"] = s.move("refund", "refund", refund.id(), -amount, 0).id()
	charge["amount_refunded"] = charge.cents("amount_refunded") + amount
	charge["refunded"] = charge.cents("amount_refunded") == charge.cents("amount")
	s.tell("charge.refunded", charge)
	return refund, nil
}

// RefundAtDashboard gives back a part of a charge, as somebody in Stripe's dashboard
// would.
func (s *Sim) RefundAtDashboard(charge string, amount int64) (refund string, err error) {
	err = s.do(func() error {
		c, err := s.get("charge", charge)
		if err != nil {
			return err
		}
		r, err := s.refund(c, amount, map[string]any{})
		if err == nil {
			refund = r.id()
		}
		return err
	})
	return refund, err
}

// refundRest gives back at the dashboard what is left of a charge.
func (s *Sim) refundRest(charge string) error {
	return s.do(func() error {
		c, err := s.get("charge", charge)
		if err == nil {
			_, err = s.refund(c, c.cents("amount")-c.cents("amount_refunded"), map[string]any{})
		}
		return err
	})
}

// FailRefund has the bank send a refund back.
func (s *Sim) FailRefund(id string) error {
	return s.do(func() error {
		refund, err := s.get("refund", id)
		if err != nil {
			return err
		}
		if refund.text("status") == "failed" {
			return invalid("", "", "The refund has failed already.")
		}
		charge, err := s.get("charge", refund.text("charge"))
		if err != nil {
			return err
		}
		amount := refund.cents("amount")
		refund["status"], refund["failure_reason"] = "failed", "expired_or_canceled_card"
		refund["failure_balance_transaction"] = s.move("refund_failure", "refund_failure", refund.id(), amount, 0).id()
		charge["amount_refunded"], charge["refunded"] = charge.cents("amount_refunded")-amount, false
		s.tell("charge.refund.updated", refund)
		return nil
	})
}

// SucceedRefund has the bank pass on a refund that was held.
func (s *Sim) SucceedRefund(id string) error {
	return s.do(func() error {
		refund, err := s.get("refund", id)
		if err != nil {
			return err
		}
		if status := refund.text("status"); status != "pending" {
			return invalid("", "", "The refund is %s.", status)
		}
		refund["status"] = "succeeded"
		s.tell("charge.refund.updated", refund)
		return nil
	})
}

// Dispute has the cardholder of a charge dispute it.
func (s *Sim) Dispute(charge string) (dispute string, err error) {
	err = s.do(func() error {
		c, err := s.get("charge", charge)
		if err != nil {
			return err
		}
		d := s.add("dispute", "dp", object{
			"amount": c["amount"], "charge": charge, "payment_intent": c["payment_intent"], "currency": "usd", "status": "needs_response", "reason": "fraudulent",
			"evidence_details": map[string]any{"due_by": s.now().AddDate(0, 0, 9).Unix()}, "metadata": map[string]any{},
		})
		taken := s.move("adjustment", "dispute", d.id(), -c.cents("amount"), disputeFee)
		d["balance_transactions"], c["disputed"], dispute = []any{taken}, true, d.id()
		s.tell("charge.dispute.created", d)
		s.tell("charge.dispute.funds_withdrawn", d)
		return nil
	})
	return dispute, err
}

// CloseDispute has the bank decide; what was won comes back, the fee does not.
func (s *Sim) CloseDispute(id string, won bool) error {
	return s.do(func() error {
		d, err := s.get("dispute", id)
		if err != nil {
			return err
		}
		if status := d.text("status"); status != "needs_response" {
			return invalid("", "", "The dispute is %s.", status)
		}
		d["status"] = "lost"
		if won {
			d["status"] = "won"
			moves, _ := d["balance_transactions"].([]any)
			d["balance_transactions"] = append(moves, s.move("adjustment", "dispute_reversal", id, d.cents("amount"), 0))
			s.tell("charge.dispute.funds_reinstated", d)
		}
		s.tell("charge.dispute.closed", d)
		return nil
	})
}
