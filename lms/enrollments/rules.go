package enrollments

import "mopd/lms"

// standings is what each course is to a person today, from their enrollments and the
// first creditable days of courses that would earn nothing today.
func standings(mine []lms.Enrollment, again map[lms.CourseID]lms.Date, today lms.Date) map[lms.CourseID]lms.Standing {
	out := map[lms.CourseID]lms.Standing{}
	for _, e := range mine {
		st := out[e.Course]
		switch {
		case e.State.Open() && !e.Over(today):
			st.Enrollment, st.State, st.LastDay = e.ID, e.State, e.LastDay
		case e.State == lms.Completed:
			if on := lms.DateOf(*e.CompletedAt); on.After(st.CompletedOn) {
				st.CompletedOn = on
			}
		}
		out[e.Course] = st
	}
	for course, from := range again {
		st := out[course]
		st.EarnsAgainOn = from
		out[course] = st
	}
	return out
}
