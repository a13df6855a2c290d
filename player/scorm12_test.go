package player

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/lms"
)

// scenarios are calls in fresh sessions of SCORM 1.2 (Run-Time Environment 3.3, 3.4).
func scenarios(w *world) map[string][]call {
	long := strings.Repeat("é", 64_000)
	return map[string][]call{
		"states": {
			{"GetValue", "cmi.core.student_id", "", "", "301"}, {"SetValue", "cmi.suspend_data", "x", "false", "301"},
			{"Commit", "", "", "false", "301"}, {"Finish", "", "", "false", "301"},
			{"Initialize", "x", "", "false", "201"}, initialize, {"Initialize", "", "", "false", "101"},
			{"Commit", "x", "", "false", "201"}, {"Commit", "", "", "true", "0"}, {"Finish", "x", "", "false", "201"},
			set("cmi.core.exit", "suspend"), {"Finish", "", "", "true", "0"}, {"Finish", "", "", "false", "301"},
			{"GetValue", "cmi.core.student_id", "", "", "301"}, {"SetValue", "cmi.suspend_data", "x", "false", "301"},
			{"Initialize", "", "", "false", "101"},
		},
		"errors": {
			{"GetErrorString", "0", "", "No error", "0"}, {"GetErrorString", "101", "", "General exception", "0"},
			{"GetErrorString", "407", "", "", "0"}, {"GetErrorString", "", "", "", "0"},
			{"GetValue", "cmi.core.student_id", "", "", "301"}, {"GetErrorString", "301", "", "Not initialized", "301"},
			initialize, unread("", "201"), unread("xyz.score.result", "401"), unread("cmi", "401"), unread("cmi.core", "401"),
			unread("cmi.core.name", "401"), unread("cmi.core.score", "401"), unread("cmi.0.x", "401"), refused("cmi.core.name", "x", "401"), refused("", "x", "201"),
			unread("cmi.core.lesson_status._children", "202"), unread("cmi.core._count", "203"), unread("cmi.core.lesson_status._count", "203"),
			unread("cmi.nothing._children", "401"), unread("cmi.nothing._count", "401"), unread("cmi.core._version", "401"),
			refused("cmi.core._children", "x", "402"), refused("cmi.objectives._count", "1", "402"), refused("cmi._version", "4", "402"),
			refused("cmi.core.student_id", "x", "403"), refused("cmi.core.entry", "", "403"), refused("cmi.core.total_time", "00:00:01", "403"), refused("cmi.launch_data", "x", "403"),
			unread("cmi.core.exit", "404"), unread("cmi.core.session_time", "404"),
			unread("cmi.constructor", "401"), unread("constructor", "401"), unread("__proto__", "401"), unread("cmi.__proto__._children", "401"), unread("toString._children", "401"), refused("__proto__", "x", "401"),
		},
		"what the system tells": {
			initialize, get("cmi._version", "3.4"),
			get("cmi.core._children", "student_id,student_name,lesson_location,credit,lesson_status,entry,score,total_time,lesson_mode,exit,session_time"),
			get("cmi.core.student_name", w.person.SortName()), get("cmi.core.credit", "credit"), get("cmi.core.lesson_mode", "normal"),
			get("cmi.core.entry", "ab-initio"), get("cmi.core.lesson_status", "not attempted"), get("cmi.core.total_time", "0000:00:00.00"),
			get("cmi.core.score._children", "raw,min,max"), get("cmi.core.score.raw", ""), get("cmi.core.lesson_location", ""),
			get("cmi.launch_data", "<from the manifest>"), get("cmi.comments_from_lms", ""), get("cmi.comments", ""), get("cmi.suspend_data", ""),
			get("cmi.student_data._children", "mastery_score,max_time_allowed,time_limit_action"), get("cmi.student_data.mastery_score", "80"),
			get("cmi.student_data.max_time_allowed", "0001:00:00"), get("cmi.student_data.time_limit_action", "continue,message"),
			get("cmi.student_preference._children", "audio,language,speed,text"), get("cmi.student_preference.audio", "0"),
			get("cmi.objectives._children", "id,score,status"), get("cmi.objectives._count", "0"), get("cmi.interactions._count", "0"),
			get("cmi.interactions._children", "id,objectives,time,type,correct_responses,weighting,student_response,result,latency"),
		},
		"types": {
			initialize,
			set("cmi.core.lesson_location", strings.Repeat("x", 255)), refused("cmi.core.lesson_location", strings.Repeat("x", 256), "405"),
			get("cmi.core.lesson_location", strings.Repeat("x", 255)), set("cmi.core.lesson_location", ""),
			refused("cmi.core.lesson_status", "not attempted", "405"), refused("cmi.core.lesson_status", "Passed", "405"), refused("cmi.core.lesson_status", "", "405"),
			set("cmi.core.lesson_status", "browsed"), set("cmi.core.lesson_status", "failed"), set("cmi.core.lesson_status", "incomplete"), get("cmi.core.lesson_status", "incomplete"),
			set("cmi.core.score.raw", "0"), set("cmi.core.score.raw", "100"), set("cmi.core.score.raw", "66.66666666666667"), set("cmi.core.score.raw", ".5"), set("cmi.core.score.raw", ""),
			refused("cmi.core.score.raw", "101", "405"), refused("cmi.core.score.raw", "-1", "405"), refused("cmi.core.score.raw", "ten", "405"), refused("cmi.core.score.raw", "1e1", "405"), refused("cmi.core.score.max", "150", "405"),
			set("cmi.core.exit", "time-out"), set("cmi.core.exit", "logout"), set("cmi.core.exit", ""), set("cmi.core.exit", "suspend"), refused("cmi.core.exit", "normal", "405"),
			set("cmi.core.session_time", "00:00:10"), set("cmi.core.session_time", "9999:99:99.99"), set("cmi.core.session_time", "0000:00:01.5"),
			refused("cmi.core.session_time", "1:00:00", "405"), refused("cmi.core.session_time", "PT1H", "405"), refused("cmi.core.session_time", "00:00:00.123", "405"), refused("cmi.core.session_time", "", "405"),
			set("cmi.suspend_data", long), get("cmi.suspend_data", long), refused("cmi.suspend_data", long+"x", "405"), refused("cmi.suspend_data", "a\x00b", "405"),
			set("cmi.comments", strings.Repeat("c", 4096)), refused("cmi.comments", strings.Repeat("c", 4097), "405"),
			set("cmi.student_preference.audio", "-1"), set("cmi.student_preference.audio", "100"), refused("cmi.student_preference.audio", "101", "405"), refused("cmi.student_preference.audio", "1.5", "405"),
			set("cmi.student_preference.speed", "-100"), refused("cmi.student_preference.speed", "-101", "405"), set("cmi.student_preference.text", "1"), refused("cmi.student_preference.text", "2", "405"),
			set("cmi.student_preference.language", "español"), get("cmi.student_preference.language", "español"),
		},
		"arrays": {
			initialize,
			unread("cmi.objectives.0.id", "201"), refused("cmi.objectives.1.id", "o1", "201"), unread("cmi.objectives.x.id", "401"), unread("cmi.objectives.-1.id", "401"),
			set("cmi.objectives.0.id", "obj-0"), get("cmi.objectives._count", "1"), get("cmi.objectives.0.id", "obj-0"), get("cmi.objectives.0.status", "not attempted"),
			refused("cmi.objectives.1.id", "has space", "405"), refused("cmi.objectives.1.id", "", "405"), get("cmi.objectives._count", "1"), set("cmi.objectives.1.id", "preguntaº1"),
			set("cmi.objectives.0.status", "not attempted"), set("cmi.objectives.0.status", "passed"), set("cmi.objectives.0.score.raw", "50"), refused("cmi.objectives.0.score.raw", "500", "405"),
			get("cmi.objectives.0.score._children", "raw,min,max"), unread("cmi.objectives.9.score._children", "201"), refused("cmi.objectives.0.score._children", "x", "402"),
			set("cmi.interactions.0.id", "q1"), unread("cmi.interactions.0.id", "404"), get("cmi.interactions._count", "1"), set("cmi.interactions.0.time", "23:59:59.99"), refused("cmi.interactions.0.time", "24:00:00", "405"),
			set("cmi.interactions.0.type", "choice"), refused("cmi.interactions.0.type", "essay", "405"),
			get("cmi.interactions.0.objectives._count", "0"), set("cmi.interactions.0.objectives.0.id", "obj-0"), get("cmi.interactions.0.objectives._count", "1"), refused("cmi.interactions.0.objectives.2.id", "x", "201"),
			get("cmi.interactions.0.correct_responses._count", "0"), set("cmi.interactions.0.correct_responses.0.pattern", "{a,b}"), get("cmi.interactions.0.correct_responses._count", "1"),
			set("cmi.interactions.0.weighting", "-2.5"), refused("cmi.interactions.0.weighting", "heavy", "405"),
			set("cmi.interactions.0.student_response", "a"), set("cmi.interactions.0.result", "wrong"), set("cmi.interactions.0.result", "3.5"), refused("cmi.interactions.0.result", "right", "405"),
			set("cmi.interactions.0.latency", "00:00:05.5"), refused("cmi.interactions.0.latency", "5", "405"), unread("cmi.interactions.1.objectives._count", "201"),
		},
	}
}

