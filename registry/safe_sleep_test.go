package registry

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
)

func parsed(t require.TestingT, s string) lms.Date {
	d, err := lms.ParseDate(s)
	require.NoError(t, err)
	return d
}

// threeYears is the rule of rules §6.
var threeYears = lms.Policies{{Kind: lms.SafeSleepYears, Value: "3", From: lms.Date{Year: 1990, Month: 1, Day: 1}}}

// trained is credited completions of courses marked safe sleep.
func trained(t require.TestingT, policies lms.Policies, days ...lms.Date) []training {
	var credits []Recorded
	for _, day := range days {
		credits = append(credits, Recorded{EarnedOn: day, Status: lms.Credited, SafeSleep: true})
	}
	list, err := trainings(credits, policies)
	require.NoError(t, err)
	return list
}

// The examples of rules §6.
func TestSafeSleepIsValidForThreeYears(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, done, today string
		state             lms.SafeSleepState
		through           string
	}{
		{"done 2023-05-10", "2023-05-10", "2023-05-10", lms.SafeSleepCurrent, "2026-05-10"},
		{"61 days before it expires", "2023-05-10", "2026-03-10", lms.SafeSleepCurrent, "2026-05-10"},
		{"60 days before it expires", "2023-05-10", "2026-03-11", lms.SafeSleepDue, "2026-05-10"},
		{"on the last day", "2023-05-10", "2026-05-10", lms.SafeSleepDue, "2026-05-10"},
		{"the day after", "2023-05-10", "2026-05-11", lms.SafeSleepExpired, "2026-05-10"},
		{"done on a leap day", "2024-02-29", "2026-01-01", lms.SafeSleepCurrent, "2027-02-28"},
		{"done on a leap day, the day after", "2024-02-29", "2027-03-01", lms.SafeSleepExpired, "2027-02-28"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := safeSleepOn(parsed(t, c.today), trained(t, threeYears, parsed(t, c.done)))
			require.Equal(t, lms.SafeSleep{State: c.state, DoneOn: parsed(t, c.done), Through: parsed(t, c.through)}, got)
		})
	}
	require.Equal(t, lms.SafeSleep{State: lms.SafeSleepNone}, safeSleepOn(lmstest.Today, nil))
}

func TestWhatRenewsSafeSleepIsARealCompletionWhetherItEarnsOrNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		credit Recorded
		renews bool
	}{
		"credited":                {Recorded{Status: lms.Credited, SafeSleep: true}, true},
		"credited by a registrar": {Recorded{Status: lms.Credited, SafeSleep: true, Reason: reasonRegistrar}, true},
		"denied: the same course earned within a year": {Recorded{Status: lms.Denied, SafeSleep: true, Reason: reasonRepeat}, true},
		"held: a younger credit stands":                {Recorded{Status: lms.Held, SafeSleep: true, Reason: reasonYoungerStands}, true},
		"held: two profiles were merged":               {Recorded{Status: lms.Held, SafeSleep: true, Reason: reasonMerged}, true},
		"hours denied by a registrar":                  {Recorded{Status: lms.Denied, SafeSleep: true, Reason: reasonHours}, true},
		"a registrar found that it was not completed":  {Recorded{Status: lms.Denied, SafeSleep: true, Reason: reasonNotCompleted}, false},
		"denied by a registrar who was not asked what": {Recorded{Status: lms.Denied, SafeSleep: true, Reason: reasonRegistrar}, false},
		"held by a registrar":                          {Recorded{Status: lms.Held, SafeSleep: true, Reason: reasonRegistrar}, false},
		"held: attended at the same time as another":   {Recorded{Status: lms.Held, SafeSleep: true, Reason: reasonAtOnce}, false},
		"denied: the import was undone":                {Recorded{Status: lms.Denied, SafeSleep: true, Reason: reasonUndone}, false},
		"a course not marked safe sleep":               {Recorded{Status: lms.Credited}, false},
	} {
		c.credit.EarnedOn = lmstest.Today
		list, err := trainings([]Recorded{c.credit}, threeYears)
		require.NoError(t, err, name)
		require.Equal(t, c.renews, safeSleepOn(lmstest.Today, list).State == lms.SafeSleepCurrent, name)
	}
}

func TestTheRuleOfTheDayOfCompletionSaysHowLongSafeSleepIsValid(t *testing.T) {
	t.Parallel()
	shorter := append(slices.Clone(threeYears), lms.Policy{ID: 2, Kind: lms.SafeSleepYears, Value: "1", From: parsed(t, "2026-01-01")})
	before, after := parsed(t, "2025-12-31"), parsed(t, "2026-01-01")
	require.Equal(t, "2028-12-31", safeSleepOn(after, trained(t, shorter, before)).Through.String())
	require.Equal(t, "2027-01-01", safeSleepOn(after, trained(t, shorter, after)).Through.String())
	both := safeSleepOn(after, trained(t, shorter, before, after))
	require.Equal(t, "2025-12-31 2028-12-31", both.DoneOn.String()+" "+both.Through.String(), "training once more takes nothing away")
	_, err := trainings([]Recorded{{EarnedOn: after, Status: lms.Credited, SafeSleep: true}}, nil)
	require.Error(t, err)
}

