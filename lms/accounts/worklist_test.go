package accounts

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// registrar is one who is signed in, with a second factor just given.
func (w *world) registrar(now time.Time) lms.Viewer {
	w.t.Helper()
	v, _ := w.signedIn(NewPerson{Given: "Rita", Family: "Registrar", Email: "rita@example.org", Password: password, Roles: []lms.Role{lms.Registrar}}, now)
	return v
}

// sit opens a registrar's session on the feature's pages.
func (w *world) sit(now time.Time) *visitor {
	w.t.Helper()
	w.add(NewPerson{Given: "Rita", Family: "Registrar", Email: "rita@example.org", Password: password, Roles: []lms.Role{lms.Registrar}})
	_, opened := w.protect("rita@example.org", now)
	return w.visit(opened.Token, now)
}

// waiting is the oldest item of a kind.
func (w *world) waiting(kind ItemKind) int64 {
	w.t.Helper()
	list, _, err := w.Worklist(w.t.Context(), kind, 1)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, list)
	return list[0].ID
}

func because(item int64) Decision {
	return Decision{Item: item, Reason: "Called back.", From: desk.From}
}

// stuck is a claim that a registrar sees.
func (w *world) stuck() (item int64) {
	w.t.Helper()
	w.imports(imported)
	c := mayasClaim()
	c.Family = "Ode"
	for range claimsBeforeHelp {
		w.claims(c, lmstest.Now)
	}
	return w.waiting(ClaimItem)
}

func TestARegistrarSeesWhatWasTypedBesideWhatIsOnFileAndTheLookIsWrittenDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item := w.stuck()
	c, err := w.Case(t.Context(), w.registrar(lmstest.Now), item, desk.From, lmstest.Now)
	require.NoError(t, err)
	rows := c.tried("en")
	require.Equal(t, compared{"accounts.sign_up.family", "Ode", "Maya Rivera López", false}, rows[1])
	require.Equal(t, compared{"accounts.sign_up.born", "March 15, 1980", "March 15, 1980", true}, rows[2])
	require.Len(t, c.Tries, claimsBeforeHelp)
	require.True(t, c.Person.Waits)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed' AND subject = $1`, c.Person.ID))
}

func TestARegistrarsLinkClaimsAProfileWithTheAddressThatTheyMadeSureOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item, v, now := w.stuck(), w.registrar(lmstest.Now), lmstest.Now
	require.ErrorIs(t, w.SendClaimLink(t.Context(), v, because(item), "nowhere", now), lms.ErrForm)
	require.ErrorIs(t, w.SendClaimLink(t.Context(), v, Decision{Item: item}, "new@example.org", now), lms.ErrForm)
	require.NoError(t, w.SendClaimLink(t.Context(), v, because(item), "new@example.org", now))
	require.ErrorIs(t, w.SendClaimLink(t.Context(), v, because(item), "New@example.org", now), ErrStillWaits)
	now = now.Add(w.RecoveryWait)
	for range 2 {
		require.NoError(t, w.MailClaimLinks(t.Context(), now))
	}
	require.ErrorIs(t, w.SendClaimLink(t.Context(), v, because(item), "new@example.org", now), ErrItemClosed)

	require.Len(t, w.letters("new@example.org"), 1)
	link := token(w.lastLetter("new@example.org"))
	opened, err := w.FinishLinkedClaim(t.Context(), link, password, desk, now)
	require.NoError(t, err)
	claimed := w.viewer(opened.Token, now)
	require.Equal(t, "new@example.org", claimed.Email)
	require.Equal(t, lms.MOPDID(204118), claimed.MOPDID)
	_, err = w.FinishLinkedClaim(t.Context(), link, password, desk, now)
	require.ErrorIs(t, err, ErrLinkOver)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'claim_link_sent' AND actor = $1`, v.ID))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE outcome = 'link_sent' AND reason = 'Called back.'`))
	require.Equal(t, w.subject("es", "profile_claimed"), w.lastLetter("maya@example.org").Subject, "the address on file is told again")
}

