package payments

import "time"

// Kinds of exception: what somebody has to look at. They are found by checks over what
// is kept (store_checks.go), but for webhooks that were refused, of which nothing is kept.
const (
	NoEnrollment    = "no_enrollment"     // charged or paid, and no enrollment
	NoCharge        = "no_charge"         // enrolled in a course with a fee, and nothing was charged
	WrongAmount     = "wrong_amount"      // a charge is not the order's price
	WrongCurrency   = "wrong_currency"    // a charge is not in the order's currency
	ChargedTwice    = "charged_twice"     // two live charges for one person, course and window
	RefundAndAccess = "refund_and_access" // refunded and not revoked, or revoked and not refunded
	RefundNotDone   = "refund_not_done"   // pending too long, refused or failed
	Disputed        = "disputed"          // opened, lost or won, or refunded meanwhile
	PayoutSum       = "payout_sum"        // a payout is not the sum of its lines
	WrongFee        = "wrong_fee"         // Stripe took another fee than the rates say
	MissedEvent     = "missed_event"      // a webhook did not arrive, and was found by asking
	UnworkedEvent   = "unworked_event"    // a webhook came, and its work fails
	ClosedPeriod    = "closed_period"     // something belongs to a closed day, and was entered on an open one
	PayoutNotDone   = "payout_not_done"   // failed, stuck, or one that cannot be itemized
	UnknownKind     = "unknown_kind"      // a category or API version that is not known
	WrongMode       = "wrong_mode"        // test for live, or another account
	WrongMetadata   = "wrong_metadata"    // Stripe's object names no order, or another one
	BadSignature    = "bad_signature"     // a webhook that Stripe did not sign
)

// How long what should follow by itself may take before it is an exception.
const (
	enrollWithin = 8 * time.Minute    // from a charge to the enrollment, or back; with catchUpEvery, ten minutes until somebody is told
	refundWithin = 7 * 24 * time.Hour // until the payer's bank has a refund
	payoutWithin = 3                  // days after a payout was to arrive
	listedWithin = 7 * 24 * time.Hour // events of which another API version is told
)
