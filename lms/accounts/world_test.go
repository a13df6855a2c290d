package accounts

import (
	"context"
	"encoding/json"
	"fmt"
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

	mu      sync.Mutex
	fenced  []lms.PersonID
	merged  [][2]lms.PersonID
	courses map[lms.PersonID][]lms.Enrollment
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
		DB: w.db, Jobs: inserter, Mail: outbox, Keys: keys, Words: catalog, Player: w, Registry: w, Enrollments: w,
		Settings: Settings{AppURL: &url.URL{Scheme: "https", Host: "learn.example.org"}, EmailCodes: true},
	})
	require.NoError(t, err)
	w.hasher = ofTests(cap(w.hasher.places))
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

// ofTests is a hasher as the product's, whose hashes take a thousandth of the time.
func ofTests(atOnce int) *hasher {
	h := newHasher(atOnce)
	h.cost = cost{memoryKiB: 32, passes: 1, lanes: 1}
	return h
}

// hashed is the hash of password.
var hashed = sync.OnceValues(func() (string, error) { return ofTests(1).hash(context.Background(), password) })

// add records somebody whose password is password.
func (w *world) add(n NewPerson) (p lms.Person) {
	w.t.Helper()
	hash, err := hashed()
	require.NoError(w.t, err)
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) error {
		p, err = w.Service.add(w.t.Context(), tx, n, hash, lmstest.Now)
		return err
	}))
	return p
}

// named is a caregiver whose given name and address begin with a name.
func named(name string, roles ...lms.Role) NewPerson {
	n := maya()
	n.Given, n.Email, n.Roles = name, strings.ToLower(name)+"@example.org", roles
	return n
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

// protect signs somebody new in by their password and sets an authenticator app up.
func (w *world) protect(email string, now time.Time) (app, Opened) {
	w.t.Helper()
	a, done := w.setUpApp(w.identified(email, now), now)
	return a, done.Opened
}

// signedIn is somebody new with an authenticator app, signed in with both factors just
// now, without the hashing that this takes elsewhere.
func (w *world) signedIn(n NewPerson, now time.Time) (lms.Viewer, app) {
	w.t.Helper()
	p := w.add(n)
	return w.open(p, lms.SignedIn, now), w.appOf(p, now)
}

// open is a fresh session of a person at a stage; a second factor was just given.
func (w *world) open(p lms.Person, stage lms.Stage, now time.Time) lms.Viewer {
	w.t.Helper()
	return w.viewer(w.tokenOf(p, stage, now), now)
}

func (w *world) tokenOf(p lms.Person, stage lms.Stage, now time.Time) string {
	w.t.Helper()
	var opened Opened
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) (err error) {
		opened, err = w.Service.open(w.t.Context(), tx, newSession{person: p.ID, stage: stage, proved: stage == lms.SignedIn, origin: desk}, now)
		return err
	}))
	return opened.Token
}

// appOf gives a person an authenticator app that is set up.
func (w *world) appOf(p lms.Person, now time.Time) app {
	w.t.Helper()
	a := app{world: w, secret: base32NoPad.EncodeToString(newSalt())}
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) (err error) {
		if a.factor, err = w.insertAuthenticator(w.t.Context(), tx, p.ID, a.secret, "app", now); err != nil {
			return err
		}
		return confirmFactor(w.t.Context(), tx, a.factor, now)
	}))
	return a
}

// emailOf lets a person get codes by e-mail.
func (w *world) emailOf(p lms.Person, now time.Time) (factor int64) {
	w.t.Helper()
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) (err error) {
		factor, err = insertEmailFactor(w.t.Context(), tx, p.ID, now)
		return err
	}))
	return factor
}

// hasCodes spares a person the making of recovery codes when they set up a factor.
func (w *world) hasCodes(p lms.Person) {
	w.t.Helper()
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) error {
		return replaceRecoveryCodes(w.t.Context(), tx, p.ID, []string{w.hasher.decoy()}, lmstest.Now)
	}))
}

// prove gives a code of the app.
func (a app) prove(v lms.Viewer, code string, now time.Time) (Opened, error) {
	return a.Prove(a.t.Context(), v, Proof{Factor: a.factor, Code: code, Origin: desk}, now)
}

// from is a request from a network of its own, one of 65,536.
func from(network int) Origin {
	return Origin{From: fmt.Sprintf("10.%d.%d.7", network/256, network%256), Agent: desk.Agent}
}

// guess tries to sign in.
func (w *world) guess(email, password string, o Origin, now time.Time) error {
	_, err := w.SignIn(w.t.Context(), Credentials{Email: email, Password: password, Origin: o}, now)
	return err
}

// tried fills a count with so many tries, the last an hour ago.
func (w *world) tried(b bucket, times int, now time.Time) {
	w.t.Helper()
	tallied := tally{Tries: times - 1, Recent: times - 1, LastAt: now.Add(-time.Hour)}
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) error {
		if err := lockThrottles(w.t.Context(), tx, keysOf([]bucket{b}), now); err != nil {
			return err
		}
		return updateThrottle(w.t.Context(), tx, b.key(), b.pace.count(tallied, now.Add(-time.Hour)))
	}))
}

// known makes a computer one in which a person signed in before, and gives its token.
func (w *world) known(p lms.Person, remembered *time.Time, now time.Time) string {
	w.t.Helper()
	token := newToken()
	require.NoError(w.t, w.inTx(func(tx pgx.Tx) error {
		return upsertComputer(w.t.Context(), tx, web.HashToken(token), p.ID, remembered, now)
	}))
	return token
}

// audited is how many lines of the audit trail name an action.
func (w *world) audited(action string) int {
	w.t.Helper()
	return w.count(`SELECT count(*) FROM accounts.audit WHERE action = $1`, action)
}

// subject is what a mail is about, by which letters are told apart.
func (w *world) subject(lang, name string) string { return w.Words.Text(lang, "mail."+name+".subject") }

// subjects are those of the mails posted to an address so far.
func (w *world) subjects(to string) (subjects []string) {
	w.t.Helper()
	for _, l := range w.letters(to) {
		subjects = append(subjects, l.Subject)
	}
	return subjects
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

// unseal reads the message of a job.
func (w *world) unseal(args json.RawMessage, message any) {
	w.t.Helper()
	var in struct{ Sealed []byte }
	require.NoError(w.t, json.Unmarshal(args, &in))
	b, err := w.Keys.Open(in.Sealed, "mail")
	require.NoError(w.t, err)
	require.NoError(w.t, json.Unmarshal(b, message))
}

// letters are the mails posted to an address so far, the oldest first.
func (w *world) letters(to string) (letters []mail.Letter) {
	w.t.Helper()
	for _, args := range w.jobs("send_mail") {
		var l mail.Letter
		w.unseal(args, &l)
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
