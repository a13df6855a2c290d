package lmstest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestBuildersRecordWhatTheyReturn(t *testing.T) {
	t.Parallel()
	db := DB(t)
	author := Person(t, db, func(p *lms.Person) { p.Roles, p.Lang = []lms.Role{lms.Author}, "es" })
	course := Course(t, db, func(c *lms.Course) { c.Fee, c.Topics = 500, []string{"health"} })
	e := Enrollment(t, db, author, course)

	var role, lang, code, state string
	var fee lms.Money
	var last lms.Date
	require.NoError(t, db.QueryRow(t.Context(), `SELECT r.role, p.lang, c.code, c.fee_cents, e.state, e.last_day
		FROM enrollments.enrollments e JOIN accounts.people p ON p.id = e.person JOIN accounts.roles r ON r.person = p.id
		JOIN courses.versions v ON v.id = e.version JOIN courses.courses c ON c.id = v.course
		JOIN courses.approvals a ON a.course = c.id AND a.id = $2
		WHERE e.id = $1`, e.ID, course.Approval).Scan(&role, &lang, &code, &fee, &state, &last))
	require.Equal(t, []string{"author", "es", course.Code, "ready"}, []string{role, lang, code, state})
	require.Equal(t, course.Fee, fee)
	require.Equal(t, Today.AddMonths(12), last)
	require.Equal(t, e.LastDay, last)
}

func TestBuiltThingsDoNotCollide(t *testing.T) {
	t.Parallel()
	db := DB(t)
	a, b := Person(t, db), Person(t, db)
	require.NotEqual(t, a.MOPDID, b.MOPDID)
	require.NotEqual(t, a.Email, b.Email)
	one, two := Course(t, db), Course(t, db)
	require.NotEqual(t, one.Code, two.Code)
	Enrollment(t, db, a, one, func(e *lms.Enrollment) { e.State = lms.Active })
	Enrollment(t, db, b, one, func(e *lms.Enrollment) { e.State = lms.Active })
}

func TestABuiltEnrollmentFollowsThePolicyOfItsDay(t *testing.T) {
	t.Parallel()
	db := DB(t)
	Policy(t, db, lms.WindowPolicy, lms.CalendarYearEnd, Today)
	p, c := Person(t, db), Course(t, db)
	done := Enrollment(t, db, p, c, func(e *lms.Enrollment) { e.State = lms.Completed })
	require.Equal(t, lms.Date{Year: 2026, Month: 12, Day: 31}, done.LastDay)
	require.Equal(t, Now, *done.CompletedAt)
	before := Enrollment(t, db, p, c, func(e *lms.Enrollment) { e.RegisteredOn = Today.AddDays(-1) })
	require.Equal(t, before.RegisteredOn.AddMonths(12), before.LastDay)
}

func TestACourseWithoutHoursHasNoApproval(t *testing.T) {
	t.Parallel()
	c := Course(t, DB(t), func(c *lms.Course) { c.Hours = 0 })
	require.False(t, c.OpenForRegistration())
	require.True(t, Course(t, DB(t)).OpenForRegistration())
}

func TestARaceTellsWhoWon(t *testing.T) {
	first := make(chan int, 1)
	winner := OneWins(t, DB(t), lms.ErrFenced, func(i int) error {
		select {
		case first <- i:
			return nil
		default:
			return lms.ErrFenced.With("Racer", i).Because(errors.New("late"))
		}
	})
	require.Equal(t, <-first, winner)
}

func TestTestsPlayOnAMondayMorning(t *testing.T) {
	t.Parallel()
	require.Equal(t, time.Monday, Now.Weekday())
	require.Equal(t, "2026-03-16", Today.String())
}
