package accounts

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

// officeTime is when the pages are served: after what the builders record.
var officeTime = lmstest.Now.Add(time.Minute)

// office is the feature's pages.
type office struct {
	*world
	url string
}

func newOffice(t *testing.T) office {
	t.Helper()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	app := &url.URL{Scheme: "http", Host: strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)}
	server, err := web.New(web.Config{
		AppURL: app, ContentHost: "localhost", Secret: bytes.Repeat([]byte("x"), 32), Now: func() time.Time { return officeTime },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Sessions: w.Service, Views: map[string]fs.FS{"accounts": Views},
	})
	require.NoError(t, err)
	w.Routes(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, server.Shutdown(ctx))
		require.NoError(t, <-served)
	})
	return office{w, app.String()}
}

// clerk is somebody at a browser, signed in.
type clerk struct {
	office
	token, lang, csrf string
}

func (o office) clerk(p lms.Person, lang string) *clerk {
	o.t.Helper()
	return &clerk{office: o, token: o.tokenOf(p, lms.SignedIn, officeTime), lang: lang}
}

var formToken = regexp.MustCompile(`name="csrf" content="([^"]+)"`)

func (c *clerk) do(method, path string, form url.Values) (status int, body string, header http.Header) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(form.Encode()))
	require.NoError(c.t, err)
	r.Header.Set("Cookie", "__Host-visitor=v; __Host-lang="+c.lang+"; __Host-session="+c.token)
	r.Header.Set("Origin", c.url)
	r.Header.Set("X-CSRF-Token", c.csrf)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(c.t, err)
	raw, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	require.NoError(c.t, answer.Body.Close())
	if found := formToken.FindSubmatch(raw); found != nil {
		c.csrf = string(found[1])
	}
	return answer.StatusCode, string(raw), answer.Header
}

func (c *clerk) get(path string) string {
	c.t.Helper()
	status, body, _ := c.do(http.MethodGet, path, nil)
	require.Equal(c.t, http.StatusOK, status, "%s: %s", path, body)
	return body
}

func (c *clerk) post(path string, form url.Values) (status int, body, to string) {
	c.t.Helper()
	status, body, header := c.do(http.MethodPost, path, form)
	return status, body, header.Get("Location")
}

func TestOnlyWhoLooksAfterPeopleFindsThem(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	maya := o.person("Maya", "Rivera")
	path := fmt.Sprintf("/people/%d", maya.ID)
	doors := map[string][]lms.Role{
		"/people": {lms.Registrar, lms.Administrator}, path: {lms.Registrar, lms.Administrator}, path + "/name": {lms.Registrar},
		path + "/roles": {lms.Administrator}, "/audit": {lms.Administrator}, "/audit/export.csv": {lms.Administrator},
	}
	for _, role := range slices.Concat(GrantedRoles, []lms.Role{""}) {
		p := o.person("Some", "Body")
		if role != "" {
			p = o.person("Some", "Body", role)
		}
		c := o.clerk(p, "en")
		page := c.get("/account/looks")
		for door, roles := range doors {
			want := http.StatusForbidden
			if slices.Contains(roles, role) {
				want = http.StatusOK
			}
			status, _, _ := c.do(http.MethodGet, door, nil)
			require.Equal(t, want, status, "%s: %s", role, door)
			if door == "/people" || door == "/audit" {
				require.Equal(t, want == http.StatusOK, strings.Contains(page, `href="`+door+`"`), "%s: %s in the menu", role, door)
			}
		}
	}
}

func TestARegistrarFindsAndCorrectsAPerson(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "es"} {
		o := newOffice(t)
		maya := o.person("Maya", "Rivera")
		c := o.clerk(o.person("Rita", "Registrar", lms.Registrar), lang)
		require.NotContains(t, c.get("/people"), maya.Email, "nobody is listed unasked")
		require.Contains(t, c.get("/people?q=nobody"), "not-found")
		require.Contains(t, c.get("/people?q=rivera"), maya.Email)
		path := fmt.Sprintf("/people/%d", maya.ID)
		require.Contains(t, c.get(path), "Maya Rivera")
		require.Contains(t, c.get(path+"/name"), `value="Rivera"`)
		status, body, _ := c.post(path+"/name", url.Values{"given": {"Maya"}, "family": {"Typed"}, "born": {""}, "reason": {""}})
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, body, `value="Typed"`, "what was typed is still there")
		require.Contains(t, body, o.Words.Text(lang, "error.reason_missing"))
		status, _, _ = c.post(path+"/name", url.Values{"given": {"Maya"}, "family": {"Rivera"}, "reason": {"x"}})
		require.Equal(t, http.StatusUnprocessableEntity, status)
		status, _, to := c.post(path+"/name", url.Values{"given": {"Maya"}, "family": {"López"}, "born": {"1990-02-28"}, "reason": {"papers seen"}})
		require.Equal(t, http.StatusSeeOther, status)
		page := c.get(to)
		require.Contains(t, page, "Maya López")
		require.Contains(t, page, "Maya Rivera")
		require.Contains(t, page, "papers seen")
		require.Contains(t, page, o.Words.Text(lang, "notice.record_corrected"))
		status, _, _ = c.do(http.MethodGet, "/people/999999", nil)
		require.Equal(t, http.StatusNotFound, status)
	}
}

