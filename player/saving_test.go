package player

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// saved waits until the server holds a value.
func (p *tab) saved(element, value string) {
	p.t.Helper()
	until(p.t, p.ctx, element+" is saved", func(context.Context) (bool, error) {
		return p.count(`SELECT count(*) FROM player.activity_data WHERE data->>$1 = $2`, element, value) == 1, nil
	})
}

func TestAnswersAreSavedWithinASecondAndComeBack(t *testing.T) {
	t.Parallel()
	p := course(t)
	p.play(p.frame(), initialize, set("cmi.suspend_data", "bookmark"), set("cmi.core.lesson_status", "incomplete"), set("cmi.core.session_time", "00:10:00"))
	p.saved("cmi.suspend_data", "bookmark")
	p.sees("Saved ")
	p.navigate(p.learn())
	p.play(p.frame(), initialize, get("cmi.suspend_data", "bookmark"), get("cmi.core.lesson_status", "incomplete"), get("cmi.core.entry", "resume"), get("cmi.core.total_time", "0000:10:00.00"))
}

func TestLastWordsAtTheCloseArrive(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.core.lesson_status", "incomplete"))
	evaluate[any](t, frame, `void (document.querySelector("#sco").contentWindow.lastWords = api => {
		api.LMSSetValue("cmi.suspend_data", "last"); api.LMSSetValue("cmi.core.exit", "suspend"); api.LMSFinish("");
	})`)
	p.navigate("/my-courses")
	p.saved("cmi.suspend_data", "last")
	require.Equal(t, 1, p.count(`SELECT count(*) FROM player.activity_data WHERE finished`))
}

func TestWhileTheLineIsDownTheShellSaysSoAndNothingIsLost(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.suspend_data", "before"))
	p.saved("cmi.suspend_data", "before")
	p.down.Store(true)
	p.play(frame, set("cmi.suspend_data", "during"), call{"Commit", "", "", "true", "0"})
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	p.sees("trying again. You can go on")
	p.play(frame, set("cmi.core.lesson_location", "4"))
	n, err := chromedp.Run(frame, chromedp.Evaluate[int](journaled, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	require.Equal(t, 2, n, "both changes are journaled")
	p.click("#help")
	p.choose("Close")
	require.Equal(t, "help", evaluate[string](t, p.ctx, `document.activeElement.id`))
	p.click("#exit") // leaving asks first
	p.sees("Leave now")
	p.choose("Stay and keep trying")
	p.until(`document.querySelector("#panel").hidden`)
	p.down.Store(false)
	p.saved("cmi.suspend_data", "during")
	p.saved("cmi.core.lesson_location", "4")
	p.until(`document.querySelector("#save").dataset.state === "saved" && document.querySelector("#banner").hidden`)
	until(t, frame, "the journal is empty", func(ctx context.Context) (bool, error) {
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](journaled, chromedp.EvalAwaitPromise))
		return err == nil && n == 0, err
	})
}

// journaled counts what the journal holds, and seen what of it the person was told of.
const (
	journaled = `new Promise((resolve, reject) => {
	const open = indexedDB.open("journal");
	open.onerror = reject;
	open.onsuccess = () => {
		const all = open.result.transaction("changes").objectStore("changes").getAll();
		all.onsuccess = () => { open.result.close(); resolve(all.result.filter(e => e.seen || !window.onlySeen).length); };
	};
})`
	seen = `(window.onlySeen = true, ` + journaled + `)`
)

func TestExitWaitsUntilEverythingIsSaved(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.suspend_data", "x"))
	evaluate[any](t, frame, `void (document.querySelector("#sco").contentWindow.lastWords = api => {
		api.LMSSetValue("cmi.suspend_data", "y".repeat(64000)); api.LMSSetValue("cmi.comments", "é".repeat(4096)); api.LMSFinish("");
	})`)
	p.click("#exit")
	p.until(`location.pathname === "/my-courses"`)
	require.Equal(t, 1, p.count(`SELECT count(*) FROM player.activity_data WHERE length(data->>'cmi.suspend_data') = 64000 AND finished`), "also what is too much for keepalive")
}

func TestAKilledBrowserLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.files["index.html"] = []byte(lesson)
	w.attest()
	s := serve(t, w)
	profile := t.TempDir()
	chromium, err := lmstest.StartChromium(chromedp.UserDataDir(profile))
	require.NoError(t, err)
	p := s.openIn(chromium)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.suspend_data", "saved"), set("cmi.core.session_time", "00:01:00"))
	p.saved("cmi.suspend_data", "saved")
	p.down.Store(true)
	p.play(frame, set("cmi.suspend_data", "unsent"), set("cmi.core.session_time", "00:02:00"), set("cmi.core.lesson_location", "7"))
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	require.NoError(t, chromium.Kill())
	p.down.Store(false)

	chromium, err = lmstest.StartChromium(chromedp.UserDataDir(profile))
	require.NoError(t, err)
	t.Cleanup(chromium.Stop)
	p = s.openIn(chromium)
	p.play(p.frame(), initialize, get("cmi.suspend_data", "unsent"), get("cmi.core.lesson_location", "7"), get("cmi.core.total_time", "0000:02:00.00"))
	require.Equal(t, 1, p.count(`SELECT count(*) FROM player.session_times WHERE epoch = 1 AND centiseconds = 12000`), "the time is that of the session in which it passed")
	require.Zero(t, p.count(`SELECT count(*) FROM player.session_times WHERE epoch = 2`))
}

func TestWorkThatAnotherComputerOvertookIsKeptAndShownNotSent(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.suspend_data", "saved"))
	p.saved("cmi.suspend_data", "saved")
	p.down.Store(true)
	p.play(frame, set("cmi.suspend_data", "overtaken"))
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	elsewhere := p.launch()
	elsewhere.set("cmi.suspend_data", "newer")
	p.down.Store(false)
	p.sees("This course is open somewhere else")
	p.sees("What you did here since the last save was not sent")
	p.until(`!document.querySelector("iframe")`)

	p.choose("Continue here instead")
	frame = p.frame()
	p.play(frame, initialize, get("cmi.suspend_data", "newer"))
	p.sees("were not added")
	p.click("#banner-close")
	until(t, frame, "it is noted that this was told", func(ctx context.Context) (bool, error) {
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](seen, chromedp.EvalAwaitPromise))
		return n == 1, err
	})
	p.navigate(p.learn())
	p.play(p.frame(), initialize, get("cmi.suspend_data", "newer"))
	require.True(t, evaluate[bool](t, p.ctx, `document.querySelector("#banner").hidden`), "it is told once")
}

// leaveUnsent makes calls while the line is down, and closes the course.
func (p *tab) leaveUnsent(frame context.Context, calls ...call) {
	p.t.Helper()
	p.down.Store(true)
	p.play(frame, calls...)
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	before := p.turnedAway.Load()
	p.navigate("/my-courses")
	until(p.t, p.ctx, "the last try of the closing page has failed", func(context.Context) (bool, error) {
		return p.turnedAway.Load() > before, nil
	})
	p.down.Store(false)
}

func TestACompletionThatWasLeftUnsentIsShownAndTheCourseStaysClosed(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	p.leaveUnsent(frame, set(elementStatus, "passed"), call{"Finish", "", "", "true", "0"})
	p.navigate(p.learn())
	p.sees("It is now in your training report.")
	require.Equal(t, lms.Completed, p.state())
	require.Zero(t, p.count(`SELECT count(*) FROM player.sessions WHERE epoch = 2 AND seq <> 1`), "the content did not run again")
	require.False(t, evaluate[bool](t, p.ctx, `document.querySelector("#panel").hidden || !document.querySelector("#banner").hidden`))
	p.choose("Go to my courses")
	p.until(`location.pathname === "/my-courses"`)
}

func TestWhatTheServerRefusesForGoodIsPutAsideAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	p.leaveUnsent(frame, set("cmi.comments", poison), set("cmi.core.exit", "suspend"), call{"Finish", "", "", "true", "0"})
	p.navigate(p.learn())
	frame = p.frame()
	p.sees("more from")
	p.sees("It is kept on this computer.")
	p.play(frame, initialize, set("cmi.suspend_data", poison), call{"Commit", "", "", "true", "0"})
	until(t, p.ctx, "both numbers are acknowledged", func(context.Context) (bool, error) {
		return p.count(`SELECT count(*) FROM player.sessions WHERE epoch = 2 AND seq = 2`) == 1, nil
	})
	p.play(frame, set("cmi.core.lesson_location", "4"))
	p.saved("cmi.core.lesson_location", "4")
	until(t, frame, "the journal keeps what was refused, and only that", func(ctx context.Context) (bool, error) {
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int](journaled, chromedp.EvalAwaitPromise))
		return n == 2, err
	})
	p.play(frame, set(elementStatus, "passed"))
	p.sees("You completed")
}

