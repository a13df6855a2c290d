package payments

import (
	"mopd/lms"
	"mopd/lms/web"
)

type ordersPage struct {
	web.Page
	Orders []Order
}

// orderPage is the truth about one order: where its payer comes back from Stripe, and
// the receipt.
type orderPage struct {
	web.Page
	Order    Order
	CameBack bool // from Stripe, after paying
}

// Stands is what the page has to say of the order.
func (p orderPage) Stands() string {
	switch {
	case p.Order.State == Open && !p.Order.Payable(p.Now):
		return "lapsed"
	case p.Order.State == Open && p.CameBack:
		return "returned"
	case p.Order.State == Paid && p.Order.Enrollment == 0:
		return "owed"
	case p.Order.State == Paid && p.Order.SeatState == Revoked:
		return "revoked"
	default:
		return string(p.Order.State)
	}
}

// Waits tells whether the page is to look again by itself.
func (p orderPage) Waits() bool { return p.Order.State == Open || p.Order.State == Pending }

// PaidOn is the day of the payment.
func (p orderPage) PaidOn() lms.Date {
	if p.Order.PaidAt == nil {
		return lms.Date{}
	}
	return lms.DateOf(*p.Order.PaidAt)
}