// A naive reading of §6: it is valid on each day that lies within the years of some
// completion, and the latest completion is the one that is shown.
func TestSafeSleepIsValidWhileAnyCompletionIs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		today := parsed(t, "2020-01-01").AddDays(rapid.IntRange(0, 3000).Draw(t, "today"))
		var days []lms.Date
		valid, long := false, false
		for range rapid.IntRange(0, 6).Draw(t, "completions") {
			day := today.AddDays(-rapid.IntRange(0, 2500).Draw(t, "ago"))
			days = append(days, day)
			valid = valid || !today.After(day.AddMonths(36))
			long = long || today.AddDays(60).Before(day.AddMonths(36))
		}
		got := safeSleepOn(today, trained(t, threeYears, days...))
		want := lms.SafeSleep{State: lms.SafeSleepNone}
		if len(days) > 0 {
			latest := slices.MaxFunc(days, lms.Date.Compare)
			want = lms.SafeSleep{State: lms.SafeSleepExpired, DoneOn: latest, Through: latest.AddMonths(36)}
		}
		switch {
		case long:
			want.State = lms.SafeSleepCurrent
		case valid:
			want.State = lms.SafeSleepDue
		}
		require.Equal(t, want, got)
		slices.Reverse(days)
		require.Equal(t, got, safeSleepOn(today, trained(t, threeYears, days...)), "in any order")
	})
}

func TestARepeatThatEarnsNothingRenewsSafeSleepAndAReportOfEarlierDoesNotKnowIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	safe := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	posted := func(c lms.Course, day string) {
		e := w.completed(p, c, at(day, t))
		w.in(func(tx pgx.Tx) error { return w.Post(t.Context(), tx, e, at(day, t).Add(time.Second)) })
	}
	posted(lmstest.Course(t, w.db), "2026-04-01")
	none := Now(at("2026-04-30", t))
	posted(safe, "2026-05-10")
	posted(safe, "2027-03-01")
	require.Equal(t, lms.SafeSleepNone, w.recordAt(p, none).SafeSleep.State)
	first := Now(at("2027-02-01", t))
	require.Equal(t, "2026-05-10", w.recordAt(p, first).SafeSleep.DoneOn.String())
	r := w.recordAt(p, Now(at("2027-03-02", t)))
	require.Equal(t, lms.SafeSleep{State: lms.SafeSleepCurrent, DoneOn: parsed(t, "2027-03-01"), Through: parsed(t, "2030-03-01")}, r.SafeSleep)
	require.Equal(t, lms.Denied, r.Credits[2].Status)
	w.in(func(tx pgx.Tx) error {
		s, err := w.SafeSleep(t.Context(), tx, p.ID, at("2030-01-15", t))
		require.Equal(t, lms.SafeSleepDue, s.State)
		return err
	})

	w.in(func(tx pgx.Tx) error {
		return insertDecision(t.Context(), tx, r.Credits[2].ID, decision{Status: lms.Denied, Policy: 3, Reason: reasonRegistrar, Note: "Somebody else took it"}, at("2027-06-01", t))
	})
	require.Equal(t, "2026-05-10", w.recordAt(p, Now(at("2027-06-02", t))).SafeSleep.DoneOn.String(), "a registrar denied it")
	require.Equal(t, "2027-03-01", w.recordAt(p, Now(at("2027-05-31", t))).SafeSleep.DoneOn.String(), "as it was known")
}

func TestARegistrarWhoSaysThatARepeatEarnsNothingTakesNoSafeSleepTrainingAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	course := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	w.earned(maya, course, "2025-06-10")
	w.earned(maya, course, "2026-02-01") // earns nothing, and renews (rules §6)
	renewed := lms.Date{Year: 2029, Month: 2, Day: 1}
	require.Equal(t, renewed, w.recordAt(maya, later).SafeSleep.Through)
	repeat := lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
	require.NoError(t, w.AskReview(t.Context(), maya.ID, repeat, "I did take it", "", lmstest.Now))
	require.NoError(t, w.Decide(t.Context(), lms.Viewer{Person: rita}, Verdict{Credit: repeat, Status: lms.Denied, Note: "Less than twelve months after the last one"}, "", lmstest.Now))
	require.Equal(t, renewed, w.recordAt(maya, later).SafeSleep.Through, "it was a real completion all the same")
}
