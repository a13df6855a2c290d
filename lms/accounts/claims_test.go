package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

var mayasBirth = lms.Date{Year: 1980, Month: 3, Day: 15}

// imported is Maya's profile of the earlier registry.
const imported = header + "204118,Maya,Rivera López,1980-03-15,maya@example.org,2025-09-15\n"

func mayasClaim() Claim {
	return Claim{MOPDID: "204118", Family: "rivera-lopez", Born: mayasBirth, Lang: "es"}
}

// claims makes a claim and does what its job does.
func (w *world) claims(c Claim, now time.Time) (token string) {
	w.t.Helper()
	token, err := w.AskClaim(w.t.Context(), c, desk.From, now)
	require.NoError(w.t, err)
	w.answerRequests(now)
	return token
}

// proved is a claim whose code was given.
func (w *world) proved(c Claim, to string, now time.Time) (token string) {
	w.t.Helper()
	token, err := w.ProveClaim(w.t.Context(), w.claims(c, now), w.lastLetter(to).Code, now)
	require.NoError(w.t, err)
	return token
}

func TestWhoIsOnFileClaimsTheirProfileByTheCodeMailedThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	now := lmstest.Now
	token := w.proved(mayasClaim(), "maya@example.org", now)
	opened, err := w.FinishClaim(t.Context(), token, password, desk, now)
	require.NoError(t, err)
	require.Equal(t, lms.Enrolling, opened.Stage)
	v := w.viewer(opened.Token, now)
	require.Equal(t, lms.MOPDID(204118), v.MOPDID)
	require.Equal(t, "maya@example.org", v.Email)
	require.Equal(t, "es", v.Lang)
	require.NoError(t, lms.Refusal(&v, lms.SetUpFactor, now))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.profiles WHERE claimed_at IS NOT NULL`))

	_, err = w.FinishClaim(t.Context(), token, password, desk, now)
	require.ErrorIs(t, err, ErrLinkOver, "a claim is for one use")
	_, err = w.give("maya@example.org", now)
	require.NoError(t, err)
}

func TestAnyNameThatWasHeldCountsHoweverItIsSpelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.names SELECT person, given, 'O’Brien-Núñez', recorded_at + interval '1 day' FROM accounts.names`)
	require.NoError(t, err)
	for i, family := range []string{"Rivera Lopez", "RIVERA-LÓPEZ", "obrien nunez"} {
		c := mayasClaim()
		c.Family = family
		w.claims(c, lmstest.Now.Add(time.Duration(i)*time.Hour))
		require.Len(t, w.letters("maya@example.org"), i+1, family)
	}
}

