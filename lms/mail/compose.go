package mail

import (
	_ "embed"
	"fmt"
	html "html/template"
	netmail "net/mail"
	"strings"
	text "text/template"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// The two parts of every letter. They stand outside a templates folder because they
// are no pages: nothing but inline style reaches every mail program.
var (
	//go:embed letter.html
	htmlSource string
	//go:embed letter.txt
	textSource string

	htmlPart = html.Must(html.New("letter.html").Parse(htmlSource))
	textPart = text.Must(text.New("letter.txt").Parse(textSource))
)

type letterPage struct {
	Letter
	Sender string
}

// compose makes one message with both parts. id is the Message-ID without its domain,
// which is the sender's.
func compose(l Letter, from *netmail.Address, id string, date time.Time) (*gomail.Msg, error) {
	l.Subject = oneLine(l.Subject)
	page := letterPage{l, from.Name}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(from)
	m.ToMailAddress(&netmail.Address{Address: l.To})
	m.Subject(l.Subject)
	m.SetDateWithValue(date)
	m.SetMessageIDWithValue(id + from.Address[strings.LastIndexByte(from.Address, '@'):])
	m.SetGenHeader("Content-Language", oneLine(l.Lang))
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 5: nobody's absence note answers it
	if err := m.SetBodyTextTemplate(textPart, page); err != nil {
		return nil, fmt.Errorf("write a letter as text: %w", err)
	}
	if err := m.AddAlternativeHTMLTemplate(htmlPart, page); err != nil {
		return nil, fmt.Errorf("write a letter as HTML: %w", err)
	}
	return m, nil
}

// oneLine leaves nothing that could end a header.
func oneLine(s string) string {
	blank := func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(blank, s)), " ")
}
