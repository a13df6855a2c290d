package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/mailbox"
	"mopd/lms"
	"mopd/lms/accounts"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/registry"
)

const earlierMaya = "mopd_id,given,family,born,email,hired_on\n204118,Maya,Ortiz,1988-04-17,old@example.org,2020-01-06\n"

// earlier imports Maya's profile of an earlier registry.
func (b *box) earlier() (profile lms.PersonID) {
	b.Helper()
	done, err := b.Accounts.ImportPeople(b.Context(), strings.NewReader(earlierMaya), b.clock.Now())
	require.NoError(b, err)
	require.Equal(b, 1, done.Added, "%v", done.Problems)
	require.NoError(b, b.DB.QueryRow(b.Context(), `SELECT person FROM accounts.mopd_ids WHERE id = 204118`).Scan(&profile))
	return profile
}

// suspect lets a registrar see two profiles that may be one person's.
func (b *box) suspect(p, other lms.PersonID) (item int64) {
	b.Helper()
	require.NoError(b, b.DB.QueryRow(b.Context(), `INSERT INTO accounts.worklist (kind, person, other, opened_at) VALUES ('same_person', $1, $2, $3) RETURNING id`,
		p, other, b.clock.Now()).Scan(&item))
	return item
}

func TestAMergedPersonKeepsEveryCreditAndGoesOnWithTheirCourse(t *testing.T) {
	t.Parallel()
	b := newBoxAt(t, otherSite, false)
	profile, maya := b.earlier(), b.person("Maya")
	once, twice, open := lmstest.Course(t, b.DB), lmstest.Course(t, b.DB), lmstest.Course(t, b.DB)
	completed := func(p lms.PersonID, c lms.Course, at time.Time) {
		e := lmstest.Enrollment(t, b.DB, lms.Person{ID: p}, c, func(e *lms.Enrollment) { e.State, e.RegisteredOn, e.CompletedAt = lms.Completed, lms.DateOf(at), &at })
		require.NoError(t, pg.InTx(t.Context(), b.DB, func(tx pgx.Tx) error { return b.Registry.Post(t.Context(), tx, e.ID, at) }))
	}
	now := b.clock.Now()
	completed(profile, once, now)
	completed(profile, twice, now.Add(-time.Hour))
	completed(maya.ID, twice, now)
	started := lmstest.Enrollment(t, b.DB, maya, open, func(e *lms.Enrollment) { e.State, e.RegisteredOn = lms.Active, lms.DateOf(now) })

	rita := lms.Viewer{Person: b.person("Rita", lms.Registrar), Stage: lms.SignedIn, ProvedAt: now}
	item := b.suspect(maya.ID, profile)
	plan, err := b.Accounts.PlanMerge(t.Context(), rita, item, profile, "", now)
	require.NoError(t, err)
	require.Equal(t, []string{twice.Title}, plan.Held)
	require.Len(t, plan.Moved, 1)
	for _, at := range []time.Time{now, now.Add(b.Accounts.RecoveryWait)} { // announced, then done
		require.NoError(t, b.Accounts.Merge(t.Context(), rita, accounts.Decision{Item: item, Reason: "Showed both reports."}, profile, at))
	}

	require.NoError(t, pg.InTx(t.Context(), b.DB, func(tx pgx.Tx) error {
		record, err := b.Registry.Record(t.Context(), tx, profile, registry.Now(now.Add(b.Accounts.RecoveryWait)))
		require.NoError(t, err)
		require.Equal(t, once.Hours+twice.Hours, record.Year(lms.DateOf(now).Year).Earned, "each course earns once")
		n, err := b.Registry.CountCredits(t.Context(), tx, profile)
		require.NoError(t, err)
		require.Equal(t, 3, n, "nothing is lost")
		e, err := b.Enrollments.Enrollment(t.Context(), tx, started.ID)
		require.Equal(t, profile, e.Person)
		require.Equal(t, lms.Ready, e.State)
		return err
	}))
	require.NoError(t, b.Enrollments.Start(t.Context(), profile, started.ID, 0, "", now))
	opened, err := b.Accounts.SignIn(t.Context(), accounts.Credentials{Email: maya.Email, Password: password}, now)
	require.NoError(t, err)
	v, err := b.Accounts.Viewer(t.Context(), opened.Token, now)
	require.NoError(t, err)
	require.Equal(t, lms.MOPDID(204118), v.MOPDID)
}

// letter waits for a mail to an address.
func (b *box) letter(to, subject string) mailbox.Message {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	m, err := b.mail.Wait(ctx, to, func(m mailbox.Message) bool { return m.Subject == subject })
	require.NoError(b, err)
	return m
}

