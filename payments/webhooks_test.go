package payments

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhook"

	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

const secret, nextSecret = "whsec_one", "whsec_two"

func newService(t *testing.T) *Service {
	t.Helper()
	db := lmstest.DB(t)
	log := slog.New(slog.DiscardHandler)
	inserter, err := jobs.NewInserter(db, log)
	require.NoError(t, err)
	return New(Dependencies{DB: db, Jobs: inserter, Log: log, Settings: Settings{Key: "sk_test_x", WebhookSecrets: []string{secret, nextSecret}}})
}

func body(id string) []byte {
	return fmt.Appendf(nil, `{"id": %q, "object": "event", "api_version": %q, "created": %d, "livemode": false, "type": "charge.succeeded",
		"data": {"object": {"id": "ch_1", "object": "charge"}}}`, id, stripe.APIVersion, noon.Unix())
}

func signed(payload []byte, at time.Time, secret string) string {
	return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: payload, Secret: secret, Timestamp: at}).Header
}

func count(t *testing.T, db *pgxpool.Pool, sql string) int {
	t.Helper()
	n, err := pg.Value[int](t.Context(), db, "count", sql)
	require.NoError(t, err)
	return n
}

func TestAWebhookIsKeptOnceWithOneJobHoweverOftenItComes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	var racers sync.WaitGroup
	for range 8 {
		racers.Go(func() {
			for range 3 {
				if err := s.Receive(t.Context(), body("evt_1"), signed(body("evt_1"), noon, secret), noon); err != nil {
					t.Error(err)
				}
			}
		})
	}
	racers.Wait()
	require.Equal(t, 1, count(t, s.DB, `SELECT count(*) FROM payments.events`))
	require.Equal(t, 1, count(t, s.DB, `SELECT count(*) FROM river.river_job WHERE kind = 'process_event'`))
}

func TestASignatureIsTakenWithEitherSecretAndNearNowAlone(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i, c := range []struct {
		what   string
		header func(payload []byte) string
		ok     bool
	}{
		{"the secret in use", func(p []byte) string { return signed(p, noon, secret) }, true},
		{"the next secret", func(p []byte) string { return signed(p, noon, nextSecret) }, true},
		{"five minutes ago", func(p []byte) string { return signed(p, noon.Add(-tolerance), secret) }, true},
		{"longer ago", func(p []byte) string { return signed(p, noon.Add(-tolerance-time.Second), secret) }, false},
		{"in the future", func(p []byte) string { return signed(p, noon.Add(tolerance+time.Second), secret) }, false},
		{"another secret", func(p []byte) string { return signed(p, noon, "whsec_other") }, false},
		{"another body", func([]byte) string { return signed([]byte("{}"), noon, secret) }, false},
		{"no time", func([]byte) string { return "v1=00" }, false},
		{"no header", func([]byte) string { return "" }, false},
	} {
		payload := body(fmt.Sprint("evt_", i))
		err := s.Receive(t.Context(), payload, c.header(payload), noon)
		if c.ok {
			require.NoError(t, err, c.what)
		} else {
			require.ErrorIs(t, err, ErrSignature, c.what)
		}
	}
	require.Equal(t, 3, count(t, s.DB, `SELECT count(*) FROM payments.events`))
	require.Equal(t, 6, count(t, s.DB, `SELECT times FROM payments.exceptions WHERE kind = 'bad_signature'`), "and somebody is told, in one line a day")
}

func TestASignedBodyThatIsNoEventIsRefused(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, payload := range []string{`{}`, `{"id": "evt_1"}`, `[]`, `x`, `{"id": "evt_1", "data": {"object": []}}`} {
		require.ErrorIs(t, s.Receive(t.Context(), []byte(payload), signed([]byte(payload), noon, secret), noon), ErrSignature, payload)
	}
}

func FuzzSignedAt(f *testing.F) {
	f.Add("t=1492774577,v1=5257a869")
	f.Add("t=,v1=")
	f.Fuzz(func(t *testing.T, header string) {
		if at, err := signedAt(header); err != nil && !at.IsZero() {
			t.Error("a time beside an error")
		}
	})
}
