package payments

import (
	"time"

	"mopd/lms"
)

// RefundID is the key of a refund.
type RefundID int64

// RefundState is where a refund stands.
type RefundState string

// The states of a refund. Requested: it waits for a second person. Approved: Stripe is
// being asked. Pending: Stripe has it, the bank has not. The others are ends.
const (
	RefundRequested RefundState = "requested"
	RefundApproved  RefundState = "approved"
	RefundPending   RefundState = "pending"
	RefundSucceeded RefundState = "succeeded"
	RefundFailed    RefundState = "failed"
	RefundDenied    RefundState = "denied"
)

// Refund is money that goes back to who paid.
type Refund struct {
	ID          RefundID
	Order       OrderID
	Charge      string
	Amount      lms.Money
	Reason      string
	KeepAccess  bool // the enrollment stays
	State       RefundState
	Key         string // idempotency key
	Stripe      string // id of Stripe's refund; "" until it has answered
	NeedsSecond bool
	RequestedBy lms.PersonID // 0: in Stripe's dashboard
	RequestedAt time.Time
	DecidedBy   lms.PersonID
	DecidedAt   *time.Time
	WhyDenied   string
	SentAt      *time.Time
	SettledAt   *time.Time
	Failure     string
}

// RefundPolicy says when a fee is given back without a decision, and from which amount
// on two people decide. The policy of the day of the refund counts.
type RefundPolicy struct {
	Days       int       // after the payment, while the course was never launched
	SecondOver lms.Money // above it a second person decides
}

// Due tells whether the whole fee is given back for the asking.
func (p RefundPolicy) Due(paidOn lms.Date, launched bool, today lms.Date) bool {
	return !launched && !today.After(paidOn.AddDays(p.Days))
}

// canRefund tells why so much of a charge may not be given back.
//
// Errors: ErrRefundAmount (with Left), ErrDisputed.
func canRefund(amount, left lms.Money, disputed bool) error {
	switch {
	case disputed:
		return ErrDisputed
	case amount <= 0 || amount > left:
		return ErrRefundAmount.With("Left", left)
	}
	return nil
}

// stripeRefund is a refund as Stripe tells it.
type stripeRefund struct {
	ID        string
	Amount    lms.Money
	Status    string // pending, succeeded, failed or canceled
	Failure   string
	Refund    RefundID // metadata: the refund here that asked for it; 0 if none
	CreatedAt time.Time
	Moves     []BalanceTransaction // of the refund, and of its failure
}

// state is what Stripe's status of a refund is here.
func (r stripeRefund) state() RefundState {
	switch r.Status {
	case "succeeded":
		return RefundSucceeded
	case "failed", "canceled":
		return RefundFailed
	default:
		return RefundPending
	}
}

// Dispute is a charge that its cardholder disputes, as Stripe tells it.
type Dispute struct {
	ID       string
	Charge   string
	Amount   lms.Money
	Status   string
	Reason   string
	DueBy    *time.Time // for evidence
	OpenedAt time.Time
}

// Open tells whether the bank has not decided.
func (d Dispute) Open() bool {
	return d.Status != "won" && d.Status != "lost" && d.Status != "warning_closed"
}
