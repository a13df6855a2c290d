package enrollments

import (
	"mopd/lms"
	"mopd/lms/web"
)

// homePage is the home page; for nobody signed in only Page is set.
type homePage struct {
	web.Page
	Active    *course
	Minutes   int      // in the seat of the active course, as its player shows them; 0 before it is opened
	Next      []course // ready
	Bar       web.YearBar
	SafeSleep lms.SafeSleep
	Known     bool                // that the viewer is or was registered for a course
	Work      *lms.RecordsWaiting // nil: not the viewer's work
}

// Learns tells whether the page is about the viewer's own year: not of a registrar who is
// employed nowhere and registered for nothing.
func (p homePage) Learns() bool { return p.Work == nil || p.Known || !p.Bar.HireMissing }

// RenewsIn is the days for which safe sleep training is still valid.
func (p homePage) RenewsIn() int { return lms.DateOf(p.Now).DaysUntil(p.SafeSleep.Through) }

type myCoursesPage struct {
	web.Page
	Active    *course
	Ready     []course
	Completed []course
	Expired   []course
	Paying    bool // fees can be paid
}

type course struct {
	lms.Enrollment
	DaysLeft    int
	CompletedOn lms.Date
	EarnsAgain  lms.Date // first creditable day, where it would earn nothing today
}

// endsSoon is how many days before its last day a course is warned about: as many as before
// the first reminder (rules §4).
const endsSoon = 30

// Ending tells whether the last day is near.
func (c course) Ending() bool { return c.DaysLeft <= endsSoon }

func courseOf(e lms.Enrollment, again map[lms.CourseID]lms.Date, today lms.Date) course {
	c := course{Enrollment: e, DaysLeft: today.DaysUntil(e.LastDay), EarnsAgain: again[e.Course]}
	if e.CompletedAt != nil {
		c.CompletedOn = lms.DateOf(*e.CompletedAt)
	}
	return c
}

func (p *homePage) add(c course, today lms.Date) {
	switch {
	case c.Over(today):
	case c.State == lms.Active:
		p.Active = &c
	case c.State == lms.Ready:
		p.Next = append(p.Next, c)
	}
}

func (p *myCoursesPage) add(c course, today lms.Date) {
	switch {
	case c.State == lms.Revoked:
	case c.State == lms.Completed:
		p.Completed = append(p.Completed, c)
	case c.Over(today):
		p.Expired = append(p.Expired, c)
	case c.State == lms.Active:
		p.Active = &c
	default:
		p.Ready = append(p.Ready, c)
	}
}

type conflictPage struct {
	web.Page
	Wanted lms.Enrollment
	Active lms.Enrollment
}

type noCreditPage struct {
	web.Page
	Code    string
	Message string
}
