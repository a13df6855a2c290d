package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/mailbox"
	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
	"mopd/lms/words"
	"mopd/registry"
)

// remind asks for the reminders of the day as the schedule does.
func (b *box) remind() {
	b.Helper()
	now := b.clock.Now()
	require.NoError(b, pg.InTx(b.Context(), b.DB, func(tx pgx.Tx) error {
		_, err := b.Registry.Jobs.InsertTx(b.Context(), tx, registry.RemindArgs{Until: now.Add(time.Hour)}, nil)
		return err
	}))
}

func TestACaregiverIsRemindedByMailAndByTextMessageWhereChosen(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	maya := b.person("Maya")
	today := lms.DateOf(b.clock.Now())
	course := lmstest.Course(t, b.DB)
	e := lmstest.Enrollment(t, b.DB, maya, course, func(e *lms.Enrollment) { e.RegisteredOn = today })

	p := b.newTab(t)
	p.signIn(maya)
	p.open("/account")
	p.sees("add your phone as a second step")
	_, err := b.DB.Exec(t.Context(), `INSERT INTO accounts.factors (person, kind, label, phone, made_at, confirmed_at) VALUES ($1, 'text', '', '+15735550100', $2, $2)`, maya.ID, b.clock.Now())
	require.NoError(t, err)
	p.open("/account")
	p.sees("at the number that ends in 00")
	p.click(`label[for="by-text"]`)
	p.click(`form[action="/account/reminders"] button`)
	p.sees("Your choice about reminders is saved.")
	p.until("it is chosen", `document.querySelector("#by-text").checked`)
	p.accessibleInBoth("account-reminders")

	b.clock.set(e.LastDay.AddDays(-10).Start().Add(9 * time.Hour))
	b.remind()
	require.Contains(t, p.mail("A course of yours ends on "+words.Date("en", e.LastDay)).Text, course.Title)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	text, err := b.mail.Wait(ctx, "+15735550100", func(m mailbox.Message) bool {
		return strings.HasPrefix(m.Text, "Child Care Training: a course of yours ends on")
	})
	require.NoError(t, err)
	require.NotContains(t, text.Text, course.Title)
}
