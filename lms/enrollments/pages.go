package enrollments

import (
	"mopd/lms"
	"mopd/lms/web"
)

// homePage is the home page; for nobody signed in only Page is set.
type homePage struct {
	web.Page
	Active   *lms.Enrollment
	Next     []lms.Enrollment // ready, soonest last day first
	Year     int
	Earned   lms.Hours
	Required lms.Hours
	ToGo     lms.Hours
	LastDay  lms.Date // of the year
}

type myCoursesPage struct {
	web.Page
	Active    *course
	Ready     []course
	Completed []course
	Expired   []course
}

type course struct {
	lms.Enrollment
	DaysLeft    int
	CompletedOn lms.Date
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
