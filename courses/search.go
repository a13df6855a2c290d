package courses

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"

	"mopd/lms"
)

// listing is a course in the catalog and what it is to the viewer.
type listing struct {
	lms.Course
	lms.Standing
}

// CanEarn tells whether completing the course today would earn its hours, as far as
// this person's own credits say.
func (l listing) CanEarn() bool { return l.OpenForRegistration() && l.EarnsAgainOn.IsZero() }

// query is what somebody looks for.
type query struct {
	Text   string
	Topics []string
	Free   bool
	Earn   bool
	Sleep  bool   // safe sleep alone
	Hours  string // one of hourBands' names, or ""
	Sort   string // one of sorts
	Page   int    // from 1
}

const pageSize = 50

// hourBands sort courses by length; each goes up to the next.
var hourBands = []struct {
	Name       string
	Least, End lms.Hours // [Least, End)
}{{"1", 0, 5}, {"1.5", 5, 7}, {"2", 7, maxHours + 1}}

var sorts = []string{"title", "hours", "fee"}

// narrows tells whether a course meets the conditions beside the words.
func (q query) narrows(l listing) bool {
	if q.Free && l.Fee != 0 || q.Earn && !l.CanEarn() || q.Sleep && !l.SafeSleep {
		return false
	}
	if len(q.Topics) > 0 && !slices.ContainsFunc(q.Topics, func(t string) bool { return slices.Contains(l.Topics, t) }) {
		return false
	}
	for _, band := range hourBands {
		if band.Name == q.Hours && (l.Hours < max(band.Least, 1) || l.Hours >= band.End) {
			return false
		}
	}
	return true
}

// text is where words are looked for, folded.
func (l listing) text() string {
	return fold(strings.Join(append([]string{l.Title, l.Summary, l.Code, l.Series}, l.Topics...), " "))
}

// fold makes "Sueño" and "sueno" the same.
func fold(s string) string {
	folded, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn))), s)
	if err != nil {
		folded = s
	}
	return strings.ToLower(strings.ReplaceAll(folded, "’", "'"))
}

// order sorts in place; courses that are the same in it stay in order of title.
func (q query) order(found []listing) {
	slices.SortStableFunc(found, func(a, b listing) int {
		title := cmp.Or(cmp.Compare(fold(a.Title), fold(b.Title)), cmp.Compare(a.ID, b.ID))
		switch q.Sort {
		case "hours":
			return cmp.Or(cmp.Compare(a.Hours, b.Hours), title)
		case "fee":
			return cmp.Or(cmp.Compare(a.Fee, b.Fee), title)
		default:
			return title
		}
	})
}

// found is one page of what a query finds.
type found struct {
	Rows        []listing
	Total       int
	Page, Pages int
	Partial     bool // no course has every word; these have some
}

// find answers a query: the courses that have every word, or else those that have
// some, with the most first. The catalog is small: some hundreds of courses at most,
// so it is looked through whole.
func (q query) find(all []listing) found {
	words, free := wordsOf(q.Text)
	q.Free = q.Free || free
	rows := slices.DeleteFunc(slices.Clone(all), func(l listing) bool { return !q.narrows(l) })
	q.order(rows)
	hits := map[lms.CourseID]int{}
	for _, l := range rows {
		text := l.text()
		for _, word := range words {
			if strings.Contains(text, word) {
				hits[l.ID]++
			}
		}
	}
	every := func(l listing) bool { return hits[l.ID] == len(words) }
	var f found
	if slices.ContainsFunc(rows, every) {
		rows = slices.DeleteFunc(rows, func(l listing) bool { return !every(l) })
	} else {
		rows = slices.DeleteFunc(rows, func(l listing) bool { return hits[l.ID] == 0 })
		slices.SortStableFunc(rows, func(a, b listing) int { return cmp.Compare(hits[b.ID], hits[a.ID]) })
		f.Partial = len(rows) > 0
	}
	f.Total, f.Pages = len(rows), max(1, (len(rows)+pageSize-1)/pageSize)
	f.Page = min(max(q.Page, 1), f.Pages)
	f.Rows = rows[(f.Page-1)*pageSize : min(f.Page*pageSize, len(rows))]
	return f
}

// topicsOf are all topics of the catalog, in order.
func topicsOf(all []listing) (topics []string) {
	for _, l := range all {
		topics = append(topics, l.Topics...)
	}
	slices.SortFunc(topics, func(a, b string) int { return cmp.Or(cmp.Compare(fold(a), fold(b)), cmp.Compare(a, b)) })
	return slices.Compact(topics)
}
