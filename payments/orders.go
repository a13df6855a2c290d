package payments

import (
	"time"

	"mopd/lms"
)

// Identities.
type (
	OrderID int64
	LineID  int64
	SeatID  int64
)

// OrderState is where an order stands.
type OrderState string

// The states of an order. Open: it may be paid at Stripe until it expires. Pending: the
// payer has done their part and the bank has not settled yet. The others are ends.
const (
	Open     OrderState = "open"
	Pending  OrderState = "pending"
	Paid     OrderState = "paid"
	Canceled OrderState = "canceled"
)

// Why an order was canceled.
const (
	ByPayer = "by_payer"
	Lapsed  = "expired"  // not paid in time
	NotPaid = "not_paid" // the bank refused in the end
)

// checkoutTime is how long a checkout can be paid: within the 30 minutes to 24 hours
// that Stripe allows, and short enough that a forgotten one is soon out of the way.
const checkoutTime = time.Hour

// Order is what somebody means to pay, at the price that they were shown.
type Order struct {
	ID            OrderID
	Payer         lms.PersonID
	Total         lms.Money
	Lang          string
	State         OrderState
	Key           string // idempotency key of its Checkout session
	ExpiresAt     time.Time
	Session       string // id of the Checkout session; "" until Stripe has answered
	URL           string // of the page on which it is paid
	PaymentIntent string
	CreatedAt     time.Time
	AskedAt       *time.Time
	PaidAt        *time.Time
	EndedAt       *time.Time
	Why           string
	OrderLine
	Seat
}

// OrderLine is the course that an order is for, as it was shown.
type OrderLine struct {
	Line     LineID
	Course   lms.CourseID
	Version  lms.VersionID
	Code     string
	Title    string
	Sponsor  string
	Hours    lms.Hours
	Price    lms.Money
	Quantity int
}

// SeatState is where a seat stands.
type SeatState string

// The states of a seat.
const (
	Reserved SeatState = "reserved"
	Granted  SeatState = "granted"
	Revoked  SeatState = "revoked"
	Released SeatState = "released" // its order was not paid
)

// Seat is the entitlement to one enrollment.
type Seat struct {
	SeatID     SeatID
	SeatState  SeatState
	Enrollment lms.EnrollmentID // 0 while there is none
}

// snapshot is the course as the order keeps it.
func (o Order) snapshot() lms.Course {
	return lms.Course{ID: o.Course, Version: o.Version, Code: o.Code, Title: o.Title, Sponsor: o.Sponsor, Hours: o.Hours, Fee: o.Price}
}

// Payable tells whether the order can be paid at an instant.
func (o Order) Payable(now time.Time) bool { return o.State == Open && now.Before(o.ExpiresAt) }

// sessionState is what Stripe says of a Checkout session.
type sessionState struct {
	ID            string
	Open          bool // it can still be paid
	Expired       bool
	Paid          bool
	Refused       bool // by the bank, after the payer had done their part
	PaymentIntent string
	Charge        *Charge // that paid it
}

// Charge is a charge as Stripe tells it.
type Charge struct {
	ID            string
	PaymentIntent string
	Amount        lms.Money
	Currency      string
	Live          bool
	Order         string // metadata: the order that it says it pays
	Method        string // of payment: card, us_bank_account, ...
	CreatedAt     time.Time
	Transaction   *BalanceTransaction // nil while Stripe has none
}

// next is the state of an order after what Stripe says of its session. An end stays,
// but for one: who was charged after all has paid.
func (o Order) next(s sessionState) (state OrderState, why string) {
	switch {
	case s.Paid:
		return Paid, ""
	case o.State == Paid || o.State == Canceled:
		return o.State, o.Why
	case s.Refused:
		return Canceled, NotPaid
	case s.Expired:
		return Canceled, Lapsed
	case !s.Open:
		return Pending, ""
	default:
		return o.State, ""
	}
}
