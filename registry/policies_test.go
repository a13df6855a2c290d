package registry

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/lmstest"
	"mopd/lms/pg"
)

// policyAt is a policy of a kind, in force from a day on.
func policyAt(t require.TestingT, id lms.PolicyID, kind lms.PolicyKind, value, from string) lms.Policy {
	return lms.Policy{ID: id, Kind: kind, Value: value, From: parsed(t, from)}
}

func TestAChangeOfRuleIsRefusedWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	policies := lms.Policies{policyAt(t, 1, lms.AnnualHours, "12", "1990-01-01"), policyAt(t, 2, lms.Proration, "by_month", "1990-01-01"),
		policyAt(t, 3, lms.AnnualHours, "10", "2027-01-01"), policyAt(t, 4, lms.SafeSleepYears, "3", "1990-01-01"), policyAt(t, 5, lms.WindowPolicy, "from_registration", "1990-01-01")}
	sound := PolicyChange{lms.AnnualHours, "11", parsed(t, "2028-01-01"), "As the state asks", 3}
	require.NoError(t, sound.check(policies, lmstest.Today))
	sameDay := sound
	sameDay.From = parsed(t, "2027-01-01")
	require.NoError(t, sameDay.check(policies, lmstest.Today), "one of the same day is corrected")
	for name, c := range map[string]struct {
		change func(*PolicyChange)
		field  string
		code   string
	}{
		"half hours":                     {func(c *PolicyChange) { c.Value = "11.5" }, "value", "policy_hours"},
		"no hours":                       {func(c *PolicyChange) { c.Value = "0" }, "value", "policy_hours"},
		"ten years":                      {func(c *PolicyChange) { c.Kind, c.Value, c.Follows = lms.SafeSleepYears, "10", 4 }, "value", "policy_years"},
		"no such window":                 {func(c *PolicyChange) { c.Kind, c.Value, c.Follows = lms.WindowPolicy, "forever", 5 }, "value", "policy_choice"},
		"before the record began":        {func(c *PolicyChange) { c.From = parsed(t, "1989-12-31") }, "from", "policy_from"},
		"more than ten years ahead":      {func(c *PolicyChange) { c.From = lmstest.Today.AddMonths(120).AddDays(1) }, "from", "policy_from"},
		"no reason":                      {func(c *PolicyChange) { c.Note = " " }, "note", "policy_note"},
		"what the day's rule is already": {func(c *PolicyChange) { c.Value = "10" }, "value", "policy_same"},
		"what an earlier day's rule is":  {func(c *PolicyChange) { c.Value, c.From = "12", parsed(t, "2026-12-31") }, "value", "policy_same"},
	} {
		changed := sound
		c.change(&changed)
		err := changed.check(policies, lmstest.Today)
		require.ErrorIs(t, err, lms.ErrForm, name)
		e, _ := lms.AsError(err)
		require.Equal(t, map[string]string{c.field: c.code}, e.Fields, name)
	}
	sound.Follows = 1
	require.ErrorIs(t, sound.check(policies, lmstest.Today), ErrPolicyMoved)
}

