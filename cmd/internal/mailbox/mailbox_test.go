package mailbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	netsmtp "net/smtp"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"mopd/lms"
	"mopd/lms/web"
)

func start(t testing.TB) *Mailbox {
	t.Helper()
	m, err := Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(m.Stop)
	return m
}

const both = "Subject: =?UTF-8?q?Contrase=C3=B1a?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHola, Jos=C3=A9:\r\n\r\n    042117\r\n\r\nAbrir:\r\n" +
	"https://learn.example.org/reset?id=3D999888&t=3D<b>=\r\n\r\n" +
	"--b\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGgxPkhvbGE8L2gxPg==\r\n--b--\r\n"

func send(m *Mailbox, raw string, to ...string) error {
	return netsmtp.SendMail(strings.TrimPrefix(m.SMTPURL(), "smtp://"), nil, "no-reply@example.org", to, []byte(raw))
}

func sendText(t testing.TB, m *Mailbox, token, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.TextURL(), strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

func TestMailIsCaughtForEachRecipientWithBothParts(t *testing.T) {
	t.Parallel()
	m := start(t)
	require.NoError(t, send(m, both, "jose@example.org", "maya@example.org"))
	got := m.Messages()
	require.Len(t, got, 2)
	require.Equal(t, []string{"maya@example.org", "jose@example.org"}, []string{got[0].To, got[1].To}, "the newest first")
	require.Equal(t, "Contraseña", got[0].Subject)
	require.True(t, strings.HasPrefix(got[0].Text, "Hola, José:\n\n    042117"), got[0].Text)
	require.Equal(t, "<h1>Hola</h1>", got[0].HTML)
	require.Equal(t, "042117", Code(got[0]))
	require.Equal(t, "https://learn.example.org/reset?id=999888&t=", Link(got[0]))
	require.Empty(t, Code(Message{Text: "1234567 and https://x.org/123456"}))
	require.Empty(t, Link(Message{Text: "no link"}))
}

func TestAMessageOfOnePartIsText(t *testing.T) {
	t.Parallel()
	m := start(t)
	require.NoError(t, send(m, "Subject: Hi\r\n\r\nJust text.\r\n", "maya@example.org"))
	require.Equal(t, "Just text.", m.Messages()[0].Text)
	require.ErrorContains(t, send(m, "no header\r\n", "maya@example.org"), "554")
}

func TestTextMessagesNeedTheToken(t *testing.T) {
	t.Parallel()
	m := start(t)
	const body = `{"to": "+15735550100", "body": "Su código: 042117"}`
	require.Equal(t, http.StatusUnauthorized, sendText(t, m, "", body))
	require.Equal(t, http.StatusUnauthorized, sendText(t, m, "wrong", body))
	require.Equal(t, http.StatusBadRequest, sendText(t, m, m.TextToken(), "{"))
	require.Empty(t, m.Messages())
	require.Equal(t, http.StatusAccepted, sendText(t, m, m.TextToken(), body))
	got, err := m.Wait(t.Context(), "+15735550100", nil)
	require.NoError(t, err)
	require.True(t, got.IsText)
	require.Equal(t, "042117", Code(got))
}

func TestWaitingEndsWithTheMessageOrItsContext(t *testing.T) {
	t.Parallel()
	m := start(t)
	var waiting errgroup.Group
	for n := range 20 {
		waiting.Go(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := m.Wait(ctx, "MAYA@example.org", func(m Message) bool { return m.Subject == fmt.Sprint(n) })
			if err == nil && got.Subject != fmt.Sprint(n) {
				err = fmt.Errorf("got %q", got.Subject)
			}
			return err
		})
	}
	var sending errgroup.Group
	for n := range 20 {
		sending.Go(func() error { return send(m, fmt.Sprintf("Subject: %d\r\n\r\n.\r\n", n), "maya@example.org") })
	}
	require.NoError(t, sending.Wait())
	require.NoError(t, waiting.Wait())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.Wait(ctx, "nobody@example.org", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "nobody@example.org")
}

func TestTheNewestMessagesAreKept(t *testing.T) {
	t.Parallel()
	m := start(t)
	for n := range keep + 5 {
		m.add(Message{Subject: fmt.Sprint(n)})
	}
	all := m.Messages()
	require.Len(t, all, keep)
	require.Equal(t, fmt.Sprint(keep+4), all[0].Subject)
	require.Equal(t, "5", all[keep-1].Subject)
}

