package player

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTheCompletionRule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome
		final string
		met   bool
	}{
		"completed":                           {outcome{Status: "completed"}, "completed", true},
		"passed":                              {outcome{Status: "passed"}, "passed", true},
		"browsed is neither":                  {outcome{Status: "browsed", Over: true}, "browsed", false},
		"failed":                              {outcome{Status: "failed", Over: true}, "failed", false},
		"nothing said, still running":         {outcome{}, "", false},
		"nothing said, ended":                 {outcome{Over: true}, "completed", true},
		"not attempted, ended":                {outcome{Status: "not attempted", Over: true}, "completed", true},
		"nothing said, suspended":             {outcome{Over: true, Exit: "suspend"}, "incomplete", false},
		"nothing said, timed out":             {outcome{Over: true, Exit: "time-out"}, "incomplete", false},
		"score above, ended":                  {outcome{Status: "incomplete", Raw: "90", Mastery: "80", Over: true}, "passed", true},
		"score below, ended":                  {outcome{Status: "completed", Raw: "79", Mastery: "80", Over: true}, "failed", false},
		"score below speaks against passed":   {outcome{Status: "passed", Raw: "79", Mastery: "80"}, "passed", false},
		"score above, pages still to read":    {outcome{Status: "incomplete", Raw: "90", Mastery: "80"}, "incomplete", false},
		"completed waits for a score":         {outcome{Status: "completed", Mastery: "80"}, "completed", false},
		"passed without a score":              {outcome{Status: "passed", Mastery: "80"}, "passed", true},
		"no score came":                       {outcome{Status: "completed", Mastery: "80", Over: true}, "completed", true},
		"half-way, score above":               {outcome{Status: "incomplete", Raw: "100", Mastery: "80", Exit: "suspend", Over: true}, "incomplete", false},
		"half-way, score below":               {outcome{Status: "incomplete", Raw: "30", Mastery: "80", Exit: "suspend", Over: true}, "incomplete", false},
		"half-way, nothing said":              {outcome{Raw: "100", Mastery: "80", Exit: "suspend", Over: true}, "incomplete", false},
		"said to be done, to be looked at":    {outcome{Status: "completed", Raw: "90", Mastery: "80", Exit: "suspend", Over: true}, "passed", true},
		"a score with an exponent is none":    {outcome{Status: "failed", Raw: "8e1", Mastery: "80", Over: true}, "failed", false},
		"a mark with a plus sign is none":     {outcome{Status: "completed", Raw: "1", Mastery: "+80", Over: true}, "completed", true},
		"a mastery score that is none":        {outcome{Status: "completed", Raw: "1", Mastery: "high"}, "completed", true},
		"a blank score, where mastery is set": {outcome{Status: "completed", Raw: "", Mastery: "80", Over: true}, "completed", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.final, c.outcome.final())
			require.Equal(t, c.met, c.Met())
		})
	}
}

func TestAGapOfMoreThanNinetySecondsIsNoSeatTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 5, 59, 0, 0, time.UTC)
	for gap, want := range map[time.Duration]time.Duration{
		30 * time.Second: 30 * time.Second, 90 * time.Second: 90 * time.Second,
		90*time.Second + 1: 0, 0: 0, -time.Second: 0,
	} {
		require.Equal(t, want, SeatTime(at, at.Add(gap)), gap)
	}
}

func TestTimespansAreReadAsTheStandardWritesThem(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]int64{
		"00:00:00": 0, "0000:00:00.01": 1, "00:00:01.5": 150, "01:02:03.04": 372304, "9999:99:99.99": 9999*360000 + 99*6000 + 9999,
	} {
		got, err := ParseTimespan(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "1:00:00", "00000:00:00", "00:0:00", "00:00:0", "00:00:00.", "00:00:00.123", "-1:00:00", "00:00:00:00", "PT1H", "0x:00:00", "00:00:+1", "٠٠:٠٠:٠٠"} {
		_, err := ParseTimespan(s)
		require.Error(t, err, s)
	}
}

func TestATimespanWrittenReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cs := rapid.Int64Range(0, 9999*360000).Draw(t, "cs")
		got, err := ParseTimespan(FormatTimespan(cs))
		if err != nil || got != cs {
			t.Fatalf("%d is %q, read as %d, %v", cs, FormatTimespan(cs), got, err)
		}
	})
	require.Equal(t, "0000:00:00.00", FormatTimespan(-5))
	require.Equal(t, "9999:59:59.99", FormatTimespan(1<<60))
}

func FuzzParseTimespan(f *testing.F) {
	for _, s := range []string{"0000:00:00.00", "12:34:56.7", "", "::", "99:99:99.99", "00:00:00.0000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		cs, err := ParseTimespan(s)
		if err != nil {
			return
		}
		if cs < 0 || cs > 9999*360000+99*6000+9999 {
			t.Fatalf("%q is %d", s, cs)
		}
		if again, err := ParseTimespan(FormatTimespan(cs)); cs <= 9999*360000 && (err != nil || again != cs) {
			t.Fatalf("%q is %d, written %q, read %d, %v", s, cs, FormatTimespan(cs), again, err)
		}
	})
}

func FuzzParseCommit(f *testing.F) {
	for _, s := range []string{
		`{"epoch":1,"seq":1,"activity":"a","changes":{"cmi.suspend_data":"x"}}`,
		`{"epoch":2,"seq":3,"of_epoch":1,"activity":"a","terminated":true,"earlier":[{"seq":2,"activity":"a"}]}`,
		`{"epoch":1,"seq":1,"activity":"a","changes":{"cmi.core.session_time":"soon"}}`,
		`{"epoch":1,"seq":9223372036854775808}`, `[]`, `{}`, `{"epoch":1,"seq":1,"activity":"a","changes":{"cmi.a":"\u0000"}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseCommit(body)
		if err != nil {
			return
		}
		last := int64(0)
		for _, b := range r.batches() {
			if b.Seq <= last {
				t.Fatalf("%s gave %+v", body, r)
			}
			last = b.Seq
			read, unread := b.sort()
			if len(read)+len(unread) != len(b.Changes) {
				t.Fatalf("%s: %d and %d of %d changes", body, len(read), len(unread), len(b.Changes))
			}
			for element, value := range read {
				if !strings.HasPrefix(element, "cmi.") || strings.ContainsRune(value, 0) {
					t.Fatalf("%s set %q", body, element)
				}
			}
		}
		if last != r.Seq {
			t.Fatalf("%s: the last number is %d", body, r.Seq)
		}
	})
}

func TestACommitWithoutFormIsRefused(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{`: errCommitForm, `{}`: errCommitForm,
		`{"epoch":0,"seq":1,"activity":"a"}`:                                      errCommitForm,
		`{"epoch":1,"seq":0,"activity":"a"}`:                                      errCommitForm,
		`{"epoch":1,"seq":1,"activity":"a","more":1}`:                             errCommitForm,
		`{"epoch":1,"seq":1,"activity":"a","changes":{"cmi.x":1}}`:                errCommitForm,
		`{"epoch":1,"seq":2,"activity":"a","earlier":[{"seq":2,"activity":"a"}]}`: errCommitForm,
		strings.Repeat(" ", maxCommit+1):                                          errTooMuch,
	} {
		_, err := parseCommit([]byte(body))
		require.ErrorIs(t, err, want, "%.80s", body)
	}
}
