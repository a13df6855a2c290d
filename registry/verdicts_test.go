package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// Whatever was decided before, the newest decision alone says what a completion earns and
// renews.
func TestTheNewestVerdictAloneSaysWhatACompletionEarnsAndRenews(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		verdicts := []Verdict{{Status: lms.Credited, Hours: 4}, {Status: lms.Denied}, {Status: lms.Denied, NotCompleted: true}, {Status: lms.Held}}
		f := facts{policies: threeYears, credits: []Recorded{{ID: 1, EarnedOn: lmstest.Today, SafeSleep: true, Status: lms.Credited, Hours: 4}}}
		var last Verdict
		for range rapid.IntRange(1, 5).Draw(t, "decisions") {
			last = rapid.SampledFrom(verdicts).Draw(t, "verdict")
			f = f.with(1, decision{Status: last.Status, Hours: last.Hours, Reason: last.reason()})
		}
		list, err := trainings(f.credits, f.policies)
		require.NoError(t, err)
		renews := last.Status == lms.Credited || last.Status == lms.Denied && !last.NotCompleted
		require.Equal(t, renews, safeSleepOn(lmstest.Today, list).State == lms.SafeSleepCurrent)
		require.Equal(t, last.Hours, f.credits[0].Hours)
		require.Equal(t, last.NotCompleted, f.credits[0].NotCompleted())
	})
}

func TestACompletionThatDidNotTakePlaceRenewsNothingUntilANewerDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lms.Viewer{Person: lmstest.Person(t, w.db)}
	w.earned(maya, lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep, c.Title = true, "Safe sleep" }), "2026-02-01")
	id := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	decide := func(v Verdict) Record {
		v.Credit = id
		require.NoError(t, w.Decide(t.Context(), rita, v, "", lmstest.Now))
		return w.recordAt(maya, Moment{parsed(t, "2026-12-31"), later.Known})
	}
	renewed := lms.SafeSleep{State: lms.SafeSleepCurrent, DoneOn: parsed(t, "2026-02-01"), Through: parsed(t, "2029-02-01")}

	r := decide(Verdict{Status: lms.Denied, Note: "Two trainings at once"})
	require.Equal(t, renewed, r.SafeSleep, "a real completion renews, even where it earns no hours")
	require.Zero(t, r.Year(2026).Counted())
	require.NotContains(t, w.lastText(), "Safe sleep: ")

	r = decide(Verdict{Status: lms.Denied, NotCompleted: true, Note: "Her sister took it"})
	require.Equal(t, lms.SafeSleepNone, r.SafeSleep.State)
	require.True(t, r.Credits[0].NotCompleted())
	require.Contains(t, w.lastText(), "A registrar found that you did not complete Safe sleep on February 1, 2026.")
	require.Contains(t, w.lastText(), "Safe sleep: no training is on record.")
	require.Contains(t, w.lastText(), "The registrar wrote: Her sister took it")
	require.Contains(t, w.lastText(), "ask a registrar to look at it again")

	r = decide(Verdict{Status: lms.Credited, Hours: 5, Note: "It was she after all"})
	require.Equal(t, renewed, r.SafeSleep)
	require.Equal(t, lms.Hours(5), r.Year(2026).Counted())
	require.Contains(t, w.lastText(), "1.25 clock hours count for Safe sleep")
	require.Contains(t, w.lastText(), "Safe sleep: done February 1, 2026, valid through February 1, 2029.")
	require.ErrorIs(t, w.Decide(t.Context(), rita, Verdict{Credit: id, Status: lms.Credited, Hours: 5, NotCompleted: true, Note: "Both"}, "", lmstest.Now), lms.ErrForm)
}

func TestTheDatabaseAloneWantsToKnowWhatADenialTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	w.earned(maya, lmstest.Course(t, w.db), "2026-02-01")
	for name, c := range map[string]struct{ status, reason, by, violates string }{
		"the rules say that it was not completed": {"denied", "not_completed", "NULL", "decisions_not_completed_denied"},
		"not completed, and held":                 {"held", "not_completed", "$1", "decisions_not_completed_denied"},
		"denied, and nobody knows what":           {"denied", "registrar", "$1", "decisions_take_hours_or_completion"},
		"not completed":                           {"denied", "not_completed", "$1", ""},
		"hours denied":                            {"denied", "hours_denied", "$1", ""},
	} {
		_, err := w.db.Exec(t.Context(), `INSERT INTO registry.decisions (credit, status, quarters, policy, recorded_at, reason, decided_by, note)
			SELECT id, '`+c.status+`', 0, (SELECT min(id) FROM registry.policies), now(), '`+c.reason+`', CASE WHEN $1 > 0 THEN `+c.by+`::bigint END, 'Why' FROM registry.credits`, int64(rita.ID))
		require.Equal(t, c.violates, pg.Violated(err), name)
	}
}

// lastText is the last letter.
func (w world) lastText() string {
	texts := w.posted.texts()
	if len(texts) == 0 {
		return ""
	}
	return strings.TrimSpace(texts[len(texts)-1])
}
