package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"mopd/lms"
)

const (
	appHost     = "learn.example.org"
	origin      = "https://" + appHost
	contentHost = "k1.content.example.org"
)

var now = time.Date(2026, 3, 16, 15, 0, 0, 0, time.UTC)

// sessions signs in whoever has one of its tokens.
type sessions map[string]lms.Viewer

func (s sessions) Viewer(_ context.Context, token string, _ time.Time) (lms.Viewer, error) {
	if token == "down" {
		return lms.Viewer{}, errors.New("the database is down")
	}
	p, ok := s[token]
	if !ok {
		return p, lms.ErrUnauthenticated
	}
	return p, nil
}

var probeViews = fstest.MapFS{
	"templates/page.html":    {Data: []byte(`{{define "title"}}{{t "probe.title"}}{{end}}{{define "main"}}<p id="word">{{.Word}}</p>{{template "csrf" .}}{{end}}`)},
	"templates/sheet.html":   {Data: []byte(`{{define "title"}}{{t "probe.title"}}{{end}}{{define "main"}}{{template "shared" .}}{{end}}`)},
	"templates/_shared.html": {Data: []byte(`{{define "shared"}}<p id="word">{{.Word}}</p>{{end}}`)},
	"templates/half.html":    {Data: []byte(`{{define "title"}}{{t "probe.title"}}{{end}}{{define "main"}}<p>Half a page</p>{{.Missing.Part}}{{end}}`)},
	"messages/en.json": {Data: []byte(`{"probe.title": "Probe", "probe.js.stop": "Stop", "notice.done": "Done.", "error.busy": "Busy until {{.Until}}.",
		"error.often": "Wait {{.Wait}}.", "probe.days": {"one": "{{.Count}} day", "other": "{{.Count}} days"}}`)},
	"messages/es.json": {Data: []byte(`{"probe.title": "Sonda", "probe.js.stop": "Parar", "notice.done": "Hecho.", "error.busy": "Ocupado hasta el {{.Until}}.",
		"error.often": "Espere {{.Wait}}.", "probe.days": {"one": "{{.Count}} día", "other": "{{.Count}} días"}}`)},
}

type probePage struct {
	Page
	Word    string
	Missing *struct{ Part string }
}

// site is a server with a few routes, listening.
type site struct {
	*Server
	t    *testing.T
	addr string
	log  *logged
}

type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func signedIn(p lms.Person) lms.Viewer {
	return lms.Viewer{Person: p, Session: lms.SessionID(p.ID), Stage: lms.SignedIn, ProvedAt: now}
}

func config() Config {
	return Config{
		AppURL: &url.URL{Scheme: "https", Host: appHost}, ContentHost: "content.example.org", Secret: bytes.Repeat([]byte{7}, 32),
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Sessions: sessions{
			"maya":  signedIn(lms.Person{ID: 1, Given: "Maya", Family: "Rivera", Lang: "en"}),
			"lucia": signedIn(lms.Person{ID: 2, Given: "Lucía", Family: "Ortiz", Lang: "es", Roles: []lms.Role{lms.Author}}),
			"half":  {Person: lms.Person{ID: 1, Given: "Maya", Lang: "en"}, Session: 3, Stage: lms.Identified},
			"new":   {Person: lms.Person{ID: 1, Given: "Maya", Lang: "en"}, Session: 4, Stage: lms.Enrolling},
			"stale": {Person: lms.Person{ID: 1, Given: "Maya", Lang: "en"}, Session: 5, Stage: lms.SignedIn, ProvedAt: now.Add(-lms.ProofAge)},
		},
		Views: map[string]fs.FS{"probe": probeViews},
	}
}

func serve(t *testing.T) *site { return serveWith(t, config()) }

func serveWith(t *testing.T, cfg Config) *site {
	t.Helper()
	log := &logged{}
	cfg.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(cfg)
	require.NoError(t, err)
	hangProbes(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.NoError(t, <-done)
	})
	return &site{s, t, l.Addr().String(), log}
}

