package accounts

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// twice is Maya with an account, and her profile of the earlier registry.
type twice struct {
	*world
	account lms.Person
	profile lms.PersonID
	item    int64
	v       lms.Viewer // a registrar
}

func newTwice(t *testing.T) twice {
	t.Helper()
	w := newWorld(t)
	w.imports(imported)
	tw := twice{world: w}
	tw.account = w.signsUp(SignUp{Given: "Maya", Family: "Rivera López", Email: "new@example.org", Born: mayasBirth, Lang: "es"})
	require.NoError(t, w.db.QueryRow(t.Context(), `SELECT person FROM accounts.profiles`).Scan(&tw.profile))
	tw.item, tw.v = w.waiting(SamePersonItem), w.registrar(lmstest.Now)
	return tw
}

func (tw twice) mergeAt(into lms.PersonID, now time.Time) error {
	return tw.Service.Merge(tw.t.Context(), tw.v, because(tw.item), into, now)
}

// waits tells whether a decision about the item waits to take effect.
func (tw twice) waits() bool {
	return tw.count(`SELECT count(*) FROM accounts.worklist WHERE id = $1 AND closed_at IS NULL AND due_at IS NOT NULL`, tw.item) == 1
}

// merge merges, after the waiting time if there is one.
func (tw twice) merge(into lms.PersonID) error {
	if err := tw.mergeAt(into, lmstest.Now); err != nil || !tw.waits() {
		return err
	}
	return tw.mergeAt(into, lmstest.Now.Add(tw.RecoveryWait))
}

func TestAMergeThatMovesAWayInWaitsAndEveryAddressOfBothIsToldAtOnce(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	require.NoError(t, tw.mergeAt(tw.profile, lmstest.Now))
	require.True(t, tw.waits())
	require.Empty(t, tw.merged)
	_, err := tw.give("new@example.org", lmstest.Now)
	require.NoError(t, err)
	for to, lang := range map[string]string{"new@example.org": "es", "maya@example.org": "en"} {
		require.Equal(t, tw.subject(lang, "merge_waits"), tw.lastLetter(to).Subject)
	}
	require.Contains(t, tw.lastLetter("maya@example.org").Lines[0], "March 19, 2026")
	require.ErrorIs(t, tw.mergeAt(tw.profile, lmstest.Now.Add(tw.RecoveryWait-time.Second)), ErrStillWaits)
	require.Empty(t, tw.merged)
	require.NoError(t, tw.mergeAt(tw.profile, lmstest.Now.Add(tw.RecoveryWait)))
	require.NotEmpty(t, tw.merged)
	require.Equal(t, 1, tw.audited("same_person_merge_waits"))
}

func TestAMergeOfTwoAccountsWaitsAndOneTheOtherWayWaitsAnew(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	now := lmstest.Now
	_, err := tw.FinishClaim(t.Context(), tw.proved(mayasClaim(), "maya@example.org", now), password, desk, now)
	require.NoError(t, err)
	require.NoError(t, tw.mergeAt(tw.account.ID, now))
	stop := token(tw.lastLetter("maya@example.org"))
	due := now.Add(tw.RecoveryWait)
	require.NoError(t, tw.mergeAt(tw.profile, due))
	require.Empty(t, tw.merged)
	_, err = tw.CheckItemStop(t.Context(), stop)
	require.ErrorIs(t, err, ErrDecisionOver, "that was about the other way")
	require.NoError(t, tw.mergeAt(tw.profile, due.Add(tw.RecoveryWait)))
	require.NotEmpty(t, tw.merged)
}

