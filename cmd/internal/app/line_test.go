package app_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// line cuts the connection of the content frame, or mends it.
func (s *sco) line(up bool) {
	s.Helper()
	patterns := []*network.BlockPattern{{URLPattern: "*://*:*/.rt/*", Block: true}}
	if up {
		patterns = nil
	}
	s.do("enable network", chromedp.Func(func(context.Context, *chromedp.Target) error {
		if _, err := chromedp.Call(s.ctx, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := chromedp.Call(s.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: patterns})
		return err
	}))
}

func TestTheConnectionIsCutForAMinuteAndNothingIsLost(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.publishOne("ONE-1", "First course")
	p := b.newTab(t)
	p.signIn(b.person("Maya"))
	p.begin("ONE-1")
	lesson := p.lesson()
	lesson.click("#turn")
	b.savesPage("1")

	lesson.line(false)
	cut := time.Now()
	lesson.click("#turn")
	p.until("the banner says since when nothing is saved", `!document.querySelector("#banner").hidden && document.querySelector("#banner").innerText.includes("ot saved since")`)
	p.until("the save line does not claim more", `document.querySelector("#save").dataset.state == "unsaved"`)
	p.accessible("player-unsaved")
	for n := 3; n <= 6; n++ {
		lesson.click("#turn")
		lesson.until("the course goes on", fmt.Sprintf(`document.querySelector("#page").textContent == "%d"`, n))
	}
	b.savesPage("1")
	<-time.After(time.Until(cut.Add(time.Minute)))
	p.until("a minute later it still says so", `document.querySelector("#save").dataset.state == "unsaved"`)

	lesson.line(true)
	p.saved()
	p.until("the banner is gone", `document.querySelector("#banner").hidden`)
	b.savesPage("6")
}

// savesPage waits until the database holds a page: that a change is on its way shows
// in the player a moment after the change.
func (b *box) savesPage(want string) {
	b.Helper()
	require.NoError(b, wait(b.Context(), func(context.Context) (bool, error) { return b.savedPage() == want, nil }),
		"the database holds page %q, not %q", b.savedPage(), want)
}

func (b *box) savedPage() (page string) {
	b.Helper()
	require.NoError(b, b.DB.QueryRow(b.Context(), `SELECT coalesce(data->>'cmi.core.lesson_location', '') FROM player.activity_data`).Scan(&page))
	return page
}

func TestABrowserKilledRightAfterAChangeStillHasIt(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.publishOne("ONE-1", "First course")
	maya := b.person("Maya")
	profile := t.TempDir()

	chromium := browser(t, profile)
	p := b.tabIn(t, chromium)
	p.signIn(maya)
	p.begin("ONE-1")
	path := eval[string](p, `location.pathname`)
	lesson := p.lesson()
	lesson.click("#turn")
	b.savesPage("1")
	lesson.line(false)
	lesson.click("#turn")
	lesson.click("#turn")
	lesson.journals("3")
	require.NoError(t, chromium.Kill())
	b.savesPage("1")

	p = b.tabIn(t, browser(t, profile))
	p.signIn(maya)
	p.open(path)
	p.lesson().until("the lesson is where it was left", `document.querySelector("#page").textContent == "3"`)
	p.saved()
	b.savesPage("3")
}

// journals waits until the browser's own journal holds a page, which takes some
// milliseconds from the change on.
func (s *sco) journals(page string) {
	s.Helper()
	s.until("page "+page+" is journaled", fmt.Sprintf(`(indexedDB.open("journal").onsuccess = opened => {
		opened.target.result.transaction("changes").objectStore("changes").getAll().onsuccess = read => {
			window.journaled = read.target.result.some(entry => entry.changes["cmi.core.lesson_location"] == %s)
		}
	}, window.journaled)`, js(page)))
}

func TestASecondTabTakesOverAndTheFirstSaysSo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.publishOne("ONE-1", "First course")
	first := b.newTab(t)
	first.signIn(b.person("Maya"))
	first.begin("ONE-1")
	lesson := first.lesson()
	lesson.click("#turn")
	b.savesPage("1")

	second := first.beside()
	second.open(eval[string](first, `location.pathname`))
	taken := second.lesson()
	taken.until("the second tab goes on where the first was", `document.querySelector("#page").textContent == "1"`)
	first.until("the first tab says that the course is open elsewhere", `!document.querySelector("#panel").hidden`)
	first.accessible("player-fenced")
	taken.click("#turn")
	second.saved()
	b.savesPage("2")

	first.click("#panel-actions button")
	first.lesson().until("the first tab takes it back", `document.querySelector("#page").textContent == "2"`)
	second.until("the second tab says so", `!document.querySelector("#panel").hidden`)
}
