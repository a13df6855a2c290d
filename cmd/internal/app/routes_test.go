package app_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/web"
)

// routesTable says what each route answers to whom. MOPD_WRITE_ROUTES=1 writes it anew,
// to be read line by line before it is committed.
const routesTable = "testdata/routes.tsv"

// visitor is somebody who tries every route.
type visitor struct {
	name string
	role lms.Role
	with []func(*lms.Viewer)
	none bool // nobody signed in

	person lms.PersonID
	reader *learner // in a session that only reads
}

// enter makes the visitor known to the product.
func (v *visitor) enter(b *box) {
	b.Helper()
	if !v.none {
		v.person = lmstest.Person(b, b.DB, func(p *lms.Person) {
			if v.role != lms.Caregiver {
				p.Roles = []lms.Role{v.role}
			}
		}).ID
	}
	v.reader = v.session(b)
}

func (v *visitor) session(b *box) *learner {
	b.Helper()
	l := newLearner(b, b.url, b.address())
	if !v.none {
		l.cookies["__Host-session"] = lmstest.Session(b, b.DB, v.person, b.clock.Now(), v.with...)
	}
	return l
}

func visitors() []visitor {
	stage := func(s lms.Stage) func(*lms.Viewer) { return func(v *lms.Viewer) { v.Stage = s } }
	list := []visitor{
		{name: "nobody", none: true},
		{name: "identified", role: lms.Administrator, with: []func(*lms.Viewer){stage(lms.Identified)}},
		{name: "enrolling", role: lms.Administrator, with: []func(*lms.Viewer){stage(lms.Enrolling)}},
		{name: "not proved", role: lms.Administrator, with: []func(*lms.Viewer){func(v *lms.Viewer) { v.ProvedAt = v.ProvedAt.Add(-lms.ProofAge) }}},
	}
	for _, r := range lms.Roles {
		list = append(list, visitor{name: string(r), role: r})
	}
	return list
}

// refusals are how the table writes what stands in the way; everything else is "yes".
var refusals = map[string]string{
	"unauthenticated": "sign-in", "factor_needed": "factor", "factor_missing": "set-up", "proof_needed": "prove", "forbidden": "no",
}

var parameter = regexp.MustCompile(`:(\w+)`)

// sample is an address of the route: no such thing exists anywhere.
func sample(path string) string {
	return strings.ReplaceAll(parameter.ReplaceAllString(path, "4711"), "*", "nothing.css")
}

func TestEveryRouteLetsInWhomTheTableSays(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	everybody := visitors()
	head := []string{"method", "path", "action"}
	for i, v := range everybody {
		head = append(head, v.name)
		everybody[i].enter(b)
	}
	lines := []string{strings.Join(head, "\t")}
	known := map[string]bool{}
	routes := slices.SortedFunc(slices.Values(b.Web.Routes()), func(x, y web.Route) int { // GET first: it ends no session
		return cmp.Or(strings.Compare(x.Method, y.Method), strings.Compare(x.Path, y.Path))
	})
	for _, r := range routes {
		known[r.Method+" "+r.Path] = true
		cells := []string{r.Method, r.Path, string(r.Action)}
		for _, v := range everybody {
			cells = append(cells, v.tries(b, r.Method, sample(r.Path)))
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	app, content := b.Web.Paths()
	for _, path := range app {
		require.True(t, known[path], "%s names no action: register it by Get, Post or PutChunk", path)
	}
	for _, path := range content {
		method, path, _ := strings.Cut(path, " ")
		lines = append(lines, strings.Join([]string{method, path, "content: a grant's label, and its session's token"}, "\t"))
	}
	slices.Sort(lines[1:])
	got := strings.Join(lines, "\n") + "\n"
	if os.Getenv("MOPD_WRITE_ROUTES") != "" {
		require.NoError(t, os.WriteFile(routesTable, []byte(got), 0o600))
	}
	want, err := os.ReadFile(routesTable)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// tries asks for a route and gives what the table says of the answer. A change is asked
// for in a session of its own, since some end theirs.
func (v *visitor) tries(b *box, method, path string) string {
	b.Helper()
	l, header := v.reader, http.Header{"Accept": {"application/json"}}
	if method != http.MethodGet {
		l = v.session(b)
		token := csrfMeta.FindStringSubmatch(l.get("/courses").body)
		require.NotNil(b, token)
		header = http.Header{"Accept": {"application/json"}, "Origin": {b.url}, "X-Csrf-Token": {token[1]}, "Content-Type": {"application/x-www-form-urlencoded"}}
	}
	a, err := l.send(method, b.url+path, header, "")
	require.NoError(b, err)
	var refused struct{ Code string }
	if json.Unmarshal([]byte(a.body), &refused) == nil && refusals[refused.Code] != "" {
		return refusals[refused.Code]
	}
	require.Less(b, a.status, http.StatusInternalServerError, "%s %s as %s: %s", method, path, v.name, a.body)
	return "yes"
}

// address is where the product listens.
func (b *box) address() string {
	_, port, _ := strings.Cut(strings.TrimPrefix(b.url, "http://"), ":")
	return net.JoinHostPort("127.0.0.1", port)
}

// A session of the application opens nothing on a content host.
func TestASessionOpensNothingOnAContentHost(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := lmstest.Person(t, b.DB, func(p *lms.Person) { p.Roles = []lms.Role{lms.Administrator} })
	l := newLearner(b, b.url, b.address())
	session := lmstest.Session(b, b.DB, p.ID, b.clock.Now())
	_, content := b.Web.Paths()
	require.NotEmpty(t, content)
	origin := b.Web.ContentURL("nosuchlabel000000000000000")
	for _, path := range content {
		method, path, _ := strings.Cut(path, " ")
		with, err := l.send(method, origin+sample(path), http.Header{"Cookie": {"__Host-session=" + session}}, "")
		require.NoError(t, err)
		without, err := l.send(method, origin+sample(path), http.Header{}, "")
		require.NoError(t, err)
		require.Equal(t, without, with, fmt.Sprint(method, " ", path))
	}
}