func TestAnAdministratorConfirmsAChangeOfRoles(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "es"} {
		o := newOffice(t)
		maya := o.person("Maya", "Rivera", lms.Finance)
		o.appOf(maya, lmstest.Now)
		c := o.clerk(o.person("Ada", "Admin", lms.Administrator), lang)
		path := fmt.Sprintf("/people/%d/roles", maya.ID)
		require.Contains(t, c.get(path), `value="finance" checked`)
		form := url.Values{"was": {"finance"}, "role": {"author", "registrar"}}
		status, body, _ := c.post(path, form)
		require.Equal(t, http.StatusOK, status)
		for _, role := range []string{"author", "registrar", "finance"} {
			require.Contains(t, body, o.Words.Text(lang, "accounts.roles.may."+role), "the page names what changes")
		}
		require.NotContains(t, body, o.Words.Text(lang, "accounts.roles.may.inspector"))
		require.Equal(t, 1, o.count(`SELECT count(*) FROM accounts.roles WHERE person = $1`, maya.ID), "nothing has changed yet")
		form.Set("confirmed", "1")
		status, _, to := c.post(path, form)
		require.Equal(t, http.StatusSeeOther, status)
		require.Contains(t, c.get(to), o.Words.Text(lang, "notice.roles_changed"))
		status, body, _ = c.post(path, form)
		require.Equal(t, http.StatusUnprocessableEntity, status, "somebody else was first")
		require.Contains(t, body, `value="author" checked`)
		status, _, _ = c.post(path, url.Values{"was": {"author"}, "role": {"author"}})
		require.Equal(t, http.StatusUnprocessableEntity, status, "nothing to change")
		status, _, to = c.post(fmt.Sprintf("/people/%d/sessions/end", maya.ID), url.Values{})
		require.Equal(t, http.StatusSeeOther, status)
		require.Contains(t, c.get(to), o.Words.Text(lang, "notice.sessions_ended"))
	}
}

func TestLooksInSearchesAndRefusedFormsAreWrittenDown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	maya, rita := o.person("Maya", "Rivera"), o.person("Rita", "Registrar", lms.Registrar)
	c := o.clerk(rita, "en")
	c.get("/people")
	require.Zero(t, o.audited("people_searched"), "nobody was looked for")
	require.Contains(t, c.get("/people?q=+rivera"), maya.Email)
	require.Equal(t, 1, o.count(`SELECT count(*) FROM accounts.audit WHERE action = 'people_searched' AND actor = $1 AND note = 'rivera'`, rita.ID))
	status, body, _ := c.post(fmt.Sprintf("/people/%d/name", maya.ID), url.Values{})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, maya.Family)
	require.Equal(t, []string{"record_viewed"}, o.actions(maya))

	ada := o.person("Ada", "Admin", lms.Administrator)
	c = o.clerk(ada, "en")
	c.get("/audit")
	require.Zero(t, o.audited("audit_read"), "that was about nobody")
	c.get(fmt.Sprintf("/audit?person=%d", maya.MOPDID))
	require.Equal(t, 1, o.count(`SELECT count(*) FROM accounts.audit WHERE action = 'audit_read' AND actor = $1 AND subject = $2 AND note = $3`, ada.ID, maya.ID, fmt.Sprintf("person=%d", maya.MOPDID)))
	status, _, _ = c.post(fmt.Sprintf("/people/%d/roles", maya.ID), url.Values{"role": {"author"}})
	require.Equal(t, http.StatusUnprocessableEntity, status, "Maya has no second factor")
	require.Equal(t, []string{"record_viewed", "audit_read", "record_viewed"}, o.actions(maya))
}

