package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// locked is Maya, who has lost her authenticator app and asked a registrar.
type locked struct {
	*world
	app  app
	half lms.Viewer // as far as the password leads
	v    lms.Viewer // a registrar
}

var lockedAt = lmstest.Now.Add(time.Hour)

func newLocked(t *testing.T) locked {
	t.Helper()
	w := newWorld(t)
	p := w.add(maya())
	_, err := w.db.Exec(t.Context(), `INSERT INTO accounts.addresses VALUES ($1, 'old@example.org', now())`, p.ID)
	require.NoError(t, err)
	a, _ := w.protect("maya@example.org", lmstest.Now)
	l := locked{w, a, w.identified("maya@example.org", lockedAt), w.registrar(lmstest.Now)}
	require.NoError(t, w.AskRecovery(t.Context(), l.half, "573-555-0142", "My phone is gone.", desk.From, lockedAt))
	return l
}

func (l locked) approve() {
	l.t.Helper()
	require.NoError(l.t, l.ApproveRecovery(l.t.Context(), l.v, because(l.waiting(RecoveryItem)), lockedAt))
}

// due is when the waiting time is over.
func (l locked) due() time.Time { return lockedAt.Add(l.RecoveryWait) }

func (l locked) links() (n int) {
	return l.count(`SELECT count(*) FROM accounts.links WHERE purpose = 'recover'`)
}

func (l locked) mail(now time.Time) {
	l.t.Helper()
	require.NoError(l.t, l.MailRecoveries(l.t.Context(), now))
}

func TestEveryAddressOnFileIsToldOfARecoveryAtOnceAndWhenItIsApproved(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	for _, to := range []string{"maya@example.org", "old@example.org"} {
		require.Equal(t, l.Words.Text("es", "mail.recovery_asked.subject"), l.lastLetter(to).Subject)
	}
	l.approve()
	for _, to := range []string{"maya@example.org", "old@example.org"} {
		letter := l.lastLetter(to)
		require.Equal(t, l.Words.Text("es", "mail.recovery_approved.subject"), letter.Subject)
		require.Contains(t, letter.Lines[0], "19 de marzo de 2026")
	}
}

func TestNobodyIsLetInBeforeTheWaitingTimeOrWithoutARegistrar(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	l.mail(l.due())
	require.Zero(t, l.links())
	l.approve()
	l.mail(l.due().Add(-time.Second))
	require.Zero(t, l.links())
	for range 2 {
		l.mail(l.due())
	}
	require.Equal(t, 1, l.links())
}

func TestWhoIsLetInSetsUpAFactorThatTakesThePlaceOfEveryOther(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	l.approve()
	now := l.due()
	l.mail(now)
	link := token(l.lastLetter("maya@example.org"))
	_, err := l.Recover(t.Context(), link, "wrong", desk, now)
	require.ErrorIs(t, err, ErrWrongPassword)
	opened, err := l.Recover(t.Context(), link, password, desk, now)
	require.NoError(t, err)
	require.Equal(t, lms.Enrolling, opened.Stage)
	_, err = l.Recover(t.Context(), link, password, desk, now)
	require.ErrorIs(t, err, ErrLinkOver, "a link works once")

	fresh, done := l.setUpApp(l.viewer(opened.Token, now), now)
	require.Len(t, done.RecoveryCodes, codesPerSet)
	require.Equal(t, 1, l.count(`SELECT count(*) FROM accounts.factors WHERE person = $1`, l.half.ID))
	require.Equal(t, codesPerSet, l.count(`SELECT count(*) FROM accounts.recovery_codes WHERE person = $1`, l.half.ID))
	later := now.Add(time.Hour)
	half := l.identified("maya@example.org", later)
	_, err = l.Prove(t.Context(), half, Proof{Factor: l.app.factor, Code: l.app.code(later), Origin: desk}, later)
	require.ErrorIs(t, err, ErrWrongCode, "the lost app is worth nothing")
	_, err = l.Prove(t.Context(), half, Proof{Factor: fresh.factor, Code: fresh.code(later), Origin: desk}, later)
	require.NoError(t, err)
}

