package payments

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

func TestTheLongestBarIsWholeAndAllShareItsScale(t *testing.T) {
	t.Parallel()
	points := pointsOf([]Stretch{{Figures: Figures{Earned: 400, Refunded: 100, Cash: 0}}, {Figures: Figures{Earned: 100, Refunded: -50, Cash: 200}}})
	require.Equal(t, [3]bar{{"revenue", 400, 100}, {"refunds", 100, 25}, {"bank", 0, 0}}, points[0].Bars)
	require.Equal(t, [3]bar{{"revenue", 100, 25}, {"refunds", -50, 0}, {"bank", 200, 50}}, points[1].Bars)
}

func TestNoBarIsLongerThanTheChart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		cents := rapid.Int64Range(-1e9, 1e9)
		var stretches []Stretch
		for range rapid.IntRange(0, 12).Draw(r, "months") {
			stretches = append(stretches, Stretch{Figures: Figures{Earned: lms.Money(cents.Draw(r, "earned")), Refunded: lms.Money(cents.Draw(r, "refunded")), Cash: lms.Money(cents.Draw(r, "cash"))}})
		}
		for _, p := range pointsOf(stretches) {
			for _, b := range p.Bars {
				if b.Percent < 0 || b.Percent > 100 || b.Amount <= 0 && b.Percent != 0 {
					r.Fatalf("%v is %d percent", b.Amount, b.Percent)
				}
			}
		}
	})
}
