package accounts

import (
	"bytes"
	"errors"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// steady lets three tries through, then waits 10, 20, 40, 60, 60 … seconds.
var steady = pace{free: 3, base: 10 * time.Second, most: time.Minute, forget: time.Hour}

func ofAccount(p pace) bucket {
	return bucket{"sign-in of an account", []string{"maya@example.org"}, p}
}

func ofNetwork(p pace) bucket {
	return bucket{"sign-in from a network", []string{networkOf("192.0.2.77")}, p}
}

// try is what a try at the buckets comes to: how long it is to wait, 0 when it may be made.
func try(t *testing.T, db *pgxpool.Pool, now time.Time, buckets ...bucket) time.Duration {
	t.Helper()
	err := take(t.Context(), db, now, buckets...)
	if err == nil {
		return 0
	}
	require.ErrorIs(t, err, ErrTooManyTries)
	refused, _ := lms.AsError(err)
	return refused.Args["Wait"].(time.Duration)
}

func anyPace(t *rapid.T) pace {
	duration := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, name))
	}
	return pace{free: rapid.IntRange(1, 200).Draw(t, "free"), base: duration("base"), most: duration("most")}
}

func TestMoreTriesNeverWaitLess(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := anyPace(t)
		fewer := rapid.IntRange(0, 300).Draw(t, "fewer")
		more := rapid.IntRange(fewer, math.MaxInt).Draw(t, "more")
		require.LessOrEqual(t, p.wait(fewer), p.wait(more))
	})
}

func TestNoWaitIsLongerThanTheMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p, tries := anyPace(t), rapid.IntRange(0, math.MaxInt).Draw(t, "tries")
		require.LessOrEqual(t, p.wait(tries), p.most)
		if tries < p.free {
			require.Zero(t, p.wait(tries))
		} else {
			require.Positive(t, p.wait(tries))
		}
	})
}

func TestWaitsGrowAndEnd(t *testing.T) {
	t.Parallel()
	db, now := lmstest.DB(t), lmstest.Now
	for range steady.free {
		require.Zero(t, try(t, db, now, ofAccount(steady)))
	}
	for _, seconds := range []time.Duration{10, 20, 40, 60, 60} {
		wait := seconds * time.Second
		require.Equal(t, wait, try(t, db, now, ofAccount(steady)))
		require.Equal(t, time.Millisecond, try(t, db, now.Add(wait-time.Millisecond), ofAccount(steady)))
		now = now.Add(wait)
		require.Zero(t, try(t, db, now, ofAccount(steady)))
	}
}

func TestARefusedTryMakesNoWaitLonger(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofAccount(steady)))
	}
	for second := range 10 {
		require.Equal(t, time.Duration(10-second)*time.Second, try(t, db, lmstest.Now.Add(time.Duration(second)*time.Second), ofAccount(steady)))
	}
	require.Zero(t, try(t, db, lmstest.Now.Add(10*time.Second), ofAccount(steady)))
	require.Equal(t, 20*time.Second, try(t, db, lmstest.Now.Add(10*time.Second), ofAccount(steady)), "the second wait, not the twelfth")
}

// A refusal by one bucket leaves the others as they were.
func TestARefusedTryIsCountedNowhere(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofAccount(steady)))
	}
	for range 5 {
		require.NotZero(t, try(t, db, lmstest.Now, ofNetwork(steady), ofAccount(steady)))
	}
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofNetwork(steady)))
	}
}

func TestTheLongestWaitOfSeveralBucketsCounts(t *testing.T) {
	t.Parallel()
	db, slow := lmstest.DB(t), steady
	slow.base = 30 * time.Second
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofNetwork(steady), ofAccount(slow)))
	}
	require.Equal(t, 30*time.Second, try(t, db, lmstest.Now, ofNetwork(steady), ofAccount(slow)))
	require.Equal(t, 30*time.Second, try(t, db, lmstest.Now, ofAccount(slow), ofNetwork(steady)))
	require.Equal(t, 10*time.Second, try(t, db, lmstest.Now, ofNetwork(steady)))
}

func TestTriesAreForgottenWhenNoneWasMadeForLong(t *testing.T) {
	t.Parallel()
	db, now := lmstest.DB(t), lmstest.Now
	for range 2 {
		for range steady.free {
			require.Zero(t, try(t, db, now, ofAccount(steady)))
		}
		require.NotZero(t, try(t, db, now, ofAccount(steady)))
		now = now.Add(steady.forget)
	}
	require.Zero(t, try(t, db, now, ofAccount(steady)))
	require.Zero(t, try(t, db, now.Add(steady.forget-time.Second), ofAccount(steady)))
	require.Zero(t, try(t, db, now.Add(steady.forget), ofAccount(steady)))
	require.NotZero(t, try(t, db, now.Add(steady.forget), ofAccount(steady)), "the first one was remembered")
}

