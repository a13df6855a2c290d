package app_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/lms"
)

func (p *tab) choose(name string, content []byte) {
	p.Helper()
	file := filepath.Join(p.TempDir(), name)
	require.NoError(p, os.WriteFile(file, content, 0o600))
	p.do("choose "+name, chromedp.SetUploadFiles(chromedp.CSS("#package"), []string{file}))
}

// newCourse fills in the author's form.
func (p *tab) newCourse(code, title string) {
	p.Helper()
	p.open("/author/courses/new")
	p.accessibleInBoth("author-new")
	p.fill("#code", code)
	p.fill("#title", title)
	p.click("main form button")
	p.until("what is missing is said beside the fields", `document.querySelector(".usa-error-message")`)
	p.accessibleInBoth("author-new-wrong")
	p.until("what was typed is still there", `document.querySelector("#title").value == `+js(title))
	p.fill("#sponsor", "Office of Childhood")
	p.fill("#fee", "0")
	p.fill("#hours", "1.25")
	p.fill("#number", "A-17")
	p.fill("#from", "2020-01-01")
	p.fill("#approver", "Office of Childhood")
	p.click("main form button")
	p.until("the course's page shows", `document.querySelector("#package")`)
}

func TestAnAuthorUploadsPublishesAndRetiresACourse(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signIn(b.person("Andre", lms.Author))
	p.open("/author")
	p.accessibleInBoth("author-empty")
	p.newCourse("NEW-1", "A new course")
	p.accessibleInBoth("author-course")

	p.choose("broken.zip", zipOf(t, map[string]string{"readme.txt": "no manifest"}))
	p.until("the broken package is refused in one sentence", `!document.querySelector("#refused").hidden && document.querySelector("#refusal").innerText.length > 20`)
	p.accessible("author-refused")
	require.Empty(t, b.stored("uploads/"), "nothing of it is left")
	require.Empty(t, b.stored("sha256/"), "nothing of it is left")

	p.choose("one.zip", onePackage(t))
	p.until("the draft shows", `document.querySelector('form[action$="/publish"]')`)
	p.sees("index.html")
	p.accessibleInBoth("author-draft")
	p.click(`form[action$="/publish"] button`)
	p.until("the version is published", `document.querySelector(".mo-tag--good")`)
	p.accessibleInBoth("author-published")
	p.open("/author")
	p.sees("A new course")
	p.accessibleInBoth("author-list")
	p.open("/courses/NEW-1")
	p.until("caregivers can register", `document.querySelector('form[action="/courses/NEW-1/register"]')`)

	p.open("/author/courses/NEW-1")
	p.choose("revised.zip", zipOf(t, map[string]string{"imsmanifest.xml": oneManifest, "index.html": oneLesson + "<!-- revised -->"}))
	p.until("the second draft shows", `document.querySelector('a[href$="/publish"]')`)
	p.click(`a[href$="/publish"]`)
	p.until("replacing is asked once", `document.querySelector('form[action$="/publish"]')`)
	p.accessibleInBoth("author-replace")
	p.click(`form[action$="/publish"] button`)
	p.until("the revised version is published", `document.querySelector(".mo-tag--good") && location.pathname == "/author/courses/NEW-1"`)

	p.click(`a[href$="/retire"]`)
	p.until("it is asked once", `document.querySelector('form[action$="/retire"]')`)
	p.accessibleInBoth("author-retire")
	p.click(`form[action$="/retire"] button`)
	p.until("the version is retired", `!document.querySelector(".mo-tag--good")`)
}

func TestAnAuthorStopsALargeUploadAndNothingOfItIsLeft(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	p.signIn(b.person("Andre", lms.Author))
	p.newCourse("NEW-1", "A new course")
	noise := make([]byte, 40<<20)
	_, err := rand.NewChaCha8([32]byte{}).Read(noise)
	require.NoError(t, err)
	p.choose("large.zip", zipOf(t, map[string]string{"imsmanifest.xml": oneManifest, "index.html": oneLesson, "noise.bin": string(noise)}))
	p.until("progress shows", `!document.querySelector("#run").hidden && document.querySelector("#bar").value > 0`)
	p.accessible("author-uploading")
	p.click("#stop")
	p.until("the upload is over", `document.querySelector("#run").hidden`)
	require.NoError(t, wait(t.Context(), func(context.Context) (bool, error) { return len(b.stored("uploads/")) == 0, nil }), "its chunks are gone")

	p.choose("large.zip", zipOf(t, map[string]string{"imsmanifest.xml": oneManifest, "index.html": oneLesson, "noise.bin": string(noise)}))
	p.until("a large package arrives in chunks", `document.querySelector('form[action$="/publish"]')`)
	require.Len(t, b.stored("sha256/"), 4, "the package and its three files")
}

