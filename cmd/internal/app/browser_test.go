package app_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/gofiber/fiber/v2"
	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

//go:embed testdata/axe.min.js
var axe string

// axePath is where the box serves axe: a browser reads and compiles it once.
const axePath = "/axe.js"

func serveAxe(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "max-age=3600, immutable")
	return c.Type("js").SendString(axe)
}

// loadAxe has the page load axe; a page of another site is handed it.
var loadAxe = `new Promise((loaded, failed) => document.head.append(Object.assign(document.createElement("script"), {src: ` + js(axePath) + `, onload: () => loaded(), onerror: failed})))`

// patience is how long a journey waits for something that a person would see at
// once; two busy cores can be slow.
const patience = 45 * time.Second

// browser starts a Chromium of its own on a profile.
func browser(t testing.TB, profile string) *lmstest.Chromium {
	t.Helper()
	chromium, err := lmstest.StartChromium(chromedp.UserDataDir(profile))
	require.NoError(t, err)
	t.Cleanup(chromium.Stop)
	return chromium
}

// tab is one tab of a browser on one box.
type tab struct {
	testing.TB
	ctx context.Context
	box *box
}

// newTab opens a tab that shares nothing with other tests' tabs but the program.
func (b *box) newTab(t testing.TB) *tab {
	t.Helper()
	chromium, err := lmstest.Browser()
	require.NoError(t, err)
	ctx, stop := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	return b.tabIn(t, ctx)
}

// tabIn is the tab of a context, answering every dialog with yes.
func (b *box) tabIn(t testing.TB, ctx context.Context) *tab {
	t.Helper()
	require.NoError(t, lmstest.Attach(ctx))
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	return &tab{TB: t, ctx: ctx, box: b}
}

// beside opens a second tab in the same browser, which shares its cookies.
func (p *tab) beside() *tab {
	p.Helper()
	ctx, stop := chromedp.NewContext(p.ctx)
	p.Cleanup(stop)
	return p.box.tabIn(p.TB, ctx)
}

// open goes to a path of the application.
func (p *tab) open(path string) {
	p.Helper()
	p.visit(p.box.url + path)
}

// visit goes to an address. What the page before had still under way may break the way
// off: then it goes again.
func (p *tab) visit(address string) {
	p.Helper()
	err := wait(p.ctx, func(ctx context.Context) (bool, error) {
		err := chromedp.Do(ctx, chromedp.Navigate(address))
		return err == nil, err
	})
	if err != nil {
		p.fail("open "+address, err)
	}
}

func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail(what, err)
	}
}

