package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestAPlanProposesNoDayOnWhichACourseIsNotApprovedAnyMore(t *testing.T) {
	t.Parallel()
	b := newReportBox(t)
	b.clock.set(lms.Date{Year: 2026, Month: 10, Day: 1}.Start())
	maya, course := b.person("Maya"), lmstest.Course(t, b.DB)
	until := lms.DateOf(b.clock.Now()).AddDays(10)
	_, err := b.DB.Exec(t.Context(), `INSERT INTO courses.approvals (course, number, quarters, valid_from, valid_until, approver, recorded_at)
		SELECT course, number, quarters, valid_from, $2, approver, $3 FROM courses.approvals WHERE course = $1`, course.ID, until, b.clock.Now())
	require.NoError(t, err)
	plan, err := b.Enrollments.Plan(t.Context(), maya.ID, nil, b.clock.Now())
	require.NoError(t, err)
	require.Len(t, plan.Steps, 1)
	require.False(t, plan.Steps[0].On.After(until), "nobody can register for it on %v: it is approved until %v", plan.Steps[0].On, until)
}
