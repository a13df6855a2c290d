package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// learner takes a course over HTTP, as the player's scripts do, from servers in
// turn.
type learner struct {
	testing.TB
	app     string // origin of the application
	client  *http.Client
	cookies map[string]string

	enrollment string
	content    string // origin of the content grant
	token      string
	epoch, seq int64
}

// newLearner makes a learner whose every request goes to the next of the addresses.
func newLearner(t testing.TB, app string, addresses ...string) *learner {
	var turn atomic.Int64
	return &learner{TB: t, app: app, cookies: map[string]string{}, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, addresses[int(turn.Add(1))%len(addresses)])
			},
		},
	}}
}

type answer struct {
	status   int
	location string
	body     string
}

func (l *learner) send(method, address string, header http.Header, body string) (answer, error) {
	req, err := http.NewRequestWithContext(l.Context(), method, address, strings.NewReader(body))
	require.NoError(l, err)
	req.Header = header
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36")
	for name, value := range l.cookies {
		if strings.HasPrefix(address, l.app) {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	res, err := l.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		l.cookies[c.Name] = c.Value
	}
	text, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header.Get("Location"), string(text)}, err
}

func (l *learner) get(path string) answer {
	l.Helper()
	a, err := l.send(http.MethodGet, l.app+path, http.Header{}, "")
	require.NoError(l, err)
	return a
}

var csrfMeta = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

// post sends a form of the page at from.
func (l *learner) post(from, path string, form url.Values) answer {
	l.Helper()
	a, err := l.tryPost(from, path, form)
	require.NoError(l, err)
	return a
}

// tryPost sends a form to a server that may be killed meanwhile.
func (l *learner) tryPost(from, path string, form url.Values) (answer, error) {
	l.Helper()
	token := csrfMeta.FindStringSubmatch(l.get(from).body)
	require.NotNil(l, token, "no form on %s", from)
	return l.send(http.MethodPost, l.app+path, http.Header{
		"Origin": {l.app}, "Content-Type": {"application/x-www-form-urlencoded"}, "X-Csrf-Token": {token[1]}, "Accept": {"application/json"},
	}, form.Encode())
}

// begin, in a session of somebody, registers for a course, starts it, confirms the attestation and
// launches.
func (l *learner) begin(session, code string) {
	l.Helper()
	l.cookies["__Host-session"] = session
	require.Equal(l, http.StatusSeeOther, l.post("/courses/"+code, "/courses/"+code+"/register", nil).status)
	start := regexp.MustCompile(`/enrollments/(\d+)/start`).FindStringSubmatch(l.get("/courses/" + code).body)
	require.NotNil(l, start)
	l.enrollment = start[1]
	require.Equal(l, http.StatusSeeOther, l.post("/courses/"+code, start[0], nil).status)
	page := l.get("/learn/" + l.enrollment).body
	wording := regexp.MustCompile(`name="wording" value="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(l, wording, page)
	require.Equal(l, http.StatusSeeOther, l.post("/learn/"+l.enrollment, "/learn/"+l.enrollment+"/attest",
		url.Values{"wording": {wording[1]}, "not_in_ratio": {"yes"}, "not_in_group": {"yes"}}).status)
	l.launch()
}

func (l *learner) launch() {
	l.Helper()
	a := l.post("/learn/"+l.enrollment, "/learn/"+l.enrollment+"/launch", nil)
	require.Equal(l, http.StatusOK, a.status, a.body)
	var launched struct {
		Origin, Token string
		Epoch         int64
	}
	require.NoError(l, json.Unmarshal([]byte(a.body), &launched))
	l.content, l.token, l.epoch, l.seq = launched.Origin, launched.Token, launched.Epoch, 0
}

// call makes a call of the run-time.
func (l *learner) call(path string, body any) (answer, error) {
	l.Helper()
	b, err := json.Marshal(body)
	require.NoError(l, err)
	return l.send(http.MethodPost, l.content+path, http.Header{
		"Origin": {l.content}, "Content-Type": {"application/json"}, "Authorization": {"Bearer " + l.token}, "Accept": {"application/json"},
	}, string(bytes.TrimSpace(b)))
}

// commit sends the next changes until a server acknowledges them, as the player
// does over a bad line.
func (l *learner) commit(changes map[string]string) {
	l.Helper()
	l.seq++
	var saved struct{}
	require.NoError(l, l.ask("/.rt/commit", map[string]any{"epoch": l.epoch, "seq": l.seq, "activity": "i", "changes": changes}, &saved))
}

// data is what the servers keep of the lesson.
func (l *learner) data() map[string]string {
	l.Helper()
	var state struct{ Data map[string]string }
	require.NoError(l, l.ask("/.rt/state", map[string]any{"epoch": l.epoch}, &state))
	return state.Data
}

// ask makes a call until a server answers it, as the player does over a bad line.
func (l *learner) ask(path string, body, out any) error {
	l.Helper()
	return wait(l.Context(), func(context.Context) (bool, error) {
		a, err := l.call(path, body)
		if err != nil {
			return false, err
		}
		if a.status != http.StatusOK {
			return false, fmt.Errorf("%s answered %d: %s", path, a.status, a.body)
		}
		return true, json.Unmarshal([]byte(a.body), out)
	})
}
