package payments

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// signedAt is when a Stripe-Signature header says that it was made
// (docs.stripe.com/webhooks/signature, "t=1492774577,v1=…").
func signedAt(header string) (time.Time, error) {
	for part := range strings.SplitSeq(header, ",") {
		if t, found := strings.CutPrefix(strings.TrimSpace(part), "t="); found {
			seconds, err := strconv.ParseInt(t, 10, 64)
			if err != nil {
				return time.Time{}, errors.New("the signature has no time")
			}
			return time.Unix(seconds, 0), nil
		}
	}
	return time.Time{}, errors.New("the signature has no time")
}
