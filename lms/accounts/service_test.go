package accounts

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/secrets"
)

func TestAnAccountIsAPersonWithAMOPDID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := maya()
	n.Roles = []lms.Role{lms.Author, lms.Caregiver, lms.Administrator}
	n.Born = lms.Date{Year: 1980, Month: 2, Day: 29}
	p, err := w.Add(t.Context(), n, lmstest.Now)
	require.NoError(t, err)
	require.GreaterOrEqual(t, p.MOPDID, lms.MOPDID(100_000))
	require.LessOrEqual(t, p.MOPDID, lms.MOPDID(999_999))
	require.Equal(t, lms.Person{ID: p.ID, MOPDID: p.MOPDID, Given: "Maya", Family: "Rivera López", Email: "maya@example.org", Lang: "es", Born: n.Born,
		Roles: []lms.Role{lms.Administrator, lms.Author}}, p)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		found, err := w.Person(t.Context(), tx, p.ID)
		require.NoError(t, err)
		require.Equal(t, p, found)
		_, err = w.Person(t.Context(), tx, 999)
		require.ErrorIs(t, err, lms.ErrNotFound)
		return nil
	}))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'account_added' AND subject = $1`, p.ID))
	require.Equal(t, lms.Identified, firstStage([]Factor{{Confirmed: true}}, false))
	require.Equal(t, lms.Identified, w.identified(n.Email, lmstest.Now).Stage)
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
		"long name":             {func(n *NewPerson) { n.Family = strings.Repeat("ñ", 101) }, map[string]string{"name": "name_missing"}},
		"control characters":    {func(n *NewPerson) { n.Given = "Ma\x00ya" }, map[string]string{"name": "name_missing"}},
		"no e-mail":             {func(n *NewPerson) { n.Email = "" }, map[string]string{"email": "email_form"}},
		"e-mail without a host": {func(n *NewPerson) { n.Email = "maya" }, map[string]string{"email": "email_form"}},
		"e-mail with a name":    {func(n *NewPerson) { n.Email = "Maya <maya@example.org>" }, map[string]string{"email": "email_form"}},
		"two e-mails":           {func(n *NewPerson) { n.Email = "a@example.org, b@example.org" }, map[string]string{"email": "email_form"}},
		"short password":        {func(n *NewPerson) { n.Password = "ñandúes" }, map[string]string{"password": "password_short"}},
		"own name as password":  {func(n *NewPerson) { n.Password = "MayaRivera1" }, map[string]string{"password": "password_personal"}},
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
	require.Zero(t, w.hasher.derived.Load(), "what is refused costs nothing")
}

func TestOfManyAccountsWithOneEmailOneIsMade(t *testing.T) {
	w := newWorld(t)
	lmstest.OneWins(t, w.db, ErrEmailTaken, func(i int) error { // in a transaction of its own: hashing 32 passwords takes its time
		n := maya()
		if i%2 == 0 {
			n.Email = strings.ToUpper(n.Email)
		}
		return w.inTx(func(tx pgx.Tx) error {
			_, err := w.Service.add(t.Context(), tx, n, w.hasher.decoy(), lmstest.Now)
			return err
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
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		given, err := insertMOPDID(t.Context(), tx, b.ID, a.MOPDID, lmstest.Now)
		require.NoError(t, err)
		require.False(t, given, "the number is somebody else's")
		given, err = insertMOPDID(t.Context(), tx, b.ID, 999_999, lmstest.Now)
		require.NoError(t, err)
		require.True(t, given)
		return nil
	}))
	for _, outside := range []lms.MOPDID{99_999, 1_000_000_000} {
		err := w.inTx(func(tx pgx.Tx) error {
			_, err := insertMOPDID(t.Context(), tx, b.ID, outside, lmstest.Now)
			return err
		})
		require.Equal(t, "mopd_ids_from_100000", pg.Violated(err))
	}
}

// taken has a trigger stand for numbers that are taken: it inserts none of those.
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
	for _, name := range []string{"Ana", "Bea", "Cyd"} {
		require.Zero(t, w.add(named(name)).MOPDID%3)
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

func TestNumbersAreAsLongAsADeploymentWantsThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for digits, want := range map[int][2]lms.MOPDID{6: {100_000, 999_999}, 7: {1_000_000, 9_999_999}, 9: {100_000_000, 999_999_999}} {
		w.MOPDDigits = digits
		n := named("Ana")
		n.Email = strings.Repeat("a", digits) + "@example.org"
		p := w.add(n)
		require.GreaterOrEqual(t, p.MOPDID, want[0])
		require.LessOrEqual(t, p.MOPDID, want[1])
	}
	for _, digits := range []int{-1, 5, 10} {
		d := w.Dependencies
		d.MOPDDigits = digits
		_, err := New(d)
		require.Error(t, err)
	}
}

func TestTheLatestNameIsShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		return insertName(t.Context(), tx, p.ID, "Maya", "Ortiz", lmstest.Now.Add(time.Second))
	}))
	require.Equal(t, "Maya Ortiz", w.open(p, lms.SignedIn, lmstest.Now).Name())
}

func TestTheAuditTrailIsNeverEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	for _, sql := range []string{`UPDATE accounts.audit SET origin = ''`, `DELETE FROM accounts.audit`, `TRUNCATE accounts.audit`} {
		_, err := w.db.Exec(t.Context(), sql)
		require.Equal(t, "audit_append_only", pg.Violated(err), sql)
	}
	require.Equal(t, 1, w.audited("account_added"))
}

// Nobody but an administrator could make the next one.
func TestTheDatabaseAloneKeepsAnAdministrator(t *testing.T) {
	w := newWorld(t)
	var admins []lms.Person
	for range lmstest.Racers {
		admins = append(admins, lmstest.Person(t, w.db, func(p *lms.Person) { p.Roles = []lms.Role{lms.Administrator, lms.Author} }))
	}
	var refused []error
	for _, err := range lmstest.Race(t, w.db, func(i int) error {
		sql := `DELETE FROM accounts.roles WHERE person = $1 AND role = 'administrator'`
		if i%2 == 0 {
			sql = `UPDATE accounts.roles SET role = 'finance' WHERE person = $1 AND role = 'administrator'`
		}
		_, err := w.db.Exec(t.Context(), sql, admins[i].ID)
		return guards.Explain(err)
	}) {
		if err != nil {
			refused = append(refused, err)
		}
	}
	require.Len(t, refused, 1)
	require.ErrorIs(t, refused[0], ErrLastAdmin)
	require.Equal(t, "roles_keep_an_administrator", pg.Violated(refused[0]))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.roles WHERE role = 'administrator'`))
	_, err := w.db.Exec(t.Context(), `DELETE FROM accounts.roles WHERE role <> 'administrator'`)
	require.NoError(t, err, "other roles come and go")
}

