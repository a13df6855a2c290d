package accounts

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of a throttle.
var (
	ErrTooManyTries  = lms.NewError(lms.TooMany, "too_many_tries")  // Args: Wait (time.Duration)
	ErrResetRequired = lms.NewError(lms.Conflict, "reset_required") // waiting does not help
)

// pace says how often something may be tried: a few times at once, then each time after
// a wait, which begins at base and doubles.
type pace struct {
	free   int           // tries in a row that wait for nothing; at least one
	base   time.Duration // the first wait; more than zero
	most   time.Duration // the longest wait
	limit  int           // tries after which no other is let through, however old they are; 0: none
	forget time.Duration // when nothing was tried for so long, the next try is the first of a row
	shared bool          // many people try here: a success takes back its own try and no other
}

// wait is how long the next try waits after so many in a row.
func (p pace) wait(tries int) time.Duration {
	if tries < p.free {
		return 0
	}
	wait := p.base
	for range tries - p.free {
		if wait > p.most/2 {
			return p.most
		}
		wait *= 2
	}
	return min(wait, p.most)
}

// tally is what is remembered of the tries in a bucket.
type tally struct {
	Tries, Recent int // all since the last success, and the last ones in a row
	LastAt        time.Time
	NextAt        *time.Time // when the next try may be made; nil: never
}

// count is the tally after one more try.
func (p pace) count(t tally, now time.Time) tally {
	if now.Sub(t.LastAt) >= p.forget {
		t.Recent = 0
	}
	t.Tries, t.Recent, t.LastAt, t.NextAt = t.Tries+1, t.Recent+1, now, nil
	if p.limit == 0 || t.Tries < p.limit {
		next := now.Add(p.wait(t.Recent))
		t.NextAt = &next
	}
	return t
}

// refusal is why a try may not be made now, or nil.
func refusal(tallies []tally, now time.Time) error {
	var wait time.Duration
	for _, t := range tallies {
		if t.NextAt == nil {
			return ErrResetRequired
		}
		wait = max(wait, t.NextAt.Sub(now))
	}
	if wait > 0 {
		return ErrTooManyTries.With("Wait", wait)
	}
	return nil
}

// bucket is where tries are counted together: those to sign in to one account, those from
// one network.
type bucket struct {
	purpose string   // what is tried; each kind of bucket has its own, and no NUL in it
	parts   []string // at what, or by whom; always spelled the same way, an e-mail address in lower case
	pace    pace
}

// key is all that the database learns of a bucket. Quoted, two lists of parts never read
// the same.
func (b bucket) key() []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%q", b.purpose, b.parts))
	return sum[:]
}

func keysOf(buckets []bucket) (keys [][]byte) {
	for _, b := range buckets {
		keys = append(keys, b.key())
	}
	return keys
}

func sharedKeysOf(buckets []bucket) (keys [][]byte) {
	for _, b := range buckets {
		if b.pace.shared {
			keys = append(keys, b.key())
		}
	}
	return keys
}

// take counts a try in every bucket, or refuses it and counts nothing: a refused try makes
// no wait longer. Call it before the secret is looked at. It commits a transaction of its
// own, in which one try at a bucket waits for the other, so that a thousand guesses at
// once get no further than a thousand in a row. The buckets differ in purpose or parts.
//
// Errors: ErrTooManyTries, ErrResetRequired.
func take(ctx context.Context, db *pgxpool.Pool, now time.Time, buckets ...bucket) error {
	return pg.InTx(ctx, db, func(tx pgx.Tx) error {
		if err := lockThrottles(ctx, tx, keysOf(buckets), now); err != nil {
			return err
		}
		tallies, err := selectThrottles(ctx, tx, keysOf(buckets))
		if err != nil {
			return err
		}
		if err := refusal(tallies, now); err != nil {
			return err
		}
		for i, b := range buckets {
			if err := updateThrottle(ctx, tx, b.key(), b.pace.count(tallies[i], now)); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgive forgets every try in the buckets, after a success. In one that many share it
// takes back the try that succeeded alone: who signs in to an account of their own in
// between does not get more guesses at others'.
func forgive(ctx context.Context, tx pgx.Tx, buckets ...bucket) error {
	return deleteThrottles(ctx, tx, keysOf(buckets), sharedKeysOf(buckets))
}

// networkOf is the network of an address, from which one person may well try with many
// addresses: /24 of IPv4, /64 of IPv6. It is "" for what is no address.
func networkOf(address string) string { return networksOf(address)[0] }

// networksOf are that network and, of IPv6, the /48 around it, which one customer of a
// provider may have as a whole.
func networksOf(address string) []string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return []string{""}
	}
	a = a.Unmap().WithZone("")
	within := func(bits int) string { return netip.PrefixFrom(a, bits).Masked().String() }
	if a.Is4() {
		return []string{within(24)}
	}
	return []string{within(64), within(48)}
}
