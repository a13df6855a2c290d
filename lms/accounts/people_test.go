package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

// person records somebody with roles.
func (w *world) person(given, family string, roles ...lms.Role) lms.Person {
	w.t.Helper()
	return lmstest.Person(w.t, w.db, func(p *lms.Person) { p.Given, p.Family, p.Roles = given, family, roles })
}

// at is somebody signed in, whose second factor was just given.
func at(p lms.Person) lms.Viewer {
	return lms.Viewer{Person: p, Stage: lms.SignedIn, ProvedAt: lmstest.Now}
}

// found are the names of whom a search finds.
func (w *world) found(typed string) (names []string) {
	w.t.Helper()
	f, err := w.FindPeople(w.t.Context(), typed, 1)
	require.NoError(w.t, err)
	for _, p := range f.People {
		names = append(names, p.Name())
	}
	require.Equal(w.t, len(names), f.Total)
	return names
}

// actions are those of the lines about a person, the newest first.
func (w *world) actions(p lms.Person) (actions []string) {
	w.t.Helper()
	lines, err := selectAudit(w.t.Context(), w.db, AuditFilter{Subject: p.ID}, 100)
	require.NoError(w.t, err)
	for _, l := range lines {
		actions = append(actions, l.Action)
	}
	return actions
}

func TestAProfileThatWasMergedLeadsToTheOneThatStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone, stays, registrar := w.person("Maya", "Rivera"), w.person("Maya", "Ortiz"), w.person("Rita", "Registrar", lms.Registrar)
	w.wrote(lms.AuditEntry{Actor: registrar.ID, Action: "name_corrected", Subject: gone.ID, At: lmstest.Now})
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.merges (from_person, into_person, recorded_at, by_person, reason) VALUES ($1, $2, $3, $4, 'one person')`,
		gone.ID, stays.ID, lmstest.Now, registrar.ID)
	require.NoError(t, err)
	for _, typed := range []string{"Rivera", fmt.Sprint(gone.MOPDID), "Ortiz", fmt.Sprint(stays.MOPDID)} {
		require.Equal(t, []string{"Maya Ortiz"}, w.found(typed), typed)
	}
	r, err := w.LookAt(t.Context(), at(registrar), gone.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, stays.ID, r.Person.ID)
	require.Equal(t, []lms.MOPDID{gone.MOPDID}, r.Aliases)
	require.Equal(t, "Rivera", r.Earlier[0].Family)
	looks, _, err := w.Looks(t.Context(), stays.ID, 0)
	require.NoError(t, err)
	require.Len(t, looks, 2, "also those at the profile that was merged")
	found, err := w.PersonBy(t.Context(), fmt.Sprint(gone.MOPDID))
	require.NoError(t, err)
	require.Equal(t, stays.ID, found)
}

func TestPeopleAreFoundByPartsOfNamesNumbersAndAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nunez, obrien := w.person("Zoë", "Núñez-Prado"), w.person("Pat", "O’Brien")
	other := w.person("Zoltan", "Prager")
	all := []string{nunez.Name(), other.Name()}
	for typed, want := range map[string][]string{
		"nunez":                       {nunez.Name()},
		"NÚÑ":                         {nunez.Name()},
		"prado zoe":                   {nunez.Name()},
		"núñez-prado":                 {nunez.Name()},
		"Prado, Zoë":                  {nunez.Name()},
		"zo":                          all,
		"z pra":                       all,
		"brien":                       {obrien.Name()},
		"O'Brien":                     {obrien.Name()},
		"o’brien pat":                 {obrien.Name()},
		obrien.Email:                  {obrien.Name()},
		strings.ToUpper(other.Email):  {other.Name()},
		fmt.Sprint(int(nunez.MOPDID)): {nunez.Name()},
		fmt.Sprintf("%d %03d", nunez.MOPDID/1000, nunez.MOPDID%1000): {nunez.Name()},
		"brien zoe": nil,
		"runez":     nil,
	} {
		require.ElementsMatch(t, want, w.found(typed), typed)
	}
}

func TestEarlierNamesNumbersAndAddressesLeadToThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.person("Ana", "Before")
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		if err := insertName(t.Context(), tx, p.ID, "Ana", "After", lmstest.Now.Add(time.Hour)); err != nil {
			return err
		}
		if _, err := insertMOPDID(t.Context(), tx, p.ID, 654321, lmstest.Now.Add(-time.Hour)); err != nil {
			return err
		}
		return updateEmail(t.Context(), tx, p.ID, "ana.after@example.org", lmstest.Now)
	}))
	for _, typed := range []string{"Before", "After", "654321", "ana.after@"} {
		require.Equal(t, []string{"Ana After"}, w.found(typed), typed)
	}
	require.Empty(t, w.found(p.Email), "it was never confirmed")
}

func TestNobodyBrowsesThroughEverybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.person("Ana", "Abel")
	for _, typed := range []string{"", " ", "a", "a b", "-", "'", "%", `\`, "*", "a a a", "@", " @", "1"} {
		require.Empty(t, w.found(typed), typed)
	}
}

func TestWhateverIsTypedIsAQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(r *rapid.T) {
		typed := rapid.OneOf(rapid.StringOfN(rapid.RuneFrom([]rune(`aB1 '"\:*&|!()<>-.@＇％ñ`+"\u0301")), 0, 12, -1), rapid.String()).Draw(r, "typed")
		if strings.ContainsRune(typed, 0) {
			return // refused before
		}
		_, err := w.FindPeople(t.Context(), typed, 1)
		require.NoError(t, err, "%q", typed)
	})
}