// An administrator may hand over in one transaction.
func TestTheLastAdministratorMayBeReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := lmstest.Person(t, w.db, func(p *lms.Person) { p.Roles = []lms.Role{lms.Administrator} })
	next := lmstest.Person(t, w.db)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `DELETE FROM accounts.roles WHERE person = $1`, old.ID); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `INSERT INTO accounts.roles VALUES ($1, 'administrator')`, next.ID)
		return err
	}))
	_, err := w.db.Exec(t.Context(), `DELETE FROM accounts.roles`)
	require.Equal(t, "roles_keep_an_administrator", pg.Violated(err))
}

func TestSecretsAreSealedAnewUnderAFreshKeyAndStillWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.add(maya())
	a := w.appOf(p, lmstest.Now)
	old, fresh := w.key, secrets.NewKey()
	var err error
	w.Keys, err = secrets.Parse([]string{fresh, old})
	require.NoError(t, err)
	n, err := w.Reseal(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = w.Reseal(t.Context())
	require.NoError(t, err)
	require.Zero(t, n, "nothing is left to do")

	w.Keys, err = secrets.Parse([]string{fresh})
	require.NoError(t, err)
	now := lmstest.Now.Add(time.Hour)
	_, err = w.Prove(t.Context(), w.identified("maya@example.org", now), Proof{Factor: a.factor, Code: a.code(now), Origin: desk}, now)
	require.NoError(t, err, "without the old key")
}