func TestAfterTheLimitOnlyAResetHelps(t *testing.T) {
	t.Parallel()
	db, now, p := lmstest.DB(t), lmstest.Now, steady
	p.limit = 5
	for range p.limit { // a try now and then: none waits, but each counts
		require.Zero(t, try(t, db, now, ofAccount(p)))
		now = now.Add(p.forget)
	}
	for _, later := range []time.Duration{0, p.forget, 365 * 24 * time.Hour} {
		require.ErrorIs(t, take(t.Context(), db, now.Add(later), ofAccount(p)), ErrResetRequired)
		require.ErrorIs(t, take(t.Context(), db, now.Add(later), ofNetwork(steady), ofAccount(p)), ErrResetRequired)
	}
	require.NoError(t, deleteOldThrottles(t.Context(), db, now.Add(365*24*time.Hour)))
	require.ErrorIs(t, take(t.Context(), db, now, ofAccount(p)), ErrResetRequired)

	require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error { return forgive(t.Context(), tx, ofAccount(p)) }))
	require.Zero(t, try(t, db, now, ofAccount(p)))
}

func TestASuccessForgetsTheTriesBeforeIt(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofAccount(steady), ofNetwork(steady)))
	}
	require.NoError(t, pg.InTx(t.Context(), db, func(tx pgx.Tx) error { return forgive(t.Context(), tx, ofAccount(steady)) }))
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofAccount(steady)))
	}
	require.Equal(t, 10*time.Second, try(t, db, lmstest.Now, ofNetwork(steady)), "that was another bucket")
}

// guessAtOnce has many guess at the same instant, each on one of the pools, and counts
// those who passed.
func guessAtOnce(t *testing.T, pools []*pgxpool.Pool, guesses int, buckets ...bucket) (passed int) {
	t.Helper()
	rush := func(try func(*pgxpool.Pool) error) <-chan error {
		results, gun := make(chan error, guesses), make(chan struct{})
		var all sync.WaitGroup
		for i := range guesses {
			all.Go(func() {
				<-gun
				results <- try(pools[i%len(pools)])
			})
		}
		close(gun)
		all.Wait()
		close(results)
		return results
	}
	for err := range rush(func(db *pgxpool.Pool) error { return db.Ping(t.Context()) }) { // opens the pools' connections
		require.NoError(t, err)
	}
	for err := range rush(func(db *pgxpool.Pool) error { return take(t.Context(), db, lmstest.Now, buckets...) }) {
		if err == nil {
			passed++
			continue
		}
		require.ErrorIs(t, err, ErrTooManyTries)
	}
	return passed
}

func TestOfManyGuessesAtOnceOnlyTheFreeOnesPass(t *testing.T) {
	t.Parallel()
	db, p := lmstest.DB(t), steady
	p.free = 50
	require.Equal(t, p.free, guessAtOnce(t, []*pgxpool.Pool{db}, 200, ofAccount(p)))
	require.Equal(t, 10*time.Second, try(t, db, lmstest.Now, ofAccount(p)))
}

func TestProcessesCountTriesTogether(t *testing.T) {
	t.Parallel()
	url, p := lmstest.DatabaseURL(t), steady
	p.free = 50
	var pools []*pgxpool.Pool
	for range 2 {
		pool, err := pg.Open(t.Context(), url+"&pool_max_conns=8")
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		pools = append(pools, pool)
	}
	require.Equal(t, p.free, guessAtOnce(t, pools, 100, ofAccount(p), ofNetwork(p)))
	for _, pool := range pools {
		require.Equal(t, 10*time.Second, try(t, pool, lmstest.Now, ofAccount(p)))
	}
}

