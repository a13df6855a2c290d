package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many calls may be under way.
const atOnce = 500

// pace makes so many calls, so many a second whether those before are answered or not,
// and gives how long each took from the instant at which it was due: waiting because of
// others counts.
func pace(ctx context.Context, count, perSecond int, call func(ctx context.Context, i int) error) ([]time.Duration, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	took := make([]time.Duration, count)
	start := time.Now()
	for i := range count {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		timer := time.NewTimer(time.Until(due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, cmp.Or(group.Wait(), ctx.Err())
		case <-timer.C:
		}
		group.Go(func() error {
			err := call(ctx, i)
			took[i] = time.Since(due)
			return err
		})
	}
	return took, group.Wait()
}

// percentile is within how many milliseconds a part of the calls was answered, by the
// nearest rank.
func percentile(took []time.Duration, part float64) float64 {
	sorted := slices.Sorted(slices.Values(took))
	rank := int(math.Ceil(part * float64(len(sorted))))
	return float64(sorted[rank-1].Microseconds()) / 1000
}

// caller is the client of what is paced. It gives a connection up before the server does.
var caller = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, IdleConnTimeout: 2 * time.Second}}

// send makes a request that has to be answered by 200, and reads the answer.
func send(r *http.Request) error {
	_, err := fetch(r)
	return err
}

// fetch gives the answer to a request, which has to be a 200.
func fetch(r *http.Request) ([]byte, error) {
	res, err := caller.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, res.Status)
	}
	return body, nil
}