func TestPeopleCanBeFoundByTheirOwnNameWhateverItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"José María", "Nguyễn", "Smith-Jones", "D’Angelo", "van der Berg", "St. John", "李", "Ångström", "ﬁnch", "Łukasz", "(Bo)"} {
		p := w.person(name, "Findable")
		require.Equal(t, []string{p.Name()}, w.found(name+" Findable"), name)
		require.Equal(t, []string{p.Name()}, w.found(strings.ToUpper(name)+" findable"), name)
	}
}

func TestManyPeopleComeInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range peoplePerPage + 2 {
		w.person("Lee", fmt.Sprintf("Crowd%02d", i))
	}
	seen := map[lms.PersonID]bool{}
	for page, want := range map[int]int{1: peoplePerPage, 2: 2} {
		f, err := w.FindPeople(t.Context(), "crowd", page)
		require.NoError(t, err)
		require.Equal(t, Found{People: f.People, Total: peoplePerPage + 2, Page: page, Pages: 2}, f)
		require.Len(t, f.People, want)
		require.True(t, slices.IsSortedFunc(f.People, func(a, b Listed) int { return strings.Compare(a.Family, b.Family) }))
		for _, p := range f.People {
			seen[p.ID] = true
		}
	}
	require.Len(t, seen, peoplePerPage+2)
	for _, beyond := range []int{-1, 0} {
		f, err := w.FindPeople(t.Context(), "crowd", beyond)
		require.NoError(t, err)
		require.Equal(t, 1, f.Page)
	}
	f, err := w.FindPeople(t.Context(), "crowd", 99)
	require.NoError(t, err)
	require.Equal(t, 2, f.Page)
}

func TestARecordShowsFactsAndNoSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registrar, p := at(w.person("Rita", "Registrar", lms.Registrar)), w.add(maya())
	w.tokenOf(p, lms.SignedIn, lmstest.Now)
	w.tokenOf(p, lms.SignedIn, lmstest.Now.Add(-2*time.Hour))
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		if _, err := insertEmailFactor(t.Context(), tx, p.ID, lmstest.Now); err != nil {
			return err
		}
		_, err := insertAuthenticator(t.Context(), tx, p.ID, "never confirmed", lmstest.Now)
		return err
	}))
	r, err := w.LookAt(t.Context(), registrar, p.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, p, r.Person)
	require.Equal(t, []Kind{ByEmail}, r.Factors, "what is being set up is none yet")
	require.Equal(t, []string{p.Email}, r.Addresses)
	require.Equal(t, 1, r.Sessions, "one is over")
	require.NotNil(t, r.SignedInAt)
	require.Empty(t, r.Earlier)
	require.Empty(t, r.Aliases)
	require.NotEmpty(t, r.Trail)
	_, err = w.LookAt(t.Context(), registrar, p.ID+100, desk.From, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrNotFound)
}

func TestEveryLookAtARecordIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registrar, p := at(w.person("Rita", "Registrar", lms.Registrar)), w.person("Maya", "Rivera")
	for n := 1; n <= 2; n++ {
		_, err := w.LookAt(t.Context(), registrar, p.ID, desk.From, lmstest.Now)
		require.NoError(t, err)
		_, err = w.LookAtPerson(t.Context(), registrar, p.ID, desk.From, lmstest.Now)
		require.NoError(t, err)
		require.Equal(t, 2*n, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed' AND actor = $1 AND subject = $2 AND origin = $3`, registrar.ID, p.ID, desk.From))
	}
	_, err := w.LookAt(t.Context(), registrar, registrar.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Empty(t, w.actions(registrar.Person), "one's own record is one's own")
}

func TestACorrectionKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registrar := at(w.person("Rita", "Registrar", lms.Registrar))
	n := maya()
	n.Born = lms.Date{Year: 1990, Month: 5, Day: 1}
	p, now := w.add(n), lmstest.Now.Add(time.Hour)
	born := lms.Date{Year: 1991, Month: 5, Day: 1}
	require.NoError(t, w.Correct(t.Context(), registrar, p.ID, Correction{Given: " Maya ", Family: "López", Born: born, Reason: "birth certificate seen"}, desk.From, now))
	r, err := w.LookAt(t.Context(), registrar, p.ID, desk.From, now)
	require.NoError(t, err)
	require.Equal(t, "Maya López", r.Name())
	require.Equal(t, born, r.Born)
	require.Len(t, r.Earlier, 1)
	require.Equal(t, "Rivera López", r.Earlier[0].Family)
	require.Equal(t, "born_corrected", r.Trail[0].Action)
	require.Equal(t, "1990-05-01 → 1991-05-01: birth certificate seen", r.Trail[0].Note)
	require.Equal(t, "name_corrected", r.Trail[1].Action)
	require.Equal(t, "Maya Rivera López → Maya López: birth certificate seen", r.Trail[1].Note)
	require.Equal(t, registrar.ID, r.Trail[1].Actor)
	require.Equal(t, w.Words.Text("es", "mail.record_corrected.subject"), w.lastLetter(p.Email).Subject)
	require.Len(t, w.letters(p.Email), 1)
	require.Equal(t, []string{"Maya López"}, w.found("Rivera López"), "the earlier name still leads here")
}

func TestACorrectionNeedsAReasonAndSomethingToCorrect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registrar, p := at(w.person("Rita", "Registrar", lms.Registrar)), w.person("Maya", "Rivera")
	for field, c := range map[string]Correction{
		"given":  {Given: " ", Family: "R", Reason: "seen"},
		"family": {Given: "M", Family: strings.Repeat("x", nameLength+1), Reason: "seen"},
		"born":   {Given: "M", Family: "R", Born: lmstest.Today, Reason: "seen"},
		"reason": {Given: "M", Family: "R", Reason: " "},
	} {
		err := w.Correct(t.Context(), registrar, p.ID, c, desk.From, lmstest.Now.Add(time.Hour))
		require.ErrorIs(t, err, lms.ErrForm)
		refusal, _ := lms.AsError(err)
		require.Contains(t, refusal.Fields, field)
		require.Len(t, refusal.Fields, 1, field)
	}
	same := Correction{Given: p.Given, Family: p.Family, Reason: "seen"}
	require.ErrorIs(t, w.Correct(t.Context(), registrar, p.ID, same, desk.From, lmstest.Now), ErrNothingChanged)
	require.ErrorIs(t, w.Correct(t.Context(), registrar, p.ID+100, same, desk.From, lmstest.Now), lms.ErrNotFound)
	require.Empty(t, w.actions(p))
}

func TestAChangeOfRolesSignsThePersonOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, p := at(w.person("Ada", "Admin", lms.Administrator)), w.add(maya())
	token := w.tokenOf(p, lms.SignedIn, lmstest.Now)
	w.appOf(p, lmstest.Now)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		return upsertComputer(t.Context(), tx, web.HashToken("computer"), p.ID, nil, lmstest.Now)
	}))
	change := RoleChange{Want: []lms.Role{lms.Registrar, lms.Author}}
	require.NoError(t, w.ChangeRoles(t.Context(), admin, p.ID, change, desk.From, lmstest.Now))
	_, err := w.Viewer(t.Context(), token, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrUnauthenticated)
	require.Contains(t, w.fenced, p.ID)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.computers WHERE person = $1`, p.ID))
	require.Equal(t, w.Words.Text("es", "mail.roles_changed.subject"), w.lastLetter(p.Email).Subject)
	require.Contains(t, w.lastLetter(p.Email).Lines, "Ahora usted es: "+strings.Join([]string{w.Words.Text("es", "accounts.role.caregiver"), w.Words.Text("es", "accounts.role.author"), w.Words.Text("es", "accounts.role.registrar")}, ", ")+".")
	r, err := w.LookAt(t.Context(), admin, p.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.ElementsMatch(t, change.Want, r.Roles)
	require.Equal(t, "roles_changed", r.Trail[0].Action)
	require.Equal(t, "caregiver, author, registrar", r.Trail[0].Note)
}

func TestRolesAreChangedOnlyFromWhatWasShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, p := at(w.person("Ada", "Admin", lms.Administrator)), w.person("Maya", "Rivera", lms.Author)
	w.appOf(p, lmstest.Now)
	try := func(was, want []lms.Role) error {
		return w.ChangeRoles(t.Context(), admin, p.ID, RoleChange{was, want}, desk.From, lmstest.Now)
	}
	require.ErrorIs(t, try(nil, []lms.Role{lms.Finance}), ErrRolesChanged)
	require.ErrorIs(t, try([]lms.Role{lms.Author}, []lms.Role{lms.Author}), ErrNothingChanged)
	for _, unknown := range []lms.Role{"king", lms.Caregiver, ""} {
		require.ErrorIs(t, try([]lms.Role{lms.Author}, []lms.Role{unknown}), lms.ErrForm, unknown)
	}
	require.NoError(t, try([]lms.Role{lms.Author}, []lms.Role{lms.Finance, lms.Finance}))
	require.NoError(t, try([]lms.Role{lms.Finance}, nil))
	require.ErrorIs(t, w.ChangeRoles(t.Context(), admin, p.ID+100, RoleChange{nil, []lms.Role{lms.Author}}, desk.From, lmstest.Now), lms.ErrNotFound)
}

func TestTheLastAdministratorStaysOne(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, canTakeRole(lms.Administrator, 0), ErrLastAdmin)
	require.NoError(t, canTakeRole(lms.Administrator, 1))
	require.NoError(t, canTakeRole(lms.Author, 0))
	w := newWorld(t)
	admin := at(w.person("Ada", "Admin", lms.Administrator))
	alone := RoleChange{Was: []lms.Role{lms.Administrator}}
	require.ErrorIs(t, w.CheckRoles(t.Context(), admin.ID, alone), ErrLastAdmin)
	require.ErrorIs(t, w.ChangeRoles(t.Context(), admin, admin.ID, alone, desk.From, lmstest.Now), ErrLastAdmin)
	second := w.person("Ben", "Admin", lms.Administrator)
	require.NoError(t, w.CheckRoles(t.Context(), second.ID, alone))
	require.NoError(t, w.ChangeRoles(t.Context(), admin, second.ID, alone, desk.From, lmstest.Now))
	require.ErrorIs(t, w.ChangeRoles(t.Context(), admin, admin.ID, alone, desk.From, lmstest.Now), ErrLastAdmin)
}

func TestAnAdministratorWhoCannotSignInDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, gone := at(w.person("Ada", "Admin", lms.Administrator)), w.person("Ben", "Admin", lms.Administrator)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error { return deleteLogin(t.Context(), tx, gone.ID) }))
	alone := RoleChange{Was: []lms.Role{lms.Administrator}}
	require.ErrorIs(t, w.ChangeRoles(t.Context(), admin, admin.ID, alone, desk.From, lmstest.Now), ErrLastAdmin)
	require.ErrorIs(t, guards.Explain(w.inTx(func(tx pgx.Tx) error { return deleteRole(t.Context(), tx, admin.ID, lms.Administrator) })), ErrLastAdmin, "the database alone")
	require.NoError(t, w.ChangeRoles(t.Context(), admin, gone.ID, alone, desk.From, lmstest.Now))
}

func TestARoleIsGivenOnlyToWhoSignsInWithAStrongFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, now := at(w.person("Ada", "Admin", lms.Administrator)), lmstest.Now
	give := func(p lms.Person) error {
		change := RoleChange{Want: []lms.Role{lms.Author}}
		err := w.ChangeRoles(t.Context(), admin, p.ID, change, desk.From, now)
		if err != nil {
			require.ErrorIs(t, w.CheckRoles(t.Context(), p.ID, change), ErrUnprotected)
		}
		return err
	}
	p := w.add(maya())
	require.ErrorIs(t, give(p), ErrUnprotected)
	w.emailOf(p, now)
	require.ErrorIs(t, give(p), ErrUnprotected, "codes that travel can be read on the way")
	w.appOf(p, now)
	require.NoError(t, give(p))
	out := w.person("Nobody", "Signs-in")
	w.appOf(out, now)
	_, err := w.db.Exec(t.Context(), `DELETE FROM accounts.logins WHERE person = $1`, out.ID)
	require.NoError(t, err)
	require.ErrorIs(t, give(out), ErrUnprotected)
}

func TestNobodyCorrectsTheirOwnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.registrar(lmstest.Now)
	err := w.Correct(t.Context(), v, v.ID, Correction{Given: "Other", Family: "Name", Born: mayasBirth, Reason: "x"}, desk.From, lmstest.Now.Add(time.Minute))
	require.ErrorIs(t, err, ErrOwnRecord)
}

func TestOfTwoAdministratorsWhoTakeEachOthersRoleOneStays(t *testing.T) {
	w := newWorld(t)
	both := [2]lms.Viewer{at(w.person("Ada", "Admin", lms.Administrator)), at(w.person("Ben", "Admin", lms.Administrator))}
	won := 0
	for _, err := range lmstest.Race(t, w.db, func(i int) error {
		return w.ChangeRoles(t.Context(), both[i%2], both[1-i%2].ID, RoleChange{Was: []lms.Role{lms.Administrator}}, desk.From, lmstest.Now)
	}) {
		if err == nil {
			won++
		} else if !errors.Is(err, ErrRolesChanged) {
			require.ErrorIs(t, err, ErrLastAdmin)
		}
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.roles WHERE role = 'administrator'`))
}

func TestAnAdministratorEndsAllSessionsOfAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, p, other := at(w.person("Ada", "Admin", lms.Administrator)), w.add(maya()), w.person("Ben", "Bystander")
	tokens := []string{w.tokenOf(p, lms.SignedIn, lmstest.Now), w.tokenOf(p, lms.SignedIn, lmstest.Now)}
	others := w.tokenOf(other, lms.SignedIn, lmstest.Now)
	require.NoError(t, w.EndSessions(t.Context(), admin, p.ID, desk.From, lmstest.Now))
	for _, token := range tokens {
		_, err := w.Viewer(t.Context(), token, lmstest.Now)
		require.ErrorIs(t, err, lms.ErrUnauthenticated)
	}
	_, err := w.Viewer(t.Context(), others, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, "sessions_ended", w.actions(p)[0])
	require.Equal(t, w.Words.Text("es", "mail.sessions_ended.subject"), w.lastLetter(p.Email).Subject)
	require.ErrorIs(t, w.EndSessions(t.Context(), admin, p.ID+100, desk.From, lmstest.Now), lms.ErrNotFound)
}