func TestWithoutRoomInTheJournalWhatWasLeftIsSentAllTheSame(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	p.leaveUnsent(frame, set("cmi.suspend_data", "unsent"))
	p.prelude.Store(`IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); }`)
	p.navigate(p.learn())
	p.play(p.frame(), initialize, get("cmi.suspend_data", "unsent"))
	p.sees("keep this window open until you see")
	p.prelude.Store("")
	p.navigate(p.learn())
	frame = p.frame()
	p.play(frame, initialize, get("cmi.suspend_data", "unsent"))
	require.True(t, evaluate[bool](t, p.ctx, `document.querySelector("#banner").hidden`), "nothing is told to be left")
}

func TestWithoutAJournalNothingIsSaidToBeKept(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) { w.prelude.Store(`IDBFactory.prototype.open = () => { throw new Error("none"); }`) })
	frame := p.frame()
	p.down.Store(true)
	p.play(frame, initialize, set("cmi.suspend_data", "x"))
	p.sees("Keep this window open until it is saved.")
	p.fence()
	p.down.Store(false)
	p.sees("this browser could not keep it")
}

func TestAPlayerStopsWithTheReasonAndTheWayOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stop         func(*tab)
		title, way   string
		destinations string
	}{
		"another course": {func(p *tab) { p.takenByAnother() }, "You have another course open", "Go to my courses", "/my-courses"},
		"signed out":     {func(p *tab) { p.signedOut.Store(true) }, "You were signed out", "Sign in", "/sign-in?next="},
		"set aside":      {func(p *tab) { p.fence() }, "This course has stopped here", "Go to my courses", "/my-courses"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := course(t)
			frame := p.frame()
			p.play(frame, initialize, set("cmi.suspend_data", "saved"))
			p.saved("cmi.suspend_data", "saved")
			c.stop(p)
			p.play(frame, set("cmi.suspend_data", "unsent"))
			p.sees(c.title)
			p.sees("It is kept on this computer.")
			require.Contains(t, evaluate[string](t, p.ctx, fmt.Sprintf(`[...document.querySelectorAll("#panel-actions a")].find(a => a.textContent === %q).getAttribute("href")`, c.way)), c.destinations)
		})
	}
}

func TestATabHearsAtOnceThatAnotherCourseWasOpened(t *testing.T) {
	t.Parallel()
	p := course(t)
	p.frame()
	evaluate[any](t, p.ctx, fmt.Sprintf(`void new BroadcastChannel("player").postMessage({learner: %d, enrollment: %d, epoch: 9})`, p.person.MOPDID, p.active.ID+1))
	p.sees("You have another course open")
	p.sees("another tab or window just now")
	p.until(`!document.querySelector("iframe")`)
}

// takenByAnother launches another course of the same person.
func (w *world) takenByAnother() {
	w.t.Helper()
	w.fence()
	_, err := w.db.Exec(w.t.Context(), `UPDATE enrollments.enrollments SET state = 'ready' WHERE id = $1`, w.active.ID)
	require.NoError(w.t, err)
	mine := w.active
	w.active = lmstest.Enrollment(w.t, w.db, w.person, lmstest.Course(w.t, w.db), func(e *lms.Enrollment) { e.State = lms.Active })
	w.launch()
	w.active = mine
}

func TestLeavingAPlayerThatIsNoMoreTheLiveOneSaysSo(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	evaluate[any](t, frame, `void (document.querySelector("#sco").contentWindow.lastWords = api => api.LMSSetValue("cmi.suspend_data", "last"))`)
	p.until(`document.querySelector("#save").dataset.state === "saved"`)
	p.fence()
	p.click("#exit")
	p.sees("This course has stopped here")
	p.sees("It is kept on this computer.")
	p.click("#exit")
	p.until(`location.pathname === "/my-courses"`)
}

func TestAnAnswerThatIsNotOursIsAFailedTry(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	p.proxied.Store(true)
	p.play(frame, set("cmi.suspend_data", "x"))
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	require.True(t, evaluate[bool](t, p.ctx, `document.querySelector("#panel").hidden`))
	p.proxied.Store(false)
	p.saved("cmi.suspend_data", "x")
}