func TestALinkToAnAddressThatIsNotOnFileGoesOutAfterTheWaitUnlessTheAddressOnFileStopsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item, v, now := w.stuck(), w.registrar(lmstest.Now), lmstest.Now
	require.NoError(t, w.SendClaimLink(t.Context(), v, because(item), "new@example.org", now))
	require.Empty(t, w.letters("new@example.org"))
	warning := w.lastLetter("maya@example.org")
	require.Equal(t, w.subject("en", "claim_link_waits"), warning.Subject)
	require.Contains(t, warning.Lines[0], "March 19, 2026")
	require.NoError(t, w.MailClaimLinks(t.Context(), now.Add(w.RecoveryWait-time.Second)))
	require.Empty(t, w.letters("new@example.org"))

	stranger, path := w.visit("", now), "/stop/"+token(warning)
	contains(t, stranger.get(path), "give your training profile to somebody")
	contains(t, stranger.post(path).body, "Nothing happens")
	contains(t, stranger.get(path), "Nothing happens")
	require.NoError(t, w.MailClaimLinks(t.Context(), now.Add(w.RecoveryWait)))
	require.Empty(t, w.letters("new@example.org"))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE outcome = 'stopped'`))
	require.Equal(t, 1, w.audited("claim_stopped"))
}

func TestALinkToAnAddressOnFileGoesOutAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, w.SendClaimLink(t.Context(), w.registrar(lmstest.Now), because(w.stuck()), "MAYA@example.org", lmstest.Now))
	require.NotNil(t, w.lastLetter("MAYA@example.org").Button)
}

func TestARegistrarSendsNoClaimLinkToThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item, v := w.stuck(), w.registrar(lmstest.Now)
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.addresses VALUES ($1, 'rita@home.example', now())`, v.ID)
	require.NoError(t, err)
	for _, own := range []string{v.Email, "RITA@example.org", "Rita@home.example"} {
		require.ErrorIs(t, w.SendClaimLink(t.Context(), v, because(item), own, lmstest.Now), lms.ErrForm, own)
	}
}

func TestNoClaimLinkIsSentForAProfileWithARole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	item, v, now := w.stuck(), w.registrar(lmstest.Now), lmstest.Now
	require.NoError(t, w.SendClaimLink(t.Context(), v, because(item), "new@example.org", now))
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.roles SELECT person, 'author' FROM accounts.profiles`)
	require.NoError(t, err)
	require.NoError(t, w.MailClaimLinks(t.Context(), now.Add(w.RecoveryWait)))
	require.Empty(t, w.letters("new@example.org"), "the role was given meanwhile")
	for _, to := range []string{"new@example.org", "maya@example.org"} {
		require.ErrorIs(t, w.SendClaimLink(t.Context(), v, because(item), to, now), ErrClaimStaff)
	}
}

func TestAClaimThatGetsThroughSettlesItsItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stuck()
	now := lmstest.Now.Add(time.Hour)
	_, err := w.FinishClaim(t.Context(), w.proved(mayasClaim(), "maya@example.org", now), password, desk, now)
	require.NoError(t, err)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE outcome = 'claimed' AND closed_by IS NULL`))
}

