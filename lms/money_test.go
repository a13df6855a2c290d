package lms_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
)

func TestMoneyIsWrittenInDollarsAndCents(t *testing.T) {
	t.Parallel()
	for m, want := range map[lms.Money]string{0: "$0.00", 5: "$0.05", 500: "$5.00", 123_456: "$1234.56", -45: "-$0.45", -500: "-$5.00"} {
		require.Equal(t, want, m.String())
	}
}

func TestAmountsAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]lms.Money{"5": 500, "5.00": 500, "$5.00": 500, " $12.34 ": 1234, "0.07": 7, "0": 0} {
		m, err := lms.ParseMoney(s)
		require.NoError(t, err, s)
		require.Equal(t, want, m, s)
	}
	for _, s := range []string{"", "$", "-5", "5.", "5.0", "5.001", ".50", "5,00", "1e3", "5.00 USD", "$$5", "5.+1", "99999999999999999999"} {
		_, err := lms.ParseMoney(s)
		require.Error(t, err, s)
	}
}

func FuzzAnAmountReadIsWrittenWithTheSameValue(f *testing.F) {
	for _, s := range []string{"5", "$5.00", "0.07", "-1", "4294967295.99", "1e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := lms.ParseMoney(s)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, m, lms.Money(0))
		again, err := lms.ParseMoney(m.String())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

func TestClockHoursAreWrittenInQuarters(t *testing.T) {
	t.Parallel()
	for h, want := range map[lms.Hours]string{0: "0.0", 1: "0.25", 2: "0.5", 3: "0.75", 4: "1.0", 5: "1.25", 48: "12.0", -5: "-1.25"} {
		require.Equal(t, want, h.String())
	}
}

func TestClockHoursThatAreNoWholeQuartersAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "1.3", "1.1", "-1", "1,25", "NaN", "Inf", "1001", "one"} {
		_, err := lms.ParseHours(s)
		require.Error(t, err, s)
	}
}

func TestMoneyAndClockHoursSurviveBeingWrittenAndRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := lms.Money(rapid.Int64Range(0, 1<<32).Draw(t, "cents"))
		gotMoney, err := lms.ParseMoney(m.String())
		require.NoError(t, err)
		require.Equal(t, m, gotMoney)

		h := lms.Hours(rapid.IntRange(0, 4000).Draw(t, "quarters"))
		gotHours, err := lms.ParseHours(h.String())
		require.NoError(t, err)
		require.Equal(t, h, gotHours)
	})
}

func FuzzClockHoursReadAreWrittenWithTheSameValue(f *testing.F) {
	for _, s := range []string{"1.25", "12", "0.5", "-0", "NaN", "1e2", "0x10", "1000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := lms.ParseHours(s)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, h, lms.Hours(0))
		again, err := lms.ParseHours(h.String())
		require.NoError(t, err)
		require.Equal(t, h, again)
	})
}