func TestACompletionForNoCreditPromisesNoHours(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) { w.posted = lms.Denied })
	p.play(p.frame(), initialize, set(elementStatus, "passed"))
	p.sees("earns no clock hours")
	require.False(t, evaluate[bool](t, p.ctx, `document.querySelector("#panel").innerText.includes("1.25")`))
}

func TestASecondTabTakesOverVisibly(t *testing.T) {
	t.Parallel()
	first := course(t)
	frame := first.frame()
	first.play(frame, initialize, set("cmi.suspend_data", "first tab"))
	second := first.openIn(first.ctx)
	second.play(second.frame(), initialize, get("cmi.suspend_data", "first tab"))
	// The other tab says so, or the server does when this one saves: whichever is first.
	first.sees("This course is open somewhere else")
	first.until(`!document.querySelector("iframe")`)
	require.Equal(t, "panel-title", evaluate[string](t, first.ctx, `document.activeElement.id`))
	first.choose("Continue here instead")
	first.play(first.frame(), initialize, get("cmi.suspend_data", "first tab"))
	second.sees("This course is open somewhere else")
}

func TestCompletionShowsAndLeadsToTheReport(t *testing.T) {
	t.Parallel()
	p := course(t)
	p.play(p.frame(), initialize, set("cmi.core.lesson_status", "passed"))
	p.sees("You completed " + p.active.Title)
	p.sees("It is now in your training report.")
	p.sees("1.25 clock hours")
	require.Equal(t, lms.Completed, p.state())
	require.True(t, evaluate[bool](t, p.ctx, `[...document.querySelectorAll("#panel-actions > *")].some(b => b.textContent === "See my training report")`))
	p.choose("Back to the course")
	p.until(`document.querySelector("#panel").hidden && !document.querySelector("iframe").inert`)
}

func TestContentThatReloadsBeginsAnotherVisitInTheSameSession(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.core.session_time", "00:05:00"), set("cmi.core.exit", "suspend"), call{"Finish", "", "", "true", "0"},
		call{"Initialize", "", "", "false", "101"})
	evaluate[any](t, frame, `void (document.querySelector("#sco").contentWindow.lastWords = undefined, document.querySelector("#sco").contentWindow.location.reload())`)
	until(t, frame, "the lesson is loaded again", func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](`!!document.querySelector("#sco").contentWindow.lastWords`))
	})
	p.play(frame, initialize, get("cmi.core.entry", "resume"), get("cmi.core.total_time", "0000:05:00.00"), set("cmi.core.session_time", "00:01:00"), call{"Finish", "", "", "true", "0"})
	until(t, p.ctx, "both visits' time is saved", func(context.Context) (bool, error) {
		return p.count(`SELECT count(*) FROM player.session_times WHERE epoch = 1 AND centiseconds = 36000`) == 1, nil
	})
}

func TestATabletThatPosesAsAComputerIsSentToOne(t *testing.T) {
	t.Parallel()
	p := course(t)
	p.frame()
	_, err := chromedp.Call(p.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true, MaxTouchPoints: 5})
	require.NoError(t, err)
	_, err = chromedp.Call(p.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", Platform: "MacIntel"})
	require.NoError(t, err)
	p.navigate(p.learn())
	p.sees("Open this course on a computer")
	require.Equal(t, 1, p.count(`SELECT count(*) FROM player.sessions`), "it was not launched again")
}

func TestTheEndOfTheWindowIsToldBeforeItComes(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) { w.now = w.active.LastDay.End().Add(-9 * time.Minute) })
	p.frame()
	p.sees("ends in 10 minutes, at 12:00")
	p.setClock(p.active.LastDay.End())
	p.play(p.frame(), initialize, set("cmi.core.lesson_status", "passed"))
	p.sees("The time to complete this course is over")
	require.Equal(t, 1, p.count(fmt.Sprintf(`SELECT count(*) FROM player.held_commits WHERE changes->>'%s' = 'passed' AND made_at IS NOT NULL`, elementStatus)))
}

func TestACourseOpenedWhileTheServerIsSilentStartsWhenItAnswers(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) { w.down.Store(true) })
	p.sees("The server does not answer")
	p.down.Store(false)
	p.play(p.frame(), initialize)
	p.until(`document.querySelector("#banner").hidden && document.querySelector("#save").dataset.state === "saved"`)
}
