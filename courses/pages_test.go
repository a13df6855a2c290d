package courses

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

	"mopd/courses/packages"
	"mopd/courses/packages/packagestest"
	"mopd/lms"
	"mopd/lms/web"
	"mopd/lms/words"
)

// known signs in whoever the token names.
type known map[string]lms.Person

func (k known) Viewer(_ context.Context, token string, _ time.Time) (lms.Viewer, error) {
	if p, ok := k[token]; ok {
		return lms.Viewer{Person: p, Stage: lms.SignedIn}, nil
	}
	return lms.Viewer{}, lms.ErrUnauthenticated
}

type standings map[lms.CourseID]lms.Standing

func (s standings) Standings(context.Context, lms.PersonID, lms.Date) (map[lms.CourseID]lms.Standing, error) {
	return s, nil
}

// owing is somebody whose last year lacks half an hour.
type owing struct{}

func (owing) Would(_ context.Context, _ lms.PersonID, hours lms.Hours, now time.Time) ([]lms.YearHours, error) {
	year := lms.DateOf(now).Year
	return []lms.YearHours{{Year: year - 1, Hours: 2}, {Year: year, Hours: hours - 2}}, nil
}

// till sells courses or does not, and knows which orders wait.
type till struct {
	open    bool
	waiting map[lms.CourseID]string
}

func (p *till) Offered() bool { return p.open }

func (p *till) Waiting(context.Context, lms.PersonID) (map[lms.CourseID]string, error) {
	return p.waiting, nil
}

// site is the feature's pages on a server of their own.
type site struct {
	world
	url       string
	standings standings
	till      *till
	routes    []web.Route
	other     Actor // an author
	admin     Actor
}

func newSite(t *testing.T) site {
	t.Helper()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	s := site{world: w, url: "http://localhost:" + port, standings: standings{}, till: &till{}, other: w.somebody("Ben", lms.Author), admin: w.somebody("Sam", lms.Administrator)}
	w.Service.Standings, w.Service.Registry, w.Service.Payments = s.standings, owing{}, s.till
	app, err := url.Parse(s.url)
	require.NoError(t, err)
	server, err := web.New(web.Config{
		AppURL: app, ContentHost: "localhost", Secret: bytes.Repeat([]byte("x"), 32), Now: func() time.Time { return noon },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Views: map[string]fs.FS{"courses": Views},
		Sessions: known{
			"author":    w.author.Viewer.Person,
			"other":     s.other.Viewer.Person,
			"admin":     s.admin.Viewer.Person,
			"caregiver": w.somebody("Carla").Viewer.Person,
		},
	})
	require.NoError(t, err)
	w.Routes(server)
	s.routes = server.Routes()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		require.NoError(t, server.Shutdown(ctx))
		require.NoError(t, <-served)
	})
	return s
}

// browser is somebody with a session, or with none.
type browser struct {
	site
	client *http.Client
	cookie []string
	csrf   string
}

func (s site) as(token, lang string) *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	b := &browser{site: s, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	b.cookie = []string{"__Host-visitor=v", "__Host-lang=" + lang}
	if token != "" {
		b.cookie = append(b.cookie, "__Host-session="+token)
	}
	return b
}

func (b *browser) do(method, path, contentType, accept string, body io.Reader) (int, string, http.Header) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	require.NoError(b.t, err)
	r.Header.Set("Cookie", strings.Join(b.cookie, "; "))
	r.Header.Set("Origin", b.url)
	r.Header.Set("X-CSRF-Token", b.csrf)
	r.Header.Set("Accept", accept)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := b.client.Do(r)
	require.NoError(b.t, err)
	raw, err := io.ReadAll(answer.Body)
	require.NoError(b.t, err)
	require.NoError(b.t, answer.Body.Close())
	return answer.StatusCode, string(raw), answer.Header
}

var csrfMeta = regexp.MustCompile(`<meta name="csrf" content="([^"]+)">`)

func (b *browser) get(path string) string {
	b.t.Helper()
	status, body, _ := b.do(http.MethodGet, path, "", "text/html", nil)
	require.Equal(b.t, http.StatusOK, status, "%s: %s", path, body)
	if found := csrfMeta.FindStringSubmatch(body); found != nil {
		b.csrf = found[1]
	}
	return body
}