func TestSomebodyNewWithTheNameAndBirthDateOfAnotherIsSeenByARegistrar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported + "204119,Maya,Rivera López,1980-03-16,,\n204120,Ann,Rivera López,1980-03-15,,\n")
	p := w.signsUp(SignUp{Given: "MAYA", Family: "Rivera-Lopez", Email: "new@example.org", Born: mayasBirth, Lang: "en"})
	c, err := w.Case(t.Context(), w.registrar(lmstest.Now), w.waiting(SamePersonItem), desk.From, lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, p.ID, c.Person.ID)
	require.Equal(t, []lms.MOPDID{204118}, c.Other.Numbers)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist`), "another name or birth date is another person")
}

// signsUp makes an account by a mailed link.
func (w *world) signsUp(u SignUp) lms.Person {
	w.t.Helper()
	require.NoError(w.t, w.AskSignUp(w.t.Context(), u, desk.From, lmstest.Now))
	w.answerRequests(lmstest.Now)
	opened, err := w.ConfirmSignUp(w.t.Context(), token(w.lastLetter(u.Email)), password, desk, lmstest.Now)
	require.NoError(w.t, err)
	return w.viewer(opened.Token, lmstest.Now).Person
}

func TestNobodyDecidesAboutThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.registrar(lmstest.Now)
	require.NoError(t, w.inTx(func(tx pgx.Tx) error {
		return insertItem(t.Context(), tx, Item{Kind: RecoveryItem, Person: v.ID}, lmstest.Now)
	}))
	require.ErrorIs(t, w.Dismiss(t.Context(), v, because(w.waiting(RecoveryItem)), lmstest.Now), ErrOwnRecord)
}

func TestTheWorklistIsWorkedOnItsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	desk := w.sit(lmstest.Now)
	contains(t, desk.get("/worklist"), "Nothing waits here", `href="/worklist"`)
	item := w.stuck()
	w.imports(header + "204118,Maya,Ode,1980-03-15,maya@example.org,2025-09-15\n")
	contains(t, desk.get("/worklist"), "Claim of MOPD ID 204118", "Row for MOPD ID 204118", "2 things wait")
	contains(t, desk.get("/worklist?kind=import"), "Row for MOPD ID 204118")
	require.Equal(t, http.StatusNotFound, desk.send(http.MethodGet, "/worklist?kind=other", nil).status)

	path := fmt.Sprintf("/worklist/%d", item)
	contains(t, desk.get(path), "Different", "Send a claim link", "Maya Rivera López")
	contains(t, desk.get(path+"/claim-link"), "MOPD ID 204118")
	require.Equal(t, http.StatusUnprocessableEntity, desk.post(path+"/claim-link", "email", "new@example.org").status)
	require.Equal(t, http.StatusUnprocessableEntity, desk.post(path+"/dismiss").status)
	done := desk.post(path+"/claim-link", "email", "new@example.org", "reason", "Called back.")
	require.Equal(t, "/worklist?notice=decision_waits", done.location)
	contains(t, desk.get(path), "a claim link goes to new@example.org. It waits until March 19, 2026")
	require.NoError(t, w.MailClaimLinks(t.Context(), lmstest.Now.Add(w.RecoveryWait)))
	contains(t, desk.get(path), "A claim link was sent.", "Rita Registrar")

	path = fmt.Sprintf("/worklist/%d", w.waiting(ImportItem))
	contains(t, desk.get(path), "Maya Ode", "Different", "The same")
	require.Equal(t, http.StatusSeeOther, desk.post(path+"/dismiss", "reason", "Mistyped.").status)
	contains(t, desk.get("/worklist?notice=item_dismissed"), "Nothing waits here")

	stranger := w.visit("", lmstest.Now.Add(w.RecoveryWait))
	contains(t, stranger.get("/claim/link/"+token(w.lastLetter("new@example.org"))), "Welcome, Maya")
}

func TestClaimsOfMOPDIDsThatNobodyHasComeLastHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.worklist (kind, details, opened_at)
		SELECT 'claim', jsonb_build_object('mopd_id', n, 'asks', '[]'::jsonb, 'tries', '[]'::jsonb), $1 FROM generate_series(500001, 500060) n`, lmstest.Now.Add(-time.Hour))
	require.NoError(t, err)
	item := w.stuck()
	first, counts, err := w.Worklist(t.Context(), ClaimItem, 1)
	require.NoError(t, err)
	require.Equal(t, item, first[0].ID, "somebody has that MOPD ID")
	require.Len(t, first, itemsPerPage)
	second, _, err := w.Worklist(t.Context(), ClaimItem, 2)
	require.NoError(t, err)
	require.Len(t, second, counts[ClaimItem]-itemsPerPage)
	require.NotContains(t, second, first[0])

	desk := w.sit(lmstest.Now)
	contains(t, desk.get("/worklist?kind=claim"), "Page 1 of 2", `href="/worklist?kind=claim&amp;page=2"`)
	contains(t, desk.get("/worklist?page=2"), "Page 2 of 2", `href="/worklist?kind=&amp;page=1"`)
}

func TestOnlyARegistrarComesToTheWorklist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	_, opened := w.protect("maya@example.org", lmstest.Now)
	v := w.visit(opened.Token, lmstest.Now)
	require.Equal(t, http.StatusForbidden, v.send(http.MethodGet, "/worklist", nil).status)
	require.NotContains(t, v.get("/account"), `href="/worklist"`)
}
