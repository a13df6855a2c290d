package registry

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestAYearOwesWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	day := func(s string) lms.Date {
		d, err := lms.ParseDate(s)
		require.NoError(t, err)
		return d
	}
	never := lms.Date{Year: 9999, Month: 12, Day: 31}
	from := func(s string) lms.DateRange { return lms.DateRange{From: day(s), Until: never} }
	between := func(s, until string) lms.DateRange { return lms.DateRange{From: day(s), Until: day(until)} }
	policies := lms.Policies{
		{ID: 1, Kind: lms.AnnualHours, Value: "12", From: day("1990-01-01")},
		{ID: 2, Kind: lms.Proration, Value: lms.ByMonth, From: day("1990-01-01")},
		{ID: 3, Kind: lms.AnnualHours, Value: "16", From: day("2027-01-01")},
		{ID: 4, Kind: lms.Proration, Value: lms.NotProrated, From: day("2027-01-01")},
		{ID: 5, Kind: lms.AnnualHours, Value: "20", From: day("2025-07-01")},
	}
	for name, c := range map[string]struct {
		year     int
		employed []lms.DateRange
		want     float64
		missing  bool
	}{
		"employed on January 1":                          {2025, []lms.DateRange{from("2019-08-01")}, 12, false},
		"hired on January 1":                             {2025, []lms.DateRange{from("2025-01-01")}, 12, false},
		"hired on January 2":                             {2025, []lms.DateRange{from("2025-01-02")}, 12, false},
		"hired 2025-09-15":                               {2025, []lms.DateRange{from("2025-09-15")}, 4, false},
		"hired on December 31":                           {2025, []lms.DateRange{from("2025-12-31")}, 1, false},
		"not employed in the year":                       {2025, []lms.DateRange{from("2026-02-01")}, 0, false},
		"left in March":                                  {2025, []lms.DateRange{between("2020-01-01", "2025-03-10")}, 12, false},
		"left the year before":                           {2025, []lms.DateRange{between("2020-01-01", "2025-01-01")}, 0, false},
		"two short stretches":                            {2025, []lms.DateRange{between("2025-02-10", "2025-03-03"), from("2025-11-30")}, 4, false},
		"two employers at once owe once":                 {2025, []lms.DateRange{from("2025-09-15"), from("2025-10-01")}, 4, false},
		"left one employer, hired by another":            {2025, []lms.DateRange{between("2020-01-01", "2025-02-01"), from("2025-09-15")}, 12, false},
		"a policy that began in the year does not count": {2026, []lms.DateRange{from("2019-08-01")}, 20, false},
		"the policy of January 1 counts":                 {2027, []lms.DateRange{from("2027-09-15")}, 16, false},
		"no hire date, year of the account":              {2024, nil, 12, true},
		"no hire date, before the account":               {2023, nil, 0, true},
	} {
		r, err := requirementOf(c.year, c.employed, day("2024-06-01"), policies)
		require.NoError(t, err, name)
		require.Equal(t, Requirement{Year: c.year, Hours: lms.Hours(c.want * 4), Missing: c.missing}, r, name)
	}
}
