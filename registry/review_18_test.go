package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestANoteOfAnyLengthIsRefusedOrKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	follows := lms.PolicyID(w.count(`SELECT max(id)::int FROM registry.policies WHERE kind = 'annual_hours'`))
	_, err := w.DraftPolicy(t.Context(), lms.Viewer{Person: rita}, PolicyChange{
		Kind: lms.AnnualHours, Value: "13", From: lms.Date{Year: 2027, Month: 1, Day: 1}, Note: strings.Repeat("x", 1001), Follows: follows,
	}, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrForm)
}
