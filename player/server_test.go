package player

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

// site is the player on a listener, with the person signed in by a link.
type site struct {
	*world
	web  *web.Server
	url  string // of the application
	addr string
}

const sessionToken = "a session"

// poison is in what the server of a test refuses for good.
const poison = "more than there is room for"

// Viewer signs the one person of the world in.
func (w *world) Viewer(_ context.Context, token string, _ time.Time) (lms.Viewer, error) {
	if token != sessionToken {
		return lms.Viewer{}, lms.ErrUnauthenticated
	}
	return lms.Viewer{Person: w.person, Session: 1, Stage: lms.SignedIn}, nil
}

func serve(t *testing.T, w *world) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	app := &url.URL{Scheme: "http", Host: fmt.Sprintf("localhost:%d", port)}
	srv, err := web.New(web.Config{
		AppURL: app, ContentHost: "localhost", Secret: make([]byte, 32), Sessions: w,
		Now: func() time.Time { return w.clock() }, Log: slog.New(slog.DiscardHandler), Views: map[string]fs.FS{"player": Views},
	})
	require.NoError(t, err)
	srv.Content().Use("/.rt", func(c *fiber.Ctx) error {
		switch {
		case w.down.Load():
			w.turnedAway.Add(1)
			return lms.ErrUnavailable
		case w.proxied.Load():
			return c.Status(fiber.StatusNotFound).SendString("<h1>Not found</h1>")
		case strings.Contains(string(c.Body()), poison):
			return errTooMuch
		}
		return c.Next()
	})
	srv.Content().Use("/.frame/frame.js", func(c *fiber.Ctx) error {
		if err := c.Next(); err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-store")
		prelude, _ := w.prelude.Load().(string)
		return c.Send(append([]byte(prelude+";\n"), c.Response().Body()...))
	})
	w.s.Routes(srv)
	srv.Get("/enter", lms.Browse, func(c *fiber.Ctx) error {
		srv.SetSession(c, sessionToken)
		return c.SendString("signed in")
	})
	srv.Get("/my-courses", lms.Learn, func(c *fiber.Ctx) error { return c.SendString("my courses") })
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
		require.NoError(t, <-served)
	})
	return &site{world: w, web: srv, url: app.String(), addr: l.Addr().String()}
}

type reply struct {
	*http.Response
	body string
}

// ask sends a request to a host of the site; header is pairs of name and value.
func (s *site) ask(method, target, body string, header ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return reply{res, string(content)}
}

const desktop = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

func (s *site) get(path, agent string) reply {
	s.t.Helper()
	return s.ask("GET", s.url+path, "", "Cookie", "__Host-session="+sessionToken, "User-Agent", agent)
}

var csrf = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

// post sends a form with the token of a page.
func (s *site) post(path, form string) reply {
	s.t.Helper()
	page := s.get(s.learn(), desktop)
	visitor := strings.SplitN(page.Header.Get("Set-Cookie"), ";", 2)[0]
	token := csrf.FindStringSubmatch(page.body)
	require.NotNil(s.t, token, page.body)
	return s.ask("POST", s.url+path, form, "Cookie", "__Host-session="+sessionToken+"; "+visitor, "Origin", s.url,
		"X-CSRF-Token", token[1], "Content-Type", "application/x-www-form-urlencoded", "User-Agent", desktop)
}

func (s *site) learn() string { return learnPath(s.active.ID) }

func TestThePageSaysWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	s := serve(t, newWorld(t))
	page := s.get(s.learn(), "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1")
	require.Equal(t, 200, page.StatusCode)
	require.Contains(t, page.body, "Open this course on a computer")
	require.Contains(t, page.body, s.url+s.learn())
	require.Contains(t, page.body, "mailto:?subject=My%20course")
	require.Contains(t, page.Header.Get("Accept-CH"), "Sec-CH-UA-Mobile")
	require.Contains(t, s.get(s.learn()+"?device=tablet", desktop).body, "Open this course on a computer")

	require.Contains(t, s.get(s.learn(), desktop).body, "Before you start today")
	refused := s.post(s.learn()+"/attest", "wording="+Wording+"&not_in_ratio=yes")
	require.Equal(t, 422, refused.StatusCode)
	require.Contains(t, refused.body, "Confirm both statements")
	require.Equal(t, 422, s.post(s.learn()+"/attest", "wording=older&not_in_ratio=yes&not_in_group=yes").StatusCode)

	require.Equal(t, 303, s.post(s.learn()+"/attest", "wording="+Wording+"&not_in_ratio=yes&not_in_group=yes").StatusCode)
	s.blockedUntil = lmstest.Today.AddDays(3)
	require.Contains(t, s.get(s.learn(), desktop).body, "No clock hours until March 19, 2026")
	require.Equal(t, 303, s.post(s.learn()+"/no-credit", "").StatusCode)
	page = s.get(s.learn(), desktop)
	require.Contains(t, page.body, `id="stage"`)
	require.NotContains(t, page.body, "style=")

	s.launch().set(elementStatus, "passed")
	require.Contains(t, s.get(s.learn(), desktop).body, "See my training report")
	status := s.get(s.learn()+"/status", desktop).body
	require.Contains(t, status, `"completed":true,"posted":"credited"`)
	require.Contains(t, status, `"device":"Chrome, Windows"`)
}

func TestACourseNotStartedOrOverSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := serve(t, w)
	_, err := w.db.Exec(t.Context(), `UPDATE enrollments.enrollments SET state = 'ready'`)
	require.NoError(t, err)
	page := s.get(s.learn(), desktop)
	require.Contains(t, page.body, fmt.Sprintf(`action="/enrollments/%d/start"`, w.active.ID))
	w.setClock(w.active.LastDay.End())
	require.Contains(t, s.get(s.learn(), desktop).body, "The last day to complete this course was March 16, 2027")
	require.Equal(t, 404, s.get("/learn/999999", desktop).StatusCode)
	require.Equal(t, 404, s.get("/learn/x", desktop).StatusCode)
}

func TestRunTimeCallsComeFromTheFrameAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := serve(t, w)
	live := w.launch()
	origin := s.web.ContentURL(live.l.Label)
	commit := fmt.Sprintf(`{"epoch":%d,"seq":1,"activity":"item-1","changes":{"cmi.suspend_data":"x"}}`, live.l.Epoch)
	bearer := "Bearer " + live.l.Token
	for name, header := range map[string][]string{
		"no origin":          {"Authorization", bearer},
		"the application":    {"Authorization", bearer, "Origin", s.url},
		"another grant":      {"Authorization", bearer, "Origin", s.web.ContentURL("a" + live.l.Label[1:] + "b")},
		"cross-site fetches": {"Authorization", bearer, "Origin", origin, "Sec-Fetch-Site", "same-site"},
		"no token":           {"Origin", origin},
	} {
		res := s.ask("POST", origin+"/.rt/commit", commit, header...)
		require.Contains(t, []int{401, 403}, res.StatusCode, name)
	}
	res := s.ask("POST", origin+"/.rt/commit", commit, "Authorization", "Bearer nobody", "Origin", origin)
	require.Equal(t, 409, res.StatusCode)
	require.Contains(t, res.body, `"code":"fenced"`)
	require.NotContains(t, res.body, "Windows", "a stranger does not learn where the course is open")
	require.Equal(t, 422, s.ask("POST", origin+"/.rt/commit", `{"epoch":1}`, "Authorization", bearer, "Origin", origin).StatusCode)

	res = s.ask("POST", origin+"/.rt/commit", commit, "Authorization", bearer, "Origin", origin)
	require.Equal(t, 200, res.StatusCode, res.body)
	require.Contains(t, res.body, `"seq":1`)
	res = s.ask("POST", origin+"/.rt/commit", strings.Replace(commit, `"seq":1`, `"seq":7`, 1), "Authorization", bearer, "Origin", origin)
	require.Equal(t, 409, res.StatusCode)
	require.Contains(t, res.body, `"code":"commit_gap"`)
	require.Contains(t, res.body, `"seq":1`)
	res = s.ask("POST", origin+"/.rt/state", fmt.Sprintf(`{"epoch":%d}`, live.l.Epoch), "Authorization", bearer, "Origin", origin)
	require.Contains(t, res.body, `"data":{"cmi.suspend_data":"x"}`)
	require.Equal(t, 200, s.ask("POST", origin+"/.rt/heartbeat", fmt.Sprintf(`{"epoch":%d}`, live.l.Epoch), "Authorization", bearer, "Origin", origin).StatusCode)
	require.Equal(t, 404, s.ask("GET", origin+"/.rt/state", "").StatusCode)
	require.Equal(t, 404, s.ask("GET", origin+s.learn(), "").StatusCode, "the application is not on a content host")
}

func TestContentIsServedAsItWasPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["index.html"] = []byte("<!doctype html>0123456789")
	w.files["a b/ñ.js"] = []byte("let x")
	w.files["empty.js"] = nil
	s := serve(t, w)
	origin := s.web.ContentURL(w.launch().l.Label)

	res := s.ask("GET", origin+"/index.html", "")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "<!doctype html>0123456789", res.body)
	require.Equal(t, "text/html", res.Header.Get("Content-Type"), "the page declares its own charset")
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	require.Contains(t, res.Header.Get("Cache-Control"), "immutable")
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "frame-ancestors 'self' "+s.url)
	require.Empty(t, res.Header.Get("Set-Cookie"))
	etag := res.Header.Get("ETag")
	require.Equal(t, 304, s.ask("GET", origin+"/index.html", "", "If-None-Match", etag).StatusCode)
	require.Equal(t, "<!doctype html>0123456789", s.ask("GET", origin+"/", "").body)
	require.Equal(t, "let x", s.ask("GET", origin+"/a%20b/%C3%B1.js", "").body)
	require.Equal(t, 200, s.ask("GET", origin+"/empty.js", "").StatusCode)
	head := s.ask("HEAD", origin+"/index.html", "")
	require.Equal(t, int64(25), head.ContentLength)

	part := s.ask("GET", origin+"/index.html", "", "Range", "bytes=15-19")
	require.Equal(t, 206, part.StatusCode)
	require.Equal(t, "01234", part.body)
	require.Equal(t, "bytes 15-19/25", part.Header.Get("Content-Range"))
	require.Equal(t, "789", s.ask("GET", origin+"/index.html", "", "Range", "bytes=-3").body)
	require.Equal(t, 206, s.ask("GET", origin+"/index.html", "", "Range", "bytes=0-").StatusCode, "players of video ask for all of it so")
	require.Equal(t, 200, s.ask("GET", origin+"/index.html", "", "Range", "bytes=0-1", "If-Range", `"old"`).StatusCode)

	require.Equal(t, 404, s.ask("GET", origin+"/none.html", "").StatusCode)
	require.Equal(t, 404, s.ask("GET", s.web.ContentURL("a2345678901234567890123456"[:26])+"/index.html", "").StatusCode)
	require.Equal(t, 403, s.ask("GET", origin+"/index.html", "", "Service-Worker", "script").StatusCode)
	frame := s.ask("GET", origin+"/.frame/", "")
	require.Equal(t, 200, frame.StatusCode)
	require.Contains(t, frame.body, `<meta name="app-origin" content="`+s.url+`">`)
	require.Contains(t, frame.Header.Get("Content-Security-Policy"), "frame-ancestors "+s.url)
	require.NotContains(t, frame.Header.Get("Content-Security-Policy"), "unsafe")
	require.Contains(t, s.ask("GET", origin+frameScriptURL(), "").Header.Get("Content-Type"), "javascript")
}

func TestContentIsSandboxedWhereverItIsOpened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["index.html"] = []byte("<!doctype html>")
	s := serve(t, w)
	live := w.launch()
	origin := s.web.ContentURL(live.l.Label)
	const allowed = "; sandbox allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads;"
	require.Contains(t, s.ask("GET", origin+"/index.html", "", "Sec-Fetch-Dest", "document").Header.Get("Content-Security-Policy"), allowed)
	require.Contains(t, s.ask("GET", origin+"/none.html", "").Header.Get("Content-Security-Policy"), "sandbox")
	for name, res := range map[string]reply{
		"a page":            s.ask("GET", origin+"/index.html", ""),
		"a part":            s.ask("GET", origin+"/index.html", "", "Range", "bytes=0-1"),
		"no such file":      s.ask("GET", origin+"/none.html", ""),
		"no such grant":     s.ask("GET", s.web.ContentURL("a2345678901234567890123456")+"/index.html", ""),
		"a service worker":  s.ask("GET", origin+"/index.html", "", "Service-Worker", "script"),
		"the frame":         s.ask("GET", origin+"/.frame/", ""),
		"the frame's code":  s.ask("GET", origin+frameScriptURL(), ""),
		"a run-time answer": s.ask("POST", origin+"/.rt/heartbeat", fmt.Sprintf(`{"epoch":%d}`, live.l.Epoch), "Authorization", "Bearer "+live.l.Token, "Origin", origin),
	} {
		require.Equal(t, "?1", res.Header.Get("Origin-Agent-Cluster"), name)
	}
}

