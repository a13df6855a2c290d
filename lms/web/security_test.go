package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// change is a form's request that lacks nothing: cookies, token and origin are those
// of somebody signed in under the session token ("" for nobody).
func (s *site) change(r request, session string) response {
	s.t.Helper()
	return s.send(s.protected(r, session))
}

func (s *site) protected(r request, session string) request {
	s.t.Helper()
	visit := s.get("/probe", sessionCookie, session)
	if session == "" {
		visit = s.get("/probe")
	}
	cookies := map[string]string{}
	for _, c := range visit.Cookies() {
		cookies[c.Name] = c.Value
	}
	if session != "" {
		cookies[sessionCookie] = session
	}
	header := map[string]string{"Origin": origin, "X-CSRF-Token": csrfOf(s.t, visit.body), "Content-Type": "application/x-www-form-urlencoded"}
	for name, value := range r.header {
		header[name] = value
	}
	for name, value := range r.cookies {
		cookies[name] = value
	}
	r.header, r.cookies = header, cookies
	for name, value := range header {
		if value == "-" { // leave it out
			delete(header, name)
		}
	}
	return r
}

func csrfOf(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`name="_csrf" value="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(t, found, page)
	return found[1]
}

func form(values url.Values) request {
	return request{method: "POST", path: "/change", body: values.Encode()}
}

func (r request) with(what, value string) request {
	if what == "body" {
		r.body = value
		return r
	}
	r.header = map[string]string{what: value}
	return r
}

func TestAFormOfTheApplicationIsTaken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Equal(t, http.StatusOK, s.change(form(nil), "").StatusCode)
	require.Equal(t, http.StatusOK, s.change(form(nil), "maya").StatusCode)
	require.Equal(t, http.StatusOK, s.change(form(nil).with("Sec-Fetch-Site", "same-origin"), "maya").StatusCode)

	r := s.protected(form(nil), "maya")
	r.body = url.Values{"_csrf": {r.header["X-CSRF-Token"]}}.Encode()
	delete(r.header, "X-CSRF-Token")
	require.Equal(t, http.StatusOK, s.send(r).StatusCode, "the token in the form")
}

func TestAChangeFromAnywhereElseIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	another := s.protected(form(nil), "lucia")
	cases := []struct {
		name string
		r    request
		code string
	}{
		{"no origin", form(nil).with("Origin", "-"), "cross_origin"},
		{"opaque origin", form(nil).with("Origin", "null"), "cross_origin"},
		{"another site", form(nil).with("Origin", "https://evil.example.org"), "cross_origin"},
		{"a content host", form(nil).with("Origin", "https://"+contentHost), "cross_origin"},
		{"another scheme", form(nil).with("Origin", "http://"+appHost), "cross_origin"},
		{"another port", form(nil).with("Origin", origin+":8443"), "cross_origin"},
		{"a longer name", form(nil).with("Origin", origin+".evil.org"), "cross_origin"},
		{"course content of the same site", form(nil).with("Sec-Fetch-Site", "same-site"), "cross_origin"},
		{"a page of another site", form(nil).with("Sec-Fetch-Site", "cross-site"), "cross_origin"},
		{"typed by nobody", form(nil).with("Sec-Fetch-Site", "none"), "cross_origin"},
		{"no token", form(nil).with("X-CSRF-Token", "-"), "stale_form"},
		{"a made-up token", form(nil).with("X-CSRF-Token", strings.Repeat("A", 43)), "stale_form"},
		{"the token of another session", form(nil).with("X-CSRF-Token", another.header["X-CSRF-Token"]), "stale_form"},
	}
	for _, c := range cases {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			c.r.method = method
			r := s.protected(c.r, "maya")
			r.header["Accept"] = "application/json"
			got := s.send(r)
			require.Equal(t, http.StatusForbidden, got.StatusCode, "%s, %s", c.name, method)
			require.Contains(t, got.body, `"`+c.code+`"`, "%s, %s", c.name, method)
		}
	}
}

func TestAFormOfASessionThatIsOverLeadsToSigningIn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	over := s.protected(form(nil), "maya")
	over.cookies[sessionCookie] = "ended"
	over.header["Referer"] = origin + "/mine?x=1"
	got := s.send(over)
	require.Equal(t, http.StatusUnauthorized, got.StatusCode)
	require.Contains(t, got.body, `href="/sign-in?next=%2Fmine%3Fx%3D1"`)
}

func TestATokenIsOfOneVisitorAndOneSession(t *testing.T) {
	t.Parallel()
	s := serve(t)
	signedOut := s.protected(form(nil), "")
	signedOut.cookies[sessionCookie] = "maya" // signed in in another tab
	require.Equal(t, http.StatusForbidden, s.send(signedOut).StatusCode)

	stranger := s.protected(form(nil), "maya")
	stranger.cookies[visitorCookie] = "another-browser"
	require.Equal(t, http.StatusForbidden, s.send(stranger).StatusCode)

	none := s.protected(form(nil), "maya")
	delete(none.cookies, visitorCookie)
	require.Equal(t, http.StatusForbidden, s.send(none).StatusCode)
}

func TestAFormThatIsRefusedLeadsBackToItsPage(t *testing.T) {
	t.Parallel()
	s := serve(t)
	cases := []struct{ referer, back string }{
		{origin + "/my-courses?x=1", "/my-courses?x=1"},
		{"https://evil.example.org/my-courses", "/"},
		{origin + "//evil.example.org", "/"},
		{"", "/"},
	}
	for _, c := range cases {
		stale := s.protected(form(nil).with("X-CSRF-Token", "stale"), "maya")
		stale.header["Referer"] = c.referer
		got := s.send(stale)
		require.Equal(t, http.StatusForbidden, got.StatusCode)
		require.Contains(t, got.body, "This page was open for too long")
		require.Contains(t, got.body, `class="usa-button" href="`+c.back+`"`, c.referer)

		signedOut := s.protected(request{method: "POST", path: "/mine"}, "")
		signedOut.header["Referer"] = c.referer
		got = s.send(signedOut)
		require.Equal(t, http.StatusUnauthorized, got.StatusCode)
		require.Contains(t, got.body, `href="/sign-in?next=`+url.QueryEscape(c.back)+`"`, c.referer)
	}
}

func TestCookiesStayWithTheApplication(t *testing.T) {
	t.Parallel()
	s := serve(t)
	visit := s.get("/probe")
	chosen := s.change(request{method: "POST", path: "/language", body: "lang=es&next=/probe"}, "")
	var names []string
	for _, c := range append(visit.Cookies(), chosen.Cookies()...) {
		names = append(names, c.Name)
		require.True(t, strings.HasPrefix(c.Name, "__Host-"), c.Name)
		require.True(t, c.HttpOnly && c.Secure, c.Name)
		require.Equal(t, http.SameSiteLaxMode, c.SameSite, c.Name)
		require.Equal(t, "/", c.Path, c.Name)
		require.Empty(t, c.Domain, c.Name)
	}
	require.Equal(t, []string{visitorCookie, langCookie}, names)
}

func TestAVisitorKeepsTheirCookie(t *testing.T) {
	t.Parallel()
	s := serve(t)
	first := s.get("/probe").Cookies()[0]
	require.GreaterOrEqual(t, len(first.Value), 43)
	require.NotEqual(t, first.Value, s.get("/probe").Cookies()[0].Value)
	require.Empty(t, s.get("/probe", visitorCookie, first.Value).Cookies())
}

func TestABodyOfTheSizeThatItsRouteTakesArrives(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct {
		method, path string
		size         int
	}{{"POST", "/change", MaxBody}, {"PUT", "/upload/1", MaxBody + 1}, {"PUT", "/upload/1", MaxChunk}} {
		r := request{method: c.method, path: c.path, body: strings.Repeat("x", c.size), header: map[string]string{"Content-Type": "application/octet-stream"}}
		require.Equal(t, http.StatusOK, s.change(r, "maya").StatusCode, "%s %s of %d bytes", c.method, c.path, c.size)
	}
}

func TestARequestThatCannotBeReadIsRefusedBeforeItsBody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	head := func(method, path, cookie string, size int) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n", method, path, appHost, cookie, size)
	}
	signedIn := sessionCookie + "=maya"
	cases := map[string]string{
		head("POST", "/change", signedIn, MaxBody+1):                                             "HTTP/1.1 413 ",
		head("PUT", "/upload/1", signedIn, MaxChunk+1):                                           "HTTP/1.1 413 ",
		head("PUT", "/upload/1", "", MaxBody+1):                                                  "HTTP/1.1 413 ",
		head("PUT", "/change", signedIn, MaxBody+1):                                              "HTTP/1.1 413 ",
		head("POST", "/upload/1", signedIn, MaxBody+1):                                           "HTTP/1.1 413 ",
		"GET /probe HTTP/1.1\r\nHost: " + appHost + "\r\nX-Long: " + strings.Repeat("x", 17<<10): "HTTP/1.1 431 ",
		"GARBAGE\r\n\r\n": "HTTP/1.1 400 ",
	}
	for sent, want := range cases {
		conn, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		_, err = conn.Write([]byte(sent))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		got := make([]byte, len(want))
		_, err = io.ReadFull(conn, got)
		require.NoError(t, err, want)
		require.Equal(t, want, string(got))
		require.NoError(t, conn.Close())
	}
}

func TestChangesNeedThePersonToo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	mine := request{method: "POST", path: "/mine"}
	require.Equal(t, http.StatusUnauthorized, s.change(mine, "").StatusCode)
	require.Equal(t, http.StatusOK, s.change(mine, "maya").StatusCode)
}

func TestPathsOfThisApplicationAreTold(t *testing.T) {
	t.Parallel()
	for _, local := range []string{"/", "/my-courses", "/report?year=2026", "/courses/A-1#top", "/a//b", "/?next=https://evil.example"} {
		require.Equal(t, local, LocalPath(local, "/fallback"))
	}
	for _, foreign := range []string{"", "my-courses", "//evil.example", "///evil.example", "https://evil.example", "javascript:alert(1)", `/\evil.example`, `\\evil.example`,
		"/\t/evil.example", "/\n/evil.example", "/a\r\nSet-Cookie: x=1", "mailto:a@b", "https:/evil.example", " /x", "/%zz"} {
		require.Equal(t, "/fallback", LocalPath(foreign, "/fallback"), "%q", foreign)
	}
}

func FuzzALocalPathLeadsNowhereElse(f *testing.F) {
	for _, s := range []string{"/", "//evil.example", `/\evil`, "/a?b=c", "/%2f/evil", "/..//evil"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: appHost, Path: "/form"}
	f.Fuzz(func(t *testing.T, next string) {
		to := LocalPath(next, "/fallback")
		u, err := base.Parse(to)
		require.NoError(t, err)
		require.Equal(t, origin, u.Scheme+"://"+u.Host)
		require.True(t, strings.HasPrefix(to, "/"))
		require.False(t, len(to) > 1 && strings.ContainsRune(`/\`, rune(to[1])), "%q", to)
		require.NotContains(t, to, "\n")
	})
}

func TestACompressedOrMultipartBodyIsNotUnfolded(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for header, value := range map[string]string{"Content-Encoding": "gzip", "Content-Type": "Multipart/form-data; boundary=x"} {
		got := s.send(request{method: "POST", path: "/change", body: "x", header: map[string]string{header: value, "Origin": origin}})
		require.Equal(t, http.StatusUnsupportedMediaType, got.StatusCode, header)
	}
}

func TestAnAnswerThatIsNoPageRunsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, host := range map[string]string{"/healthz": appHost, "/": "evil.example.org"} {
		require.Equal(t, bare, s.send(request{path: path, host: host}).Header.Get("Content-Security-Policy"))
	}
	require.NotEqual(t, http.StatusOK, s.send(request{path: "/healthz", host: contentHost}).StatusCode, "a course could frame it")
}

func TestTooManyCookiesAreCleared(t *testing.T) {
	t.Parallel()
	got := serve(t).send(request{path: "/probe", header: map[string]string{"Cookie": "flood=" + strings.Repeat("x", 17<<10)}})
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, got.StatusCode)
	require.Equal(t, `"cookies"`, got.Header.Get("Clear-Site-Data"))
}

func TestTheAddressInTheTrailIsNotTheClientsWord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		proxies   []string
		forwarded string
		want      string
	}{
		"no proxy is trusted":      {nil, "203.0.113.9", "127.0.0.1"},
		"the proxy's word":         {[]string{"127.0.0.1"}, "203.0.113.9", "203.0.113.9"},
		"the client's word before": {[]string{"127.0.0.0/8"}, "198.51.100.7, 203.0.113.9", "203.0.113.9"},
		"two proxies":              {[]string{"127.0.0.1", "10.0.0.0/8"}, "198.51.100.7, 203.0.113.9, 10.0.0.7", "203.0.113.9"},
		"no address":               {[]string{"127.0.0.1"}, "<forged>", "127.0.0.1"},
	} {
		cfg := config()
		cfg.TrustedProxies = c.proxies
		got := serveWith(t, cfg).send(request{path: "/from", header: map[string]string{"X-Forwarded-For": c.forwarded}})
		require.Equal(t, c.want, got.body, name)
	}
	cfg := config()
	cfg.TrustedProxies = []string{"nonsense"}
	_, err := New(cfg)
	require.ErrorContains(t, err, "nonsense")
}

func TestAllLinesOfTheForwardedAddressesCount(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.TrustedProxies = []string{"127.0.0.1", "10.0.0.0/8"}
	s := serveWith(t, cfg)
	for name, c := range map[string]struct{ lines, want string }{
		"the proxy's line after the client's": {"X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"},
		"a line of each of two proxies":       {"X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\nx-forwarded-for: 10.0.0.7\r\n", "203.0.113.9"},
		"an empty line of the client's":       {"X-Forwarded-For:\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"},
		"nothing":                             {"", "127.0.0.1"},
	} {
		require.Contains(t, s.sendRaw("GET /from HTTP/1.1\r\nHost: "+appHost+"\r\n"+c.lines+"Connection: close\r\n\r\n"), "\r\n\r\n"+c.want, name)
	}
}

func TestNoTokenOfALinkReachesTheLog(t *testing.T) {
	t.Parallel()
	const token = "q7Zl0kVt3yWc8mB5nH1xJ4rS6uD9eFgA2pTiKoLwXzE"
	for name, c := range map[string]struct {
		request request
		status  int
		line    string
	}{
		"403 of a page":             {request{path: "/links/forbidden/" + token, cookies: map[string]string{sessionCookie: "lucia"}}, 403, "level=WARN msg=\"request forbidden\" method=GET route=/links/forbidden/:token from=127.0.0.1 person=2"},
		"403 before any route":      {request{method: "POST", path: "/links/" + token, header: map[string]string{"Origin": origin}}, 403, "method=POST route=/links/:token from=127.0.0.1 person=0"},
		"404 of a page":             {request{path: "/links/missing/" + token}, 404, "level=DEBUG msg=\"request refused\" method=GET route=/links/missing/:token"},
		"404 of its head":           {request{method: "HEAD", path: "/links/missing/" + token}, 404, "method=HEAD route=/links/missing/:token"},
		"404 of no route":           {request{path: "/links/" + token + "/more"}, 404, "route=/links/…"},
		"404 of no segment":         {request{path: "/" + token}, 404, "route=/…"},
		"404 of an escaped slash":   {request{path: "/links%2Fmissing%2F" + token}, 404, "route=/…"},
		"404 of a doubled slash":    {request{path: "//links/missing/" + token}, 404, "route=/…"},
		"another method":            {request{method: "PUT", path: "/links/" + token}, 403, "method=PUT route=/links/…"},
		"a query that is no text":   {request{path: "/links/missing/" + token + "?x=%ff"}, 422, "route=/links/missing/:token"},
		"500 of a page":             {request{path: "/links/broken/" + token, cookies: map[string]string{sessionCookie: "maya"}}, 500, "level=ERROR msg=\"request failed\" method=GET route=/links/broken/:token from=127.0.0.1 person=1"},
		"500 before any route":      {request{path: "/links/missing/" + token, cookies: map[string]string{sessionCookie: "down"}}, 500, "level=ERROR msg=\"request failed\" method=GET route=/links/missing/:token from=127.0.0.1 person=0"},
		"a panic":                   {request{path: "/links/panic/" + token, cookies: map[string]string{sessionCookie: "half"}}, 500, "level=ERROR msg=panic method=GET route=/links/panic/:token from=127.0.0.1 person=1 value=hunter2"},
		"403 of a content host":     {request{host: contentHost, path: "/links/" + token}, 403, "route=/links/:token"},
		"404 of a content host":     {request{host: contentHost, path: "/other/" + token}, 404, "route=/other/…"},
		"the home page of no route": {request{path: "/"}, 404, "route=/…"},
	} {
		s := serve(t)
		require.Equal(t, c.status, s.send(c.request).StatusCode, name)
		require.Contains(t, strings.ReplaceAll(s.log.String(), `"`, ""), strings.ReplaceAll(c.line, `"`, ""), name)
		require.NotContains(t, s.log.String(), token, name)
	}

	s := serve(t)
	require.Contains(t, s.sendRaw("GET /links/"+token+" HTTP/1.1\r\nHost: "+appHost+"\r\nCookie: "+sessionCookie+"="+token+"\r\nno header\r\n\r\n"), " 400 ")
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, s.send(request{path: "/links/" + token, header: map[string]string{"Flood": strings.Repeat("x", 17<<10)}}).StatusCode)
	require.Eventually(t, func() bool { return strings.Count(s.log.String(), "http server") == 2 }, 5*time.Second, 5*time.Millisecond)
	require.NotContains(t, s.log.String(), token)
}
