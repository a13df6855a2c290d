package main

import (
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/app"
	"mopd/lms/lmstest"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

// progress sends what is told to the log of the test.
type progress struct{ testing.TB }

func (p progress) Write(b []byte) (int, error) {
	p.Logf("%s", b)
	return len(b), nil
}

var line = regexp.MustCompile(`^figure [a-z0-9_]+ \d+\.\d{2,3} (ms|s|MB)( baseline \d+\.\d{2,3} ratio \d+\.\d\d)?$`)

func TestEachFigureIsMeasuredAndToldInOneLine(t *testing.T) {
	t.Parallel()
	product := t.TempDir() + "/lms"
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", product, "mopd/cmd/lms").CombinedOutput()
	require.NoError(t, err, string(out))
	store := lmstest.Store(t)
	g := &ground{
		admin: lmstest.DatabaseURL(t), store: app.Stores{S3Endpoint: store.Endpoint, S3AccessKey: store.AccessKey, S3SecretKey: store.SecretKey},
		lms: product, scale: 0.005, progress: progress{t},
	}
	var names []string
	for _, f := range figures {
		readings, err := f.measure(t.Context(), g)
		require.NoError(t, err, f.name)
		require.NotEmpty(t, readings, f.name)
		for _, r := range readings {
			require.Regexp(t, line, r.String())
			require.Regexp(t, "^"+f.name, r.name)
			require.Positive(t, r.value, r.name)
			require.Positive(t, r.goal, r.name)
			names = append(names, r.name)
		}
	}
	require.Equal(t, []string{"webhook_p99", "reconcile_10k_s", "reconcile_10k_rss", "credit_latency_p99", "allocate_ms", "report_p99"}, names)
}

func TestAGoalThatIsMissedIsTold(t *testing.T) {
	t.Parallel()
	r := reading{name: "webhook_p99", value: 1000, unit: "ms", baseline: 3, goal: 1000}
	require.Equal(t, "figure webhook_p99 1000.00 ms baseline 3.00 ratio 333.33", r.String())
	require.EqualError(t, r.missed(), "webhook_p99 is 1000.00 ms, and has to be below 1000")
	r = reading{name: "allocate_ms", value: 0.0314, unit: "ms", baseline: 0.0157, goal: 1}
	require.Equal(t, "figure allocate_ms 0.031 ms baseline 0.016 ratio 2.00", r.String())
	require.NoError(t, r.missed())
}

func TestFiguresAreChosenByTheirFirstLettersOrTheirLines(t *testing.T) {
	t.Parallel()
	for _, only := range [][]string{{"webhook_p99", "reconcile_10k_rss"}, {"web", "rec"}, {"web", "webhook_p99", "reconcile_10k_s", "reconcile_10k_rss"}} {
		chosen, err := choose(only)
		require.NoError(t, err)
		require.Len(t, chosen, 2, only)
	}
	all, err := choose(nil)
	require.NoError(t, err)
	require.Len(t, all, len(figures))
	for _, wrong := range []string{"", "nothing", "webhook_p50"} {
		_, err := choose([]string{wrong})
		require.Error(t, err, wrong)
	}
}

func TestAPercentileIsOfTheNearestRank(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for i := range 200 {
		took = append(took, time.Duration(200-i)*time.Millisecond)
	}
	require.InDelta(t, 198, percentile(took, 0.99), 0)
	require.InDelta(t, 100, percentile(took, 0.5), 0)
	require.InDelta(t, 200, percentile(took, 1), 0)
	require.InDelta(t, 7, percentile([]time.Duration{7 * time.Millisecond}, 0.99), 0)
}