func TestAStoppedMailboxTakesNothing(t *testing.T) {
	t.Parallel()
	m, err := Start(t.Context())
	require.NoError(t, err)
	m.Stop()
	require.Error(t, send(m, both, "maya@example.org"))
}

// pages serves the pages of a mailbox; get gives status, header and body.
func pages(t testing.TB, m *Mailbox) (get func(path, lang string) (int, http.Header, string)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	base := "http://" + l.Addr().String()
	u, err := url.Parse(base)
	require.NoError(t, err)
	w, err := web.New(web.Config{
		AppURL: u, ContentHost: "content.localhost", Secret: bytes.Repeat([]byte("k"), 32), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Sessions: nobody{}, Views: map[string]fs.FS{"mailbox": Views},
	})
	require.NoError(t, err)
	m.Routes(w)
	served := make(chan error, 1)
	go func() { served <- w.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, w.Shutdown(context.Background()))
		require.NoError(t, <-served)
	})
	return func(path, lang string) (int, http.Header, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Language", lang)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, res.Header, string(body)
	}
}

type nobody struct{}

func (nobody) Viewer(context.Context, string, time.Time) (lms.Viewer, error) {
	return lms.Viewer{}, lms.ErrUnauthenticated
}

func TestAnEmptyMailboxSaysSo(t *testing.T) {
	t.Parallel()
	for lang, said := range map[string][2]string{"en": {"No messages yet", "No messages to zoe"}, "es": {"Todavía no hay mensajes", "No hay mensajes para zoe"}} {
		m := start(t)
		get := pages(t, m)
		_, _, body := get("/demo/mail", lang)
		require.Contains(t, body, said[0])
		m.add(Message{To: "maya@example.org"})
		_, _, body = get("/demo/mail?to=zoe", lang)
		require.Contains(t, body, said[1])
	}
}

func TestThePagesShowWhatCame(t *testing.T) {
	t.Parallel()
	m := start(t)
	get := pages(t, m)
	require.NoError(t, send(m, both, "jose@example.org", "maya@example.org"))
	m.add(Message{To: "+15735550100", Text: "Code 042117", IsText: true})

	_, _, body := get("/demo/mail", "en")
	require.Contains(t, body, "3 messages")
	require.Contains(t, body, "Code 042117")
	_, _, body = get("/demo/mail?to=JOSE", "en")
	require.Contains(t, body, "1 message,")
	require.Contains(t, body, `href="/demo/mail/1"`)
	require.NotContains(t, body, "maya@example.org")

	_, _, body = get("/demo/mail/1", "en")
	require.Contains(t, body, "<h1>Contraseña</h1>")
	require.Contains(t, body, `href="https://learn.example.org/reset?id=999888&amp;t="`)
	require.Contains(t, body, `href="/demo/mail/1/html"`)
	_, _, body = get("/demo/mail/3", "en")
	require.Contains(t, body, "<h1>Text message</h1>")
	require.NotContains(t, body, "/demo/mail/3/html")

	for _, nothing := range []string{"/demo/mail/4", "/demo/mail/x", "/demo/mail/3/html", "/demo/mail/9/html"} {
		status, _, _ := get(nothing, "en")
		require.Equal(t, http.StatusNotFound, status, nothing)
	}
}

func TestTheHTMLOfAMessageCanOnlyBeLookedAt(t *testing.T) {
	t.Parallel()
	m := start(t)
	get := pages(t, m)
	m.add(Message{HTML: "<script>alert(1)</script>"})
	status, header, body := get("/demo/mail/1/html", "en")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "<script>alert(1)</script>", body)
	policy := header.Values("Content-Security-Policy")
	require.Len(t, policy, 1)
	directives := strings.Split(policy[0], "; ")
	for _, d := range []string{"default-src 'none'", "style-src 'unsafe-inline'", "sandbox allow-popups allow-top-navigation-by-user-activation"} {
		require.Contains(t, directives, d)
	}
	require.NotContains(t, policy[0], "script")
	require.Contains(t, header.Get("Content-Type"), "text/html")
}

func TestBothCatalogsHaveTheSameMessages(t *testing.T) {
	t.Parallel()
	keys := func(lang string) (all []string) {
		raw, err := fs.ReadFile(Views, "messages/"+lang+".json")
		require.NoError(t, err)
		var messages map[string]any
		require.NoError(t, json.Unmarshal(raw, &messages))
		for key := range messages {
			require.True(t, strings.HasPrefix(key, "mailbox."), key)
			all = append(all, key)
		}
		slices.Sort(all)
		return all
	}
	require.Equal(t, keys("en"), keys("es"))
}
