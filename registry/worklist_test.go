package registry

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"mopd/lms"
	"mopd/lms/lmstest"
)

// held is a credit that a registrar has to look at, since so many days.
func (w world) held(p lms.Person, days int) lms.CreditID {
	w.t.Helper()
	now := lmstest.Now.AddDate(0, 0, -days)
	w.in(func(tx pgx.Tx) error {
		id, err := insertCredit(w.t.Context(), tx, claim{Source: sourceImport, Reference: fmt.Sprintf("%d/%d", p.ID, days), Person: p.ID, Title: fmt.Sprintf("Training %d", days), EarnedAt: now, Hours: 4}, now)
		if err != nil {
			return err
		}
		return insertDecision(w.t.Context(), tx, id, decision{Status: lms.Held, Reason: reasonAtOnce, Policy: 3}, now)
	})
	return lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
}

func TestCreditsThatWaitComeOneAfterAnotherThoseAskedAboutFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	maya, rita := lmstest.Person(t, w.db), lmstest.Person(t, w.db)
	_, err := selectNext(ctx, w.db, beforeAll, rita.ID)
	require.ErrorIs(t, err, lms.ErrNotFound)

	young, old, older, own := w.held(maya, 1), w.held(maya, 5), w.held(maya, 9), w.held(rita, 20)
	require.NoError(t, w.AskReview(ctx, maya.ID, young, "Please look", "", lmstest.Now))
	want := []lms.CreditID{young, older, old}
	var got []lms.CreditID
	at := beforeAll
	for range 4 {
		id, err := selectNext(ctx, w.db, at, rita.ID)
		require.NoError(t, err)
		got = append(got, id)
		at, err = selectPlace(ctx, w.db, id)
		require.NoError(t, err)
	}
	require.Equal(t, append(want, young), got, "and after the last one the first again")

	at, err = selectPlace(ctx, w.db, older)
	require.NoError(t, err)
	require.NoError(t, w.Decide(ctx, lms.Viewer{Person: rita}, Verdict{Credit: older, Status: lms.Denied, Note: "At once"}, "", lmstest.Now))
	next, err := selectNext(ctx, w.db, at, rita.ID)
	require.NoError(t, err)
	require.Equal(t, old, next, "a decision leads on from where the credit stood")
	_, err = selectPlace(ctx, w.db, older)
	require.ErrorIs(t, err, lms.ErrNotFound)

	ids := func(f waitingFilter) (list []lms.CreditID) {
		found, err := selectWaiting(ctx, w.db, f, 10, 0)
		require.NoError(t, err)
		n, err := countWaiting(ctx, w.db, f)
		require.NoError(t, err)
		require.Len(t, found, n)
		for _, c := range found {
			list = append(list, c.ID)
		}
		return list
	}
	require.Equal(t, []lms.CreditID{young, own, old}, ids(waitingFilter{}))
	require.Equal(t, []lms.CreditID{young, old, own}, ids(waitingFilter{Newest: true}))
	require.Equal(t, []lms.CreditID{old}, ids(waitingFilter{Text: "training 5"}))
	require.Equal(t, []lms.CreditID{own}, ids(waitingFilter{Text: "nothing", People: []lms.PersonID{rita.ID}}))
	work, err := w.Work(ctx)
	require.NoError(t, err)
	require.Equal(t, lms.RecordsWaiting{Held: 2, Reviews: 1}, work)
}

