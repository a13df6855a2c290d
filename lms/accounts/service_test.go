package accounts

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/web"
)

func TestMain(m *testing.M) { lmstest.Main(m) }

const password = "correct horse"

type world struct {
	*Service
	t  *testing.T
	db *pgxpool.Pool

	mu     sync.Mutex
	fenced []lms.PersonID
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, db: lmstest.DB(t)}
	w.Service = New(Dependencies{DB: w.db, Player: w})
	return w
}

func (w *world) Fence(_ context.Context, _ pgx.Tx, p lms.PersonID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fenced = append(w.fenced, p)
	return nil
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

func (w *world) signIn(email string, now time.Time) string {
	w.t.Helper()
	token, err := w.SignIn(w.t.Context(), Credentials{Email: email, Password: password, From: "192.0.2.1"}, now)
	require.NoError(w.t, err)
	return token
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.QueryRow(w.t.Context(), sql, args...).Scan(&n))
	return n
}

func TestAnAccountIsAPersonWithAMOPDID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := maya()
	n.Roles = []lms.Role{lms.Author, lms.Caregiver, lms.Administrator}
	p := w.add(n)
	require.GreaterOrEqual(t, p.MOPDID, lms.MOPDID(100_000))
	require.LessOrEqual(t, p.MOPDID, lms.MOPDID(999_999))
	require.Equal(t, lms.Person{ID: p.ID, MOPDID: p.MOPDID, Given: "Maya", Family: "Rivera López", Email: "maya@example.org", Lang: "es",
		Roles: []lms.Role{lms.Administrator, lms.Author}}, p)

	require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
		found, err := w.Person(t.Context(), tx, p.ID)
		require.NoError(t, err)
		require.Equal(t, p, found)
		_, err = w.Person(t.Context(), tx, 999)
		require.ErrorIs(t, err, lms.ErrNotFound)
		return nil
	}))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'account added' AND subject = $1`, p.ID))
}

func TestAnAccountWithMistakesIsRefusedFieldByField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cases := map[string]struct {
		change func(*NewPerson)
		fields map[string]string
	}{
		"no given name":         {func(n *NewPerson) { n.Given = " " }, map[string]string{"name": "name_missing"}},
		"no family name":        {func(n *NewPerson) { n.Family = "" }, map[string]string{"name": "name_missing"}},
		"no e-mail":             {func(n *NewPerson) { n.Email = "" }, map[string]string{"email": "email_form"}},
		"e-mail without a host": {func(n *NewPerson) { n.Email = "maya" }, map[string]string{"email": "email_form"}},
		"e-mail with a name":    {func(n *NewPerson) { n.Email = "Maya <maya@example.org>" }, map[string]string{"email": "email_form"}},
		"two e-mails":           {func(n *NewPerson) { n.Email = "a@example.org, b@example.org" }, map[string]string{"email": "email_form"}},
		"short password":        {func(n *NewPerson) { n.Password = "ñandúes" }, map[string]string{"password": "password_short"}},
		"unknown role":          {func(n *NewPerson) { n.Roles = []lms.Role{"king"} }, map[string]string{"roles": "role_unknown"}},
		"everything":            {func(n *NewPerson) { *n = NewPerson{} }, map[string]string{"name": "name_missing", "email": "email_form", "password": "password_short"}},
	}
	for name, c := range cases {
		n := maya()
		c.change(&n)
		_, err := w.Add(t.Context(), n, lmstest.Now)
		require.ErrorIs(t, err, lms.ErrForm, name)
		refused, _ := lms.AsError(err)
		require.Equal(t, c.fields, refused.Fields, name)
	}
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.people`))
}