func hangProbes(s *Server) {
	say := func(c *fiber.Ctx) error { return c.SendString("done") }
	s.Get("/probe", lms.Browse, func(c *fiber.Ctx) error {
		return s.Render(c, "probe/page", probePage{Page: s.Page(c), Word: c.Query("word")})
	})
	s.Get("/half", lms.Browse, func(c *fiber.Ctx) error { return s.Render(c, "probe/half", probePage{Page: s.Page(c)}) })
	s.Get("/sheet", lms.Browse, func(c *fiber.Ctx) error {
		sheet, err := s.Paper(c, "probe/sheet", c.Query("word"), probePage{Page: s.Page(c), Word: c.Query("word")})
		if err != nil {
			return err
		}
		return c.SendString(sheet)
	})
	s.Get("/strings", lms.Browse, func(c *fiber.Ctx) error { return c.JSON(s.Strings(c, "probe.js.")) })
	s.Get("/from", lms.Browse, func(c *fiber.Ctx) error { return c.SendString(From(c)) })
	s.Get("/mine", lms.Learn, say)
	s.Get("/author", lms.Publish, say)
	s.Get("/secure", lms.Secure, say)
	s.Post("/secure", lms.Secure, say)
	s.Post("/change", lms.Browse, say)
	s.Post("/mine", lms.Learn, say)
	s.PutChunk("/upload/:n", lms.Browse, func(c *fiber.Ctx) error { return c.JSON(len(c.Body())) })
	fail := map[string]error{
		"secret": errors.New("password=hunter2"), "busy": lms.NewError(lms.Conflict, "busy").With("Until", lms.Date{Year: 2026, Month: 5, Day: 1}).Because(errors.New("hunter2")),
		"forbidden": lms.ErrForbidden, "deadline": context.DeadlineExceeded, "missing": lms.ErrNotFound, "form": lms.ErrForm,
		"often": lms.NewError(lms.TooMany, "often").With("Wait", 3*time.Minute-time.Millisecond),
	}
	for name, err := range fail {
		s.Get("/fail/"+name, lms.Browse, func(*fiber.Ctx) error { return err })
	}
	s.Get("/fail/panic", lms.Browse, func(*fiber.Ctx) error { panic("hunter2") })
	for name, err := range map[string]error{"forbidden": lms.ErrForbidden, "missing": lms.ErrNotFound, "broken": errors.New("hunter2")} {
		s.Get("/links/"+name+"/:token", lms.Browse, func(*fiber.Ctx) error { return err })
	}
	s.Get("/links/panic/:token", lms.Browse, func(*fiber.Ctx) error { panic("hunter2") })
	s.Post("/links/:token", lms.Browse, say)
	s.Content().Get("/links/:token", func(*fiber.Ctx) error { return lms.ErrForbidden })
	s.Content().Get("/frame", func(c *fiber.Ctx) error { return c.SendString(s.Label(c) + " " + SessionToken(c)) })
	s.Content().Get("/broken", func(c *fiber.Ctx) error {
		c.Set("Cache-Control", "private, max-age=31536000, immutable")
		c.Set("ETag", `"of the file"`)
		return lms.ErrUnavailable
	})
	s.Content().Get("/refused", func(*fiber.Ctx) error { return lms.ErrForbidden })
}

// request is sent as it stands: nothing follows redirects or keeps cookies.
type request struct {
	method, path, host, body string
	header                   map[string]string
	cookies                  map[string]string
}

type response struct {
	*http.Response
	body string
}

func (s *site) send(r request) response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), cmpOr(r.method, "GET"), "http://"+s.addr+r.path, strings.NewReader(r.body))
	require.NoError(s.t, err)
	req.Host = cmpOr(r.host, appHost)
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	for name, value := range r.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := (&http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}).Do(req)
	require.NoError(s.t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	return response{resp, string(body)}
}

