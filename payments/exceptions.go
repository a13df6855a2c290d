package payments

// Kinds of exception: what somebody has to look at.
const (
	NoEnrollment  = "no_enrollment"  // charged or paid, and no enrollment
	WrongMetadata = "wrong_metadata" // Stripe's object names no order, or another one
	UnknownKind   = "unknown_kind"   // a category or API version that is not known
	WrongMode     = "wrong_mode"     // test for live, or another account
	BadSignature  = "bad_signature"  // a webhook that Stripe did not sign
)