func TestAProfileIsClaimedInABrowser(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.earlier()
	p := b.newTab(t)
	p.open("/sign-in")
	p.click(`a[href="/claim"]`)
	p.sees("Claim your earlier profile")
	p.accessibleInBoth("claim")
	p.noSidewaysScroll("claim")
	p.submit("/claim")
	p.sees("Type the MOPD ID as a number")
	p.accessible("claim-wrong")
	p.fill("#mopd_id", "204 118")
	p.fill("#family", "ortiz")
	p.fill("#born", "1988-04-17")
	p.submit("/claim")
	p.sees("If this matches a profile")
	p.accessibleInBoth("claim-sent")
	p.fill("#code", mailbox.Code(b.letter("old@example.org", "Your code to claim your profile")))
	p.click(`main form button`)
	p.sees("This profile is yours")
	p.accessibleInBoth("claim-password")
	p.fill("#password", password)
	p.click("main form button:not([type=button])")
	p.sees("Protect your account")
}

func TestTheWorklistIsAccessibleInEnglishAndSpanish(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	profile, maya := b.earlier(), b.person("Maya")
	now := b.clock.Now()
	for range 3 {
		_, err := b.Accounts.AskClaim(t.Context(), accounts.Claim{MOPDID: "204118", Family: "Ode", Born: lms.Date{Year: 1988, Month: 4, Day: 17}, Lang: "en"}, "192.0.2.1", now)
		require.NoError(t, err)
	}
	_, err := b.Accounts.ImportPeople(t.Context(), strings.NewReader(strings.Replace(earlierMaya, "Ortiz", "Ode", 1)), now)
	require.NoError(t, err)
	same := b.suspect(maya.ID, profile)
	half := lms.Viewer{Person: maya, Stage: lms.Identified}
	require.NoError(t, b.Accounts.AskRecovery(t.Context(), half, "573-555-0142", "My phone is gone.", "192.0.2.1", now))

	p := b.newTab(t)
	rita := b.person("Rita", lms.Registrar)
	p.signIn(rita)
	p.open("/worklist")
	p.sees("4 things wait")
	p.accessibleInBoth("worklist")
	p.noSidewaysScroll("worklist")
	for name, kind := range map[string]string{"claim": "claim", "same-person": "same_person", "recovery": "recovery", "import": "import"} {
		var item int64
		require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT id FROM accounts.worklist WHERE kind = $1`, kind).Scan(&item))
		p.open(fmt.Sprintf("/worklist/%d", item))
		p.sees("Waiting since")
		p.accessibleInBoth("worklist-" + name)
		p.noSidewaysScroll("worklist-" + name)
		switch kind {
		case "claim":
			p.click(`a[href$="/claim-link"]`)
			p.sees("Address that you made sure of")
			p.accessibleInBoth("worklist-claim-link")
		case "recovery":
			p.click(`a[href$="/approve"]`)
			p.sees("Let them in after the wait")
			p.accessibleInBoth("worklist-approve")
		}
	}
	p.open(fmt.Sprintf("/worklist/%d/merge?into=%d", same, profile))
	p.sees("cannot be undone")
	p.accessibleInBoth("merge")
	p.fill("#reason", "Showed both reports.")
	p.click("main form button")
	p.sees("The decision takes effect after the waiting time")
	p.open(fmt.Sprintf("/worklist/%d", same))
	p.sees("It waits until")
	p.accessibleInBoth("worklist-waits")
	b.clock.set(b.clock.Now().Add(b.Accounts.RecoveryWait + time.Minute))
	p.signIn(rita)
	p.open(fmt.Sprintf("/worklist/%d/merge?into=%d", same, profile))
	p.fill("#reason", "Showed both reports.")
	p.click("main form button")
	p.sees("The two profiles are one now")
	p.open(fmt.Sprintf("/worklist/%d", same))
	p.sees("The two profiles were merged")
	p.accessible("worklist-merged")
}

func TestTheWayBackInIsAccessibleInEnglishAndSpanish(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signUp(pass)
	p.submit("/account/factors/authenticator")
	code := p.app()
	p.fill("#code", code())
	p.click("main form button")
	p.sees("Your recovery codes")
	p.click(`main a[href="/courses"]`)
	p.until("the catalog shows", `location.pathname == "/courses"`)
	p.signOut()
	p.enterPassword()
	p.sees("One more step to sign in")
	p.click(`a[href="/recover"]`)
	p.sees("You lost your second step")
	p.accessibleInBoth("recover")
	p.noSidewaysScroll("recover")
	p.fill("#contact", "573-555-0142")
	p.submit("/recover")
	p.sees("A registrar has your request")
	p.accessibleInBoth("recover-asked")
	p.follow("Somebody wants to get into your account without your second step")
	p.sees("Stop this request?")
	p.accessibleInBoth("recover-stop")
	p.click("main form button")
	p.sees("Nobody gets in this way")
	p.accessible("recover-stopped")
}
