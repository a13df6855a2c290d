package app_test

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/cmd/internal/mailbox"
	"mopd/lms/mail"
	"mopd/lms/pg"
)

func TestLettersAndTextMessagesReachTheMailboxAndCanBeReadThere(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.open("/demo/mail")
	p.sees("No messages yet")
	p.accessibleInBoth("mailbox-empty")

	letter := mail.Letter{
		To: "maya@example.org", Lang: "es", Subject: "Restablezca su contraseña", Lines: []string{"Hola, Maya:", "Escriba este código donde se lo pedimos, o pulse el botón. Los dos sirven durante 15 minutos."}, Code: "042117",
		Button: &mail.Button{Label: "Elegir una contraseña nueva", URL: b.url + "/sign-in?token=3f1c9a5b7d2e4f60819a3b5c7d9e1f20-3f1c9a5b7d2e4f60819a3b5c7d9e1f20"},
		After:  []string{"Si no lo pidió usted, no haga nada: su contraseña sigue como está."},
	}
	require.NoError(t, pg.InTx(t.Context(), b.DB, func(tx pgx.Tx) error {
		if err := b.Mail.Post(t.Context(), tx, letter); err != nil {
			return err
		}
		return b.Mail.PostText(t.Context(), tx, mail.Text{To: "+15735550100", Body: "Su código de Child Care Training: 993311"})
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := b.mail.Wait(ctx, letter.To, nil)
	require.NoError(t, err)
	require.Equal(t, letter.Subject, got.Subject)
	require.Equal(t, letter.Code, mailbox.Code(got))
	require.Equal(t, letter.Button.URL, mailbox.Link(got))
	text, err := b.mail.Wait(ctx, "+15735550100", nil)
	require.NoError(t, err)
	require.Equal(t, "993311", mailbox.Code(text))

	p.open("/demo/mail")
	p.sees("2 messages")
	p.accessibleInBoth("mailbox")
	p.fill("#to", "maya")
	p.click("main form button")
	p.sees("1 message,")
	p.click("main table a")
	p.sees("Hola, Maya")
	p.accessibleInBoth("mailbox-message")
	p.click("main .mo-actions a")
	p.sees("Elegir una contraseña nueva")
	p.click(`a[href*="token="]`)
	p.until("the button of the letter leads into the application", `location.pathname == "/sign-in"`)

	// In the mailbox no script runs beside a letter, and axe is one.
	p.do("open the letter alone", chromedp.Navigate("data:text/html;base64,"+base64.StdEncoding.EncodeToString([]byte(got.HTML))))
	p.accessible("letter")
}
