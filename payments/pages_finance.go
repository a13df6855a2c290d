package payments

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"mopd/lms"
	"mopd/lms/web"
)

// stretchFigures are the figures of today, this month or this fiscal year.
type stretchFigures struct {
	Name   string
	Year   int       // the fiscal year
	Before lms.Money // held by Stripe at its beginning
	Stretch
}

type financePage struct {
	web.Page
	Stretches  []stretchFigures
	Chart      chart
	Exceptions []Exception // the oldest
	Open       int         // exceptions, however many are listed
	Waiting    []WaitingRefund
	Balances   []Balance
	Held       lms.Money // by Stripe, now
	Books      lms.Date  // closed through
	Latest     []FoundOrder
}

// Owed is what we owe Stripe.
func (p financePage) Owed() lms.Money { return max(-p.Held, 0) }

// Closed tells whether the books were ever closed.
func (p financePage) Closed() bool { return p.Books.After(firstDay) }

// Oldest is how many days the oldest exception has waited.
func (p financePage) Oldest() int {
	if len(p.Exceptions) == 0 {
		return 0
	}
	return p.Exceptions[0].Days(p.Now)
}

// Days is how long the exception has been known at an instant.
func (x Exception) Days(now time.Time) int { return lms.DateOf(x.FoundAt).DaysUntil(lms.DateOf(now)) }

// fact is a detail of an exception: its words, where the catalogs have some, or its value.
type fact struct{ Name, Words, Value string }

// valueWords are where the catalogs have words for the values of a detail.
var valueWords = map[string]string{"order": "payments.state.", "seat": "payments.seat.", "state": "payments.refund.state_"}

// facts are the details, by name. Numbers are amounts, but for counts; of words the
// catalogs say whether they have them.
func (x Exception) facts(has func(key string) bool) (facts []fact) {
	for _, name := range slices.Sorted(maps.Keys(x.Details)) {
		f := fact{Name: name}
		switch value := x.Details[name].(type) {
		case nil:
			continue
		case float64:
			f.Value = lms.Money(value).String()
			if name == "events" || name == "charges" {
				f.Value = fmt.Sprint(value)
			}
		default:
			f.Value = fmt.Sprint(value)
			if prefix, found := valueWords[name]; found {
				f.Words = prefix + f.Value
			} else if x.Kind == Disputed && name == "status" {
				f.Words = "payments.dispute." + f.Value
			}
		}
		if !has(f.Words) {
			f.Words = ""
		}
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

type financeOrdersPage struct {
	web.Page
	web.Pager
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

// GivenBack tells whether the whole fee was.
func (p dossierPage) GivenBack() bool {
	return len(p.Charges) > 0 && !slices.ContainsFunc(p.Charges, func(c Charged) bool { return c.Refunding < c.Amount })
}

// Endable tells whether the registration outlived its fee.
func (p dossierPage) Endable() bool { return p.GivenBack() && p.SeatState == Granted }

// Refundable tells whether a refund can be asked for.
func (p dossierPage) Refundable() bool { return p.Left() > 0 && !p.Disputed() }

type refundPage struct {
	web.Page
	Refund  Refund
	Order   Order
	Names   RefundNames
	Form    web.Fields
	Refused string
}

// Own tells whether the viewer asked for the refund.
func (p refundPage) Own() bool { return p.Refund.RequestedBy == p.Viewer.ID }

type exceptionsPage struct {
	web.Page
	web.Pager
	ExceptionFilter
	Mine  bool
	Kinds []KindCount
	List  []Exception
}

// query is what is looked for.
func (p exceptionsPage) query() url.Values {
	q := url.Values{"state": {p.State}}
	if p.Kind != "" {
		q.Set("kind", p.Kind)
	}
	if p.Mine {
		q.Set("mine", "1")
	}
	return q
}

type exceptionPage struct {
	web.Page
	Exception
	Facts   []fact
	Notes   []Note
	Form    web.Fields
	Refused string
}

type payoutsPage struct {
	web.Page
	web.Pager
	List []KeptPayout
}

type payoutPage struct {
	web.Page
	web.Pager
	Payout KeptPayout
	List   []PayoutLine
}

type entriesPage struct {
	web.Page
	web.Pager
	EntryFilter
	Sum  Sum
	List []FoundLine
}

// accountChoice is a kind of account to narrow by.
type accountChoice struct {
	Kind   string
	Chosen bool
}

// Choices are the kinds of account.
func (p entriesPage) Choices() (all []accountChoice) {
	for _, kind := range accountKinds {
		all = append(all, accountChoice{kind, slices.Contains(p.Accounts, kind)})
	}
	return all
}

// Table is the address of the lines as a table of comma-separated values.
func (p entriesPage) Table() string { return "/finance/entries.csv?" + p.query().Encode() }

// Table is the address of the orders as a table of comma-separated values.
func (p financeOrdersPage) Table() string { return "/finance/orders.csv?" + p.Query.Encode() }

type settingsPage struct {
	web.Page
	Accounts   []AccountGL
	Rates      []FeeRate
	Policy     RefundPolicy
	Books      lms.Date
	CloseBooks web.Fields
	Rate       web.Fields
}

// Closed tells whether the books were ever closed.
func (p settingsPage) Closed() bool { return p.Books.After(firstDay) }

// Percent is the share as people write it: "2.9".
func (r FeeRate) Percent() string { return percent(r.Share) }
