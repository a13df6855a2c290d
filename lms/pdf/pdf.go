// Package pdf prints pages as tagged PDF files by a Chromium that runs beside the product. It knows no feature and no
// HTTP. A page is given whole, with its styles and fonts inside: it loads nothing, runs no script and, since it has no
// address, can read no file. Start at Find.
package pdf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"mopd/lms"
)

// None is the setting under which no PDF is made, whatever is installed.
const None = "none"

const (
	atOnce   = 2                // pages that are printed at the same time; others wait
	patience = 20 * time.Second // for one page, with its wait
)

// programs are the names of Chromium, the smallest first.
var programs = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}

// Printer prints pages. It starts Chromium for the first one, keeps it, and starts it again where it has died.
type Printer struct {
	program string
	places  chan struct{}

	mu      sync.Mutex
	browser context.Context // nil while none runs
	stop    func()
}

// Find is the printer of a machine: by the program that the setting names or, where it says nothing, by the Chromium of
// the PATH. It is nil where there is none.
func Find(setting string) (*Printer, error) {
	if setting == None {
		return nil, nil
	}
	names := programs
	if setting != "" {
		names = []string{setting}
	}
	for _, name := range names {
		if program, err := exec.LookPath(name); err == nil {
			return &Printer{program: program, places: make(chan struct{}, atOnce)}, nil
		}
	}
	if setting != "" {
		return nil, fmt.Errorf("find Chromium: there is no program %q", setting)
	}
	return nil, nil
}

// Program is the path of Chromium.
func (p *Printer) Program() string { return p.program }

// Print makes a tagged PDF of an HTML page, on the paper that its styles name. The page's title and language become the
// file's.
//
// Errors: lms.ErrUnavailable.
func (p *Printer) Print(ctx context.Context, html string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case p.places <- struct{}{}:
		defer func() { <-p.places }()
	case <-ctx.Done():
		return nil, lms.ErrUnavailable.Because(fmt.Errorf("wait to print: %w", ctx.Err()))
	}
	file, err := p.try(ctx, html)
	if err != nil && ctx.Err() == nil { // Chromium may have died since the last page
		file, err = p.try(ctx, html)
	}
	if err != nil {
		return nil, lms.ErrUnavailable.Because(fmt.Errorf("print: %w", err))
	}
	return file, nil
}

func (p *Printer) try(ctx context.Context, html string) ([]byte, error) {
	browser, err := p.running()
	if err != nil {
		return nil, err
	}
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	defer closeTab()
	defer context.AfterFunc(ctx, closeTab)()
	file, err := chromedp.Run(tab, printed(html))
	return file, errors.Join(err, ctx.Err())
}

// printed puts a page into a tab that can reach nothing and prints it.
func printed(html string) chromedp.Action[[]byte] {
	return func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
			return nil, err
		}
		content := page.SetDocumentContentParams{FrameID: cdp.FrameID(t.TargetID), HTML: html} // the main frame's id is the target's
		if _, err := chromedp.Call(ctx, page.SetDocumentContent, content); err != nil {
			return nil, err
		}
		return chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground(), chromedp.PDFOutlineAndTagged())(ctx, t)
	}
}

// running is the browser, started if there is none that runs.
func (p *Printer) running() (context.Context, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.browser != nil && p.browser.Err() == nil {
		return p.browser, nil
	}
	p.end()
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), p.options()...)
	browser, stop := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	p.stop = func() { stop(); stopAlloc() }
	defer time.AfterFunc(patience, stop).Stop()
	if err := chromedp.Do(browser); err != nil {
		p.end()
		return nil, fmt.Errorf("start %s: %w", p.program, err)
	}
	p.browser = browser
	return browser, nil
}

// options keep Chromium from the network, from the product's secrets and from the disk. It has its sandbox unless it
// runs as root, where it has none.
func (p *Printer) options() []chromedp.ExecAllocatorOption {
	return append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(p.program), chromedp.DisableGPU, chromedp.NoInheritEnv,
		chromedp.Env("PATH="+os.Getenv("PATH"), "HOME="+os.TempDir(), "TMPDIR="+os.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", false),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"),
		chromedp.Flag("proxy-server", "127.0.0.1:9"), chromedp.Flag("proxy-bypass-list", "<-loopback>"),
	)
}

// Close ends Chromium.
func (p *Printer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

func (p *Printer) end() {
	if p.stop != nil {
		p.stop()
	}
	p.browser, p.stop = nil, nil
}
