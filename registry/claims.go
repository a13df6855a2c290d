package registry

import (
	"slices"
	"strings"
	"time"

	"mopd/lms"
)

// claim is a credit that is to be recorded.
type claim struct {
	Source    string
	Reference string
	Person    lms.PersonID
	Course    lms.CourseID // 0 if it is of none here
	SafeSleep bool         // beside what the course says
	Record    string       // by what an earlier registry knows it; "" if it does not say
	Title     string
	Sponsor   string
	Hours     lms.Hours
	EarnedAt  time.Time
	Session   *Session // nil if it is not known
}

// Session is when somebody attended, from an instant until before another.
type Session struct{ Starts, Ends time.Time }

// overlaps tells whether somebody would have been at both (rules §3).
func (s Session) overlaps(o Session) bool { return s.Starts.Before(o.Ends) && o.Starts.Before(s.Ends) }

func completed(c lms.Completion) claim {
	return claim{Source: sourceEnrollment, Reference: reference(c.Enrollment), Person: c.Person, Course: c.Course, Title: c.Title, Sponsor: c.Sponsor, Hours: c.Hours, EarnedAt: c.At}
}

// times are both, or nil where the session is not known.
func (s *Session) times() (starts, ends *time.Time) {
	if s == nil {
		return nil, nil
	}
	return &s.Starts, &s.Ends
}

// there is a record from elsewhere that is there already, or one that comes.
type there struct {
	ID        lms.CreditID
	Title     string
	Hours     lms.Hours
	EarnedOn  lms.Date
	Course    lms.CourseID
	SafeSleep bool
	Record    string
	Starts    *time.Time
	Ends      *time.Time
	Reason    string // of the latest decision
	Denied    bool   // by somebody, in that decision or in the one before it was undone
}

// said is what a claim says, to be compared.
func (c claim) said() there {
	starts, ends := c.Session.times()
	return there{Title: c.Title, Hours: c.Hours, EarnedOn: lms.DateOf(c.EarnedAt), Course: c.Course, SafeSleep: c.SafeSleep, Record: c.Record, Starts: starts, Ends: ends}
}

// is tells whether two records may be the same one: they have the same reference or, where
// one has none, are of the same day and title and not of two sessions.
func (t there) is(o there) bool {
	if t.Record != "" && o.Record != "" {
		return t.Record == o.Record
	}
	return t.EarnedOn == o.EarnedOn && strings.EqualFold(t.Title, o.Title) && (t.Starts == nil || o.Starts == nil || t.sameSession(o))
}

// says tells whether two records say the same, as far as both say it.
func (t there) says(o there) bool {
	return strings.EqualFold(t.Title, o.Title) && t.Hours == o.Hours && t.EarnedOn == o.EarnedOn && t.Course == o.Course && t.SafeSleep == o.SafeSleep &&
		(t.Starts == nil || o.Starts == nil || t.sameSession(o))
}

func (t there) sameSession(o there) bool {
	if t.Starts == nil || o.Starts == nil {
		return t.Starts == o.Starts
	}
	return t.Starts.Equal(*o.Starts) && t.Ends.Equal(*o.Ends)
}

// knownAs is the record that a coming one is, among those that are there; the zero one if
// it is new. What was undone is only the same again if it says exactly the same, unless a
// registrar had denied it: that denial is to be found again.
func knownAs(comes there, list []there) (known there) {
	for _, t := range list {
		switch {
		case t.Reason == reasonUndone && !t.Denied && known.ID == 0 && t.Record == comes.Record && t.says(comes) && t.sameSession(comes):
			known = t
		case t.Reason == reasonUndone && !t.Denied || !t.is(comes):
		case known.ID == 0 || known.Reason == reasonUndone || t.says(comes) && !known.says(comes):
			known = t
		}
	}
	return known
}

// numbered is a record that somebody has, by what its sponsor knows it.
type numbered struct {
	Credit  lms.CreditID // 0: a row of the same file would bring it
	Sponsor string
	Record  string
}

// hasElse finds the record among those of other people: a sponsor knows one training of
// one person by one reference.
func (c claim) hasElse(others []numbered) (numbered, bool) {
	i := slices.IndexFunc(others, func(o numbered) bool {
		return c.Record != "" && o.Record == c.Record && strings.EqualFold(o.Sponsor, c.Sponsor)
	})
	if i < 0 {
		return numbered{}, false
	}
	return others[i], true
}

// doubles are the records of one profile that are those of another, and not undone. What a
// registrar denied stays denied.
func doubles(from, into []there) (list []there) {
	for _, f := range from {
		if f.Reason != reasonUndone && !f.Denied && slices.ContainsFunc(into, func(t there) bool { return t.Reason != reasonUndone && t.is(f) }) {
			list = append(list, f)
		}
	}
	return list
}
