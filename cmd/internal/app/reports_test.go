package app_test

import (
	"bytes"
	"encoding/csv"
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
	"mopd/registry"
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

// trained has somebody complete courses of 1.5 clock hours, the first today, each other one a
// day before.
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
	return r, strings.Join(strings.Fields(b.String()), " ")
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
		require.Greater(t, r.NumPage(), 1)
		require.Equal(t, r.NumPage(), strings.Count(text, map[string]string{"en": "Sponsor", "es": "Patrocinador"}[lang]), "each page has the head of the table")
		require.Equal(t, 1, strings.Count(text, map[string]string{"en": "Clock hours in all", "es": "Total de horas reloj"}[lang]))
	}
}

func TestAReportIsATableThatSpreadsheetsReadAndAddUp(t *testing.T) {
	t.Parallel()
	b := newReportBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	require.NoError(t, b.Registry.RecordWork(t.Context(), lms.Viewer{Person: rita}, registry.WorkChange{
		Person: maya.ID, Employer: "Sunny Days", HiredOn: lms.Date{Year: 2025, Month: 9, Day: 15}, Note: "Letter of the employer",
	}, "127.0.0.1", b.clock.Now()))
	b.trained(maya, "Playing Outside", "=HYPERLINK(1)", "Supervision", "Nutrition")

	rows := readTable(t, b.signedIn(maya).get("/report.csv").body)
	require.Equal(t, []string{"Row", "Name", "MOPD ID", "Role", "Safe sleep done", "Safe sleep valid through", "Year", "Required", "Earned in the year", "Of these, for earlier years",
		"Made up in later years", "Counts for the year", "Short", "Date", "Course", "Sponsor", "Clock hours", "Of these, for this year", "Years they count for", "Decision", "Source",
		"Employer", "Hired on", "Last day", "Completed through", "As known at (Missouri time)"}, rows[0])
	table := []string{}
	for _, row := range rows[1:] {
		require.Equal(t, []string{maya.Name(), fmt.Sprint(maya.MOPDID), "Caregiver"}, row[1:4])
		require.Equal(t, "2026-11-20", row[24])
		table = append(table, strings.Join(append([]string{row[0]}, row[6:24]...), "|"))
	}
	require.Equal(t, []string{
		"Work||||||||||||||||Sunny Days|2025-09-15|",
		"Year|2026|12.0|6.0|4.0|0.0|2.0|10.0|||||||||||",
		"Training|2026|||||||2026-11-17|Nutrition|Missouri training|1.5|0.0|2025: 1.5|Counts|Online course here|||",
		"Training|2026|||||||2026-11-18|Supervision|Missouri training|1.5|0.0|2025: 1.5|Counts|Online course here|||",
		"Training|2026|||||||2026-11-19|'=HYPERLINK(1)|Missouri training|1.5|0.5|2025: 1.0; 2026: 0.5|Counts|Online course here|||",
		"Training|2026|||||||2026-11-20|Playing Outside|Missouri training|1.5|1.5|2026: 1.5|Counts|Online course here|||",
		"Year|2025|4.0|0.0|0.0|4.0|4.0|0.0|||||||||||",
		"Training|2025|||||||2026-11-17|Nutrition|Missouri training||1.5|2025: 1.5|Counts|Online course here|||",
		"Training|2025|||||||2026-11-18|Supervision|Missouri training||1.5|2025: 1.5|Counts|Online course here|||",
		"Training|2025|||||||2026-11-19|'=HYPERLINK(1)|Missouri training||1.0|2025: 1.0; 2026: 0.5|Counts|Online course here|||",
	}, table)

	desk := b.signedIn(rita)
	require.Len(t, readTable(t, desk.get(fmt.Sprintf("/people/%d/record.csv?year=2025", maya.ID)).body), 6)
	require.Len(t, readTable(t, desk.get(fmt.Sprintf("/people/%d/record.csv?through=2026-11-18", maya.ID)).body), 8, "what was completed later is left out")
	require.Equal(t, 404, desk.get(fmt.Sprintf("/people/%d/record.csv?year=2031", maya.ID)).status)
	require.Equal(t, 3, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed'`))
	require.Equal(t, 403, b.signedIn(maya).get(fmt.Sprintf("/people/%d/record.csv", rita.ID)).status)
}

func readTable(t *testing.T, file string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\ufeff"))).ReadAll()
	require.NoError(t, err)
	return rows
}

func TestARegistrarsFileOfARecordSaysThatItHasNoCode(t *testing.T) {
	t.Parallel()
	b := newReportBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	b.trained(maya, "Playing Outside")
	desk := b.signedIn(rita)
	a := desk.get(fmt.Sprintf("/people/%d/record.pdf?year=2026", maya.ID))
	require.Equal(t, 200, a.status, a.body)
	keepFile(t, "record.pdf", a.body)
	_, text := readPDF(t, a.body)
	require.Contains(t, text, "This copy carries no verification code.")
	require.Contains(t, text, "Playing Outside")
	require.Equal(t, 1, b.counts(`SELECT count(*) FROM accounts.audit WHERE action = 'record_viewed'`))

	code := strings.TrimPrefix(b.signedIn(maya).post("/report", "/report/print", url.Values{}).location, "/report/printed/")
	require.Equal(t, 404, desk.get("/report/printed/"+code+"/report.pdf").status, "it is the caregiver's own")
}

func TestTheReportIsPrintedAndDownloadedFromItsPage(t *testing.T) {
	t.Parallel()
	b := newReportBox(t)
	maya, rita := b.person("Maya"), b.person("Rita", lms.Registrar)
	b.trained(maya, "Playing Outside", "Supervision")
	p := b.newTab(t)
	p.signIn(maya)
	p.open("/report")
	p.sees("Download a PDF with a code")
	p.sees("Online course here")
	p.accessibleInBoth("report")
	p.click(`form[action="/report/print"] button:not([name])`)
	p.sees("Verification code")
	file := eval[string](p, `document.querySelector('a[href$="/report.pdf"]').pathname`)
	require.True(t, strings.HasPrefix(b.signedIn(maya).get(file).body, "%PDF-"))
	p.accessibleInBoth("report-made")

	b.Registry.PDF = nil // as on a machine without Chromium
	p.open("/report")
	p.sees("Make a report to print, with a code")
	require.False(t, eval[bool](p, `!!document.querySelector('button[value="pdf"]')`))
	require.Equal(t, 404, b.signedIn(rita).get(fmt.Sprintf("/people/%d/record.pdf", maya.ID)).status)

	p.signIn(rita)
	p.open(fmt.Sprintf("/people/%d/record", maya.ID))
	p.sees("Download as a table (CSV)")
	p.accessibleInBoth("record")
}
