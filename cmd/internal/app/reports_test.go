package app_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	read "github.com/ledongthuc/pdf"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// newReportBox is the product on a day late in a year.
func newReportBox(t *testing.T) *box {
	b := newBoxAt(t, otherSite, false)
	b.clock.set(lms.Date{Year: 2026, Month: 11, Day: 20}.Start().Add(10 * time.Hour))
	return b
}

// signedIn is a client in a session of somebody.
func (b *box) signedIn(who lms.Person) *learner {
	b.Helper()
	l := newLearner(b, b.url, b.address())
	l.cookies["__Host-session"] = lmstest.Session(b, b.DB, who.ID, b.clock.Now())
	return l
}

// trained gives somebody trainings of this year and the last, two hours of one of which
// count for the last.
func (b *box) trained(p lms.Person, titles ...string) {
	b.Helper()
	now := b.clock.Now()
	for i, title := range titles {
		b.completes(p, lmstest.Course(b, b.DB, func(c *lms.Course) { c.Title, c.Hours = title, 6 }), now.AddDate(0, 0, -i))
	}
}

func readPDF(t *testing.T, file string) (r *read.Reader, text string) {
	t.Helper()
	r, err := read.NewReader(strings.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	said, err := r.GetPlainText()
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(said)
	require.NoError(t, err)
	return r, b.String()
}

// keepFile keeps a file where MOPD_SCREENSHOTS names a folder.
func keepFile(t *testing.T, name, file string) {
	t.Helper()
	if dir := os.Getenv("MOPD_SCREENSHOTS"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(file), 0o600))
	}
}

func TestAReportIsATaggedFileWithItsCodeThatBreaksBetweenRows(t *testing.T) {
	t.Parallel()
	b := newReportBox(t)
	maya := b.person("Maya")
	var titles []string
	for i := range 40 {
		titles = append(titles, fmt.Sprintf("Caring for Infants and Toddlers, Part %02d", i+1))
	}
	b.trained(maya, titles...)
	l := b.signedIn(maya)
	for _, lang := range []string{"en", "es"} {
		l.cookies["__Host-lang"] = lang
		a := l.get(strings.TrimPrefix(l.post("/report", "/report/print", url.Values{"as": {"pdf"}}).location, b.url))
		require.Equal(t, 200, a.status, a.body)
		keepFile(t, "report-"+lang+".pdf", a.body)
		r, text := readPDF(t, a.body)
		root := r.Trailer().Key("Root")
		require.True(t, root.Key("MarkInfo").Key("Marked").Bool())
		require.False(t, root.Key("StructTreeRoot").IsNull())
		require.Equal(t, lang, root.Key("Lang").Text())
		require.Contains(t, r.Trailer().Key("Info").Key("Title").Text(), maya.Name())
		for _, said := range append(titles, maya.Name(), fmt.Sprint(maya.MOPDID), "60.0") {
			require.Contains(t, text, said)
		}
		require.Regexp(t, `[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}`, text)
		require.Equal(t, r.NumPage(), strings.Count(text, map[string]string{"en": "Sponsor", "es": "Patrocinador"}[lang]), "each page has the head of the table")
	}
}