// sendRaw sends what no client would, and reads until the connection is closed.
func (s *site) sendRaw(request string) string {
	s.t.Helper()
	c, err := net.DialTimeout("tcp", s.addr, 5*time.Second)
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, c.Close()) }()
	require.NoError(s.t, c.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = io.WriteString(c, request)
	require.NoError(s.t, err)
	answer, err := io.ReadAll(c)
	require.NoError(s.t, err)
	return string(answer)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (s *site) get(path string, cookies ...string) response {
	s.t.Helper()
	r := request{path: path, cookies: map[string]string{}}
	for i := 0; i < len(cookies); i += 2 {
		r.cookies[cookies[i]] = cookies[i+1]
	}
	return s.send(r)
}

func TestEachHostIsAnsweredByItsOwnApplication(t *testing.T) {
	t.Parallel()
	s := serve(t)
	cases := []struct {
		host, path string
		status     int
		body       string
	}{
		{appHost, "/probe?word=hello", 200, `<p id="word">hello</p>`},
		{strings.ToUpper(appHost), "/probe?word=hello", 200, "hello"},
		{contentHost, "/frame", 200, "k1 "},
		{contentHost + ":8443", "/frame", 200, "k1 "},
		{contentHost, "/probe", 404, `"not_found"`},
		{appHost, "/frame", 404, "<h1>"},
		{"evil.example.org", "/probe", 421, "does not answer"},
		{"content.example.org", "/frame", 421, "does not answer"},
		{appHost + ".evil.org", "/probe", 421, "does not answer"},
		{"127.0.0.1", "/probe", 421, "does not answer"},
		{"whatever", "/healthz", 200, "ok\n"},
	}
	for _, c := range cases {
		got := s.send(request{host: c.host, path: c.path})
		require.Equal(t, c.status, got.StatusCode, "%s%s", c.host, c.path)
		require.Contains(t, got.body, c.body, "%s%s", c.host, c.path)
	}
}

func TestForwardedHostsAreNotBelieved(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.send(request{host: contentHost, path: "/mine", header: map[string]string{"X-Forwarded-Host": appHost, "Forwarded": "host=" + appHost}})
	require.Equal(t, http.StatusNotFound, got.StatusCode)
}

func TestEveryAnswerOfTheApplicationCarriesItsSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/probe", "/nowhere", "/fail/secret", "/fail/panic", "/mine", "/half"} {
		h := s.get(path).Header
		csp := h.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-src https://*.content.example.org", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
			require.Contains(t, csp, directive, path)
		}
		require.NotContains(t, csp, "unsafe", path)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "same-origin", h.Get("Referrer-Policy"), path)
		require.Equal(t, "same-origin-allow-popups", h.Get("Cross-Origin-Opener-Policy"), path)
		require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"), path)
		require.Equal(t, "no-store", h.Get("Cache-Control"), path)
		require.Contains(t, h.Get("Strict-Transport-Security"), "max-age=", path)
		require.Empty(t, h.Get("Server"), path)
	}
}

func TestErrorsSayWhatAPersonCanUseAndNeverTheirCause(t *testing.T) {
	t.Parallel()
	s := serve(t)
	cases := []struct {
		path, code string
		status     int
		sentence   string
	}{
		{"/fail/secret", "internal", 500, "Something went wrong on our side."},
		{"/fail/panic", "internal", 500, "Something went wrong on our side."},
		{"/half", "internal", 500, "Something went wrong on our side."},
		{"/fail/busy", "busy", 409, "Busy until May 1, 2026."},
		{"/fail/forbidden", "forbidden", 403, "Your account may not open this page."},
		{"/fail/deadline", "unavailable", 503, "A part of the system does not answer"},
		{"/fail/missing", "not_found", 404, "We could not find that page."},
		{"/fail/form", "form", 422, "Something in this form needs another look."},
		{"/fail/often", "often", 429, "Wait 3 minutes."},
		{"/nowhere", "not_found", 404, "We could not find that page."},
		{"/static/nothing.css", "not_found", 404, "We could not find that page."},
	}
	for _, c := range cases {
		page := s.get(c.path)
		require.Equal(t, c.status, page.StatusCode, c.path)
		require.Contains(t, page.Header.Get("Content-Type"), "text/html", c.path)
		require.Contains(t, page.body, c.sentence, c.path)
		require.Contains(t, page.body, "</html>", c.path)

		data := s.send(request{path: c.path, header: map[string]string{"Accept": "application/json"}})
		require.Equal(t, c.status, data.StatusCode, c.path)
		var got struct{ Code, Message string }
		require.NoError(t, json.Unmarshal([]byte(data.body), &got), data.body)
		require.Equal(t, c.code, got.Code, c.path)
		require.Contains(t, got.Message, c.sentence, c.path)
		for _, leak := range []string{"hunter2", "Half a page", "goroutine"} {
			require.NotContains(t, page.body+data.body, leak, c.path)
		}
	}
	require.Contains(t, s.log.String(), "password=hunter2", "the cause is in the log")
}

