package payments

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func TestTheNightsJobRunsOnceANightAlsoWhenClocksChange(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, lms.Central)
	for night := range 400 {
		next := nightly{}.Next(at)
		require.True(t, next.After(at))
		require.Equal(t, lms.Date{Year: 2026, Month: 1, Day: 2}.AddDays(night), lms.DateOf(next))
		at = next
	}
}