func (p *tab) fail(what string, err error) {
	p.Helper()
	text, textErr := chromedp.Run(p.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1500)`))
	p.Fatalf("%s: %v\nthe page shows:\n%s", what, errors.Join(err, textErr), text)
}

// watch has a page say when it is being left. A form goes only some time after it is
// submitted.
const watch = `
	navigation.onnavigate = to => { window.leaving ||= !to.hashChange };
	window.onsubmit = event => { window.leaving ||= !event.defaultPrevented };
	undefined`

// click clicks what a selector finds, and waits for the page that it leads to if
// it leads to one.
func (p *tab) click(css string) {
	p.Helper()
	p.do("watch where a click leads", chromedp.Evaluate[chromedp.Void](watch))
	p.do("click "+css, chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
	p.until("the next page is there", `document.body && !window.leaving`)
}

func (p *tab) fill(css, text string) {
	p.Helper()
	p.do("fill "+css, chromedp.SetValue(chromedp.CSS(css), text))
}

// sees waits until the page says something.
func (p *tab) sees(text string) {
	p.Helper()
	p.until("the page says "+text, fmt.Sprintf(`document.body.innerText.toLowerCase().includes(%s)`, js(strings.ToLower(text))))
}

// until waits for a JavaScript condition of the page, over navigations.
func (p *tab) until(what, condition string) {
	p.Helper()
	err := wait(p.ctx, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+condition+`)`))
	})
	if err != nil {
		p.fail("waiting until "+what, err)
	}
}

func eval[T any](p *tab, expression string) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.fail("evaluate "+expression, err)
	}
	return v
}

// wait asks again until the answer is yes. An error counts as no: a page that is
// just being replaced answers with one.
func wait(ctx context.Context, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := ask(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("it did not happen in time"), err)
		case <-tick.C:
		}
	}
}

// sco reaches into the lesson that the player shows.
type sco struct {
	*tab
	ctx context.Context // of the target that holds the content frame
}

// lesson waits for the lesson in the player of the tab.
func (p *tab) lesson() *sco {
	p.Helper()
	s := &sco{tab: p, ctx: p.contentTarget()}
	require.NoError(p, lmstest.Attach(s.ctx))
	return s
}

// contentTarget attaches to the content frame, which runs in a process of its own,
// also where it shares the application's site.
func (p *tab) contentTarget() context.Context {
	p.Helper()
	own := chromedp.FromContext(p.ctx).Target.TargetID
	var id target.ID
	err := wait(p.ctx, func(ctx context.Context) (bool, error) {
		targets, err := chromedp.Targets(ctx)
		for _, info := range targets {
			if info.Type == "iframe" && info.ParentID == own && strings.Contains(info.URL, "/.frame/") {
				id = info.TargetID
			}
		}
		return id != "", err
	})
	if err != nil {
		p.fail("find the content frame", err)
	}
	ctx, stop := chromedp.NewContext(p.ctx, chromedp.WithTargetID(id))
	p.Cleanup(stop)
	return ctx
}

func (s *sco) node(ctx context.Context) (*chromedp.Node, error) {
	nodes, err := chromedp.Run(ctx, chromedp.Nodes(chromedp.CSS("#sco")))
	if err != nil {
		return nil, err
	}
	return nodes[0], nil
}

// until waits for a JavaScript condition of the lesson.
func (s *sco) until(what, condition string) {
	s.Helper()
	err := wait(s.ctx, func(ctx context.Context) (bool, error) {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		node, err := s.node(try)
		if err != nil {
			return false, err
		}
		return chromedp.Run(try, chromedp.Poll[bool](`!!(`+condition+`)`, chromedp.WithPollingInFrame(node), chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(time.Second)))
	})
	if err != nil {
		s.fail("waiting until in the lesson "+what, err)
	}
}

// click presses a button of the lesson with the mouse.
func (s *sco) click(css string) {
	s.Helper()
	s.until(css+" can be pressed", fmt.Sprintf(`(e => e && !e.disabled && e.getClientRects().length)(document.querySelector(%s))`, js(css)))
	err := wait(s.ctx, func(ctx context.Context) (bool, error) {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		node, err := s.node(try)
		if err != nil {
			return false, err
		}
		err = chromedp.Do(try, chromedp.Click(chromedp.CSS(css), chromedp.FromNode(node)))
		return err == nil, err
	})
	if err != nil {
		s.fail("click "+css+" in the lesson", err)
	}
}

// accessible fails on every violation of WCAG 2.2 AA that axe-core finds on the
// page, and keeps screenshots where MOPD_SCREENSHOTS names a folder.
func (p *tab) accessible(name string) {
	p.Helper()
	p.looksRight(name, "{}")
}

// looksRight is accessible, with rules of axe changed.
func (p *tab) looksRight(name, rules string) {
	p.Helper()
	p.until("the page is whole", `document.readyState == "complete"`)
	if strings.HasPrefix(eval[string](p, `location.href`), p.box.url) {
		p.do("load axe", chromedp.Evaluate[chromedp.Void](loadAxe, chromedp.EvalAwaitPromise))
	} else {
		p.do("load axe", chromedp.Evaluate[chromedp.Void](axe+";undefined"))
	}
	type violation struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]violation](
		`axe.run(document, {iframes: false, resultTypes: ["violations"], rules: `+rules+`, runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("run axe on "+name, err)
	}
	for _, v := range found {
		p.Errorf("axe on %s: %s (%s)", name, v.Help, v.ID)
		for _, n := range v.Nodes {
			p.Logf("    %s\n    %s", n.HTML, n.FailureSummary)
		}
	}
	p.screenshot(name)
	p.noSidewaysScroll(name)
}

// accessibleInBoth looks at a page that can be loaded again in English and in
// Spanish, whose colors are the same.
func (p *tab) accessibleInBoth(name string) {
	p.Helper()
	p.accessible(name)
	p.language("es")
	p.looksRight("es-"+name, `{"color-contrast": {enabled: false}}`)
	p.language("en")
}

// language shows the page again in another language.
func (p *tab) language(lang string) {
	p.Helper()
	p.do("choose "+lang, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: "__Host-lang", Value: lang, URL: p.box.url, Path: "/", Secure: new(true), HTTPOnly: new(true)})
		return err
	}), chromedp.Reload())
	p.until("the page is in "+lang, `document.documentElement.lang == `+js(lang))
}

// noSidewaysScroll looks at the page 320 CSS px wide, which is 1280 px at 400 %.
func (p *tab) noSidewaysScroll(name string) {
	p.Helper()
	p.do("narrow", chromedp.EmulateViewport(320, 640))
	if wide := eval[int](p, `document.documentElement.scrollWidth`); wide > 320 {
		p.Errorf("%s scrolls sideways at 400 %% zoom: it is %d px wide of 320", name, wide)
	}
	p.wide()
}

// wide gives the tab its window's size back and waits until the page is laid out
// for it: a click in between would miss.
func (p *tab) wide() {
	p.Helper()
	p.do("widen", chromedp.EmulateViewport(1366, 900))
	p.until("the page is wide again", `innerWidth > 1000`)
	p.do("lay out", chromedp.Evaluate[chromedp.Void](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))`, chromedp.EvalAwaitPromise))
}

func (p *tab) screenshot(name string) {
	p.Helper()
	dir := os.Getenv("MOPD_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, width := range []int64{1280, 390} {
		p.do("size", chromedp.EmulateViewport(width, 800))
		png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
		require.NoError(p, err)
		require.NoError(p, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, width)), png, 0o600))
	}
	p.wide()
}

func js(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
