package courses

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

func shelf() []listing {
	open := func(id int, code, title, summary string, hours lms.Hours, fee lms.Money, topics ...string) listing {
		return listing{Course: lms.Course{ID: lms.CourseID(id), Code: code, Title: title, Summary: summary, Hours: hours, Fee: fee, Topics: topics, Approval: 1, Version: 1}}
	}
	soon := open(4, "LIC-100", "Licensing Rules", "", 8, 0, "Program management")
	soon.Version = 0
	done := open(5, "DIS-101", "Disaster Plans", "A written plan", 4, 0, "Safety")
	done.EarnsAgainOn = on("2027-03-03")
	return []listing{
		open(1, "SSL-100", "ABC’s of Safe Sleep", "Reduce the risk of SIDS", 4, 0, "Health", "Safety"),
		open(2, "ESP-100", "Sueño seguro para niños", "Cómo acostar a un bebé", 5, 0, "Health"),
		open(3, "POI-101", "Poison Prevention", "Hazards and what to do", 6, 500, "Safety"),
		soon, done,
	}
}

func TestTheCatalogFindsWhatSomebodyTypes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                {"SSL-100", "DIS-101", "LIC-100", "POI-101", "ESP-100"},
		"sleep":           {"SSL-100"},
		"SLEEP safe":      {"SSL-100"},
		"sueno":           {"ESP-100"},
		"SUEÑO NINOS":     {"ESP-100"},
		"abc's":           {"SSL-100"},
		"poi-101":         {"POI-101"},
		"hazards":         {"POI-101"},
		"safety":          {"SSL-100", "DIS-101", "POI-101"},
		"100% _ ' OR 1=1": nil,
	} {
		require.Equal(t, want, codesOf(query{Text: text}.find(shelf())), text)
	}
}

func TestWordsThatSayNothingAboutACourseDoNotHideIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"a course about safe sleep?":    {"SSL-100"},
		"curso de sueño para los niños": {"ESP-100"},
		"free safety courses":           {"SSL-100", "DIS-101"},
		"gratis":                        {"SSL-100", "DIS-101", "LIC-100", "ESP-100"},
		"the":                           {"SSL-100"},
	} {
		f := query{Text: text}.find(shelf())
		require.Equal(t, want, codesOf(f), text)
		require.False(t, f.Partial, text)
	}
}

func TestWhereNoCourseHasEveryWordThoseWithTheMostComeFirst(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"sleep poison":                {"SSL-100", "POI-101"},
		"poison hazards and disaster": {"POI-101", "DIS-101"},
		"free poison sleep":           {"SSL-100"},
	} {
		f := query{Text: text}.find(shelf())
		require.Equal(t, want, codesOf(f), text)
		require.True(t, f.Partial, text)
	}
	require.False(t, query{Text: "nothing"}.find(shelf()).Partial)
}

func codesOf(f found) (codes []string) {
	for _, row := range f.Rows {
		codes = append(codes, row.Code)
	}
	return codes
}

func TestTheCatalogNarrowsAndSorts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q    query
		want []string
	}{
		"topic":          {query{Topics: []string{"Health"}}, []string{"SSL-100", "ESP-100"}},
		"topics":         {query{Topics: []string{"Health", "Program management"}}, []string{"SSL-100", "LIC-100", "ESP-100"}},
		"free":           {query{Free: true}, []string{"SSL-100", "DIS-101", "LIC-100", "ESP-100"}},
		"earns now":      {query{Earn: true}, []string{"SSL-100", "POI-101", "ESP-100"}},
		"up to an hour":  {query{Hours: "1"}, []string{"SSL-100", "DIS-101"}},
		"middle":         {query{Hours: "1.5"}, []string{"POI-101", "ESP-100"}},
		"long":           {query{Hours: "2"}, []string{"LIC-100"}},
		"unknown length": {query{Hours: "7"}, []string{"SSL-100", "DIS-101", "LIC-100", "POI-101", "ESP-100"}},
		"by hours":       {query{Sort: "hours"}, []string{"SSL-100", "DIS-101", "ESP-100", "POI-101", "LIC-100"}},
		"by fee":         {query{Sort: "fee"}, []string{"SSL-100", "DIS-101", "LIC-100", "ESP-100", "POI-101"}},
	} {
		require.Equal(t, c.want, codesOf(c.q.find(shelf())), name)
	}
	require.Equal(t, []string{"Health", "Program management", "Safety"}, topicsOf(shelf()))
}

func TestEveryCourseStandsOnExactlyOnePage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := make([]listing, rapid.IntRange(0, 160).Draw(t, "courses"))
		for i := range all {
			all[i].ID, all[i].Title = lms.CourseID(i+1), strconv.Itoa(rapid.IntRange(0, 5).Draw(t, "title"))
		}
		seen := map[lms.CourseID]int{}
		first := query{Page: rapid.IntRange(-1, 1).Draw(t, "page")}.find(all)
		for page := 1; page <= first.Pages; page++ {
			for _, row := range (query{Page: page}).find(all).Rows {
				seen[row.ID]++
			}
		}
		require.Len(t, seen, len(all))
		for _, n := range seen {
			require.Equal(t, 1, n)
		}
		require.Equal(t, len(all), first.Total)
		require.Equal(t, first.Pages, query{Page: 1_000}.find(all).Page)
	})
}
