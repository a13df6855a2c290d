package app_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func TestAnAdministratorGivesARoleAndReadsWhoDidWhat(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, ada := b.person("Maya"), b.person("Ada", lms.Administrator)
	require.NoError(t, b.Accounts.Equip(t.Context(), maya.ID, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", b.clock.Now()))
	mayasTab := b.newTab(t)
	mayasTab.signIn(maya)

	p := mayasTab.beside()
	p.signIn(ada)
	p.click(`nav a[href="/people"]`)
	p.accessibleInBoth("people-none")
	p.fill("#q", "nobody like that")
	p.submit("/people")
	p.sees("Nobody fits")
	p.fill("#q", "may ort")
	p.submit("/people")
	p.sees("1 person")
	p.accessibleInBoth("people")
	p.click(fmt.Sprintf(`a[href="/people/%d"]`, maya.ID))
	p.sees("Change roles")
	p.accessibleInBoth("person")
	p.click(`a[href$="/roles"]`)
	p.accessibleInBoth("roles")
	p.click(`label[for="role-author"]`)
	p.click("main form button")
	p.sees("uploads, publishes and retires courses")
	p.accessible("roles-confirm")
	p.click("main form button")
	p.sees("Course author")
	p.mail("Your roles were changed")
	var sessions int
	if err := b.DB.QueryRow(t.Context(), `SELECT count(*) FROM accounts.sessions WHERE person = $1`, maya.ID).Scan(&sessions); err != nil || sessions > 0 {
		t.Errorf("%d sessions of somebody whose roles changed are left (%v)", sessions, err)
	}

	p.click(`nav a[href="/audit"]`)
	p.sees("Opened the record")
	p.accessibleInBoth("audit")
	p.open("/audit?person=nobody@example.org")
	p.accessible("audit-nobody")

	p.signIn(maya)
	p.open("/account/looks")
	p.sees("Ada Ortiz")
	p.accessibleInBoth("looks")
}

func TestARegistrarCorrectsAName(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya, rita := lmstest.Person(t, b.DB), b.person("Rita", lms.Registrar)
	p := b.newTab(t)
	p.signIn(rita)
	p.open(fmt.Sprintf("/people/%d/name", maya.ID))
	p.accessibleInBoth("correct")
	p.fill("#family", "Ortiz")
	p.click("main form button")
	p.sees("Write in a few words why")
	p.until("what was typed is still there", `document.querySelector("#family").value == "Ortiz"`)
	p.accessible("correct-wrong")
	p.fill("#reason", "marriage certificate seen")
	p.click("main form button")
	p.sees("Maya Ortiz")
	p.sees("marriage certificate seen")
}
