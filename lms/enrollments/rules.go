package enrollments

import "mopd/lms"

// standings fills out with what each course is to a person today, from their
// enrollments and the blocks of their standing credits.
func standings(out map[lms.CourseID]lms.Standing, mine []lms.Enrollment, blocks []lms.Block, today lms.Date) {
	for _, e := range mine {
		st := out[e.Course]
		switch {
		case e.State.Open() && !today.After(e.LastDay):
			st.Enrollment, st.State, st.LastDay = e.ID, e.State, e.LastDay
		case e.State == lms.Completed:
			if on := lms.DateOf(*e.CompletedAt); on.After(st.CompletedOn) {
				st.CompletedOn = on
			}
		}
		out[e.Course] = st
	}
	for _, b := range blocks {
		if b.During.Contains(today) {
			st := out[b.Course]
			st.EarnsAgainOn = b.During.Until
			out[b.Course] = st
		}
	}
}