// Buckets named in every order, with successes and clean-ups in between: nobody deadlocks.
func TestGuessesAtTheSameBucketsWaitForEachOtherInOneOrder(t *testing.T) {
	t.Parallel()
	db, open := lmstest.DB(t), pace{free: 1000, base: time.Second, most: time.Second, forget: time.Hour}
	a, b, c := ofAccount(open), ofNetwork(open), bucket{"sign-in", nil, open}
	orders := [][]bucket{{a, b, c}, {c, b, a}, {b, c, a}, {a, c, b}}
	var all sync.WaitGroup
	errs := make(chan error, 100)
	for i := range cap(errs) {
		all.Go(func() {
			tx := func(fn func(pgx.Tx) error) error { return pgx.BeginFunc(t.Context(), db, fn) } // not tried again
			buckets := orders[i%len(orders)]
			switch i % 10 {
			case 0:
				errs <- tx(func(tx pgx.Tx) error { return forgive(t.Context(), tx, buckets...) })
			case 1:
				errs <- deleteOldThrottles(t.Context(), db, lmstest.Now.Add(time.Second))
			default:
				errs <- tx(func(tx pgx.Tx) error {
					if err := lockThrottles(t.Context(), tx, keysOf(buckets), lmstest.Now); err != nil {
						return err
					}
					tallies, err := selectThrottles(t.Context(), tx, keysOf(buckets))
					if len(tallies) < len(buckets) {
						err = errors.Join(err, errors.New("a locked row is missing"))
					}
					return err
				})
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}

func TestOldTalliesAreRemovedWhenTheirWaitsAreOver(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	count := func() (n int) {
		require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM accounts.throttles`).Scan(&n))
		return n
	}
	for range steady.free {
		require.Zero(t, try(t, db, lmstest.Now, ofAccount(steady)))
	}
	require.Zero(t, try(t, db, lmstest.Now, ofNetwork(steady)))
	require.Equal(t, 2, count())
	for _, c := range []struct {
		later time.Duration
		left  int
	}{{0, 2}, {10 * time.Second, 1}, {11 * time.Second, 0}} {
		require.NoError(t, deleteOldThrottles(t.Context(), db, lmstest.Now.Add(c.later)))
		require.Equal(t, c.left, count())
	}
}

func TestAThrottleHoldsNoAddressInPlain(t *testing.T) {
	t.Parallel()
	db := lmstest.DB(t)
	require.Zero(t, try(t, db, lmstest.Now, ofAccount(steady), ofNetwork(steady)))
	keys, err := pg.Values[[]byte](t.Context(), db, "keys", `SELECT key FROM accounts.throttles`)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	for _, key := range keys {
		for _, plain := range []string{"sign-in", "maya", "192.0"} {
			require.False(t, bytes.Contains(key, []byte(plain)), "%q", key)
		}
	}
	_, err = db.Exec(t.Context(), `INSERT INTO accounts.throttles (key, tries, recent, last_at) VALUES ('maya@example.org', 1, 1, $1)`, lmstest.Now)
	require.Equal(t, "throttles_key_hashed", pg.Violated(err))
}

func TestBucketsOfOtherPartsAreOthers(t *testing.T) {
	t.Parallel()
	seen := map[string]bucket{}
	for _, b := range []bucket{
		{purpose: "a"}, {purpose: "b"}, {"a", []string{""}, steady}, {"a", []string{"", ""}, steady}, {"a", []string{"b"}, steady}, {"ab", nil, steady},
		{"a", []string{"b", "c"}, steady}, {"a", []string{"b\x00c"}, steady}, {"a", []string{"b c"}, steady}, {"a", []string{`b" "c`}, steady},
		{"a", []string{"\xff"}, steady}, {"a", []string{"\ufffd"}, steady}, {"a", []string{`\xff`}, steady},
	} {
		other, taken := seen[string(b.key())]
		require.False(t, taken, "%q is %q", b.parts, other.parts)
		seen[string(b.key())] = b
	}
	slower := ofAccount(steady)
	slower.pace.base = time.Hour
	require.Equal(t, ofAccount(steady).key(), slower.key(), "the pace is not what a bucket is known by")
}

func TestANetworkIsWhatOnePersonMayHave(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.77":            "192.0.2.0/24",
		"192.0.2.255":           "192.0.2.0/24",
		"192.0.3.77":            "192.0.3.0/24",
		"::ffff:192.0.2.77":     "192.0.2.0/24",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::/64",
		"2001:db8:1:2::":        "2001:db8:1:2::/64",
		"2001:DB8:1:3::1":       "2001:db8:1:3::/64",
		"fe80::1%eth0":          "fe80::/64",
		"":                      "",
		"192.0.2":               "",
		"192.0.2.77:443":        "",
		"maya.example.org":      "",
		"192.0.2.77, 192.0.2.1": "",
		"192.0.2.077":           "",
	} {
		require.Equal(t, want, networkOf(address), address)
	}
}

func TestAnAddressIsInItsNetwork(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		address, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
		network, err := netip.ParsePrefix(networkOf(address.String()))
		require.NoError(t, err)
		require.True(t, network.Contains(address.Unmap()))
	})
}