func (b *browser) post(path string, form url.Values) (status int, body, to string) {
	b.t.Helper()
	status, body, header := b.do(http.MethodPost, path, "application/x-www-form-urlencoded", "text/html", strings.NewReader(form.Encode()))
	return status, body, header.Get("Location")
}

func (b *browser) json(method, path string, in, out any) (int, string) {
	b.t.Helper()
	raw, err := json.Marshal(in)
	require.NoError(b.t, err)
	status, body, _ := b.do(method, path, "application/json", "application/json", bytes.NewReader(raw))
	if out != nil && status < 300 {
		require.NoError(b.t, json.Unmarshal([]byte(body), out))
	}
	return status, body
}

func TestAnAuthorTakesACourseFromNothingToPublished(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as("author", "en")
	require.Contains(t, b.get("/author"), "No courses yet")
	b.get("/author/courses/new")

	form := url.Values{"code": {"ssl-100"}, "title": {"Safe <Sleep>"}, "sponsor": {"DESE"}, "fee": {"five"}, "topics": {"Health, Safety"}}
	status, body, _ := b.post("/author/courses/new", form)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, `<a class="usa-link" href="#fee">Fee in dollars</a>: Enter dollars and cents`, "the summary leads to the field")
	require.Contains(t, body, "Title (required)")
	require.Contains(t, body, "as soon as you add it")
	require.Contains(t, body, `value="Safe &lt;Sleep&gt;"`, "what was typed is kept")

	form.Set("fee", "")
	status, body, to := b.post("/author/courses/new", form)
	require.Equal(t, http.StatusSeeOther, status, body)
	require.Equal(t, "/author/courses/SSL-100?notice=course_added", to)
	require.Contains(t, b.get(to), "has no approval")
	status, body, _ = b.post("/author/courses/new", form)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "Another course has this code")

	raw := packagestest.Course("Safe Sleep", packagestest.File{Name: "video.mp4", Body: incompressible(ChunkSize)})
	var begun struct {
		ID        int64 `json:"id"`
		ChunkSize int   `json:"chunk_size"`
	}
	status, body = b.json(http.MethodPost, "/author/courses/SSL-100/uploads", map[string]any{"filename": "p.zip", "size": len(raw)}, &begun)
	require.Equal(t, http.StatusCreated, status, body)
	upload := fmt.Sprintf("/author/uploads/%d", begun.ID)
	for n := 0; n*begun.ChunkSize < len(raw); n++ {
		status, body, _ = b.do(http.MethodPut, fmt.Sprintf("%s/chunks/%d", upload, n), "application/octet-stream", "application/json",
			bytes.NewReader(raw[n*begun.ChunkSize:min(len(raw), (n+1)*begun.ChunkSize)]))
		require.Equal(t, http.StatusNoContent, status, body)
	}
	var now uploadStatus
	status, body = b.json(http.MethodPost, upload+"/finish", struct{}{}, &now)
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, Processing, now.State)
	require.NoError(t, s.ProcessUpload(t.Context(), UploadID(begun.ID), noon))
	b.json(http.MethodGet, upload, nil, &now)
	require.Equal(t, Done, now.State)
	page := b.get(now.Next)
	require.Contains(t, page, "Version 1")
	require.Contains(t, page, "index.html")
	require.NotContains(t, page, "/publish", "without an approval there is no button that cannot work")

	form.Set("number", "A-1")
	form.Set("hours", "1.25")
	form.Set("from", "2026-01-01")
	form.Set("approver", "DESE")
	_, _, to = b.post("/author/courses/SSL-100/edit", form)
	require.Equal(t, "/author/courses/SSL-100?notice=course_saved", to)
	require.Contains(t, b.get("/author/courses/SSL-100/edit"), `value="1.25"`)
	v := regexp.MustCompile(`/author/versions/\d+/publish`).FindString(b.get("/author/courses/SSL-100"))
	_, body, to = b.post(v, url.Values{"replaces": {"0"}})
	require.Equal(t, "/author/courses/SSL-100?notice=version_published", to, body)
	status, body, _ = b.post(v, url.Values{"replaces": {"0"}})
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, body, "in the meantime")
	require.Contains(t, b.get("/author"), "Published")

	retire := strings.Replace(v, "publish", "retire", 1)
	require.Contains(t, b.get(retire), "Nobody can register")
	_, _, to = b.post(retire, nil)
	require.Contains(t, b.get(to), "The version is retired")
	require.NotContains(t, b.get("/courses"), "/courses/SSL-100", "what was taken out is not announced")
	require.Contains(t, b.get("/courses/SSL-100"), "not offered now")
}

func TestReplacingTheCurrentVersionIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, err := s.publishNew("SSL-100", packagestest.Course("One"))
	require.NoError(t, err)
	id := s.begin("SSL-100", packagestest.Course("Two"))
	require.NoError(t, s.FinishUpload(t.Context(), s.author, id, noon))
	require.NoError(t, s.ProcessUpload(t.Context(), id, noon))
	b := s.as("author", "en")
	page := b.get("/author/courses/SSL-100")
	require.NotRegexp(t, `action="[^"]*/publish"`, page, "it is not one click")
	ask := regexp.MustCompile(`href="(/author/versions/\d+/publish)"`).FindStringSubmatch(page)
	require.NotNil(t, ask)
	require.Contains(t, b.get(ask[1]), "Publish version 2 in place of version 1?")
	require.Equal(t, Published, s.state(first))
	_, body, to := b.post(ask[1], url.Values{"replaces": {fmt.Sprint(first)}})
	require.Equal(t, "/author/courses/SSL-100?notice=version_published", to, body)
	require.Equal(t, Retired, s.state(first))
}

func TestAnAuthorWhoLeftThePageFindsTheUploadAndItsRefusalAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.AddCourse(t.Context(), s.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	b := s.as("author", "en")
	id := s.begin("SSL-100", []byte("no package"))
	require.Contains(t, b.get("/author/courses/SSL-100"), "100 % has arrived")
	require.NoError(t, s.FinishUpload(t.Context(), s.author, id, noon))
	require.Contains(t, b.get("/author/courses/SSL-100"), `id="under-way"`)
	require.NoError(t, s.ProcessUpload(t.Context(), id, noon))
	page := b.get("/author/courses/SSL-100")
	require.NotContains(t, page, `id="under-way"`)
	require.Contains(t, page, "was not taken on November 20, 2026")
	require.Contains(t, page, "This is not a ZIP file")

	_, body, to := b.post(fmt.Sprintf("/author/uploads/%d/dismiss", id), nil)
	require.Equal(t, "/author/courses/SSL-100", to, body)
	require.NotContains(t, b.get(to), `id="last-refusal"`)

	id = s.begin("SSL-100", []byte("no package"))
	require.NoError(t, s.FinishUpload(t.Context(), s.author, id, noon))
	require.NoError(t, s.ProcessUpload(t.Context(), id, noon))
	require.Contains(t, b.get(to), `id="last-refusal"`)
	s.begin("SSL-100", []byte("another"))
	require.NotContains(t, b.get(to), `id="last-refusal"`, "the next upload stands in its place")
}

func TestATopicIsSpelledAsInOtherCourses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.AddCourse(t.Context(), w.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	other := facts("LIC-100")
	other.Topics = []string{"health", "HEALTH", "New"}
	_, err = w.AddCourse(t.Context(), w.author, other, noon)
	require.NoError(t, err)
	course, err := w.course("LIC-100", on("2026-11-20"))
	require.NoError(t, err)
	require.Equal(t, []string{"Health", "New"}, course.Topics)
}

func TestOnlyAuthorsReachTheAuthorsPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	status, _, _ := s.as("caregiver", "en").do(http.MethodGet, "/author", "", "text/html", nil)
	require.Equal(t, http.StatusForbidden, status)
	status, _, header := s.as("", "en").do(http.MethodGet, "/author/courses/new", "", "text/html", nil)
	require.Equal(t, http.StatusSeeOther, status)
	require.Contains(t, header.Get("Location"), "/sign-in")
}

func TestARefusedUploadTellsItsAuthorInTheirLanguage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.AddCourse(t.Context(), s.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	two := packagestest.Of(packagestest.ManifestOf("", packagestest.OneResource+packagestest.OneResource))
	id := s.begin("SSL-100", two)
	require.NoError(t, s.FinishUpload(t.Context(), s.author, id, noon))
	require.NoError(t, s.ProcessUpload(t.Context(), id, noon))
	for lang, want := range map[string]string{"en": "This package has 2 lessons", "es": "Este paquete tiene 2 lecciones"} {
		var now uploadStatus
		s.as("author", lang).json(http.MethodGet, fmt.Sprintf("/author/uploads/%d", id), nil, &now)
		require.Contains(t, now.Refusal, want)
	}
}