func TestTheRunTimeAnswersAsSCORM12Says(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) {
		w.content.LaunchData, w.content.MasteryScore, w.content.MaxTime, w.content.TimeLimit = "<from the manifest>", "80", "0001:00:00", "continue,message"
	})
	first := true
	for name, calls := range scenarios(p.world) {
		if !first {
			p.fresh()
		}
		first = false
		t.Log(name)
		p.play(p.frame(), calls...)
	}
}

// fresh opens the course again as if nobody had been in it.
func (p *tab) fresh() {
	p.t.Helper()
	p.until(`document.querySelector("#save").dataset.state === "saved"`)
	p.navigate("/my-courses")
	_, err := p.db.Exec(p.t.Context(), `WITH times AS (DELETE FROM player.session_times) DELETE FROM player.activity_data`)
	require.NoError(p.t, err)
	p.navigate(p.learn())
}

func TestValuesThatAreNoStringsAreTakenAsStrings(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	require.Equal(t, []string{"true", "true", "50", "true", "true", "", "false", "201", "false", "201"}, evaluate[[]string](t, frame, `[
		API.LMSInitialize(), API.LMSSetValue("cmi.core.score.raw", 50), API.LMSGetValue("cmi.core.score.raw"),
		API.LMSCommit(null), API.LMSSetValue("cmi.suspend_data", null), API.LMSGetValue("cmi.suspend_data"),
		API.LMSSetValue("cmi.suspend_data"), API.LMSGetLastError(), API.LMSSetValue(), API.LMSGetLastError()]`))
}