// The list of everybody and the report of each say the same.
func TestTheListOfSafeSleepSaysWhatEachReportSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	lmstest.Policy(t, w.db, lms.SafeSleepYears, "2", parsed(t, "2025-01-01"))
	lmstest.Policy(t, w.db, lms.SafeSleepYears, "1", parsed(t, "2025-01-01")) // corrects the one before
	safe := func() lms.Course { return lmstest.Course(t, w.db, func(c *lms.Course) { c.SafeSleep = true }) }
	rita := lms.Viewer{Person: lmstest.Person(t, w.db)}
	today := lmstest.Today
	for name, c := range map[string]struct {
		hired, left string
		done        []string
		verdict     *Verdict // about the last
		listed      bool
	}{
		"current":                           {"2020-01-01", "", []string{"2024-02-29"}, nil, false},
		"due on the last day":               {"2020-01-01", "", []string{today.AddMonths(-36).String()}, nil, true},
		"due in 60 days":                    {"2020-01-01", "", []string{today.AddDays(60).AddMonths(-36).String()}, nil, true},
		"not yet due":                       {"2020-01-01", "", []string{today.AddDays(61).AddMonths(-36).String()}, nil, false},
		"expired":                           {"2020-01-01", "", []string{today.AddMonths(-36).AddDays(-1).String()}, nil, true},
		"expired, on a shorter rule":        {"2020-01-01", "", []string{"2025-02-01"}, nil, true},
		"renewed":                           {"2020-01-01", "", []string{"2022-02-01", "2025-12-01"}, nil, false},
		"renewal not completed":             {"2020-01-01", "", []string{"2022-02-01", "2025-12-01"}, &Verdict{Status: lms.Denied, NotCompleted: true, Note: "No"}, true},
		"renewal that earns nothing":        {"2020-01-01", "", []string{"2022-02-01", "2025-12-01"}, &Verdict{Status: lms.Denied, Note: "No"}, false},
		"renewal held":                      {"2020-01-01", "", []string{"2022-02-01", "2025-12-01"}, &Verdict{Status: lms.Held, Note: "Wait"}, true},
		"none":                              {"2020-01-01", "", nil, nil, true},
		"works until today":                 {"2020-01-01", today.String(), nil, nil, true},
		"left yesterday":                    {"2020-01-01", today.AddDays(-1).String(), nil, nil, false},
		"begins tomorrow":                   {today.AddDays(1).String(), "", nil, nil, false},
		"works, nobody knows since when":    {"", "", nil, nil, true},
		"never worked, and nothing is said": {},
	} {
		p := lmstest.Person(t, w.db, func(p *lms.Person) { p.Given, p.Family = "Maya", name })
		if c.hired != "" || name == "works, nobody knows since when" {
			w.in(func(tx pgx.Tx) error {
				hired, left := lms.Date{}, lms.Date{}
				if c.hired != "" {
					hired = parsed(t, c.hired)
				}
				if c.left != "" {
					left = parsed(t, c.left)
				}
				return insertWork(ctx, tx, WorkChange{Person: p.ID, Employer: "Sunny Days", HiredOn: hired, LeftOn: left, Note: "Letter"}, rita.ID, lmstest.Now)
			})
		}
		for _, day := range c.done {
			w.earned(p, safe(), day)
		}
		if c.verdict != nil {
			v := *c.verdict
			v.Credit = lms.CreditID(w.count(`SELECT max(id)::int FROM registry.credits`))
			require.NoError(t, w.Decide(ctx, rita, v, "", lmstest.Now))
		}
		list, counts, err := selectSleepers(ctx, w.db, sleepFilter{Today: today, Searched: true, People: []lms.PersonID{p.ID}}, 10, 0)
		require.NoError(t, err, name)
		require.Len(t, list, counts.Due+counts.Expired+counts.None, name)
		require.Equal(t, c.listed, len(list) == 1, name)
		said := w.recordAt(p, Moment{today, later.Known}).SafeSleep
		if c.listed {
			require.Equal(t, Sleeper{p.ID, p.Name(), p.MOPDID, said.Through, said.State}, list[0], name)
		}
	}
	all, counts, err := w.Sleepers(ctx, rita, sleepFilter{Today: today}, 100, 0, "safe_sleep_listed", "", lmstest.Now)
	require.NoError(t, err)
	require.Equal(t, sleepCounts{Due: 2, Expired: 4, None: 3}, counts)
	require.True(t, slices.IsSortedFunc(all[:6], func(a, b Sleeper) int { return a.Through.Compare(b.Through) }), "those first whose training expired first")
	named, _, err := selectSleepers(ctx, w.db, sleepFilter{Today: today, State: lms.SafeSleepNone, ByName: true}, 1, 0)
	require.NoError(t, err)
	require.Equal(t, "Maya none", named[0].Name)
	past, counts, err := selectSleepers(ctx, w.db, sleepFilter{Today: today}, 10, 50)
	require.NoError(t, err)
	require.Empty(t, past)
	require.Equal(t, 4, counts.Expired, "also of a page without anybody")
	require.Equal(t, 1, w.count(`SELECT count(*) FROM accounts.audit WHERE action = 'safe_sleep_listed'`))
}