func TestWhoTriesTooOftenIsToldWhenToTryAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Equal(t, "180", s.get("/fail/often").Header.Get("Retry-After"))
	require.Empty(t, s.get("/fail/busy").Header.Get("Retry-After"))
}

func TestContentHostsAnswerErrorsInJSON(t *testing.T) {
	t.Parallel()
	got := serve(t).send(request{host: contentHost, path: "/refused"})
	require.Equal(t, http.StatusForbidden, got.StatusCode)
	require.JSONEq(t, `{"code": "forbidden", "message": "Your account may not open this page. If you need it for your work, ask an administrator for the role."}`, got.body)
}

func TestContentNeverSeesTheSession(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.send(request{host: contentHost, path: "/frame"})
	require.Empty(t, got.Cookies())
	require.Empty(t, got.Header.Get("Access-Control-Allow-Origin"))
}

func TestWhoMayNotOpenAPageIsToldWhereToGo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.get("/mine?x=1&y=2")
	require.Equal(t, http.StatusSeeOther, got.StatusCode)
	require.Equal(t, "/sign-in?next=%2Fmine%3Fx%3D1%26y%3D2", got.Header.Get("Location"))

	got = s.send(request{path: "/mine", header: map[string]string{"Accept": "application/json"}})
	require.Equal(t, http.StatusUnauthorized, got.StatusCode)

	require.Equal(t, http.StatusOK, s.get("/mine", sessionCookie, "maya").StatusCode)
	require.Equal(t, http.StatusForbidden, s.get("/author", sessionCookie, "maya").StatusCode)
	require.Equal(t, http.StatusOK, s.get("/author", sessionCookie, "lucia").StatusCode)
	require.Equal(t, http.StatusSeeOther, s.get("/mine", sessionCookie, "nobody").StatusCode)
}

func TestAHalfOpenSessionIsLedToWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for session, way := range map[string]string{"half": "/account/prove", "new": "/account/factors/new"} {
		got := s.get("/mine", sessionCookie, session)
		require.Equal(t, http.StatusSeeOther, got.StatusCode)
		require.Equal(t, way+"?next=%2Fmine", got.Header.Get("Location"), session)
		require.Equal(t, http.StatusUnauthorized, s.change(request{method: "POST", path: "/mine"}, session).StatusCode)
		require.NotContains(t, s.get("/probe", sessionCookie, session).body, "Training report", "no page of an account shows")
		require.Contains(t, s.get("/probe", sessionCookie, session).body, `action="/sign-out"`)
	}
}

func TestWhatNeedsARecentProofAsksForItAgain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	require.Equal(t, http.StatusOK, s.get("/secure", sessionCookie, "maya").StatusCode)
	require.Equal(t, http.StatusOK, s.get("/mine", sessionCookie, "stale").StatusCode)
	got := s.get("/secure", sessionCookie, "stale")
	require.Equal(t, "/account/prove?next=%2Fsecure", got.Header.Get("Location"))
	answer := s.change(request{method: "POST", path: "/secure", header: map[string]string{"Referer": "https://" + appHost + "/secure"}}, "stale")
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	require.Contains(t, answer.body, `href="/account/prove?next=%2Fsecure"`)
}

func TestAnOutageIsNotTakenForASignOut(t *testing.T) {
	t.Parallel()
	require.Equal(t, http.StatusInternalServerError, serve(t).get("/mine", sessionCookie, "down").StatusCode)
}

