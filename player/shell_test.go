package player

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

const panelHidden = `document.querySelector("#panel").hidden`

// forge says to the shell what content may say in the frame's place.
func (p *tab) forge(message string) {
	p.t.Helper()
	evaluate[any](p.t, p.frame(), fmt.Sprintf(`void parent.postMessage(%s, "*")`, message))
}

func TestContentThatSaysItIsCompletedIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	p.forge(`{type: "completed"}`)
	p.until(`performance.getEntriesByType("resource").some(r => r.name.endsWith("/status"))`)
	require.True(t, evaluate[bool](t, p.ctx, panelHidden))
	p.play(frame, set(elementStatus, "passed"))
	p.sees("You completed " + p.active.Title)
}

func TestWhereACourseIsOpenIsTheServersWord(t *testing.T) {
	t.Parallel()
	p := course(t)
	p.frame()
	p.forge(`{type: "stopped", unsent: false, stop: {why: "fenced", device: "Call 555-0100", since: "2026-03-16T12:00:00Z"}}`)
	p.sees("This course has stopped here")
	require.False(t, evaluate[bool](t, p.ctx, `document.body.innerText.includes("555")`))
}

func TestALessonsOwnExitShowsTheWayOn(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize, set("cmi.suspend_data", "x"), set("cmi.core.exit", "suspend"), call{"Finish", "", "", "true", "0"})
	p.sees("You left the lesson")
	p.saved("cmi.suspend_data", "x")
	p.choose("Open it again")
	p.until(panelHidden + ` && document.querySelector("#save").dataset.state === "saved"`)
	frame = p.frame()
	p.play(frame, initialize)
	p.down.Store(true)
	p.play(frame, get("cmi.core.entry", "resume"), set("cmi.core.exit", "suspend"), call{"Finish", "", "", "true", "0"})
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	require.True(t, evaluate[bool](t, p.ctx, panelHidden), "not before everything is acknowledged")
	p.down.Store(false)
	p.sees("You left the lesson")
	p.choose("Go to my courses")
	p.until(`location.pathname === "/my-courses"`)
}

func TestLeavingThatWaitedForTheLineGoesOnWhenItIsBack(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	p.play(frame, initialize)
	p.down.Store(true)
	p.play(frame, set("cmi.suspend_data", "x"))
	p.until(`document.querySelector("#save").dataset.state === "unsaved"`)
	p.click("#exit")
	p.sees("Leave now")
	p.down.Store(false)
	p.until(`location.pathname === "/my-courses"`)
	p.saved("cmi.suspend_data", "x")
}

func TestTimesInSpanishAreThoseOfTheUnitedStates(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) { w.person.Lang = "es" })
	p.frame()
	p.until(`/^Guardado: \d{1,2}:\d\d [ap]\.\s?m\.$/.test(document.querySelector("#save").textContent)`)
}
