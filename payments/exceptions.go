package payments

// Kinds of exception: what somebody has to look at.
const (
	NoEnrollment    = "no_enrollment"     // charged or paid, and no enrollment
	WrongMetadata   = "wrong_metadata"    // Stripe's object names no order, or another one
	UnknownKind     = "unknown_kind"      // a category or API version that is not known
	WrongMode       = "wrong_mode"        // test for live, or another account
	RefundNotDone   = "refund_not_done"   // pending too long, refused or failed
	RefundAndAccess = "refund_and_access" // refunded and not revoked, or revoked and not refunded
	Disputed        = "disputed"          // opened, lost or won
	PayoutSum       = "payout_sum"        // a payout is not the sum of its lines
	PayoutNotDone   = "payout_not_done"   // failed, stuck, or one that cannot be itemized
	BadSignature    = "bad_signature"     // a webhook that Stripe did not sign
)
