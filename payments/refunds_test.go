package payments

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

func TestAFeeIsDueBackForAskingUntilTheCourseIsLaunchedOrThirtyDaysPass(t *testing.T) {
	t.Parallel()
	policy := RefundPolicy{Days: 30, SecondOver: 2500}
	paid := lms.Date{Year: 2026, Month: 3, Day: 1}
	require.True(t, policy.Due(paid, false, paid))
	require.True(t, policy.Due(paid, false, lms.Date{Year: 2026, Month: 3, Day: 31}))
	require.False(t, policy.Due(paid, false, lms.Date{Year: 2026, Month: 4, Day: 1}))
	require.False(t, policy.Due(paid, true, paid))
}

func TestNoMoreIsGivenBackThanIsLeft(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount, left := lms.Money(rapid.Int64Range(-1000, 1000).Draw(t, "amount")), lms.Money(rapid.Int64Range(0, 1000).Draw(t, "left"))
		err := canRefund(amount, left, false)
		if amount > 0 && amount <= left {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrRefundAmount)
		}
		require.ErrorIs(t, canRefund(amount, left, true), ErrDisputed)
	})
}

func TestAnOrderEndsOnceButForAPaymentAfterAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		states := []OrderState{Open, Pending, Paid, Canceled}
		o := Order{State: rapid.SampledFrom(states).Draw(t, "state"), Why: ""}
		s := sessionState{Open: rapid.Bool().Draw(t, "open"), Expired: rapid.Bool().Draw(t, "expired"), Paid: rapid.Bool().Draw(t, "paid"), Refused: rapid.Bool().Draw(t, "refused")}
		next, _ := o.next(s)
		switch {
		case s.Paid:
			require.Equal(t, Paid, next, "who was charged has paid, whatever came before")
		case o.State == Paid || o.State == Canceled:
			require.Equal(t, o.State, next, "an end stays")
		}
		again := o
		again.State = next
		after, _ := again.next(s)
		require.Equal(t, next, after, "hearing it twice changes nothing")
	})
}