func TestTheCourseOffersWhatThePersonCanDo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v, err := s.publishNew("SSL-100", packagestest.Course("x"))
	require.NoError(t, err)
	version, err := selectVersion(t.Context(), s.DB, v)
	require.NoError(t, err)
	soon := facts("LIC-100")
	_, err = s.AddCourse(t.Context(), s.author, soon, noon)
	require.NoError(t, err)
	paid := facts("POI-101")
	paid.Fee = 500
	raw := packagestest.Course("y")
	_, err = s.Publish(t.Context(), s.author, PublishRequest{Facts: paid, Package: bytes.NewReader(raw), Size: int64(len(raw))}, noon)
	require.NoError(t, err)

	offers := func(token, path string) (found []string) {
		page := s.as(token, "en").get(path)
		for _, what := range []string{"Sign in to register", ">Register<", "Start this course", "Continue this course", "Register now, with no credit before March 3, 2027", "This course opens soon.", "Paying online opens soon", "/enrollments/7/start", "/learn/7", "/orders/7", "Pay $5.00 and register", "Completed March 3, 2026"} {
			if strings.Contains(page, what) {
				found = append(found, what)
			}
		}
		return found
	}
	require.Equal(t, []string{"Sign in to register"}, offers("", "/courses/ssl-100"))
	require.Equal(t, []string{"This course opens soon."}, offers("", "/courses/LIC-100"))
	require.Equal(t, []string{"Paying online opens soon"}, offers("caregiver", "/courses/POI-101"))
	require.Equal(t, []string{">Register<"}, offers("caregiver", "/courses/SSL-100"))
	require.Contains(t, s.as("caregiver", "en").get("/courses/SSL-100"), "0.5 h makes up 2025")
	require.NotContains(t, s.as("", "en").get("/courses/SSL-100"), "What it would do for you")

	require.Contains(t, s.as("", "en").get("/courses"), "Paying opens soon")

	s.till.open = true
	require.NotContains(t, s.as("", "en").get("/courses"), "Paying opens soon")
	require.Equal(t, []string{"Sign in to register"}, offers("", "/courses/POI-101"))
	require.Equal(t, []string{"Pay $5.00 and register"}, offers("caregiver", "/courses/POI-101"))
	sold, err := selectCourse(t.Context(), s.DB, "POI-101", lms.DateOf(noon))
	require.NoError(t, err)
	s.till.waiting = map[lms.CourseID]string{sold.ID: "/orders/7"}
	require.Equal(t, []string{"/orders/7"}, offers("caregiver", "/courses/POI-101"))

	stand := func(standing lms.Standing) []string {
		s.standings[version.Course] = standing
		return offers("caregiver", "/courses/SSL-100")
	}
	last := on("2027-11-20")
	require.Equal(t, []string{"Start this course", "/enrollments/7/start"}, stand(lms.Standing{Enrollment: 7, State: lms.Ready, LastDay: last}))
	require.Equal(t, []string{"Continue this course", "/learn/7"}, stand(lms.Standing{Enrollment: 7, State: lms.Active, LastDay: last}))
	done := lms.Standing{State: lms.Completed, CompletedOn: on("2026-03-03"), EarnsAgainOn: on("2027-03-03")}
	require.Equal(t, []string{"Register now, with no credit before March 3, 2027", "Completed March 3, 2026"}, stand(done))
	require.Contains(t, s.as("caregiver", "en").get("/courses?q=sleep"), "Earns credit again from March 3, 2027")
	require.NotContains(t, s.as("caregiver", "en").get("/courses?earn=1"), "/courses/SSL-100")
	done.EarnsAgainOn = lms.Date{}
	require.Equal(t, []string{">Register<", "Completed March 3, 2026"}, stand(done))

	status, _, _ := s.as("", "en").do(http.MethodGet, "/courses/GONE-1", "", "text/html", nil)
	require.Equal(t, http.StatusNotFound, status)
}