func TestARefusalOfContentIsNotKeptByTheBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["index.html"] = []byte("0123456789")
	s := serve(t, w)
	origin := s.web.ContentURL(w.launch().l.Label)
	past := s.ask("GET", origin+"/index.html", "", "Range", "bytes=10-")
	require.Equal(t, 416, past.StatusCode)
	require.Equal(t, "bytes */10", past.Header.Get("Content-Range"))
	w.s.Blobs = files{} // the store has lost the bytes
	for name, res := range map[string]reply{
		"a range past the end": past,
		"a file without bytes": s.ask("GET", origin+"/index.html", ""),
		"a part without bytes": s.ask("GET", origin+"/index.html", "", "Range", "bytes=2-3"),
	} {
		require.GreaterOrEqual(t, res.StatusCode, 400, name)
		require.NotContains(t, res.Header.Get("Cache-Control"), "max-age", name)
		require.Empty(t, res.Header.Get("ETag"), name)
		require.Empty(t, res.Header.Get("Accept-Ranges"), name)
		if name != "a range past the end" {
			require.Empty(t, res.Header.Get("Content-Range"), name)
		}
	}
}

func TestAPathThatLeavesThePackageNamesNothing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "x", "/..", "/../x", "/a/../../x", "/%2e%2e/x", "/a/./b", "/a//b", "/a\\b", "/a%5Cb", "/a%00b", "/%ff", "/%zz", "//", "/."} {
		_, err := filePath(path)
		require.ErrorIs(t, err, lms.ErrNotFound, path)
	}
	for path, want := range map[string]string{"/": "index.html", "/a/": "a/index.html", "/a%2Fb.js": "a/b.js", "/%C3%B1%20a": "ñ a", "/a+b": "a+b", "/...": "..."} {
		got, err := filePath(path)
		require.NoError(t, err, path)
		require.Equal(t, want, got)
	}
}

func TestOneRangeIsReadAndEverythingElseMeansAll(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]*byteRange{
		"": nil, "bytes=": nil, "bytes=a-b": nil, "bytes=5-2": nil, "bytes=0-1,3-4": nil, "chars=0-1": nil, "bytes=-x": nil, "bytes=99999999999999999999-": nil,
		"bytes=0-": {0, 10}, "bytes=0-0": {0, 1}, "bytes=9-100": {9, 1}, "bytes=-4": {6, 4}, "bytes=-99": {0, 10},
	} {
		got, err := parseRange(header, 10)
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
	for header, size := range map[string]int64{"bytes=10-": 10, "bytes=-0": 10, "bytes=0-": 0, "bytes=-1": 0} {
		_, err := parseRange(header, size)
		require.ErrorIs(t, err, errRange, header)
	}
}

func TestPhonesAndTabletsAreNoComputers(t *testing.T) {
	t.Parallel()
	for agent, computer := range map[string]bool{
		desktop: true,
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15": true,
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":        true,
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                true,
		"Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0; Touch; Tablet PC 2.0)":                                true,
		"": true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": false,
		"Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1":          false,
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                         false,
		"Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                          false,
		"Mozilla/5.0 (Android 14; Tablet; rv:140.0) Gecko/140.0 Firefox/140.0":                                                                    false,
		"Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/120.0 like Chrome/120.0 Safari/537.36":                false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Silk/120.0 like Chrome/120.0 Safari/537.36":                       false,
		"Opera/9.80 (J2ME/MIDP; Opera Mini/9.80; U; en) Presto/2.5.25":                                                                            false,
	} {
		require.Equal(t, computer, DeviceOf(agent, "", "").Computer, agent)
	}
	require.False(t, DeviceOf(desktop, "?1", `"Windows"`).Computer)
	require.False(t, DeviceOf(desktop, "?0", `"Android"`).Computer, "an Android tablet may say that it is not mobile")
	require.True(t, DeviceOf(desktop, "?0", `"Windows"`).Computer)
	require.Equal(t, "Chrome, Windows", DeviceOf(desktop, "", "").Name)
	require.Equal(t, "", DeviceOf("", "", "").Name)
}
