package stripesim

import (
	"slices"
	"time"
)

// ClosePayout pays out everything that no payout has carried yet.
func (s *Sim) ClosePayout() (payout string, err error) {
	err = s.do(func() error {
		var sum int64
		var lines []object
		for _, t := range s.each("balance_transaction") {
			if t.text("payout") == "" {
				lines = append(lines, t)
				sum += t.cents("net")
			}
		}
		if sum <= 0 {
			return invalid("balance_insufficient", "", "There is nothing to pay out.")
		}
		y, m, d := s.now().UTC().Date()
		p := s.add("payout", "po", object{
			"amount": sum, "currency": "usd", "status": "in_transit", "automatic": true, "method": "standard", "type": "bank_account",
			"arrival_date": time.Date(y, m, d+2, 0, 0, 0, 0, time.UTC).Unix(), "reconciliation_status": "in_progress", "failure_balance_transaction": nil,
		})
		own := s.move("payout", "payout", p.id(), -sum, 0)
		p["balance_transaction"], payout = own.id(), p.id()
		for _, t := range append(lines, own) {
			t["payout"] = p.id()
		}
		s.tell("payout.created", p)
		return nil
	})
	return payout, err
}

// payoutIn is a payout that stands as one of the statuses says.
func (s *Sim) payoutIn(id string, statuses ...string) (object, error) {
	p, err := s.get("payout", id)
	if err == nil && !slices.Contains(statuses, p.text("status")) {
		err = invalid("", "", "The payout is %s.", p.text("status"))
	}
	return p, err
}

// PayPayout has a payout arrive at the bank.
func (s *Sim) PayPayout(id string) error {
	return s.do(func() error {
		p, err := s.payoutIn(id, "in_transit")
		if err != nil {
			return err
		}
		p["status"], p["reconciliation_status"] = "paid", "completed"
		s.tell("payout.paid", p)
		s.tell("payout.reconciliation_completed", p)
		return nil
	})
}

// FailPayout has the bank send a payout back.
func (s *Sim) FailPayout(id string) error {
	return s.do(func() error {
		p, err := s.payoutIn(id, "in_transit", "paid")
		if err != nil {
			return err
		}
		p["status"], p["failure_code"] = "failed", "account_closed"
		p["failure_balance_transaction"] = s.move("payout_failure", "payout_reversal", id, p.cents("amount"), 0).id()
		s.tell("payout.failed", p)
		return nil
	})
}

// ChangePayout makes a payout differ from the sum of its lines by so many cents.
func (s *Sim) ChangePayout(id string, by int64) error {
	return s.do(func() error {
		p, err := s.get("payout", id)
		if err == nil {
			p["amount"] = p.cents("amount") + by
		}
		return err
	})
}

// Adjust moves the balance for a reason of Stripe's own.
func (s *Sim) Adjust(category string, amount int64) {
	s.alter(func() { s.move("adjustment", category, "", amount, 0) })
}
