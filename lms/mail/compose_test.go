package mail

import (
	"bytes"
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

func written(t testing.TB, l Letter) letter {
	t.Helper()
	var raw bytes.Buffer
	_, err := message(t, l).WriteTo(&raw)
	require.NoError(t, err)
	return parse(t, received{raw: raw.Bytes()})
}

var full = Letter{
	To: "maya@example.org", Lang: "es", Subject: "Restablezca su contraseña – hoy", Lines: []string{"Hola, Maya:", "Alguien pidió <b>esto</b> & más."}, Code: "042117",
	Button: &Button{Label: "Elegir contraseña", URL: "https://learn.example.org/reset?token=a&lang=es"}, After: []string{"Si no fue usted, no haga nada."},
}

func TestALetterSaysTheSameAsTextAndAsHTML(t *testing.T) {
	t.Parallel()
	got := written(t, full)
	require.Equal(t, full.Subject, got.subject)
	const text = "Hola, Maya:\n\nAlguien pidió <b>esto</b> & más.\n\n    042117\n\nElegir contraseña:\nhttps://learn.example.org/reset?token=a&lang=es\n\n" +
		"Si no fue usted, no haga nada.\n\n-- \nChild Care Training\n"
	require.Equal(t, text, strings.ReplaceAll(got.text, "\r\n", "\n"))

	doc, err := html.Parse(strings.NewReader(got.html))
	require.NoError(t, err)
	var shown strings.Builder
	var links []string
	lang := ""
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "title" {
			shown.WriteString(strings.TrimSpace(n.Data) + "\n")
		}
		for _, a := range n.Attr {
			if n.Data == "html" && a.Key == "lang" {
				lang = a.Val
			}
			if a.Key == "href" {
				links = append(links, a.Val)
			}
		}
	}
	for _, words := range []string{full.Subject, full.Lines[0], full.Lines[1], full.Code, full.Button.Label, full.Button.URL, full.After[0]} {
		require.Contains(t, shown.String(), words)
	}
	require.Equal(t, []string{full.Button.URL, full.Button.URL}, links, "the button, and its address below it")
	require.Equal(t, "es", lang)
}

func TestALetterCarriesOnlyWhatItHas(t *testing.T) {
	t.Parallel()
	got := written(t, short)
	require.NotContains(t, got.html, "<a")
	require.Equal(t, "One line.\n\n-- \nChild Care Training\n", strings.ReplaceAll(got.text, "\r\n", "\n"))
}

func TestALetterIsKnownAsSentByAProgram(t *testing.T) {
	t.Parallel()
	got := written(t, short)
	require.Equal(t, "auto-generated", got.header.Get("Auto-Submitted"))
	require.Equal(t, "<7.abc@example.org>", got.header.Get("Message-Id"))
	require.Equal(t, "Sun, 01 Mar 2026 12:00:00 +0000", got.header.Get("Date"))
	require.Equal(t, `"Child Care Training" <no-reply@example.org>`, got.header.Get("From"))
	require.Equal(t, "<maya@example.org>", got.header.Get("To"))
	require.Equal(t, "en", got.header.Get("Content-Language"))
	require.Empty(t, got.header.Get("User-Agent")+got.header.Get("X-Mailer"))
}

func TestNoTextOfALetterReachesItsHeaders(t *testing.T) {
	t.Parallel()
	plain := written(t, short)
	names := func(h netmail.Header) (all []string) {
		for name, values := range h {
			all = append(all, strings.Repeat(name, len(values)))
		}
		return all
	}
	rapid.Check(t, func(rt *rapid.T) {
		ends := rapid.SampledFrom([]string{"\r\n", "\n", "\r", "\x00", "\u0085", "\u2028", "\r\n\r\n"})
		l := short
		l.Subject = "Hello" + ends.Draw(rt, "end") + "Bcc: eve@example.org" + rapid.String().Draw(rt, "rest")
		l.Lang = "en" + ends.Draw(rt, "end") + "Bcc: eve@example.org"
		got := written(t, l)
		require.ElementsMatch(rt, names(plain.header), names(got.header))
		require.Contains(rt, got.subject, "Hello")
		require.NotContains(rt, got.subject, "\n")
	})
}

func TestALinkThatRunsAScriptIsNone(t *testing.T) {
	t.Parallel()
	l := short
	l.Button = &Button{Label: "Go", URL: "javascript:alert(1)"}
	require.NotContains(t, written(t, l).html, `href="javascript`)
}
