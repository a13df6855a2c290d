package enrollments

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func (s standIn) Move(_ context.Context, _ pgx.Tx, ids []lms.EnrollmentID, _, _ lms.PersonID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = append(s.moved, ids...)
	return nil
}

func TestAMergeMovesOpenCoursesAndEndsThoseThatBothHaveOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	goes, stays := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	both, alone, done := lmstest.Course(t, w.db), lmstest.Course(t, w.db), lmstest.Course(t, w.db)
	twice := lmstest.Enrollment(t, w.db, goes, both)
	kept := lmstest.Enrollment(t, w.db, stays, both, func(e *lms.Enrollment) { e.State = lms.Active })
	moved := lmstest.Enrollment(t, w.db, goes, alone, func(e *lms.Enrollment) { e.State = lms.Active })
	completed := lmstest.Enrollment(t, w.db, goes, done, func(e *lms.Enrollment) { e.State = lms.Completed })

	require.NoError(t, pgx.BeginFunc(t.Context(), w.db, func(tx pgx.Tx) error {
		if err := w.Merge(t.Context(), tx, goes.ID, stays.ID, lmstest.Now); err != nil {
			return err
		}
		lmstest.Merge(t, tx, goes.ID, stays.ID)
		return nil
	}))
	states := map[lms.EnrollmentID]lms.EnrollmentState{}
	require.NoError(t, pgx.BeginFunc(t.Context(), w.db, func(tx pgx.Tx) error {
		mine, err := selectEnrollments(t.Context(), tx, stays.ID)
		for _, e := range mine {
			require.Equal(t, stays.ID, e.Person, "every one is theirs now")
			states[e.ID] = e.State
		}
		return err
	}))
	require.Equal(t, map[lms.EnrollmentID]lms.EnrollmentState{
		twice.ID: lms.Expired, kept.ID: lms.Active, moved.ID: lms.Ready, completed.ID: lms.Completed,
	}, states)
	require.Equal(t, []lms.EnrollmentID{moved.ID}, w.moved)

	standings, err := w.Standings(t.Context(), stays.ID, lmstest.Today)
	require.NoError(t, err)
	require.Equal(t, lmstest.Today, standings[done.ID].CompletedOn)
	require.Equal(t, moved.ID, standings[alone.ID].Enrollment)
	require.NoError(t, w.Start(t.Context(), stays.ID, moved.ID, kept.ID, "", lmstest.Now))
	require.ErrorIs(t, w.Start(t.Context(), goes.ID, moved.ID, 0, "", lmstest.Now), lms.ErrUnauthenticated, "who was merged away is signed out")
}