func TestNoRecordGoesToAnAccountBeforeItsAddressesCouldStopIt(t *testing.T) {
	t.Parallel()
	tw := newTwice(t) // whoever knows a name and a birth date gets this far
	require.NoError(t, tw.mergeAt(tw.account.ID, lmstest.Now))
	require.True(t, tw.waits())
	require.Empty(t, tw.merged)
	require.Equal(t, tw.subject("en", "merge_waits"), tw.lastLetter("maya@example.org").Subject)
	plan, err := tw.PlanMerge(t.Context(), tw.v, tw.item, tw.account.ID, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.True(t, plan.Waits)
	require.True(t, plan.TakesOver)
	require.ErrorIs(t, tw.mergeAt(tw.account.ID, lmstest.Now.Add(tw.RecoveryWait-time.Second)), ErrStillWaits)
	require.NoError(t, tw.StopItem(t.Context(), token(tw.lastLetter("maya@example.org")), "", lmstest.Now))
	require.ErrorIs(t, tw.mergeAt(tw.account.ID, lmstest.Now.Add(tw.RecoveryWait)), ErrItemClosed)
	require.Empty(t, tw.merged)
}

func TestAMergeIsDoneAtOnceWhereTheAccountsAddressIsOnFileOrNoneIs(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"the same mailbox": imported, "no address": header + "204118,Maya,Rivera López,1980-03-15,,2025-09-15\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.imports(file)
			p := w.signsUp(SignUp{Given: "Maya", Family: "Rivera López", Email: "Maya@example.org", Born: mayasBirth, Lang: "es"})
			require.NoError(t, w.Service.Merge(t.Context(), w.registrar(lmstest.Now), because(w.waiting(SamePersonItem)), p.ID, lmstest.Now))
			require.NotEmpty(t, w.merged)
		})
	}
}

func TestAnyToldAddressStopsAMergeOnceAndForAll(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	require.NoError(t, tw.mergeAt(tw.profile, lmstest.Now))
	stop, other := token(tw.lastLetter("new@example.org")), token(tw.lastLetter("maya@example.org"))
	kind, err := tw.CheckItemStop(t.Context(), stop)
	require.NoError(t, err)
	require.Equal(t, SamePersonItem, kind)
	require.NoError(t, tw.StopItem(t.Context(), stop, desk.From, lmstest.Now))
	for _, spent := range []string{stop, other, "nothing"} {
		require.ErrorIs(t, tw.StopItem(t.Context(), spent, desk.From, lmstest.Now), ErrDecisionOver)
	}
	require.Equal(t, 1, tw.count(`SELECT count(*) FROM accounts.worklist WHERE id = $1 AND outcome = 'stopped' AND closed_by IS NULL`, tw.item))
	require.Equal(t, 1, tw.audited("same_person_stopped"))
	require.ErrorIs(t, tw.mergeAt(tw.profile, lmstest.Now.Add(tw.RecoveryWait)), ErrItemClosed)
	require.Empty(t, tw.merged)
}

func TestAMergeSaysBeforehandWhatItWillDo(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	moved := lms.Enrollment{ID: 1, Course: 1, State: lms.Active, Title: "Poison Prevention"}
	both := lms.Enrollment{ID: 2, Course: 2, State: lms.Ready, Title: "Safe Sleep"}
	tw.courses = map[lms.PersonID][]lms.Enrollment{tw.account.ID: {moved, both}, tw.profile: {{ID: 3, Course: 2, State: lms.Ready}}}
	plan, err := tw.PlanMerge(t.Context(), tw.v, tw.item, tw.profile, desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, []lms.Enrollment{moved}, plan.Moved)
	require.Equal(t, []lms.Enrollment{both}, plan.Ended)
	require.Equal(t, []string{"Safe Sleep"}, plan.Held)
	require.True(t, plan.LoginMoves)
	require.Empty(t, tw.merged, "nothing has happened yet")
}

func TestTheWayInGoesToTheProfileThatStays(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	a, _ := tw.protect("new@example.org", lmstest.Now)
	open := tw.identified("new@example.org", lmstest.Now)
	require.NoError(t, tw.merge(tw.profile))
	require.Equal(t, [][2]lms.PersonID{{tw.account.ID, tw.profile}, {tw.account.ID, tw.profile}}, tw.merged)
	require.Subset(t, tw.fenced, []lms.PersonID{tw.account.ID, tw.profile})
	require.Zero(t, tw.count(`SELECT count(*) FROM accounts.sessions WHERE id = $1`, open.Session))

	now := lmstest.Now.Add(time.Hour)
	half := tw.identified("new@example.org", now)
	require.Equal(t, tw.profile, half.ID)
	require.Equal(t, lms.MOPDID(204118), half.MOPDID)
	require.Equal(t, "es", half.Lang)
	_, err := tw.Prove(t.Context(), half, Proof{Factor: a.factor, Code: a.code(now), Origin: desk}, now)
	require.NoError(t, err, "the second factor came along")
	require.Equal(t, 1, tw.count(`SELECT count(*) FROM accounts.profiles WHERE claimed_at IS NOT NULL`))
	for _, to := range []string{"new@example.org", "maya@example.org"} {
		require.Equal(t, tw.Words.Text("es", "mail.merged.subject"), tw.lastLetter(to).Subject)
	}
}

