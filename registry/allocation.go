package registry

import (
	"cmp"
	"slices"
	"time"

	"mopd/lms"
)

// Requirement is what somebody owes in a year (rules §1).
type Requirement struct {
	Year    int
	Hours   lms.Hours
	Missing bool // the hire date is: the year owes since the account was made
}

// StandingCredit is the latest version of a credit that counts.
type StandingCredit struct {
	ID       lms.CreditID
	EarnedOn lms.Date  // in America/Chicago
	EarnedAt time.Time // of a record with a date only, the end of that day
	Hours    lms.Hours
}

// Part is how much of a credit counts for a year.
type Part struct {
	Credit lms.CreditID
	Year   int
	Hours  lms.Hours
}

// AllocatedYear is how a year stands once every credit is allocated.
type AllocatedYear struct {
	Requirement
	Earned  lms.Hours // by credits of the year itself
	Applied lms.Hours // of these, to earlier years
	MadeUp  lms.Hours // by credits of later years
}

// Counted is what counts for the year.
func (y AllocatedYear) Counted() lms.Hours { return y.Earned - y.Applied + y.MadeUp }

// Short is what the year lacks.
func (y AllocatedYear) Short() lms.Hours { return max(y.Hours-y.Counted(), 0) }

// Allocation is where every quarter-hour of somebody's credits counts.
type Allocation struct {
	Years []AllocatedYear // every year that owes or has a credit, the oldest first
	Parts []Part          // as the credits come: of each, the earlier years first
}

// Year is how a year stands; one that neither owes nor has a credit is empty.
func (a Allocation) Year(year int) AllocatedYear {
	i, found := slices.BinarySearchFunc(a.Years, year, func(y AllocatedYear, year int) int { return y.Year - year })
	if !found {
		return AllocatedYear{Requirement: Requirement{Year: year}}
	}
	return a.Years[i]
}

// first is the first year that owes or has a credit; 9999 if there is none.
func (a Allocation) first() int {
	if len(a.Years) == 0 {
		return 9999
	}
	return a.Years[0].Year
}

// Of are the parts of a credit.
func (a Allocation) Of(id lms.CreditID) (parts []Part) {
	for _, p := range a.Parts {
		if p.Credit == id {
			parts = append(parts, p)
		}
	}
	return parts
}

// Allocate says where every quarter-hour counts (rules §2). Credits come in order of
// their completion; each makes up what earlier years lack, the oldest first, and the
// rest counts for its own year. Requirements and credits may come in any order.
func Allocate(requirements []Requirement, credits []StandingCredit) (a Allocation) {
	years := map[int]*AllocatedYear{}
	for _, r := range requirements {
		years[r.Year] = &AllocatedYear{Requirement: r}
	}
	for _, c := range credits {
		if years[c.EarnedOn.Year] == nil {
			years[c.EarnedOn.Year] = &AllocatedYear{Requirement: Requirement{Year: c.EarnedOn.Year}}
		}
	}
	order := make([]*AllocatedYear, 0, len(years))
	for _, y := range years {
		order = append(order, y)
	}
	slices.SortFunc(order, func(a, b *AllocatedYear) int { return a.Year - b.Year })
	for _, c := range inOrder(credits) {
		left, own := c.Hours, years[c.EarnedOn.Year]
		own.Earned += c.Hours
		for _, y := range order {
			if y == own || left == 0 {
				break
			}
			given := min(y.Short(), left)
			if given == 0 {
				continue
			}
			y.MadeUp, own.Applied, left = y.MadeUp+given, own.Applied+given, left-given
			a.Parts = append(a.Parts, Part{c.ID, y.Year, given})
		}
		if left > 0 {
			a.Parts = append(a.Parts, Part{c.ID, own.Year, left})
		}
	}
	for _, y := range order {
		a.Years = append(a.Years, *y)
	}
	return a
}

// inOrder is credits as they are allocated: by the instant of completion, then by id.
func inOrder(credits []StandingCredit) []StandingCredit {
	sorted := slices.Clone(credits)
	slices.SortFunc(sorted, func(a, b StandingCredit) int { return cmp.Or(a.EarnedAt.Compare(b.EarnedAt), cmp.Compare(a.ID, b.ID)) })
	return sorted
}