func TestStaticFilesAreKeptForeverAndCarryNoCookie(t *testing.T) {
	t.Parallel()
	got := serve(t).get("/static/styles.css")
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Equal(t, "public, max-age=31536000, immutable", got.Header.Get("Cache-Control"))
	require.Contains(t, got.Header.Get("Content-Type"), "text/css")
	require.Empty(t, got.Header.Values("Set-Cookie"), "a shared cache would hand it to everybody")
}

func TestTextThatNoDatabaseTakesIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, query := range []string{"word=%00", "word=a%ff", "%00=1", "other=%ed%a0%80"} {
		require.Equal(t, http.StatusUnprocessableEntity, s.get("/probe?"+query).StatusCode, query)
		got := s.change(form(url.Values{}).with("body", query), "maya")
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, query)
	}
	require.Equal(t, http.StatusOK, s.get("/probe?word=%C3%B1and%C3%BA+%F0%9F%98%80").StatusCode)
}

func TestAServerNeedsASecretAndItsViews(t *testing.T) {
	t.Parallel()
	short := config()
	short.Secret = short.Secret[:31]
	_, err := New(short)
	require.ErrorContains(t, err, "31 bytes")
	for name, change := range map[string]fstest.MapFS{
		"no messages":     {"messages/en.json": {Data: []byte(`{}`)}},
		"broken messages": {"messages/en.json": {Data: []byte(`{`)}, "messages/es.json": {Data: []byte(`{}`)}},
		"broken template": {"messages/en.json": {Data: []byte(`{}`)}, "messages/es.json": {Data: []byte(`{}`)}, "templates/x.html": {Data: []byte(`{{`)}},
	} {
		cfg := config()
		cfg.Views = map[string]fs.FS{"probe": change}
		_, err := New(cfg)
		require.Error(t, err, name)
	}
}

func TestRoutesTellWhatEachLetsSomebodyDo(t *testing.T) {
	t.Parallel()
	s, err := New(config())
	require.NoError(t, err)
	s.Get("/a", lms.Browse, nil)
	s.PutChunk("/b/:n", lms.Publish, nil)
	require.Equal(t, []Route{{Method: "GET", Path: "/static/*", Action: lms.Browse}, {Method: "POST", Path: "/language", Action: lms.Browse}, {Method: "GET", Path: "/a", Action: lms.Browse}, {Method: "PUT", Path: "/b/:n", Action: lms.Publish, chunks: true}}, s.Routes())
}

func TestOnlyWhatIsMeantToTakeLongMayDoSo(t *testing.T) {
	t.Parallel()
	s, err := New(config())
	require.NoError(t, err)
	s.Download("/table.csv", lms.ReadAudit, nil)
	s.PutChunk("/chunks/:n", lms.Publish, nil)
	limits := func(method, path, cookie string) fasthttp.RequestConfig {
		var h fasthttp.RequestHeader
		h.SetMethod(method)
		h.SetRequestURI(path)
		h.SetHost(appHost)
		h.SetCookie(cookie, "x")
		return s.limits(&h)
	}
	require.Equal(t, fileTime, limits("GET", "/table.csv?from=2026-01-01", sessionCookie).WriteTimeout)
	require.Equal(t, MaxChunk, limits("PUT", "/chunks/1", sessionCookie).MaxRequestBodySize)
	for _, usual := range []fasthttp.RequestConfig{
		limits("GET", "/table.csv", visitorCookie), limits("POST", "/table.csv", sessionCookie), limits("GET", "/", sessionCookie), limits("PUT", "/chunks/1", visitorCookie),
	} {
		require.Zero(t, usual)
	}
}

func TestAnErrorIsNeverKeptByACache(t *testing.T) {
	t.Parallel()
	got := serve(t).send(request{path: "/broken", host: contentHost})
	require.Equal(t, "no-store", got.Header.Get("Cache-Control"))
	require.Empty(t, got.Header.Get("ETag"))
}

func TestAPageCanBeAskedForItsHeadAlone(t *testing.T) {
	t.Parallel()
	got := serve(t).send(request{method: "HEAD", path: "/probe"})
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Empty(t, got.body)
}