func TestSigningInWithASecondFactorStopsARecovery(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	l.approve()
	l.mail(l.due())
	link := token(l.lastLetter("maya@example.org"))
	now := l.due()
	_, err := l.Prove(t.Context(), l.identified("maya@example.org", now), Proof{Factor: l.app.factor, Code: l.app.code(now), Origin: desk}, now)
	require.NoError(t, err)
	_, err = l.Recover(t.Context(), link, password, desk, now)
	require.ErrorIs(t, err, ErrLinkOver)
	require.Equal(t, 1, l.count(`SELECT count(*) FROM accounts.recoveries WHERE outcome = 'stopped'`))
}

func TestAnyWarnedAddressStopsARecovery(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	stop := token(l.lastLetter("old@example.org"))
	require.NoError(t, l.CheckStop(t.Context(), stop))
	require.NoError(t, l.StopRecovery(t.Context(), stop, desk.From, lockedAt))
	require.ErrorIs(t, l.StopRecovery(t.Context(), stop, desk.From, lockedAt), ErrNoRecovery)
	require.Equal(t, 1, l.count(`SELECT count(*) FROM accounts.worklist WHERE kind = 'recovery' AND outcome = 'stopped'`))
	l.mail(l.due())
	require.Zero(t, l.links())
}

func TestARegistrarMayRefuseARecoveryAndItMayBeAskedForAgain(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	require.ErrorIs(t, l.AskRecovery(t.Context(), l.half, "573-555-0142", "", desk.From, lockedAt), ErrAskedBefore)
	require.NoError(t, l.Dismiss(t.Context(), l.v, because(l.waiting(RecoveryItem)), lockedAt))
	require.Equal(t, l.Words.Text("es", "mail.recovery_refused.subject"), l.lastLetter("old@example.org").Subject)
	again := lockedAt.Add(2 * time.Hour)
	require.NoError(t, l.AskRecovery(t.Context(), l.half, "573-555-0142", "", desk.From, again))
}

func TestALinkThatNobodyUsedLapsesAndMayBeAskedForAgain(t *testing.T) {
	t.Parallel()
	l := newLocked(t)
	l.approve()
	l.mail(l.due())
	later := l.due().Add(toRecover.life())
	_, err := l.Recover(t.Context(), token(l.lastLetter("maya@example.org")), password, desk, later)
	require.ErrorIs(t, err, ErrLinkOver)
	require.NoError(t, l.AskRecovery(t.Context(), l.half, "573-555-0142", "", desk.From, later))
}

func TestAnAccountIsRecoveredOnThePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(maya())
	w.protect("maya@example.org", lmstest.Now)
	half, err := w.give("maya@example.org", lockedAt)
	require.NoError(t, err)
	v := w.visit(half.Token, lockedAt)
	contains(t, v.get("/recover"), "wait 72 hours")
	require.Equal(t, http.StatusUnprocessableEntity, v.post("/recover", "contact", "?").status)
	require.Equal(t, "/recover", v.post("/recover", "contact", "573-555-0142").location)
	contains(t, v.get("/recover"), "A registrar has your request")
	stop := w.lastLetter("maya@example.org").Button.URL
	stop = stop[strings.Index(stop, "/recover"):]
	contains(t, v.get(stop), "Stop this request?")

	desk := w.sit(lockedAt)
	path := fmt.Sprintf("/worklist/%d", w.waiting(RecoveryItem))
	contains(t, desk.get(path), "573-555-0142", "Let this person in")
	contains(t, desk.get(path+"/approve"), "After 72 hours Maya Rivera López")
	require.Equal(t, http.StatusUnprocessableEntity, desk.post(path+"/approve").status)
	require.Equal(t, http.StatusSeeOther, desk.post(path+"/approve", "reason", "Called back.").status)
	contains(t, v.get("/recover"), "A registrar has checked who you are")

	due := lockedAt.Add(w.RecoveryWait)
	require.NoError(t, w.MailRecoveries(t.Context(), due))
	later := w.visit("", due)
	link := "/recover/" + token(w.lastLetter("maya@example.org"))
	contains(t, later.get(link), "Type your password once more")
	require.Equal(t, http.StatusUnprocessableEntity, later.post(link, "password", "wrong").status)
	done := later.post(link, "password", password)
	require.Equal(t, "/account/factors/new?next=%2Faccount", done.location)
	contains(t, later.get(stop), "Nobody gets in this way")
	require.Equal(t, http.StatusNotFound, later.send(http.MethodGet, link, nil).status)
}
