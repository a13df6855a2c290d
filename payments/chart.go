package payments

import (
	"context"
	"net/url"
	"strconv"

	"mopd/lms"
)

// chartMonths is how many months the chart shows.
const chartMonths = 12

// chart is what months brought, or the days of one month, the newest first.
type chart struct {
	Month  lms.Date // whose days are shown; zero: months are
	Points []point
}

// point is a bar each for what was earned, given back and paid out.
type point struct {
	Stretch
	Bars [3]bar
}

// bar is an amount with its share of the longest bar.
type bar struct {
	Account string // kind, of which the amount is made
	Amount  lms.Money
	Percent int // 0 to 100
}

// chart reads the days of a month, "2026-10", or the last months.
func (h handlers) chart(ctx context.Context, month string, today lms.Date) (c chart, err error) {
	var stretches []Stretch
	if first, err := lms.ParseDate(month + "-01"); err == nil && !first.After(today) {
		c.Month = first
		last := first.AddMonths(1).AddDays(-1)
		if last.After(today) {
			last = today
		}
		stretches, err = selectStretches(ctx, h.DB, first, last, "1 day")
		c.Points = pointsOf(stretches)
		return c, err
	}
	first := today.FirstOfMonth()
	stretches, err = selectStretches(ctx, h.DB, first.AddMonths(1-chartMonths), first, "1 month")
	for len(stretches) > 1 && stretches[len(stretches)-1].Figures == (Figures{}) {
		stretches = stretches[:len(stretches)-1] // months before the first sale
	}
	c.Points = pointsOf(stretches)
	return c, err
}

// pointsOf scales the bars of stretches to the longest of them. What is below zero has
// no bar.
func pointsOf(stretches []Stretch) []point {
	longest := lms.Money(1)
	for _, s := range stretches {
		longest = max(longest, s.Earned, s.Refunded, s.Cash)
	}
	points := make([]point, len(stretches))
	for i, s := range stretches {
		points[i].Stretch = s
		for j, b := range []bar{{Account: "revenue", Amount: s.Earned}, {Account: "refunds", Amount: s.Refunded}, {Account: "bank", Amount: s.Cash}} {
			b.Percent = int(max(b.Amount, 0) * 100 / longest)
			points[i].Bars[j] = b
		}
	}
	return points
}

// Key is the month of a point, as the address of its days names it.
func (p point) Key() string { return p.From.String()[:len("2026-01")] }

// Entries is the address of the lines that a figure of some accounts is made of.
func (s Stretch) Entries(accounts ...string) string {
	return entriesPath(EntryFilter{From: s.From, Through: s.Through, Accounts: accounts})
}

func entriesPath(f EntryFilter) string { return "/finance/entries?" + f.query().Encode() }

// query is the filter as an address carries it.
func (f EntryFilter) query() url.Values {
	q := url.Values{}
	if !f.From.IsZero() {
		q.Set("from", f.From.String())
	}
	if !f.Through.IsZero() {
		q.Set("through", f.Through.String())
	}
	if len(f.Accounts) > 0 {
		q["account"] = f.Accounts
	}
	if f.Course != "" {
		q.Set("course", f.Course)
	}
	return q
}

// Entries is the address of the lines that a balance is made of.
func (b Balance) Entries() string {
	return entriesPath(EntryFilter{Accounts: []string{b.Account.Kind()}, Course: b.Account.Course()})
}

// percent is a number of ten-thousandths as people write it: "2.9".
func percent(share int) string { return strconv.FormatFloat(float64(share)/100, 'f', -1, 64) }
