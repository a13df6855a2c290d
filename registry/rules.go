package registry

import (
	"slices"

	"mopd/lms"
)

// Reasons of a credit that does not count (rules §5): the same course earned less
// than a year before, or a credit of the same course that is younger stands already.
const (
	reasonRepeat        = "repeat_credit"
	reasonYoungerStands = "younger_stands"
	reasonMerged        = "merged"    // two profiles turned out to be one person's
	reasonAtOnce        = "at_once"   // attended at the same time as another (rules §3)
	reasonUndone        = "undone"    // the import that brought it was
	reasonRegistrar     = "registrar" // decided, with a note

	// What a registrar's denial takes: the hours alone, or also that the course was completed.
	reasonHours        = "hours_denied"
	reasonNotCompleted = "not_completed"
)

// hoursAlone are the reasons that put a credit's hours in question, not that the course
// was completed.
var hoursAlone = []string{reasonRepeat, reasonYoungerStands, reasonMerged, reasonHours}

// decision is what becomes of a claimed credit, under which policy and why.
type decision struct {
	Status lms.CreditStatus
	Hours  lms.Hours
	Reason string
	From   lms.Date // first creditable day, where Reason is reasonRepeat
	Policy lms.PolicyID
	During lms.DateRange
	By     lms.PersonID // 0: by the rules
	Note   string
}

// decide tells what becomes of a completion, given the person's standing blocks. The
// day is the Central day of the completion. A collision with a younger credit is for
// a registrar: what is recorded stands.
func decide(c lms.Completion, standing []lms.Block, policies lms.Policies) (decision, error) {
	policy, during, err := blockOn(policies, lms.DateOf(c.At))
	if err != nil {
		return decision{}, err
	}
	d := decision{Status: lms.Credited, Hours: c.Hours, Policy: policy.ID, During: during}
	from, blocked := earnsAgain(standing, during)[c.Course]
	if !blocked {
		return d, nil
	}
	d.Status, d.Hours, d.Reason, d.From = lms.Denied, 0, reasonRepeat, from
	for _, b := range standing {
		if b.Course == c.Course && b.During.From.After(during.From) && b.During.Overlaps(during) {
			d.Status, d.Reason, d.From = lms.Held, reasonYoungerStands, lms.Date{}
		}
	}
	return d, nil
}

// earnsAgain is the first creditable day of each course whose standing blocks share
// a day with a block that would be raised.
func earnsAgain(standing []lms.Block, during lms.DateRange) map[lms.CourseID]lms.Date {
	byCourse := map[lms.CourseID][]lms.Block{}
	for _, b := range standing {
		byCourse[b.Course] = append(byCourse[b.Course], b)
	}
	again := map[lms.CourseID]lms.Date{}
	for course, blocks := range byCourse {
		if refused, ok := lms.AsError(lms.CanEarn(blocks, during)); ok {
			again[course], _ = refused.Args["From"].(lms.Date)
		}
	}
	return again
}

// collisions are the blocks, oldest credit first, that stand in the way of an older
// credit of the same course.
func collisions(blocks []ownedBlock) (later []ownedBlock) {
	standing := map[lms.CourseID][]lms.Block{}
	for _, b := range blocks {
		if lms.CanEarn(standing[b.Course], b.During) != nil {
			later = append(later, b)
			continue
		}
		standing[b.Course] = append(standing[b.Course], b.Block)
	}
	return later
}

func blockOn(policies lms.Policies, day lms.Date) (lms.Policy, lms.DateRange, error) {
	policy, err := policies.On(lms.RepeatCredit, day)
	if err != nil {
		return policy, lms.DateRange{}, err
	}
	during, err := lms.BlockOf(policy.Value, day)
	return policy, during, err
}

// atOnce are the sessions that somebody would have attended while at another, without a
// registrar having let both stand.
func atOnce(sessions []ownedSession) (list []ownedSession) {
	for i, a := range sessions {
		if slices.ContainsFunc(sessions, func(b ownedSession) bool { return b.Together != a.Together && a.overlaps(b.Session) }) {
			list = append(list, sessions[i])
		}
	}
	return list
}