func TestAnAuthorWhoseSessionEndsSignsInElsewhereAndTheSameUploadGoesOn(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	p := b.newTab(t)
	andre := b.person("Andre", lms.Author)
	p.signIn(andre)
	p.newCourse("NEW-1", "A new course")
	noise := make([]byte, 40<<20)
	_, err := rand.NewChaCha8([32]byte{}).Read(noise)
	require.NoError(t, err)
	p.block("*://*:*/author/uploads/*/chunks/3")
	p.choose("large.zip", zipOf(t, map[string]string{"imsmanifest.xml": oneManifest, "index.html": oneLesson, "noise.bin": string(noise)}))
	p.until("half of it has arrived", `document.querySelector("#bar").value >= 50`)

	elsewhere := p.beside()
	elsewhere.open("/")
	elsewhere.submit("/sign-out")
	elsewhere.until("the session is over", `document.querySelector('a[href^="/sign-in"]')`)
	p.block()
	p.until("the upload says what to do", `!document.querySelector("#again").hidden`)
	p.sees("Sign in in another tab")
	p.accessible("author-signed-out")
	p.click("#again")
	p.until("it cannot go on yet", `!document.querySelector("#again").hidden && document.querySelector("#bar").value >= 50`)

	elsewhere.signIn(andre)
	p.click("#again")
	p.until("the draft shows", `document.querySelector('form[action$="/publish"]')`)
	var uploads int
	require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT count(*) FROM courses.uploads`).Scan(&uploads))
	require.Equal(t, 1, uploads, "what had arrived was kept")
}

// block makes requests fail whose address fits a pattern; without one, none.
func (p *tab) block(patterns ...string) {
	p.Helper()
	var blocked []*network.BlockPattern
	for _, pattern := range patterns {
		blocked = append(blocked, &network.BlockPattern{URLPattern: pattern, Block: true})
	}
	p.do("block addresses", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: blocked})
		return err
	}))
}

// stored lists the keys of the object store that begin with a prefix.
func (b *box) stored(prefix string) []string {
	b.Helper()
	keys, err := b.Blobs.List(b.Context(), prefix)
	require.NoError(b, err)
	return keys
}

// Every page, in both languages, for axe and for the eye.
func TestEveryPageIsAccessibleInEnglishAndSpanish(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "es"} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.publishOne("ONE-1", "First course")
			b.publishOne("TWO-1", "Second course")
			pkg := onePackage(t)
			b.publish("FEE-1", "A course with a fee", strings.NewReader(string(pkg)), int64(len(pkg)), 500)
			maya := b.person("Maya", lms.Author)
			p := b.newTab(t)
			p.open("/")
			if lang == "es" {
				p.click(`form[action="/language"] button`)
				p.until("the page is in Spanish", `document.documentElement.lang == "es"`)
			}
			p.look(lang, "/", "welcome", "/courses", "catalog-anonymous", "/courses/ONE-1", "overview-anonymous", "/sign-in", "sign-in", "/nowhere", "not-found", "/courses?q=nothing+like+it", "catalog-empty")
			p.signIn(maya)
			p.look(lang, "/", "home-empty", "/my-courses", "my-courses-empty", "/report", "report-empty", "/courses", "catalog", "/courses/FEE-1", "overview-fee", "/courses/ONE-1", "overview")
			p.open("/courses/TWO-1")
			p.submit("/courses/TWO-1/register")
			p.until("registered", `document.querySelector('form[action$="/start"]')`)
			p.accessible(lang + "-overview-ready")
			p.open("/courses/ONE-1")
			p.submit("/courses/ONE-1/register")
			p.until("registered", `document.querySelector('form[action$="/start"]')`)
			p.click(`form[action$="/start"] button`)
			p.until("the attestation is asked for", `document.querySelector("#not-in-ratio")`)
			p.accessible(lang + "-attestation")
			p.attest()
			lesson := p.lesson()
			lesson.click("#turn")
			p.saved()
			p.accessible(lang + "-player")
			p.click("#help")
			p.until("help shows", `!document.querySelector("#panel").hidden`)
			p.accessible(lang + "-player-help")
			p.click("#panel-actions button")
			lesson.line(false)
			lesson.click("#turn")
			p.until("nothing is saved", `!document.querySelector("#banner").hidden`)
			p.accessible(lang + "-player-unsaved")
			lesson.line(true)
			p.saved()
			second := p.beside()
			second.open(eval[string](p, `location.pathname`))
			p.until("the course is open elsewhere", `!document.querySelector("#panel").hidden`)
			p.accessible(lang + "-player-fenced")
			p.look(lang, "/", "home", "/my-courses", "my-courses", "/courses", "catalog-mine", "/author", "author", "/author/courses/ONE-1", "author-course", "/author/courses/new", "author-new")
			p.open("/my-courses")
			p.click(`a[href^="/learn/"]`)
			p.lesson().click("#complete")
			p.until("completed", `!document.querySelector("#panel").hidden`)
			p.accessible(lang + "-player-completed")
			p.look(lang, "/report", "report", "/", "home-done", "/courses/ONE-1", "overview-completed", "/learn/1", "not-started", "/learn/2", "completed")
		})
	}
}

// look opens pages and has axe look at each; pages are paths and names in turn.
func (p *tab) look(lang string, pages ...string) {
	p.Helper()
	for i := 0; i < len(pages); i += 2 {
		p.open(pages[i])
		p.until("the page is in the language", `document.documentElement.lang == `+js(lang))
		p.accessible(lang + "-" + pages[i+1])
	}
}