func TestWhoStaysKeepsTheirWayInAndEveryAddressAndMOPDIDLeadsToThem(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	require.NoError(t, tw.merge(tw.account.ID))
	v := tw.identified("new@example.org", lmstest.Now)
	require.Equal(t, tw.account.MOPDID, v.MOPDID)
	found, err := selectProfile(t.Context(), tw.db, 204118)
	require.NoError(t, err)
	require.Equal(t, tw.account.ID, found.Person)
	require.False(t, found.claimable())
	addresses, err := selectAddresses(t.Context(), tw.db, tw.account.ID)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"new@example.org", "maya@example.org"}, addresses)
	require.Equal(t, 1, tw.count(`SELECT count(*) FROM accounts.merges WHERE by_person = $1 AND reason = 'Called back.'`, tw.v.ID))
	require.Equal(t, 2, tw.count(`SELECT count(*) FROM accounts.audit WHERE actor = $1 AND action IN ('merged_away', 'same_person_merged')`, tw.v.ID))
}

func TestTwoAccountsBecomeOneAndTheOtherWayInEnds(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	now := lmstest.Now
	_, err := tw.FinishClaim(t.Context(), tw.proved(mayasClaim(), "maya@example.org", now), password, desk, now)
	require.NoError(t, err)
	tw.protect("maya@example.org", now)
	require.NoError(t, tw.merge(tw.account.ID))
	_, err = tw.give("maya@example.org", now)
	require.ErrorIs(t, err, ErrWrongPassword)
	_, err = tw.give("new@example.org", now)
	require.NoError(t, err)
	for _, table := range []string{"logins", "factors", "recovery_codes", "sessions", "computers"} {
		require.Zero(t, tw.count(`SELECT count(*) FROM accounts.`+table+` WHERE person = $1`, tw.profile), table)
	}
}

func TestAMergeIsDoneOnceAndNeedsAReason(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	require.ErrorIs(t, tw.Service.Merge(t.Context(), tw.v, Decision{Item: tw.item, Reason: " "}, tw.profile, lmstest.Now), lms.ErrForm)
	require.ErrorIs(t, tw.merge(tw.v.ID), ErrMergedBefore, "only one of the two stays")
	require.NoError(t, tw.merge(tw.profile))
	require.ErrorIs(t, tw.merge(tw.profile), ErrItemClosed)
	require.NoError(t, tw.inTx(func(tx pgx.Tx) error {
		return insertItem(t.Context(), tx, Item{Kind: SamePersonItem, Person: tw.account.ID, Other: tw.profile}, lmstest.Now)
	}))
	tw.item = tw.waiting(SamePersonItem)
	require.ErrorIs(t, tw.merge(tw.profile), ErrMergedBefore)
}

func TestAProfileWithARoleDoesNotGoAway(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	_, err := tw.db.Exec(t.Context(), `INSERT INTO accounts.roles VALUES ($1, 'author')`, tw.account.ID)
	require.NoError(t, err)
	require.ErrorIs(t, tw.merge(tw.profile), ErrMergeStaff)
	require.NoError(t, tw.merge(tw.account.ID))
}

func TestTwoPeopleStayTwo(t *testing.T) {
	t.Parallel()
	tw := newTwice(t)
	require.NoError(t, tw.Dismiss(t.Context(), tw.v, because(tw.item), lmstest.Now))
	require.Empty(t, tw.merged)
	require.Zero(t, tw.count(`SELECT count(*) FROM accounts.worklist WHERE closed_at IS NULL`))
}

