package app_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/cmd/demo/coursekit"
	"mopd/lms"
)

// The main job: find a course, register, start, learn, stop half-way and resume,
// complete, and read the clock hours in the training report within a second.
func TestACaregiverCompletesARealCourseAndItsHoursStandInTheReport(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]hosts{"content on another site": otherSite, "content on the same site": sameSite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("golf", func(t *testing.T) {
				t.Parallel()
				f, ok := packageFile(t, "golf-scorm12-runtime-basic.zip")
				if !ok {
					t.Log("MOPD_PACKAGES names no folder: the course of the project's own is played, below")
					return
				}
				info, err := f.Stat()
				require.NoError(t, err)
				b := newBoxAt(t, h, true)
				b.publish("GOLF-1", "Golf explained", f, info.Size(), 0)
				b.playGolf()
			})
			t.Run("safe sleep", func(t *testing.T) {
				t.Parallel()
				b := newBoxAt(t, h, true)
				b.publishOwn("SSL-100")
				b.playOwn("SSL-100")
			})
		})
	}
}

func (b *box) playGolf() {
	b.Helper()
	p := b.newTab(b)
	p.signIn(b.person("Maya"))
	p.homeShows(0)
	p.open("/courses?q=golf")
	p.sees("Golf explained")
	p.begin("GOLF-1")

	lesson := p.lesson()
	for page := 1; page <= 6; page++ {
		lesson.until("the lesson is there", `document.querySelector("#contentFrame")`)
		lesson.click("#butNext")
		lesson.until(fmt.Sprintf("page %d shows", page+1), fmt.Sprintf(`window.currentPage == %d`, page))
	}
	p.do("reload", chromedp.Reload())
	lesson = p.lesson()
	lesson.until("the lesson resumes on the page it was left on", `window.currentPage == 6`)
	for page := 7; page <= 13; page++ {
		lesson.click("#butNext")
		lesson.until(fmt.Sprintf("page %d shows", page+1), fmt.Sprintf(`window.currentPage == %d`, page))
	}
	p.readsHoursAtOnce("Golf explained", func() { lesson.click("#butNext") })
}

// readsHoursAtOnce tells how long after the completion, which is when the server
// received the passing commit, its hours can be read in the training report.
func (p *tab) readsHoursAtOnce(title string, complete func()) {
	p.Helper()
	pressed := time.Now()
	complete()
	report := fmt.Sprintf(`fetch("/report").then(r => r.text()).then(text => text.includes(%s))`, js(title))
	err := wait(p.ctx, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](report, chromedp.EvalAwaitPromise))
	})
	read := time.Now()
	require.NoError(p, err)
	var completed time.Time
	require.NoError(p, p.box.DB.QueryRow(p.ctx, `SELECT completed_at FROM enrollments.enrollments`).Scan(&completed))
	p.Logf("the hours stood in the training report %d ms after the completion, %d ms after the press of the button",
		read.Sub(completed).Milliseconds(), read.Sub(pressed).Milliseconds())
	p.until("the player says that the course is completed", `!document.querySelector("#panel").hidden`)
	p.until("and that its hours are in the training report", `document.querySelector("#panel-more").innerText.trim() || document.querySelector("#panel-text").innerText.includes("training report")`)
	p.accessible("player-completed")
	p.open("/report")
	p.sees(title)
	p.sees("1.25 of 12.0 clock hours")
	p.homeShows(5)
	p.mailSays("Your clock hours for "+title, fmt.Sprintf("1.25 h count for %d", lms.DateOf(completed).Year))
}

// homeShows looks at the bar of the year on the home page.
func (p *tab) homeShows(hours lms.Hours) {
	p.Helper()
	p.open("/")
	p.sees(hours.String() + " of 12.0 clock hours")
	require.Equal(p, int(hours), eval[int](p, `document.querySelector(".mo-yearbar__bar").value`))
}

// publishOwn publishes one of the demonstration courses.
func (b *box) publishOwn(code string) {
	b.Helper()
	var pkg bytes.Buffer
	require.NoError(b, coursekit.Build(code, &pkg))
	b.publish(code, "Our own "+code, bytes.NewReader(pkg.Bytes()), int64(pkg.Len()), 0)
}

func (b *box) playOwn(code string) {
	b.Helper()
	p := b.newTab(b)
	p.signIn(b.person("Maya"))
	p.homeShows(0)
	p.begin(code)
	lesson := p.lesson()
	lesson.until("the lesson is live", `document.documentElement.classList.contains("live")`)
	lesson.click("#next")
	lesson.click("#next")
	place := `document.querySelector(".page:not([hidden])").dataset.page`
	lesson.until("three pages are read", place)
	p.do("reload", chromedp.Reload())
	lesson = p.lesson()
	lesson.until("the lesson is live again", `document.documentElement.classList.contains("live")`)
	lesson.until("it resumes on the third page", `document.querySelector("#place").textContent.includes("3")`)
	lesson.until("the quiz is reached", `(() => { for (const b of [document.querySelector("#start-quiz")]) if (b && b.getClientRects().length) return true; document.querySelector("#next").click(); return false })()`)
	lesson.click("#start-quiz")
	for i, answer := range coursekit.Answers(code) {
		lesson.until("question is answered", fmt.Sprintf(`(() => { const r = document.querySelector('input[name="q%d"][value="%s"]'); if (!r) return false; r.click(); return r.checked })()`, i+1, answer))
	}
	p.readsHoursAtOnce("Our own "+code, func() { lesson.click("#check-answers") })
}
