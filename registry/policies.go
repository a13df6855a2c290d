package registry

import (
	"regexp"
	"slices"
	"strings"

	"mopd/lms"
)

// ErrPolicyMoved is of a change of rule that was looked at before another one was made.
var ErrPolicyMoved = lms.NewError(lms.Conflict, "policy_moved")

// How far ahead a change may be made.
const policyMonthsAhead = 120

// PolicyChange is what a registrar records of a rule: a value from a day on. It follows
// the latest change of its kind that its maker has seen.
type PolicyChange struct {
	Kind    lms.PolicyKind
	Value   string
	From    lms.Date
	Note    string // why
	Follows lms.PolicyID
}

// policyChoices are the values that a rule may have; of a kind that is not here it is a
// number.
var policyChoices = map[lms.PolicyKind][]string{
	lms.Proration:    {lms.ByMonth, lms.NotProrated},
	lms.WindowPolicy: {lms.FromRegistration, lms.FromFirstLaunch, lms.CalendarYearEnd},
	lms.RepeatCredit: {lms.TwelveMonths, lms.CalendarYear},
}

// wrongValue is the code of what to say of a value that a kind cannot have.
var wrongValue = map[lms.PolicyKind]string{
	lms.AnnualHours: "policy_hours", lms.SafeSleepYears: "policy_years",
	lms.Proration: "policy_choice", lms.WindowPolicy: "policy_choice", lms.RepeatCredit: "policy_choice",
}

var (
	annualHours = regexp.MustCompile(`^[1-9][0-9]?$`)
	validYears  = regexp.MustCompile(`^[1-9]$`)
)

// longestNote is the most that a note may have, in characters.
const longestNote = 1000

// check tells why a change cannot be made, given every policy and today.
//
// Errors: lms.ErrForm with fields value, from and note, ErrPolicyMoved.
func (c PolicyChange) check(policies lms.Policies, today lms.Date) error {
	first, latest := ends(policies, c.Kind)
	wrong := lms.ErrForm
	if !c.valueKnown() {
		wrong = wrong.WithField("value", wrongValue[c.Kind])
	}
	if c.From.Before(first.From) || c.From.After(today.AddMonths(policyMonthsAhead)) {
		wrong = wrong.WithField("from", "policy_from")
	}
	if strings.TrimSpace(c.Note) == "" || len([]rune(c.Note)) > longestNote {
		wrong = wrong.WithField("note", "policy_note")
	}
	switch now, err := policies.On(c.Kind, c.From); {
	case wrong.Fields != nil:
		return wrong
	case c.Follows != latest.ID:
		return ErrPolicyMoved
	case err != nil:
		return err
	case now.Value == c.Value:
		return wrong.WithField("value", "policy_same")
	}
	return nil
}

func (c PolicyChange) valueKnown() bool {
	switch c.Kind {
	case lms.AnnualHours:
		return annualHours.MatchString(c.Value)
	case lms.SafeSleepYears:
		return validYears.MatchString(c.Value)
	default:
		return slices.Contains(policyChoices[c.Kind], c.Value)
	}
}

// ends are the policies of a kind that were recorded first and last.
func ends(policies lms.Policies, kind lms.PolicyKind) (first, latest lms.Policy) {
	for _, p := range policies {
		if p.Kind != kind {
			continue
		}
		if first.ID == 0 || p.ID < first.ID {
			first = p
		}
		if p.ID > latest.ID {
			latest = p
		}
	}
	return first, latest
}

// with is the policies as they would be after a change, and the key that it has there.
func (c PolicyChange) with(policies lms.Policies) (after lms.Policies, id lms.PolicyID) {
	for _, p := range policies {
		id = max(id, p.ID)
	}
	id++
	return append(slices.Clone(policies), lms.Policy{ID: id, Kind: c.Kind, Value: c.Value, From: c.From}), id
}

// years are those that go by a change of what a year asks for: until this year, or the
// first one where that is to come.
func (c PolicyChange) years(policies lms.Policies, this int) (list []int, err error) {
	after, id := c.with(policies)
	first := c.From.Year
	if c.From.After(lms.Date{Year: first, Month: 1, Day: 1}) {
		first++
	}
	for year := first; year <= max(this, first); year++ {
		p, err := after.On(c.Kind, lms.Date{Year: year, Month: 1, Day: 1})
		if err != nil {
			return nil, err
		}
		if p.ID == id {
			list = append(list, year)
		}
	}
	return list, nil
}
