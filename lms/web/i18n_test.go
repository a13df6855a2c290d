package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/words"
)

func TestThePageSpeaksTheLanguageThatWasChosenLast(t *testing.T) {
	t.Parallel()
	s := serve(t)
	cases := []struct{ name, cookie, session, accept, want string }{
		{"nothing known", "", "", "", "en"},
		{"the browser asks for Spanish", "", "", "es-MX,es;q=0.9,en;q=0.8", "es"},
		{"the browser asks for French", "", "", "fr", "en"},
		{"the browser asks for French, then Spanish", "", "", "fr, es;q=0.5", "es"},
		{"the browser asks for nonsense", "", "", ";;q=x,-", "en"},
		{"the person's language", "", "lucia", "en", "es"},
		{"chosen in this browser", "en", "lucia", "es", "en"},
		{"chosen while signed out", "es", "", "en", "es"},
		{"a cookie of no language", "de", "lucia", "", "es"},
	}
	for _, c := range cases {
		got := s.send(request{path: "/probe", header: map[string]string{"Accept-Language": c.accept},
			cookies: map[string]string{langCookie: c.cookie, sessionCookie: c.session}})
		require.Contains(t, got.body, `<html lang="`+c.want+`">`, c.name)
		require.Contains(t, got.body, map[string]string{"en": "Probe", "es": "Sonda"}[c.want], c.name)
	}
}

func TestChoosingALanguageComesBackToThePage(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.change(request{method: "POST", path: "/language", body: "lang=es&next=%2Fprobe%3Fword%3D1"}, "")
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	require.Equal(t, "/probe?word=1", got.Header.Get("Location"))
	require.Equal(t, "es", got.Cookies()[0].Value)

	got = s.change(request{method: "POST", path: "/language", body: "lang=es&next=https://evil.example.org"}, "")
	require.Equal(t, "/", got.Header.Get("Location"))
	require.Equal(t, http.StatusUnprocessableEntity, s.change(request{method: "POST", path: "/language", body: "lang=de"}, "").StatusCode)
}

func TestALanguageThatSomebodySignedInChoosesIsToldToTheirAccount(t *testing.T) {
	t.Parallel()
	cfg := config()
	var told []string
	cfg.Speak = func(_ context.Context, p lms.PersonID, lang string) error {
		told = append(told, fmt.Sprint(p, lang))
		return nil
	}
	s := serveWith(t, cfg)
	spanish := request{method: "POST", path: "/language", body: "lang=es"}
	for _, session := range []string{"", "maya"} {
		require.Equal(t, http.StatusSeeOther, s.change(spanish, session).StatusCode)
	}
	maya, err := cfg.Sessions.Viewer(t.Context(), "maya", time.Time{})
	require.NoError(t, err)
	require.Equal(t, []string{fmt.Sprint(maya.ID, "es")}, told)
}

func TestErrorsSpeakThePersonsLanguage(t *testing.T) {
	t.Parallel()
	got := serve(t).get("/fail/busy", sessionCookie, "lucia")
	require.Contains(t, got.body, "Ocupado hasta el 1 de mayo de 2026.")
}

func TestANoticeIsShownOnlyIfItIsOne(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Contains(t, s.get("/probe?notice=done").body, "Done.")
	require.NotContains(t, s.get("/probe?notice=%3Cscript%3E").body, "usa-alert")
	require.NotContains(t, s.get("/probe?notice=error.busy").body, "usa-alert")
}

func TestAScriptGetsItsStringsInThePagesLanguage(t *testing.T) {
	t.Parallel()
	var got map[string]string
	require.NoError(t, json.Unmarshal([]byte(serve(t).get("/strings", langCookie, "es").body), &got))
	require.Equal(t, map[string]string{"stop": "Parar"}, got)
}

func TestNumbersPickTheirPlural(t *testing.T) {
	t.Parallel()
	s, err := New(config())
	require.NoError(t, err)
	for n, want := range map[int][2]string{0: {"0 days", "0 días"}, 1: {"1 day", "1 día"}, 2: {"2 days", "2 días"}} {
		for i, lang := range words.Languages {
			got, err := s.views.words.Write(lang, "probe.days", "Count", n)
			require.NoError(t, err)
			require.Equal(t, want[i], got)
		}
	}
}

func TestAMissingMessageIsAnErrorInATemplateAndItsKeyElsewhere(t *testing.T) {
	t.Parallel()
	s, err := New(config())
	require.NoError(t, err)
	_, err = s.views.words.Write("en", "probe.nothing")
	require.ErrorContains(t, err, "probe.nothing")
	_, err = s.views.words.Write("en", "probe.days", "Count")
	require.ErrorContains(t, err, "a name without a value")
	require.Equal(t, "probe.nothing", s.views.words.Text("en", "probe.nothing"))
}

func TestAWaitIsWrittenLongEnough(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration][2]string{
		1:                             {"1 second", "1 segundo"},
		time.Second:                   {"1 second", "1 segundo"},
		time.Second + time.Nanosecond: {"2 seconds", "2 segundos"},
		2 * time.Minute:               {"120 seconds", "120 segundos"},
		2*time.Minute + 1:             {"3 minutes", "3 minutos"},
		15 * time.Minute:              {"15 minutes", "15 minutos"},
		15*time.Minute + time.Second:  {"16 minutes", "16 minutos"},
	} {
		require.Equal(t, want, [2]string{words.Wait("en", d), words.Wait("es", d)}, d)
	}
}

func TestSizesAreWrittenInTheLargestUnitThatFits(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KB", 1536: "2 KB", 1 << 20: "1.0 MB", 5<<20 + 1<<19: "5.5 MB"} {
		require.Equal(t, want, formatBytes(n))
	}
}

func TestAMachinesFormOfAValueNeverReachesAPage(t *testing.T) {
	t.Parallel()
	s, err := New(config())
	require.NoError(t, err)
	instant := time.Date(2026, 11, 22, 3, 36, 12, 0, time.UTC)
	for _, v := range []any{instant, &instant} {
		text, err := s.views.words.Write("en", "error.busy", "Until", v)
		require.NoError(t, err)
		require.Contains(t, text, "November 21, 2026, 9:36 PM Central")
	}
	_, err = s.views.words.Write("en", "error.busy", "Until", []string{"May"})
	require.ErrorContains(t, err, "no way to write a []string")
}

func TestAPastYearIsShortWhereThisYearHasHoursToGo(t *testing.T) {
	t.Parallel()
	today := lms.Date{Year: 2026, Month: 11, Day: 21}
	this, past := NewYearBar(lms.YearStanding{Year: 2026, Counted: 5, Required: 48}, today), NewYearBar(lms.YearStanding{Year: 2025, Counted: 50, Required: 48}, today)
	require.Equal(t, lms.Hours(43), this.Missing)
	require.False(t, this.Past)
	require.Zero(t, past.Missing, "a surplus is nothing missing")
	require.True(t, past.Past)
}
