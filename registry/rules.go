package registry

import (
	"errors"

	"mopd/lms"
)

// reasonRepeat is the reason of a credit denied because the same course stood in
// the way (rules §5).
const reasonRepeat = "repeat_credit"

// decision is what becomes of a claimed credit, under which policy and why.
type decision struct {
	Status lms.CreditStatus
	Hours  lms.Hours
	Reason string
	From   lms.Date // first creditable day, where Reason is reasonRepeat
	Policy lms.PolicyID
	During lms.DateRange
}

// decide tells what becomes of a completion, given the blocks of the same course's
// standing credits. The day is the Central day of the completion.
func decide(c lms.Completion, standing []lms.Block, policies lms.Policies) (decision, error) {
	policy, during, err := blockOn(policies, lms.DateOf(c.At))
	if err != nil {
		return decision{}, err
	}
	d := decision{Status: lms.Credited, Hours: c.Hours, Policy: policy.ID, During: during}
	refused, ok := lms.AsError(lms.CanEarn(standing, during))
	if !ok {
		return d, nil
	}
	if !errors.Is(refused, lms.ErrEarnsAgain) {
		return d, refused
	}
	d.Status, d.Hours, d.Reason = lms.Denied, 0, reasonRepeat
	d.From, _ = refused.Args["From"].(lms.Date)
	return d, nil
}