// Each merges the other into themselves: no lock but the database's keeps them apart.
func TestTheDatabaseAloneLetsCrossingMergesNeverRunInACircle(t *testing.T) {
	w := newWorld(t)
	a, b := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	lmstest.OneWins(t, w.db, ErrMergedBefore, func(i int) error {
		from, into := a.ID, b.ID
		if i%2 == 1 {
			from, into = into, from
		}
		return guards.Explain(pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			return insertMerge(t.Context(), tx, from, into, a.ID, "race", lmstest.Now)
		}))
	})
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.people WHERE merged_into IS NOT NULL`))
}

func TestOfRegistrarsWhoMergeBothWaysAtOnceOneWins(t *testing.T) {
	tw := newTwice(t)
	require.NoError(t, tw.inTx(func(tx pgx.Tx) error { return deleteLogin(t.Context(), tx, tw.account.ID) }))
	results := make(chan error, 8)
	for i := range cap(results) {
		into := tw.profile
		if i%2 == 1 {
			into = tw.account.ID
		}
		go func() { results <- tw.merge(into) }()
	}
	wins := 0
	for range cap(results) {
		if err := <-results; err == nil {
			wins++
		} else {
			require.ErrorIs(t, err, ErrItemClosed)
		}
	}
	require.Equal(t, 1, wins)
	require.Equal(t, 1, tw.count(`SELECT count(*) FROM accounts.merges`))
}

func TestMergesThatFollowEachOtherLeadToWhoStaysLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	merge := func(from, into lms.Person) error {
		return guards.Explain(w.inTx(func(tx pgx.Tx) error {
			return insertMerge(t.Context(), tx, from.ID, into.ID, c.ID, "the same", lmstest.Now)
		}))
	}
	require.NoError(t, merge(a, b))
	require.NoError(t, merge(b, c))
	for _, p := range []lms.Person{a, b, c} {
		who, err := selectWho(t.Context(), w.db, p.ID)
		require.NoError(t, err)
		require.Equal(t, c.ID, who)
	}
	numbers, err := selectNumbers(t.Context(), w.db, c.ID)
	require.NoError(t, err)
	require.Equal(t, []lms.MOPDID{c.MOPDID, a.MOPDID, b.MOPDID}, numbers)
	require.ErrorIs(t, merge(c, a), ErrMergedBefore)
	require.ErrorIs(t, merge(a, c), ErrMergedBefore)
	require.ErrorIs(t, merge(c, c), ErrMergeItself)
}

func TestAMergeIsPreviewedAndDoneOnItsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	p := w.signsUp(SignUp{Given: "Maya", Family: "Rivera López", Email: "new@example.org", Born: mayasBirth, Lang: "en"})
	w.courses = map[lms.PersonID][]lms.Enrollment{p.ID: {{ID: 1, Course: 1, State: lms.Active, Title: "Poison Prevention"}}}
	desk := w.sit(lmstest.Now)
	path := fmt.Sprintf("/worklist/%d", w.waiting(SamePersonItem))
	page := desk.get(path)
	contains(t, page, "keep MOPD ID 204118", "They are two people", "Not claimed yet", "Has an account")
	var profile lms.PersonID
	require.NoError(t, w.db.QueryRow(t.Context(), `SELECT person FROM accounts.profiles`).Scan(&profile))
	into := fmt.Sprint(profile)
	contains(t, desk.get(path+"/merge?into="+into), "Poison Prevention comes along", "signs in with new@example.org", "cannot be undone")
	contains(t, desk.post(path+"/merge", "into", into).body, "Write in a few words why.")
	contains(t, desk.get(path+"/merge?into="+into), "can stop the merge for 72 hours")
	require.Equal(t, "/worklist?notice=decision_waits", desk.post(path+"/merge", "into", into, "reason", "Called back.").location)
	contains(t, desk.get(path), "It waits until March 19, 2026")
	contains(t, desk.post(path+"/merge", "into", into, "reason", "Called back.").body, "waits until March 19, 2026")
	stop := "/stop/" + token(w.lastLetter("new@example.org"))
	contains(t, w.visit("", lmstest.Now).get(stop), "Stop this?", "make two training profiles one")

	due := lmstest.Now.Add(w.RecoveryWait)
	rita := lms.PersonID(w.count(`SELECT person FROM accounts.logins WHERE email = 'rita@example.org'`))
	desk = w.visit(w.tokenOf(lms.Person{ID: rita}, lms.SignedIn, due), due)
	contains(t, desk.get(path+"/merge?into="+into), "nobody has stopped it")
	require.Equal(t, "/worklist?notice=merged", desk.post(path+"/merge", "into", into, "reason", "Called back.").location)
	contains(t, desk.get(path), "The two profiles were merged.")
	stranger := w.visit("", due)
	contains(t, stranger.get(stop), "Nothing happens")
	contains(t, desk.send("GET", path+"/merge?into="+into, nil).body, "Somebody settled or changed this meanwhile")
}