func TestNamesAreTheSameInAnyCaseAndWithOrWithoutSigns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Za-zéñüÁ]{1,20}`).Draw(t, "name")
		sign := rapid.SampledFrom([]string{" ", "-", "'", ".", ""}).Draw(t, "sign")
		cut := rapid.IntRange(0, len([]rune(name))).Draw(t, "cut")
		spelled := string([]rune(name)[:cut]) + sign + strings.ToUpper(string([]rune(name)[cut:]))
		if !sameName(name, spelled) {
			t.Fatalf("%q and %q", name, spelled)
		}
	})
	require.False(t, sameName("-", "'"), "signs alone are no name")
}

// strangers are claims that fit no profile that waits.
func strangers() map[string]Claim {
	other := func(change func(*Claim)) Claim {
		c := mayasClaim()
		change(&c)
		return c
	}
	return map[string]Claim{
		"no such MOPD ID":  other(func(c *Claim) { c.MOPDID = "999999" }),
		"another name":     other(func(c *Claim) { c.Family = "Ode" }),
		"another birthday": other(func(c *Claim) { c.Born.Day++ }),
	}
}

func TestAClaimThatFitsNobodyReadsAndCostsTheSame(t *testing.T) {
	t.Parallel()
	// try is what somebody sees who claims and types wrong codes, and what it costs.
	try := func(c Claim) (page string, work int64, mails int) {
		w := newWorld(t)
		w.imports(imported)
		v := w.visit("", lmstest.Now)
		v.get("/claim")
		sent := v.post("/claim", "mopd_id", c.MOPDID, "family", c.Family, "born", c.Born.String())
		require.Equal(t, http.StatusSeeOther, sent.status)
		page = v.get(sent.location)
		w.answerRequests(lmstest.Now)
		before := w.hasher.derived.Load()
		for range codeTries + 1 {
			wrong := v.post(sent.location, "code", "000000")
			require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
			page += wrong.body
		}
		return without(page, strings.TrimPrefix(sent.location, "/claim/")), w.hasher.derived.Load() - before, len(w.letters("maya@example.org"))
	}
	mine, work, mails := try(mayasClaim())
	require.Equal(t, 1, mails)
	require.EqualValues(t, codeTries, work, "no more tries are looked at")
	for name, c := range strangers() {
		page, same, none := try(c)
		require.Zero(t, none, name)
		require.Equal(t, work, same, name)
		require.True(t, mine == page, name)
	}
}

func TestTheCodeOfAClaimIsForFiveTriesAndTenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	now := lmstest.Now
	token := w.claims(mayasClaim(), now)
	code := w.lastLetter("maya@example.org").Code
	_, err := w.ProveClaim(t.Context(), token, code, now.Add(codeLife))
	require.ErrorIs(t, err, ErrWrongCode)
	wrong := "000000"
	if code == wrong {
		wrong = "111111"
	}
	for range codeTries {
		_, err := w.ProveClaim(t.Context(), token, wrong, now)
		require.ErrorIs(t, err, ErrWrongCode)
	}
	_, err = w.ProveClaim(t.Context(), token, code, now)
	require.ErrorIs(t, err, ErrWrongCode)
}

func TestWhoOnlyKnowsTheAddressOfTheClaimGetsNoFurtherThanTheCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	token := w.claims(mayasClaim(), lmstest.Now)
	proved, err := w.ProveClaim(t.Context(), token, w.lastLetter("maya@example.org").Code, lmstest.Now)
	require.NoError(t, err)
	_, err = w.ProvedClaim(t.Context(), token, lmstest.Now)
	require.ErrorIs(t, err, ErrLinkOver)
	_, err = w.ProvedClaim(t.Context(), proved, lmstest.Now)
	require.NoError(t, err)
}

func TestTheOwnerOfAClaimedProfileIsToldOfATry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	token := w.proved(mayasClaim(), "maya@example.org", lmstest.Now)
	_, err := w.FinishClaim(t.Context(), token, password, desk, lmstest.Now)
	require.NoError(t, err)
	again := w.claims(mayasClaim(), lmstest.Now)
	require.Equal(t, w.Words.Text("es", "mail.claim_refused.subject"), w.lastLetter("maya@example.org").Subject)
	_, err = w.ProveClaim(t.Context(), again, "000000", lmstest.Now)
	require.ErrorIs(t, err, ErrWrongCode)
}

func TestTheThirdTryInADayIsSeenByARegistrarWhetherThereIsSuchAProfileOrNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Claim{"on file": mayasClaim(), "unknown": strangers()["no such MOPD ID"]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.imports(imported)
			now := lmstest.Now
			var token string
			for i := range claimsBeforeHelp {
				require.Zero(t, w.count(`SELECT count(*) FROM accounts.worklist`), i)
				token = w.claims(c, now)
			}
			page, err := w.PendingClaim(t.Context(), token, now)
			require.NoError(t, err)
			require.True(t, page.Listed)
			_, err = w.AskClaim(t.Context(), c, desk.From, now)
			require.ErrorIs(t, err, ErrTooManyTries)
			w.claims(c, now.Add(time.Minute))
			require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE kind = 'claim' AND jsonb_array_length(details -> 'tries') = 4`), "one item, with every try")

			require.ErrorIs(t, w.AskRegistrar(t.Context(), token, "call me", "", desk.From, now), lms.ErrForm)
			require.NoError(t, w.AskRegistrar(t.Context(), token, "573-555-0142", "My name was Ode.", desk.From, now))
			require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE details #>> '{asks,0,contact}' = '573-555-0142'`))
		})
	}
}

func TestTriesAreForgottenAfterADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		w.claims(mayasClaim(), lmstest.Now.Add(time.Duration(i)*13*time.Hour))
	}
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.worklist`))
}

func TestAClaimSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.AskClaim(t.Context(), Claim{MOPDID: "99", Family: " "}, desk.From, lmstest.Now)
	e, ok := lms.AsError(err)
	require.True(t, ok)
	require.Equal(t, map[string]string{"mopd_id": "mopd_id_form", "family": "family_missing", "born": "claim_born_form"}, e.Fields)
}

func TestOfManyWhoFinishOneClaimOneGetsIn(t *testing.T) {
	w := newWorld(t)
	w.imports(imported)
	token := w.proved(mayasClaim(), "maya@example.org", lmstest.Now)
	wins := 0
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			_, err := w.FinishClaim(t.Context(), token, password, desk, lmstest.Now)
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err == nil {
			wins++
		} else {
			require.ErrorIs(t, err, ErrLinkOver)
		}
	}
	require.Equal(t, 1, wins)
}

func TestAProfileIsClaimedOnThePagesFromTheFirstFormToTheSecondStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	v := w.visit("", lmstest.Now)
	contains(t, v.get("/claim"), "Claim your earlier profile")
	wrong := v.post("/claim", "mopd_id", "12")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	sent := v.post("/claim", "mopd_id", "204 118", "family", "Rivera Lopez", "born", "1980-03-15")
	v.get(sent.location)
	w.answerRequests(lmstest.Now)
	proved := v.post(sent.location, "code", w.lastLetter("maya@example.org").Code)
	require.Equal(t, http.StatusSeeOther, proved.status)
	contains(t, v.get(proved.location), "Welcome, Maya", "maya@example.org")
	short := v.post(proved.location, "password", "short")
	require.Equal(t, http.StatusUnprocessableEntity, short.status)
	done := v.post(proved.location, "password", password)
	require.Equal(t, "/account/factors/new?next=%2Freport", done.location)
	v.get(done.location)
	require.Equal(t, http.StatusNotFound, v.send(http.MethodGet, proved.location, nil).status)
}

func TestWhoTriedOftenIsOfferedARegistrarsHelpOnThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visit("", lmstest.Now)
	v.get("/claim")
	var sent answer
	for range claimsBeforeHelp {
		sent = v.post("/claim", "mopd_id", "204118", "family", "Ode", "born", "1980-03-15")
		require.Equal(t, http.StatusSeeOther, sent.status, sent.body)
	}
	contains(t, v.get(sent.location), "Ask a registrar")
	require.Equal(t, http.StatusUnprocessableEntity, v.post(sent.location+"/ask", "contact", "?").status)
	asked := v.post(sent.location+"/ask", "contact", "ann@example.org", "note", "Help")
	contains(t, v.get(asked.location), "A registrar has your message")
	require.Equal(t, http.StatusTooManyRequests, v.post("/claim", "mopd_id", "204118", "family", "Ode", "born", "1980-03-15").status)
}

func TestAnAddressThatHasAnAccountAlreadyMakesNoSecondOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	w.imports(imported)
	token := w.proved(mayasClaim(), "maya@example.org", lmstest.Now)
	_, err := w.FinishClaim(t.Context(), token, password, desk, lmstest.Now)
	require.ErrorIs(t, err, ErrEmailTaken)
	require.Zero(t, w.count(`SELECT count(*) FROM accounts.profiles WHERE claimed_at IS NOT NULL`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE kind = 'same_person'`), "a registrar looks at both")
}

func TestAClaimTakesAFewContactsFromOneNetworkADayAndKeepsTheLastTen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var claim string
	for range claimsBeforeHelp {
		claim = w.claims(mayasClaim(), lmstest.Now)
	}
	ask := func(contact, from string, now time.Time) error {
		return w.AskRegistrar(t.Context(), claim, contact, "", from, now)
	}
	for range 3 {
		require.NoError(t, ask("573-555-0142", desk.From, lmstest.Now))
	}
	require.ErrorIs(t, ask("573-555-0142", desk.From, lmstest.Now.Add(20*time.Hour)), ErrTooManyTries)
	for i := range contactsKept {
		require.NoError(t, ask(fmt.Sprintf("ann%d@example.org", i), from(i).From, lmstest.Now))
	}
	require.Equal(t, contactsKept, w.count(`SELECT jsonb_array_length(details -> 'asks') FROM accounts.worklist`))
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.worklist WHERE details #>> '{asks,0,contact}' = 'ann0@example.org' AND details #>> '{asks,9,contact}' = 'ann9@example.org'`))
}

func TestAfterManyWrongCodesOnlyARegistrarHelpsAndTheAnswerIsTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.imports(imported)
	var p lms.PersonID
	require.NoError(t, w.db.QueryRow(t.Context(), `SELECT person FROM accounts.profiles`).Scan(&p))
	now := lmstest.Now
	w.tried(claimCodes(p, nil), perClaimCode.limit-1, now)
	proved := w.proved(mayasClaim(), "maya@example.org", now)
	require.NotEmpty(t, proved, "the last try of all may be right, and begins anew")

	w.tried(claimCodes(p, nil), perClaimCode.limit, now)
	later := now.Add(365 * 24 * time.Hour)
	claim := w.claims(mayasClaim(), later)
	_, err := w.ProveClaim(t.Context(), claim, w.lastLetter("maya@example.org").Code, later)
	require.ErrorIs(t, err, ErrWrongCode)
	require.NotErrorIs(t, err, ErrResetRequired)
}
