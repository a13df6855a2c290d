package accounts

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"io/fs"

	"mopd/lms"
	"mopd/lms/jobs"
	"mopd/lms/lmstest"
	"mopd/lms/mail"
	"mopd/lms/pg"
	"mopd/lms/secrets"
	"mopd/lms/web"
	"mopd/lms/words"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

const password = "correct horse battery"

// world is the service on a database of its own. Mail is posted and stays unsent.
type world struct {
	*Service
	t   *testing.T
	db  *pgxpool.Pool
	key string // that seals secrets

	mu     sync.Mutex
	fenced []lms.PersonID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: lmstest.DB(t)}
	inserter, err := jobs.NewInserter(w.db, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	w.key = secrets.NewKey()
	keys, err := secrets.Parse([]string{w.key})
	require.NoError(t, err)
	outbox, err := mail.New(mail.Config{SMTPURL: "smtp://127.0.0.1:1", From: "Training <no-reply@example.org>", Gateway: noGateway{}, Jobs: inserter, Keys: keys})
	require.NoError(t, err)
	catalog, err := words.Load(map[string]fs.FS{"accounts": Views, "web": web.Views, "more": fstest.MapFS{"messages/en.json": {Data: []byte("{}")}, "messages/es.json": {Data: []byte("{}")}}})
	require.NoError(t, err)
	w.Service, err = New(Dependencies{
		DB: w.db, Jobs: inserter, Mail: outbox, Keys: keys, Words: catalog, Player: w, Registry: w,
		Settings: Settings{AppURL: &url.URL{Scheme: "https", Host: "learn.example.org"}, EmailCodes: true},
	})
	require.NoError(t, err)
	return w
}

type noGateway struct{}

func (noGateway) SendText(context.Context, mail.Text) error { panic("nothing is sent here") }

func (w *world) Fence(_ context.Context, _ pgx.Tx, p lms.PersonID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fenced = append(w.fenced, p)
	return nil
}

func (w *world) Employed(ctx context.Context, tx pgx.Tx, e lms.Employment, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO registry.employments (person, employer, hired_on, source, recorded_at) VALUES ($1, $2, $3, $4, $5)`,
		e.Person, e.Employer, e.HiredOn, e.Source, now)
	return err
}

func maya() NewPerson {
	return NewPerson{Given: "Maya", Family: "Rivera López", Email: "maya@example.org", Password: password, Lang: "es"}
}

func (w *world) add(n NewPerson) lms.Person {
	w.t.Helper()
	p, err := w.Add(w.t.Context(), n, lmstest.Now)
	require.NoError(w.t, err)
	return p
}

// desk is where requests come from unless a test says otherwise.
var desk = Origin{From: "192.0.2.1", Agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/156.0"}

func (w *world) give(email string, now time.Time) (Opened, error) {
	return w.SignIn(w.t.Context(), Credentials{Email: email, Password: password, Origin: desk}, now)
}

// password signs in as far as a password leads.
func (w *world) identified(email string, now time.Time) lms.Viewer {
	w.t.Helper()
	opened, err := w.give(email, now)
	require.NoError(w.t, err)
	return w.viewer(opened.Token, now)
}

func (w *world) viewer(token string, now time.Time) lms.Viewer {
	w.t.Helper()
	v, err := w.Viewer(w.t.Context(), token, now)
	require.NoError(w.t, err)
	return v
}

// app is an authenticator app on somebody's phone.
type app struct {
	*world
	factor int64
	secret string
}

// code is what the app shows at an instant.
func (a app) code(now time.Time) string {
	a.t.Helper()
	code, err := totp.GenerateCode(a.secret, now)
	require.NoError(a.t, err)
	return code
}

// protect sets an authenticator app up for somebody new and gives their session.
func (w *world) protect(email string, now time.Time) (app, Opened) {
	w.t.Helper()
	a, done := w.setUpApp(w.identified(email, now), now)
	return a, done.Opened
}

func (w *world) setUpApp(v lms.Viewer, now time.Time) (app, SetUp) {
	w.t.Helper()
	id, err := w.BeginAuthenticator(w.t.Context(), v, desk, now)
	require.NoError(w.t, err)
	key, err := w.AuthenticatorKey(w.t.Context(), v, id)
	require.NoError(w.t, err)
	a := app{w, id, key.Secret()}
	done, err := w.ConfirmFactor(w.t.Context(), v, id, a.code(now), desk, now)
	require.NoError(w.t, err)
	return a, done
}

// signedIn is somebody new with an authenticator app, signed in.
func (w *world) signedIn(n NewPerson, now time.Time) (lms.Viewer, app) {
	w.t.Helper()
	w.add(n)
	a, opened := w.protect(n.Email, now)
	return w.viewer(opened.Token, now), a
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

func (w *world) inTx(fn func(pgx.Tx) error) error { return pg.InTx(w.t.Context(), w.db, fn) }

// answerRequests does what the jobs that answer requests do.
func (w *world) answerRequests(now time.Time) {
	w.t.Helper()
	for _, args := range w.jobs("answer_request") {
		var in AnswerRequestArgs
		require.NoError(w.t, json.Unmarshal(args, &in))
		b, err := w.Keys.Open(in.Sealed, requestContext)
		require.NoError(w.t, err)
		var r request
		require.NoError(w.t, json.Unmarshal(b, &r))
		require.NoError(w.t, w.inTx(func(tx pgx.Tx) error { return w.answer(w.t.Context(), tx, r, now) }))
	}
	_, err := w.db.Exec(w.t.Context(), `DELETE FROM river.river_job WHERE kind = 'answer_request'`)
	require.NoError(w.t, err)
}

func (w *world) jobs(kind string) (args []json.RawMessage) {
	w.t.Helper()
	rows, err := w.db.Query(w.t.Context(), `SELECT args FROM river.river_job WHERE kind = $1 ORDER BY id`, kind)
	require.NoError(w.t, err)
	args, err = pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	require.NoError(w.t, err)
	return args
}

// letters are the mails posted to an address so far, the oldest first.
func (w *world) letters(to string) (letters []mail.Letter) {
	w.t.Helper()
	for _, args := range w.jobs("send_mail") {
		var in struct{ Sealed []byte }
		require.NoError(w.t, json.Unmarshal(args, &in))
		b, err := w.Keys.Open(in.Sealed, "mail")
		require.NoError(w.t, err)
		var l mail.Letter
		require.NoError(w.t, json.Unmarshal(b, &l))
		if l.To == to {
			letters = append(letters, l)
		}
	}
	return letters
}

func (w *world) lastLetter(to string) mail.Letter {
	w.t.Helper()
	letters := w.letters(to)
	require.NotEmpty(w.t, letters, "no mail to %s", to)
	return letters[len(letters)-1]
}

// token is the one in the link of a letter.
func token(l mail.Letter) string { return l.Button.URL[strings.LastIndex(l.Button.URL, "/")+1:] }

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// wrongCode is a code that none of the app's is around an instant.
func (a app) wrongCode(now time.Time) string {
	for _, code := range []string{"000000", "111111", "222222", "333333"} {
		if _, ok := stepOf(code, a.secret, now); !ok {
			return code
		}
	}
	panic("four codes at once")
}
