package registry

import (
	"slices"

	"mopd/lms"
)

// requirementOf is what a year owes, given the days on which somebody was employed,
// wherever. Who is employed on January 1 owes the whole year; who is hired later owes
// by the proration; who is not employed owes nothing. Where no hire date is known,
// years owe from that of the account on, and say so.
func requirementOf(year int, employed []lms.DateRange, accountMade lms.Date, policies lms.Policies) (Requirement, error) {
	hours, err := policies.Required(year)
	if err != nil {
		return Requirement{}, err
	}
	r := Requirement{Year: year, Hours: hours}
	if len(employed) == 0 {
		r.Missing = true
		if year < accountMade.Year {
			r.Hours = 0
		}
		return r, nil
	}
	january := lms.Date{Year: year, Month: 1, Day: 1}
	if touches(employed, lms.DateRange{From: january, Until: january.AddDays(1)}) {
		return r, nil
	}
	months := 0
	for i := range 12 {
		if touches(employed, lms.DateRange{From: january.AddMonths(i), Until: january.AddMonths(i + 1)}) {
			months++
		}
	}
	policy, err := policies.On(lms.Proration, january)
	if months == 0 || policy.Value == lms.ByMonth {
		r.Hours = min(r.Hours, lms.Hours(4*months))
	}
	return r, err
}

func touches(employed []lms.DateRange, days lms.DateRange) bool {
	return slices.ContainsFunc(employed, days.Overlaps)
}
