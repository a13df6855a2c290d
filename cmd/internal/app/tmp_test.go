package app_test

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

func TestTmpSpeed(t *testing.T) {
	_, p := buyer(t)
	metrics := func(what string) {
		p.do("m", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			r, err := chromedp.Call(ctx, performance.GetMetrics, struct{}{})
			if err != nil {
				return err
			}
			for _, m := range r.Metrics {
				switch m.Name {
				case "ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration", "V8CompileDuration", "ProcessTime", "DevToolsCommandDuration", "TaskOtherDuration":
					t.Logf("%s %s %.3f", what, m.Name, m.Value)
				}
			}
			return nil
		}))
	}
	p.do("e", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, performance.Enable, performance.EnableParams{})
		return err
	}))
	metrics("start")
	for range 10 {
		p.open("/account")
	}
	metrics("10 opens")
	for range 10 {
		p.do("load axe", chromedp.Evaluate[chromedp.Void](axe+";undefined"))
	}
	metrics("10 loads")
	for range 10 {
		eval2(p, `axe.run(document, {iframes: false, resultTypes: ["violations"], runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r => document.querySelectorAll("*").length)`)
	}
	metrics("10 runs")
	for range 10 {
		eval2(p, `axe.run(document, {iframes: false, resultTypes: ["violations"], rules: {"color-contrast": {enabled: false}}, runOnly: ["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}).then(r => document.querySelectorAll("*").length)`)
	}
	metrics("10 runs without contrast")
	for range 10 {
		p.noSidewaysScroll("x")
	}
	metrics("10 narrow")
}

func eval2(p *tab, e string) int {
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[int](e, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail("x", err)
	}
	return v
}