func TestTheYearsThatGoByAChangeAreThoseWhoseJanuary1ItHolds(t *testing.T) {
	t.Parallel()
	policies := lms.Policies{policyAt(t, 1, lms.AnnualHours, "12", "1990-01-01"), policyAt(t, 2, lms.AnnualHours, "15", "2025-01-01")}
	for name, c := range map[string]struct {
		from string
		want []int
	}{
		"past years, until the change after":   {"2023-01-01", []int{2023, 2024}},
		"a day in the year begins in the next": {"2023-01-02", []int{2024}},
		"corrected from the same day":          {"2025-01-01", []int{2025, 2026}},
		"this year":                            {"2026-01-01", []int{2026}},
		"the first year to come":               {"2026-03-01", []int{2027}},
		"some year to come":                    {"2030-01-01", []int{2030}},
		"no January 1 before the next change":  {"2024-06-01", nil},
	} {
		got, err := PolicyChange{Kind: lms.AnnualHours, Value: "10", From: parsed(t, c.from)}.years(policies, 2026)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
}

// Recomputing everything with the change on record gives what its preview said.
func TestAPreviewCountsWhoComesToBeShort(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := lms.Policies{policyAt(t, 1, lms.AnnualHours, "12", "1990-01-01"), policyAt(t, 2, lms.Proration, "by_month", "1990-01-01")}
		change := PolicyChange{Kind: lms.AnnualHours, Value: strconv.Itoa(rapid.IntRange(1, 30).Draw(t, "hours")), From: lms.Date{Year: rapid.IntRange(2019, 2028).Draw(t, "from"), Month: 1, Day: 1}}
		after, _ := change.with(before)
		var e PolicyEffects
		var short, notShort, asked int
		for range rapid.IntRange(0, 5).Draw(t, "people") {
			_, credits := drawRecord(t)
			f := facts{account: account{MadeAt: parsed(t, "2020-06-01").Start()}, policies: before}
			for _, c := range credits {
				f.credits = append(f.credits, Recorded{ID: c.ID, EarnedOn: c.EarnedOn, EarnedAt: c.EarnedAt, Hours: c.Hours})
			}
			was, err := f.allocate(2026)
			require.NoError(t, err)
			f.policies = after
			is, err := f.allocate(2026)
			require.NoError(t, err)
			e.compareYears(1, was, is, 2026)
			for year := 2015; year <= 2026; year++ {
				short += one(was.Year(year).Short() == 0 && is.Year(year).Short() > 0)
				notShort += one(was.Year(year).Short() > 0 && is.Year(year).Short() == 0)
				asked += one(was.Year(year).Hours != is.Year(year).Hours)
			}
		}
		for _, y := range e.Years {
			short, notShort, asked = short-y.Short, notShort-y.NotShort, asked-y.Asked
		}
		require.Equal(t, [3]int{}, [3]int{short, notShort, asked})
	})
}

func TestThoseWhoComeToLackSomethingAreListedFirst(t *testing.T) {
	t.Parallel()
	var e PolicyEffects
	for i := range 2 * mostListed {
		e.list(Affected{Person: lms.PersonID(i), lacks: i%4 == 0})
	}
	require.Len(t, e.Listed, mostListed)
	for i, a := range e.Listed {
		require.Equal(t, i < mostListed/2, a.lacks, i)
	}
}

// change drafts a change of rule, has it counted, and gives the draft.
func (w world) change(v lms.Person, kind lms.PolicyKind, value, from string) PolicyDraft {
	w.t.Helper()
	c := PolicyChange{Kind: kind, Value: value, From: parsed(w.t, from), Note: "As the state asks"}
	c.Follows = lms.PolicyID(w.count(`SELECT max(id) FROM registry.policies WHERE kind = $1`, kind))
	viewer := lms.Viewer{Person: v}
	id, err := w.DraftPolicy(w.t.Context(), viewer, c, lmstest.Now)
	require.NoError(w.t, err)
	require.ErrorIs(w.t, w.ChangePolicy(w.t.Context(), viewer, id, "127.0.0.1", lmstest.Now), lms.ErrNotFound, "not counted yet")
	require.NoError(w.t, w.PreviewPolicy(w.t.Context(), id, lmstest.Now))
	d, err := w.PolicyDraft(w.t.Context(), viewer, id)
	require.NoError(w.t, err)
	return d
}

