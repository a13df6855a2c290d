package lmstest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/css"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Chromium is a running browser. Its context is the one to open tabs from.
type Chromium struct {
	context.Context
	process *exec.Cmd
	stop    func()
}

// Browser is the Chromium in which most tests have their tabs, each in a browser
// context of its own. It ends with the tests.
var Browser = sync.OnceValues(func() (*Chromium, error) {
	c, err := StartChromium()
	if err != nil {
		return nil, err
	}
	AtEnd(func(context.Context) error { c.Stop(); return nil })
	return c, nil
})

// StartChromium starts a browser of a test's own; chromedp.UserDataDir names its
// profile. It looks like a desk computer: headless ones have neither a mouse nor a
// real screen. The environment's CHROMIUM names the program.
func StartChromium(more ...chromedp.ExecAllocatorOption) (*Chromium, error) {
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "/usr/bin/chromium-headless-shell"
	}
	c := &Chromium{}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("blink-settings", "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"),
		chromedp.Flag("screen-info", "{1366x900}"), chromedp.WindowSize(1366, 900),
		chromedp.Flag("lang", "en-US"),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			c.process = cmd
		}))
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), append(opts, more...)...)
	ctx, stop := chromedp.NewContext(alloc)
	c.Context, c.stop = ctx, func() { stop(); stopAlloc() }
	if err := chromedp.Do(ctx); err != nil {
		c.stop()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return c, nil
}

// Stop closes the browser as its owner would.
func (c *Chromium) Stop() { c.stop() }

// Kill ends the browser as a power cut would.
func (c *Chromium) Kill() error {
	defer c.stop()
	return c.process.Process.Kill()
}

// Attach begins to drive a tab or a frame, whose dialogs are all answered with yes. The
// browser does not describe its style sheets, which would be a quarter of its work.
func Attach(tab context.Context) error {
	if err := chromedp.Do(tab, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, css.Disable, cdp.Empty{})
		return err
	})); err != nil {
		return err
	}
	acceptDialogs(tab)
	return nil
}

func acceptDialogs(tab context.Context) {
	dialogs := chromedp.Events(tab, page.JavascriptDialogOpening)
	go func() {
		for _, err := range dialogs {
			if err != nil {
				return
			}
			// The page may be gone already: then nobody waits for the answer.
			if _, err := chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}); err != nil && tab.Err() != nil {
				return
			}
		}
	}()
}
