package player

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/lms/lmstest"
)

// patience is how long a test waits for what a person would see at once.
const patience = 20 * time.Second

// lesson is content that does nothing by itself; a test makes its calls. Its own
// last words come when it is unloaded, as those of much content do.
const lesson = `<!doctype html><title>Lesson</title><p>A lesson</p><script>
	window.lastWords = () => {};
	addEventListener("pagehide", () => window.lastWords(parent.API));
</script>`

// tab is one tab in a Chromium.
type tab struct {
	*site
	ctx context.Context
}

// openIn signs in and opens the course in a new tab.
func (s *site) openIn(browser context.Context, how ...chromedp.ContextOption) *tab {
	s.t.Helper()
	ctx, stop := chromedp.NewContext(browser, how...)
	s.t.Cleanup(stop)
	require.NoError(s.t, lmstest.Attach(ctx)) // for as long as ctx lives
	p := &tab{s, ctx}
	p.navigate("/enter")
	p.navigate(s.learn())
	return p
}

func (p *tab) navigate(path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, chromedp.Navigate(p.url+path)), path)
}

// course serves a world with the lesson in it, attested for today, in a browser.
func course(t *testing.T, change ...func(*world)) *tab {
	t.Helper()
	w := newWorld(t)
	w.files["index.html"] = []byte(lesson)
	for _, c := range change {
		c(w)
	}
	w.attest()
	s := serve(t, w) // before the browser, so that it stops after it
	chromium, err := lmstest.Browser()
	require.NoError(t, err)
	return s.openIn(chromium, chromedp.WithNewBrowserContext())
}

func evaluate[T any](t testing.TB, ctx context.Context, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err, "%.200s", expression)
	return v
}

func until(t testing.TB, ctx context.Context, what string, ask func(context.Context) (bool, error)) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := ask(limited)
		if ok {
			return
		}
		select {
		case <-limited.Done():
			text, textErr := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 800)`))
			require.NoError(t, errors.Join(errors.New("it did not happen in time"), err), "until %s; the page shows\n%s %v", what, text, textErr)
		case <-tick.C:
		}
	}
}

// until waits for a JavaScript condition of the shell.
func (p *tab) until(condition string) {
	p.t.Helper()
	until(p.t, p.ctx, condition, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+condition+`)`))
	})
}

func (p *tab) sees(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

func (p *tab) click(css string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible)), css)
}

// choose presses the button of the panel that says so.
func (p *tab) choose(label string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`(b => b && (b.click(), true))([...document.querySelectorAll("#panel:not([hidden]) #panel-actions > *")].find(b => b.textContent === %q))`, label))
}

// frame attaches to the content frame, once the lesson in it is loaded. A frame that
// is going away may still be listed: then the next one is tried.
func (p *tab) frame() (frame context.Context) {
	p.t.Helper()
	attached := map[target.ID]context.Context{}
	until(p.t, p.ctx, "the lesson is loaded", func(ctx context.Context) (bool, error) {
		targets, err := chromedp.Targets(ctx)
		own := chromedp.FromContext(p.ctx).Target.TargetID
		for _, info := range targets {
			if info.Type != "iframe" || info.ParentID != own || !strings.Contains(info.URL, "/.frame/") {
				continue
			}
			if attached[info.TargetID] == nil {
				c, stop := chromedp.NewContext(p.ctx, chromedp.WithTargetID(info.TargetID))
				p.t.Cleanup(stop)
				attached[info.TargetID] = c
				if err = chromedp.Do(c); err != nil {
					continue
				}
			}
			var loaded bool
			loaded, err = chromedp.Run(attached[info.TargetID], chromedp.Evaluate[bool](`!!(window.API && document.querySelector("#sco")?.contentWindow.lastWords)`))
			if loaded {
				frame = attached[info.TargetID]
				return true, nil
			}
		}
		return false, err
	})
	return frame
}

// call is a call of the run-time API and what it must answer, and what
// LMSGetLastError must say after it.
type call struct{ name, element, value, answer, code string }

// play makes the calls in the lesson, in order.
func (p *tab) play(frame context.Context, calls ...call) {
	p.t.Helper()
	in := make([][]string, len(calls))
	for i, c := range calls {
		in[i] = []string{c.name, c.element}
		if c.name == "SetValue" {
			in[i] = append(in[i], c.value)
		}
	}
	list, err := json.Marshal(in)
	require.NoError(p.t, err)
	got := evaluate[[][]string](p.t, frame, fmt.Sprintf(
		`%s.map(([name, ...args]) => { const answer = API["LMS" + name](...args); return [answer, API.LMSGetLastError()]; })`, list))
	for i, c := range calls {
		if got[i][0] != c.answer || got[i][1] != c.code {
			p.t.Errorf("%d. %s(%q, %.60q): got %q, error %s; want %q, error %s", i, c.name, c.element, c.value, got[i][0], got[i][1], c.answer, c.code)
		}
	}
}

func set(element, value string) call { return call{"SetValue", element, value, "true", "0"} }
func refused(element, value, code string) call {
	return call{"SetValue", element, value, "false", code}
}
func get(element, answer string) call  { return call{"GetValue", element, "", answer, "0"} }
func unread(element, code string) call { return call{"GetValue", element, "", "", code} }

var initialize = call{"Initialize", "", "", "true", "0"}
