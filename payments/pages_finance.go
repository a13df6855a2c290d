package payments

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mopd/lms"
	"mopd/lms/web"
)

// stretchFigures are the figures of today, this month or this fiscal year.
type stretchFigures struct {
	Name string
	Year int // the fiscal year
	Figures
}

type financePage struct {
	web.Page
	Stretches  []stretchFigures
	Exceptions []Exception // the oldest first
	Open       int         // exceptions, however many are listed
	Waiting    []WaitingRefund
	Balances   []Balance
	Latest     []FoundOrder
}

// Oldest is how many days the oldest exception has waited.
func (p financePage) Oldest() int {
	if len(p.Exceptions) == 0 {
		return 0
	}
	return p.Exceptions[0].Days(p.Now)
}

// Days is how long the exception has been known at an instant.
func (x Exception) Days(now time.Time) int { return lms.DateOf(x.FoundAt).DaysUntil(lms.DateOf(now)) }

// Facts are the details, by name.
func (x Exception) Facts() (facts []string) {
	for _, name := range slices.Sorted(maps.Keys(x.Details)) {
		if s, ok := x.Details[name].(string); ok {
			facts = append(facts, name+": "+s)
		}
	}
	return facts
}

type financeOrdersPage struct {
	web.Page
	pager
	State, Text string
	Orders      []FoundOrder
	Total       int
}

// States are those to narrow by.
func (p financeOrdersPage) States() []OrderState { return []OrderState{Open, Pending, Paid, Canceled} }

type dossierPage struct {
	web.Page
	Dossier
	Form    web.Fields
	Keep    bool
	Refused string
}

// Advice is what the policy says of giving the fee back today.
func (p dossierPage) Advice() string {
	if p.Due(lms.DateOf(p.Now)) {
		return "due"
	}
	return "decide"
}

// Refundable tells whether a refund can be asked for.
func (p dossierPage) Refundable() bool { return p.Left() > 0 && !p.Disputed() }

type refundPage struct {
	web.Page
	Refund  Refund
	Order   Order
	Form    web.Fields
	Refused string
}

// Own tells whether the viewer asked for the refund.
func (p refundPage) Own() bool { return p.Refund.RequestedBy == p.Viewer.ID }

type exceptionsPage struct {
	web.Page
	State string
	List  []Exception
}

type exceptionPage struct {
	web.Page
	Exception
	Notes   []Note
	Form    web.Fields
	Refused string
}

// pager leads to the pages before and after one.
type pager struct {
	Base   string
	Query  url.Values // what is looked for
	Number int
	More   bool // there is a page after this one
}

// To is the address of a page.
func (p pager) To(page int) string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	maps.Copy(q, p.Query)
	return p.Base + "?" + q.Encode()
}

// Previous and Next are neighbouring pages; 0 is none.
func (p pager) Previous() int { return p.Number - 1 }

// Next is the page after this one; 0 is none.
func (p pager) Next() int {
	if !p.More {
		return 0
	}
	return p.Number + 1
}

type payoutsPage struct {
	web.Page
	pager
	List []KeptPayout
}

type payoutPage struct {
	web.Page
	pager
	Payout KeptPayout
	List   []PayoutLine
}
