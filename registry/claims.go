package registry

import (
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