func TestOfManyAccountsWithOneEmailOneIsMade(t *testing.T) {
	w := newWorld(t)
	lmstest.OneWins(t, w.db, ErrEmailTaken, func(i int) error { // in the store: hashing 32 passwords takes its time
		n := maya()
		if i%2 == 0 {
			n.Email = strings.ToUpper(n.Email)
		}
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			_, err := insertPerson(t.Context(), tx, n, "", lmstest.Now)
			return guards.Explain(err)
		})
	})
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.people`))
	_, err := w.Add(t.Context(), maya(), lmstest.Now)
	require.ErrorIs(t, err, ErrEmailTaken)
}

func TestAMOPDIDIsGivenOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
		given, err := insertMOPDID(t.Context(), tx, b.ID, a.MOPDID, lmstest.Now)
		require.NoError(t, err)
		require.False(t, given, "the number is somebody else's")
		given, err = insertMOPDID(t.Context(), tx, b.ID, 999_999, lmstest.Now)
		require.NoError(t, err)
		require.True(t, given)
		return nil
	}))
	for _, outside := range []lms.MOPDID{99_999, 1_000_000} {
		err := pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			_, err := insertMOPDID(t.Context(), tx, b.ID, outside, lmstest.Now)
			return err
		})
		require.Equal(t, "mopd_ids_six_digits", pg.Violated(err))
	}
}

// A trigger stands for numbers that are taken: it inserts none of those.
func (w *world) taken(numbers string) {
	w.t.Helper()
	_, err := w.db.Exec(w.t.Context(), `CREATE FUNCTION public.taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF `+numbers+` THEN RETURN NULL; END IF; RETURN NEW; END $$;
		CREATE TRIGGER taken BEFORE INSERT ON accounts.mopd_ids FOR EACH ROW EXECUTE FUNCTION public.taken()`)
	require.NoError(w.t, err)
}

func TestANumberThatIsTakenIsDrawnAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.taken(`NEW.id % 3 > 0`)
	for _, name := range []string{"a", "b", "c"} {
		n := maya()
		n.Email = name + "@example.org"
		require.Zero(t, w.add(n).MOPDID%3)
	}
}

func TestNoAccountIsMadeWithoutANumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.taken(`true`)
	_, err := w.Add(t.Context(), maya(), lmstest.Now)
	require.ErrorContains(t, err, "no free MOPD ID")
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.people`))
}

func TestSigningInWorksWhateverTheCaseOfTheEmail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, email := range []string{"maya@example.org", "MAYA@Example.org", " maya@example.org "} {
		viewer, err := w.Viewer(t.Context(), w.signIn(email, lmstest.Now), lmstest.Now)
		require.NoError(t, err, email)
		require.Equal(t, p, viewer)
	}
	require.Equal(t, 3, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'signed in' AND actor = $1 AND origin = '192.0.2.1'`, p.ID))
}

func TestAWrongPasswordAndAnUnknownEmailAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	for _, c := range []struct{ email, password string }{
		{"maya@example.org", "wrong horse"}, {"maya@example.org", ""}, {"nobody@example.org", password}, {"", ""},
	} {
		token, err := w.SignIn(t.Context(), Credentials{Email: c.email, Password: c.password}, lmstest.Now)
		require.Equal(t, error(ErrWrongPassword), err, "%q %q", c.email, c.password)
		require.Empty(t, token)
	}
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions`))
}

// A decoy of other parameters would tell unknown accounts by the time they take.
func TestTheDecoyCostsWhatARealHashCosts(t *testing.T) {
	t.Parallel()
	parameters := func(encoded string) string {
		return encoded[:strings.LastIndex(encoded[:strings.LastIndex(encoded, "$")], "$")]
	}
	require.Equal(t, parameters(hashPassword(password)), parameters(decoy))
	require.Equal(t, "$argon2id$v=19$m=19456,t=2,p=1", parameters(decoy))
}

func TestASessionEndsAfterThirtyMinutesWithoutARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	token := w.signIn("maya@example.org", lmstest.Now)
	now := lmstest.Now
	for _, pause := range []time.Duration{0, Idle - time.Second, Idle - time.Second} {
		now = now.Add(pause)
		_, err := w.Viewer(t.Context(), token, now)
		require.NoError(t, err, pause)
	}
	_, err := w.Viewer(t.Context(), token, now.Add(Idle))
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
}