func TestAChangeOfAnnualHoursSaysWhomItAffectsAndReportsOfBeforeStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	all, some, merged := lmstest.Person(t, w.db), lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	later := at("2026-03-15", t)
	for _, p := range []lms.Person{rita, all} {
		w.hired(p, "2026-01-01", later)
		w.completedAt(p, 48, "2026-01-10")
	}
	w.hired(some, "2027-02-01", later) // nothing asked of them
	w.completedAt(merged, 44, "2026-01-10")
	w.in(func(tx pgx.Tx) error {
		if err := w.Merge(t.Context(), tx, merged.ID, some.ID, lmstest.Now); err != nil {
			return err
		}
		lmstest.Merge(t, tx, merged.ID, some.ID)
		return nil
	})
	before := w.recordAt(all, Now(lmstest.Now))
	d := w.change(rita, lms.AnnualHours, "16", "2026-01-01")
	require.Equal(t, []YearEffect{{Year: 2026, Asked: 2, Short: 2}}, d.Effects.Years)
	require.Equal(t, rita.Name(), d.Effects.Listed[0].Name)
	require.Equal(t, all.MOPDID, d.Effects.Listed[1].MOPDID)
	require.Equal(t, 3, d.Effects.People)
	require.NoError(t, w.ChangePolicy(t.Context(), lms.Viewer{Person: rita}, d.ID, "127.0.0.1", lmstest.Now))
	require.ErrorIs(t, w.ChangePolicy(t.Context(), lms.Viewer{Person: rita}, d.ID, "127.0.0.1", lmstest.Now), ErrPolicyMoved)
	require.Equal(t, before, w.recordAt(all, Now(lmstest.Now.Add(-time.Second))).at(before.Moment))
	require.Equal(t, lms.Hours(64), w.recordAt(all, Now(lmstest.Now.Add(time.Second))).Year(2026).Hours)
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'policy_changed' AND actor = $1`, rita.ID))
}

// at is the record with another moment written on it.
func (r Record) at(m Moment) Record {
	r.Moment = m
	return r
}

func TestAnotherLengthOfSafeSleepSaysWhoseExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, maya := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	safe := lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true })
	require.NoError(t, w.post(w.completed(maya, safe, at("2024-02-01", t))))
	d := w.change(rita, lms.SafeSleepYears, "2", "2024-01-01")
	require.Equal(t, SleepEffect{Changed: 1, Expired: 1}, d.Effects.Sleep)
	require.Equal(t, "2027-02-01 2026-02-01", d.Effects.Listed[0].Before.String()+" "+d.Effects.Listed[0].After.String())
	require.Zero(t, w.change(rita, lms.SafeSleepYears, "2", "2026-04-01").Effects.Sleep, "those before stay valid")
}

func TestAnotherWindowOrRepeatRuleCountsWhatKeepsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita, maya := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	lmstest.Enrollment(t, w.db, maya, lmstest.Course(t, w.db))
	require.NoError(t, w.post(w.completed(maya, lmstest.Course(t, w.db), lmstest.Now)))
	require.Equal(t, 1, w.change(rita, lms.WindowPolicy, lms.CalendarYearEnd, "2026-04-01").Effects.Kept)
	require.Equal(t, 1, w.change(rita, lms.RepeatCredit, lms.CalendarYear, "2027-01-01").Effects.Kept)
	require.Zero(t, w.change(rita, lms.RepeatCredit, lms.CalendarYear, "2027-03-16").Effects.Kept)
}

func TestOfRegistrarsWhoChangeARuleAtOnceOneWins(t *testing.T) {
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	drafts := make([]PolicyDraft, lmstest.Racers)
	for i := range drafts {
		drafts[i] = w.change(rita, lms.AnnualHours, strconv.Itoa(20+i), "2027-01-01")
	}
	winner := lmstest.OneWins(t, w.db, ErrPolicyMoved, func(i int) error {
		return w.ChangePolicy(t.Context(), lms.Viewer{Person: rita}, drafts[i].ID, "127.0.0.1", lmstest.Now)
	})
	hours, err := lmstest.Policies(t, w.db).Required(2027)
	require.NoError(t, err)
	require.Equal(t, lms.Hours(4*(20+winner)), hours)
}

func TestTheDatabaseAloneLetsOneChangeFollowAnother(t *testing.T) {
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	follows := lms.PolicyID(w.count(`SELECT max(id) FROM registry.policies WHERE kind = 'window'`))
	lmstest.OneWins(t, w.db, ErrPolicyMoved, func(i int) error {
		return pg.InTx(t.Context(), w.db, func(tx pgx.Tx) error {
			_, err := insertPolicy(t.Context(), tx, PolicyChange{lms.WindowPolicy, lms.CalendarYearEnd, lmstest.Today.AddDays(i), "Why not", follows}, rita.ID, lmstest.Now)
			return explained(t, err, "policies_follows_key")
		})
	})
}

func TestTheDatabaseAloneWantsAReasonAndAKnownValueOfAChangeOfRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	insert := func(value, note string) string {
		_, err := w.db.Exec(t.Context(), `INSERT INTO registry.policies (kind, value, effective_from, follows, recorded_by, note, recorded_at)
			SELECT 'annual_hours', $1, '2027-01-01', max(id), $2, $3, now() FROM registry.policies WHERE kind = 'annual_hours'`, value, rita.ID, note)
		return pg.Violated(err)
	}
	require.Equal(t, "policies_say_why", insert("10", ""))
	require.Equal(t, "policies_value_known", insert("a dozen", "Why not"))
	require.Empty(t, insert("10", "As the state asks"))
}

// The last row of rules §5.
func TestACompletionGoesByTheRepeatRuleOfItsDay(t *testing.T) {
	t.Parallel()
	for second, want := range map[string]lms.CreditStatus{"2026-06-10": lms.Credited, "2026-06-09": lms.Denied} {
		w := newWorld(t)
		lmstest.Policy(t, w.db, lms.RepeatCredit, lms.CalendarYear, parsed(t, "2026-01-01"))
		p, c := lmstest.Person(t, w.db), lmstest.Course(t, w.db)
		first, again := w.completed(p, c, at("2025-06-10", t)), w.completed(p, c, at(second, t))
		require.NoError(t, w.post(first))
		require.NoError(t, w.post(again))
		require.Equal(t, want, w.status(again), second)
	}
}

func TestAReportOfATimeBeforeTheRecordBeganKnowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := lmstest.Person(t, w.db)
	require.Empty(t, w.recordAt(p, momentOf("2026-03-16", "2020-01-01T00:00", lmstest.Now)).Credits)
}

// 100,000 people with 10 credits each. A change for a year to come reads no credits.
func BenchmarkPreviewOfAChangeFor100000People(b *testing.B) {
	db := lmstest.DB(b)
	for _, sql := range []string{
		`INSERT INTO accounts.people (lang, recorded_at) SELECT 'en', '2024-01-01' FROM generate_series(1, 100000)`,
		`INSERT INTO registry.employments (person, employer, hired_on, source, recorded_at) SELECT id, '', '2024-01-01', 'import', '2026-01-02' FROM accounts.people`,
		`INSERT INTO registry.credits (source, reference, person, safe_sleep, title, sponsor, quarters, earned_on, earned_at, recorded_at)
			SELECT 'import', p.id || '/' || n, p.id, false, 'Course', 'Sponsor', 8, d, d, '2026-01-02' FROM accounts.people p, generate_series(1, 10) n, LATERAL (SELECT '2024-01-01'::date + 80 * n AS d) day`,
		`INSERT INTO registry.decisions (credit, status, quarters, policy, recorded_at) SELECT id, 'credited', 8, 3, '2026-01-02' FROM registry.credits`,
		`ANALYZE`,
	} {
		_, err := db.Exec(b.Context(), sql)
		require.NoError(b, err)
	}
	for name, from := range map[string]string{"of this year": "2026-01-01", "of next year": "2027-01-01"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, pg.InTx(b.Context(), db, func(tx pgx.Tx) error {
					e, err := policyEffects(b.Context(), tx, PolicyChange{Kind: lms.AnnualHours, Value: "10", From: parsed(b, from)}, lmstest.Now)
					require.Equal(b, 100_000, e.People)
					return err
				}))
			}
		})
	}
}

func TestANoteOfAnyLengthIsRefusedOrKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rita := lmstest.Person(t, w.db)
	follows := lms.PolicyID(w.count(`SELECT max(id)::int FROM registry.policies WHERE kind = 'annual_hours'`))
	_, err := w.DraftPolicy(t.Context(), lms.Viewer{Person: rita}, PolicyChange{
		Kind: lms.AnnualHours, Value: "13", From: lms.Date{Year: 2027, Month: 1, Day: 1}, Note: strings.Repeat("x", 1001), Follows: follows,
	}, lmstest.Now)
	require.ErrorIs(t, err, lms.ErrForm)
}