func TestCorrectingNeedsAFreshProof(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.clerk(o.person("Rita", "Registrar", lms.Registrar), "en")
	path := fmt.Sprintf("/people/%d/name", o.person("Maya", "Rivera").ID)
	c.get(path)
	_, err := o.db.Exec(t.Context(), `UPDATE accounts.sessions SET proved_at = $1`, officeTime.Add(-lms.ProofAge))
	require.NoError(t, err)
	status, _, header := c.do(http.MethodGet, path, nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, header.Get("Location"), "/account/prove?next=")
	status, _, _ = c.post(path, url.Values{"given": {"Maya"}, "family": {"López"}, "reason": {"papers seen"}})
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestRolesAreChangedOnlyByWhoJustProvedThemselves(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := o.clerk(o.person("Ada", "Admin", lms.Administrator), "en")
	maya := o.person("Maya", "Rivera")
	c.get("/people")
	_, err := o.db.Exec(t.Context(), `UPDATE accounts.sessions SET proved_at = $1`, officeTime.Add(-lms.ProofAge))
	require.NoError(t, err)
	path := fmt.Sprintf("/people/%d", maya.ID)
	status, _, header := c.do(http.MethodGet, path+"/roles", nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, header.Get("Location"), "/account/prove?next=")
	for _, door := range []string{path + "/roles", path + "/sessions/end"} {
		status, _, _ = c.post(door, url.Values{"role": {"author"}, "confirmed": {"1"}})
		require.Equal(t, http.StatusUnauthorized, status)
	}
	require.Empty(t, o.actions(maya))
}

func TestAnAdministratorReadsAndDownloadsTheTrail(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "es"} {
		o := newOffice(t)
		maya := o.person("Maya", "Rivera")
		c := o.clerk(o.person("Ada", "Admin", lms.Administrator), lang)
		o.wrote(lms.AuditEntry{Actor: maya.ID, Action: "set aside", Subject: maya.ID, Object: "enrollment/7"}, lms.AuditEntry{Action: "credit_held", Subject: maya.ID, Note: "=why"})
		page := c.get("/audit")
		for _, text := range []string{"set aside", "enrollment/7", o.Words.Text(lang, "audit.action.credit_held"), o.Words.Text(lang, "accounts.audit.system"), "Ada Admin"} {
			require.Contains(t, page, text)
		}
		query := fmt.Sprintf("?person=%d&action=credit_held&from=2026-03-16&to=2026-03-16", maya.MOPDID)
		page = c.get("/audit" + query)
		require.Contains(t, page, "=why")
		require.NotContains(t, page, "enrollment/7")
		require.Contains(t, c.get("/audit?from=2027-01-01"), "not-found")
		for _, bad := range []string{"?person=nobody", "?from=x", "?from=2026-03-02&to=2026-03-01"} {
			status, body, _ := c.do(http.MethodGet, "/audit"+bad, nil)
			require.Equal(t, http.StatusUnprocessableEntity, status, bad)
			require.Contains(t, body, o.Words.Text(lang, "form.title_wrong"))
			status, _, _ = c.do(http.MethodGet, "/audit/export.csv"+bad, nil)
			require.Equal(t, http.StatusUnprocessableEntity, status, bad)
		}
		status, table, header := c.do(http.MethodGet, "/audit/export.csv"+query, nil)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, header.Get("Content-Type"), "text/csv")
		require.Equal(t, `attachment; filename="audit-2026-03-16.csv"`, header.Get("Content-Disposition"))
		require.Equal(t, 2, strings.Count(table, "\n"), table)
		require.Contains(t, table, "'=why")
		require.Contains(t, c.get("/audit?action=audit_exported"), "action=credit_held")
	}
}

func TestPeopleReadWhoLookedAtThem(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "es"} {
		o := newOffice(t)
		maya, rita := o.person("Maya", "Rivera"), o.person("Rita", "Registrar", lms.Registrar)
		c := o.clerk(maya, lang)
		require.Contains(t, c.get("/account/looks"), o.Words.Text(lang, "accounts.looks.none_title"))
		o.clerk(rita, "en").get(fmt.Sprintf("/people/%d", maya.ID))
		page := c.get("/account/looks")
		for _, text := range []string{"Rita Registrar", o.Words.Text(lang, "accounts.role.registrar"), o.Words.Text(lang, "audit.action.record_viewed")} {
			require.Contains(t, page, text)
		}
		require.NotContains(t, page, fmt.Sprint(int(rita.MOPDID)))
	}
}