func TestAnIndexWithLeadingZeroesIsThatIndex(t *testing.T) {
	t.Parallel()
	p := course(t)
	zeroes := strings.Repeat("0", 250)
	p.play(p.frame(), initialize, set("cmi.objectives."+zeroes+".id", "a"), get("cmi.objectives.0.id", "a"), get("cmi.objectives.00.id", "a"),
		set("cmi.objectives.01.id", "b"), get("cmi.objectives._count", "2"), refused("cmi.objectives."+strings.Repeat("9", 400)+".id", "c", "201"))
	p.saved("cmi.objectives.0.id", "a")
	p.saved("cmi.objectives.1.id", "b")
}

func TestALessonLeftHalfwayIsNotDecidedByItsRunningScore(t *testing.T) {
	t.Parallel()
	p := course(t, func(w *world) { w.content.MasteryScore = "80" })
	p.play(p.frame(), initialize, set("cmi.core.lesson_status", "incomplete"), set("cmi.core.score.raw", "100"), set("cmi.core.exit", "suspend"), call{"Finish", "", "", "true", "0"})
	until(t, p.ctx, "the visit has ended", func(context.Context) (bool, error) {
		return p.count(`SELECT count(*) FROM player.activity_data WHERE finished`) == 1, nil
	})
	p.saved("cmi.core.lesson_status", "incomplete")
	require.Equal(t, lms.Active, p.state())
	p.navigate(p.learn())
	p.play(p.frame(), initialize, get("cmi.core.entry", "resume"), get("cmi.core.lesson_status", "incomplete"), call{"Finish", "", "", "true", "0"})
	p.saved("cmi.core.lesson_status", "passed")
}

func TestALessonMayHoldNoMoreThanTheServerKeeps(t *testing.T) {
	t.Parallel()
	p := course(t)
	frame := p.frame()
	refusedAt := evaluate[int](t, frame, `(() => {
		API.LMSInitialize("");
		for (let i = 0; i < 1000; i++) {
			if (API.LMSSetValue("cmi.interactions." + i + ".student_response", '"'.repeat(4096)) === "false") return i;
		}
		return -1;
	})()`)
	require.Greater(t, refusedAt, 100)
	until(t, p.ctx, "everything that was taken is saved", func(context.Context) (bool, error) {
		return refusedAt == p.count(`SELECT count(*) FROM player.activity_data, jsonb_object_keys(data) k WHERE k LIKE 'cmi.interactions.%'`), nil
	})
}