func TestASessionEndsAfterTwelveHoursInAnyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	token := w.signIn("maya@example.org", lmstest.Now)
	for since := time.Duration(0); since < Longest; since += 20 * time.Minute {
		_, err := w.Viewer(t.Context(), token, lmstest.Now.Add(since))
		require.NoError(t, err, since)
	}
	_, err := w.Viewer(t.Context(), token, lmstest.Now.Add(Longest-time.Second))
	require.NoError(t, err)
	_, err = w.Viewer(t.Context(), token, lmstest.Now.Add(Longest))
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
}

func TestACourseThatPlaysKeepsItsSessionAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	token := w.signIn("maya@example.org", lmstest.Now)
	touch := func(now time.Time) {
		require.NoError(t, pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error { return w.Touch(t.Context(), tx, web.HashToken(token), now) }))
	}
	touch(lmstest.Now.Add(20 * time.Minute))
	touch(lmstest.Now.Add(10 * time.Minute)) // an older one, late: it takes nothing back
	_, err := w.Viewer(t.Context(), token, lmstest.Now.Add(45*time.Minute))
	require.NoError(t, err)
}

func TestASessionThatIsOverStaysOver(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]time.Duration{"nobody was there for half an hour": 0, "it is twelve hours old": Longest - time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add(maya())
			token := w.signIn("maya@example.org", lmstest.Now)
			touch := func(now time.Time) error {
				return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error { return w.Touch(t.Context(), tx, web.HashToken(token), now) })
			}
			for at := time.Duration(0); at <= last; at += Idle - time.Minute {
				require.NoError(t, touch(lmstest.Now.Add(at)))
			}
			over := lmstest.Now.Add(min(last+Idle, Longest))
			require.ErrorIs(t, touch(over), lms.ErrUnauthenticated)
			_, err := w.Viewer(t.Context(), token, over)
			require.ErrorIs(t, err, lms.ErrUnauthenticated)
		})
	}
}

func TestSigningOutEndsThatSessionAndThePlayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	here, there := w.signIn("maya@example.org", lmstest.Now), w.signIn("maya@example.org", lmstest.Now)
	require.NotEqual(t, here, there)
	require.NoError(t, w.SignOut(t.Context(), p.ID, here, "", lmstest.Now))
	_, err := w.Viewer(t.Context(), here, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	_, err = w.Viewer(t.Context(), there, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, []lms.PersonID{p.ID}, w.fenced)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'signed out'`))
}

func TestAGuessedTokenIsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	token := w.signIn("maya@example.org", lmstest.Now)
	for _, guess := range []string{"", "x", token + "x", token[1:], "\x00", string(web.HashToken(token))} {
		_, err := w.Viewer(t.Context(), guess, lmstest.Now)
		require.ErrorIs(t, err, lms.ErrUnauthenticated, "%q", guess)
	}
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.sessions WHERE token_hash = $1`, []byte(token)), "tokens are stored as hashes")
}

func TestTheLatestNameIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.names (person, given, family, recorded_at) VALUES ($1, 'Maya', 'Ortiz', $2)`, p.ID, lmstest.Now.Add(time.Second))
	require.NoError(t, err)
	viewer, err := w.Viewer(t.Context(), w.signIn("maya@example.org", lmstest.Now), lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, "Maya Ortiz", viewer.Name())
}

func TestSigningInAgainEndsTheBrowsersFormerSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	former := w.signIn(maya().Email, lmstest.Now)
	again, err := w.SignIn(t.Context(), Credentials{Email: maya().Email, Password: maya().Password, Former: former}, lmstest.Now)
	require.NoError(t, err)
	_, err = w.Viewer(t.Context(), former, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	_, err = w.Viewer(t.Context(), again, lmstest.Now)
	require.NoError(t, err)
}

func TestARefusedSignInIsInTheAuditTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	for _, email := range []string{maya().Email, "nobody@example.org"} {
		_, err := w.SignIn(t.Context(), Credentials{Email: email, Password: "wrong password", From: "192.0.2.1"}, lmstest.Now)
		require.ErrorIs(t, err, ErrWrongPassword)
	}
	require.Equal(t, 2, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'sign-in refused' AND origin = '192.0.2.1'`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'sign-in refused' AND subject = $1`, p.ID))
}
