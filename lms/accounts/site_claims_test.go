package accounts

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/lms/web"
)

// visitor is a browser on the feature's pages.
type visitor struct {
	*world
	url     string
	client  *http.Client
	session string
	csrf    string
}

// visit serves the feature's pages at an instant to somebody with a session, or with
// none.
func (w *world) visit(session string, now time.Time) *visitor {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(w.t, err)
	app := &url.URL{Scheme: "http", Host: "localhost:" + port}
	server, err := web.New(web.Config{
		AppURL: app, ContentHost: "localhost", Secret: bytes.Repeat([]byte("x"), 32), Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Sessions: w.Service, Views: map[string]fs.FS{"accounts": Views},
	})
	require.NoError(w.t, err)
	w.Routes(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(w.t, server.Shutdown(ctx))
		require.NoError(w.t, <-served)
	})
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &visitor{w, app.String(), &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, session, ""}
}

type answer struct {
	status   int
	body     string
	location string
}

func (v *visitor) send(method, path string, form url.Values) answer {
	v.t.Helper()
	if form != nil {
		form.Set("_csrf", v.csrf)
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(form.Encode()))
	require.NoError(v.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", v.url)
	r.Header.Set("Cookie", "__Host-visitor=v; __Host-lang=en; __Host-session="+v.session)
	response, err := v.client.Do(r)
	require.NoError(v.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(v.t, err)
	if found := csrfToken.FindSubmatch(body); found != nil {
		v.csrf = string(found[1])
	}
	for _, c := range response.Cookies() {
		if c.Name == "__Host-session" {
			v.session = c.Value
		}
	}
	return answer{response.StatusCode, string(body), response.Header.Get("Location")}
}

var csrfToken = regexp.MustCompile(`name="csrf" content="([^"]*)"`)

// get wants a page that was rendered.
func (v *visitor) get(path string) string {
	v.t.Helper()
	a := v.send(http.MethodGet, path, nil)
	require.Equal(v.t, http.StatusOK, a.status, path)
	return a.body
}

func (v *visitor) post(path string, pairs ...string) answer {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.send(http.MethodPost, path, form)
}

// without is a page without what differs from visit to visit.
func without(page string, secrets ...string) string {
	page = csrfToken.ReplaceAllString(regexp.MustCompile(`name="_csrf" value="[^"]*"`).ReplaceAllString(page, ""), "")
	for _, s := range secrets {
		page = strings.ReplaceAll(page, s, "")
	}
	return page
}

func contains(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.Contains(t, page, text)
	}
}