func TestTheCatalogHasItsEmptyStates(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	require.Contains(t, s.as("", "en").get("/courses"), "No courses yet")
	_, err := s.AddCourse(t.Context(), s.author, facts("SSL-100"), noon)
	require.NoError(t, err)
	require.Contains(t, s.as("", "en").get("/courses?q=nothing+like+it"), "No course fits")
	require.Contains(t, s.as("", "es").get("/courses?topic=Health&topic=Safety&hours=1.5"), "1 curso<")
}

func TestACatalogAddressThatNobodyMadeIsHarmless(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for n := range pageSize + 1 {
		f := facts(fmt.Sprintf("C-%03d", n))
		f.Title = fmt.Sprintf("Course %03d", n)
		_, err := s.AddCourse(t.Context(), s.author, f, noon)
		require.NoError(t, err)
	}
	b := s.as("", "en")
	for _, path := range []string{"/courses?hours=99", "/courses?hours=%27", "/courses?sort=nothing", "/courses?free=maybe&earn=2", "/courses?page=0", "/courses?page=-3", "/courses?page=first"} {
		page := b.get(path)
		require.Contains(t, page, "51 courses", path)
		require.Contains(t, page, "/courses/C-000", path)
		require.Contains(t, page, "Page 1 of 2", path)
	}
	page := b.get("/courses?topic=%3Cscript%3E")
	require.Contains(t, page, "No course fits")
	require.Contains(t, page, `href="/courses"`, "there is a way out")
	require.NotContains(t, page, "<script>")
	require.Contains(t, b.get("/courses?topic=Nothing&topic=Health"), "51 courses", "the other topic still counts")

	for _, path := range []string{"/courses?page=2", "/courses?page=3", "/courses?page=99999999999"} {
		page := b.get(path)
		require.Contains(t, page, "/courses/C-050", path)
		require.NotContains(t, page, "/courses/C-000", path)
		require.Contains(t, page, "Page 2 of 2", path)
	}
}

func TestEveryRefusalAndWarningHasItsSentenceInBothLanguages(t *testing.T) {
	t.Parallel()
	refusals := []*lms.Error{
		ErrCodeTaken, ErrAlreadyPublished, ErrNoApproval, ErrAlreadyRetired, ErrNoSuchAuthor, ErrLastAuthor, ErrUploadOver, ErrUploadIncomplete, ErrUploadChunk, ErrUploadEmpty, ErrUploadTooLate,
		packages.ErrTooLarge, packages.ErrTooManyFiles, packages.ErrFileTooLarge, packages.ErrBomb, packages.ErrNotZIP, packages.ErrDamaged, packages.ErrEncrypted,
		packages.ErrMethod, packages.ErrPath, packages.ErrLink, packages.ErrTwice, packages.ErrNoManifest, packages.ErrManifestSize, packages.ErrManifest,
		packages.ErrStandard, packages.ErrNoLesson, packages.ErrLessons, packages.ErrNoLaunch, packages.ErrLaunchOutside, packages.ErrLaunchMissing,
		packages.ErrReference, packages.ErrText, lms.NewError(lms.Invalid, "upload_failed"),
	}
	catalogs := map[string]map[string]any{}
	for _, lang := range words.Languages {
		raw, err := Views.ReadFile("messages/" + lang + ".json")
		require.NoError(t, err)
		var messages map[string]any
		require.NoError(t, json.Unmarshal(raw, &messages))
		catalogs[lang] = messages
		for _, e := range refusals {
			require.Contains(t, messages, "error."+e.Code, lang)
		}
		for _, warning := range []string{packages.WarnFolder, packages.WarnNoOrganization, packages.WarnNoSchemaVersion, packages.WarnOtherItems, packages.WarnMissingFiles,
			packages.WarnUnlistedFiles, packages.WarnLetterCase, packages.WarnPrerequisites, packages.WarnMasteryScore} {
			require.Contains(t, messages, "author.warning."+warning, lang)
		}
		for _, field := range []string{"code", "title", "summary", "sponsor", "series", "topics", "fee", "number", "hours", "from", "until", "through", "approver"} {
			require.Contains(t, messages, "author.wrong."+field, lang)
		}
	}
	require.Len(t, catalogs["es"], len(catalogs["en"]))
	for key := range catalogs["en"] {
		require.Contains(t, catalogs["es"], key)
	}
}
