package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/secrets"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

// desk posts to an office, with a database and a worker of its own.
type desk struct {
	*Outbox
	t  testing.TB
	db *pgxpool.Pool
}

func newDesk(t testing.TB, smtpURL string, g Gateway) desk {
	t.Helper()
	db := lmstest.DB(t)
	client, err := jobs.NewInserter(db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	keys, err := secrets.Parse([]string{secrets.NewKey()})
	require.NoError(t, err)
	o, err := New(Config{SMTPURL: smtpURL, From: sender.String(), Gateway: g, Jobs: client, Keys: keys})
	require.NoError(t, err)
	return desk{o, t, db}
}

func (d desk) in(do func(pgx.Tx) error) {
	d.t.Helper()
	require.NoError(d.t, pg.InTx(d.t.Context(), d.db, do))
}

func (d desk) post(l Letter) {
	d.t.Helper()
	d.in(func(tx pgx.Tx) error { return d.Post(d.t.Context(), tx, l) })
}

// work starts a worker and gives what becomes of its jobs.
func (d desk) work() <-chan *river.Event {
	d.t.Helper()
	workers := river.NewWorkers()
	d.Workers(workers)
	client, err := jobs.NewWorker(d.db, workers, nil, slog.New(slog.DiscardHandler), d.Queues()...)
	require.NoError(d.t, err)
	events, cancel := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled)
	require.NoError(d.t, client.Start(d.t.Context()))
	d.t.Cleanup(func() {
		cancel()
		ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		require.NoError(d.t, client.StopAndCancel(ctx))
	})
	return events
}

func next(t testing.TB, events <-chan *river.Event) *river.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("no job ran")
		return nil
	}
}

// stored is everything that the database holds about jobs.
func (d desk) stored() string {
	d.t.Helper()
	var rows string
	require.NoError(d.t, d.db.QueryRow(d.t.Context(), `SELECT coalesce(string_agg(j::text, E'\n'), '') FROM river.river_job j`).Scan(&rows))
	return rows
}

func TestALetterArrivesInItsLanguageOnceItsTransactionStands(t *testing.T) {
	t.Parallel()
	o := openOffice(t, nil)
	d := newDesk(t, o.url(), nil)
	events := d.work()
	tx, err := d.db.Begin(t.Context())
	require.NoError(t, err)
	other := full
	other.To = "nobody@example.org"
	require.NoError(t, d.Post(t.Context(), tx, other))
	require.NoError(t, tx.Rollback(t.Context()))

	d.post(full)
	require.Equal(t, river.EventKindJobCompleted, next(t, events).Kind)
	got := o.next(t)
	require.Equal(t, full.To, got.to)
	require.Equal(t, full.Subject, got.subject)
	require.Contains(t, got.html, `<html lang="es">`)
	for _, part := range []string{got.html, got.text} {
		require.Contains(t, part, full.Button.Label)
		require.Contains(t, part, full.Code)
	}
	require.Len(t, o.attempts, 1, "what was rolled back was sent")
	require.NotContains(t, d.stored(), "available")
}

func TestAJobHoldsNoWordOfItsMessage(t *testing.T) {
	t.Parallel()
	o := openOffice(t, func(o *office) {
		o.refuse = func(step, to string) error {
			if step == "RCPT" {
				return &smtp.SMTPError{Code: 450, Message: "mailbox of " + to + " is busy"}
			}
			return nil
		}
	})
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler) // cuts the connection
	}))
	t.Cleanup(gateway.Close)
	d := newDesk(t, o.url(), HTTPGateway{URL: gateway.URL + "?account=hunter2", Token: "hunter2"})
	text := Text{To: "+15735550100", Body: "Code 993311"}
	d.post(full)
	d.in(func(tx pgx.Tx) error { return d.PostText(t.Context(), tx, text) })
	words := append([]string{full.To, "Restablezca", "maya", "Maya", full.Code, "reset", "token=", text.To, "993311", "hunter2"}, full.Lines...)
	before := d.stored()
	events := d.work()
	for range 2 {
		require.Equal(t, river.EventKindJobFailed, next(t, events).Kind)
	}
	after := d.stored()
	require.Contains(t, after, "answered 450", "the failure is there to be read")
	for _, word := range words {
		require.NotContains(t, before, word)
		require.NotContains(t, after, word)
	}
	require.Contains(t, before, `"sealed"`)
}

func TestALetterIsTriedAgainAfterATemporaryFailureUnderTheSameID(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	o := openOffice(t, func(o *office) {
		o.refuse = func(step, _ string) error {
			if step == "DATA" && tries.Add(1) == 1 {
				return &smtp.SMTPError{Code: 451, Message: "come back later"}
			}
			return nil
		}
	})
	d := newDesk(t, o.url(), nil)
	events := d.work()
	d.post(full)
	failed := next(t, events)
	require.Equal(t, river.EventKindJobFailed, failed.Kind)
	require.Equal(t, maxAttempts, failed.Job.MaxAttempts)
	var args sendMailArgs
	require.NoError(t, json.Unmarshal(failed.Job.EncodedArgs, &args))
	id := messageID(failed.Job.ID, args.Sealed)
	require.Equal(t, river.EventKindJobCompleted, next(t, events).Kind)
	require.Equal(t, "<"+id+"@example.org>", o.next(t).header.Get("Message-Id"))
}

func TestALetterThatIsRefusedForGoodIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	o := openOffice(t, func(o *office) {
		o.refuse = func(step, _ string) error {
			if step == "RCPT" {
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
			}
			return nil
		}
	})
	d := newDesk(t, o.url(), nil)
	events := d.work()
	d.post(full)
	ended := next(t, events)
	require.Equal(t, river.EventKindJobCancelled, ended.Kind)
	require.Equal(t, rivertype.JobStateCancelled, ended.Job.State)
	require.Contains(t, ended.Job.Errors[0].Error, "answered 550 5.1.1")
}

func TestALetterWaitsForAServerThatIsDown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "smtp://127.0.0.1:1", nil)
	events := d.work()
	d.post(full)
	require.Equal(t, river.EventKindJobFailed, next(t, events).Kind)
	require.Error(t, d.Reach(t.Context()))
}

func TestOnlyOnePlainAddressCanBeWrittenTo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "smtp://localhost", nil)
	for _, to := range []string{
		"", "maya", "Maya <maya@example.org>", "<maya@example.org>", "maya@example.org, eve@example.org", "maya@example.org\r\nBcc: eve@example.org",
		"maya@example.org\n", "\"maya\r\nBcc: eve\"@example.org", "maya@example.org (Maya)", " maya@example.org",
	} {
		l := full
		l.To = to
		require.ErrorIs(t, pg.InTx(t.Context(), d.db, func(tx pgx.Tx) error { return d.Post(t.Context(), tx, l) }), ErrAddress, "%q", to)
	}
	require.Empty(t, d.stored())
}

func TestATextMessageReachesItsGateway(t *testing.T) {
	t.Parallel()
	var answer atomic.Int32
	answer.Store(http.StatusAccepted)
	got := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			body = map[string]string{"to": err.Error()}
		}
		got <- fmt.Sprint(r.Method, " ", r.Header.Get("Authorization"), " ", r.Header.Get("Content-Type"), " ", body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(answer.Load()))
	}))
	t.Cleanup(s.Close)
	d := newDesk(t, "smtp://localhost", HTTPGateway{URL: s.URL, Token: "s3cret"})
	require.True(t, d.CanText())
	events := d.work()
	text := Text{To: "+15735550100", Body: "Su código: 042117"}
	post := func(tx pgx.Tx) error { return d.PostText(t.Context(), tx, text) }
	d.in(post)
	require.Equal(t, river.EventKindJobCompleted, next(t, events).Kind)
	require.Equal(t, "POST Bearer s3cret application/json map[body:Su código: 042117 to:+15735550100]", <-got)

	answer.Store(http.StatusUnprocessableEntity)
	d.in(post)
	require.Equal(t, river.EventKindJobCancelled, next(t, events).Kind, "the gateway's last word")

	g := d.Gateway
	for code, refused := range map[int32]bool{400: true, 404: true, 408: false, 429: false, 500: false, 503: false, 307: false} {
		answer.Store(code)
		err := g.SendText(t.Context(), text)
		require.ErrorContains(t, err, fmt.Sprint("answered ", code))
		require.Equal(t, refused, errors.Is(err, ErrRefused), code)
	}
	require.Len(t, got, 8, "a redirect is not followed")
}

func TestTextMessagesNeedAGatewayAndAnInternationalNumber(t *testing.T) {
	t.Parallel()
	without := newDesk(t, "smtp://localhost", nil)
	require.False(t, without.CanText())
	with := newDesk(t, "smtp://localhost", HTTPGateway{})
	post := func(d desk, to string) error {
		return pg.InTx(t.Context(), d.db, func(tx pgx.Tx) error { return d.PostText(t.Context(), tx, Text{To: to}) })
	}
	require.ErrorIs(t, post(without, "+15735550100"), ErrNoGateway)
	for _, to := range []string{"", "573-555-0100", "5735550100", "+05735550100", "+1573555010012345", "+15735550100\n", "+1 573 555 0100"} {
		require.ErrorIs(t, post(with, to), ErrAddress, to)
	}
	require.Empty(t, without.stored()+with.stored())
}

func TestAJobThatCannotBeOpenedSaysOnlyThat(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "smtp://localhost", HTTPGateway{})
	sealed, err := d.seal([]string{"maya@example.org"})
	require.NoError(t, err)
	err = d.open(sealed, &Letter{})
	require.ErrorContains(t, err, "not of this kind")
	require.NotContains(t, err.Error(), "maya")
	require.ErrorIs(t, d.open([]byte("maya"), &Letter{}), secrets.ErrNotSealed)
}

func TestAnOutboxNeedsASenderAndAServer(t *testing.T) {
	t.Parallel()
	good := Config{SMTPURL: "smtp://localhost", From: "Child Care Training <no-reply@example.org>"}
	for said, change := range map[string]func(*Config){
		"sender of mail": func(c *Config) { c.From = "Child Care Training" },
		"mail server":    func(c *Config) { c.SMTPURL = "" },
	} {
		c := good
		change(&c)
		_, err := New(c)
		require.ErrorContains(t, err, said)
	}
	o, err := New(good)
	require.NoError(t, err)
	require.Equal(t, "localhost:587", o.Server())
}

// A job that is cut off by its own deadline could not say why it failed.
func TestSendingEndsBeforeItsJobDoes(t *testing.T) {
	t.Parallel()
	require.Less(t, sendTimeout, jobs.Timeout)
}

func TestJobsOfTwoDatabasesNeverShareAMessageID(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, messageID(7, []byte("one")), messageID(7, []byte("another")))
}
