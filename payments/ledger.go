package payments

import (
	"fmt"
	"strings"
	"time"

	"mopd/lms"
)

// Account codes of the ledger; revenue and refunds have one for each course.
const (
	accountStripe      = "stripe"       // what Stripe holds for us
	accountBank        = "bank"         // what was paid out
	accountUnearned    = "unearned"     // paid, and no enrollment yet: owed
	accountFees        = "fees"         // what Stripe keeps for processing
	accountDisputes    = "disputes"     // what a cardholder's bank took back
	accountDisputeFees = "dispute_fees" // what Stripe asks for a dispute
	accountSuspense    = "suspense"     // moved, and nobody has said yet what for
)

func revenueOf(courseCode string) string { return "revenue/" + courseCode }
func refundsOf(courseCode string) string { return "refunds/" + courseCode }

// Account is the code of an account: "stripe", or "revenue/FIRE-1" of a course.
type Account string

// Kind is what the account is for, whatever the course.
func (a Account) Kind() string {
	kind, _, _ := strings.Cut(string(a), "/")
	return kind
}

// Course is the code of the account's course; "" if it has none.
func (a Account) Course() string {
	_, course, _ := strings.Cut(string(a), "/")
	return course
}

// EntryKind says what happened to money.
type EntryKind string

// The kinds of entry.
const (
	EntryCharge          EntryKind = "charge"
	EntryEarned          EntryKind = "earned" // the enrollment became ready
	EntryFee             EntryKind = "fee"    // asked by Stripe apart from a charge
	EntryRefund          EntryKind = "refund"
	EntryRefundFailed    EntryKind = "refund_failed"
	EntryDispute         EntryKind = "dispute"
	EntryDisputeReversed EntryKind = "dispute_reversed"
	EntryPayout          EntryKind = "payout"
	EntryPayoutFailed    EntryKind = "payout_failed"
	EntryAdjustment      EntryKind = "adjustment"
	EntryUnknown         EntryKind = "unknown" // of a category that is not known
)

// Line is what an entry adds to an account, in cents: debits above zero.
type Line struct {
	Account string
	Amount  lms.Money
}

// Entry is something that happened to money. Its lines sum to zero; it is never
// edited: a correction is a newer entry.
type Entry struct {
	Kind        EntryKind
	Reference   string  // of its source, unique, so that a replay is harmless
	Order       OrderID // 0 if it belongs to none
	EffectiveAt time.Time
	EffectiveOn lms.Date // in America/Chicago; of a payout the day on which it arrives
	BelongsOn   lms.Date // the closed day that it belongs to; zero if it is entered on its own
	Note        string
	Lines       []Line
}

// Balance is the sum of the lines: zero of every entry that may be kept.
func (e Entry) Balance() (sum lms.Money) {
	for _, l := range e.Lines {
		sum += l.Amount
	}
	return sum
}

// within is the entry as books that are closed through a day take it: what belongs to a
// closed day adjusts today's, or the first open one.
func (e Entry) within(closedThrough, today lms.Date) Entry {
	if e.EffectiveOn.After(closedThrough) {
		return e
	}
	e.BelongsOn, e.EffectiveOn = e.EffectiveOn, today
	if !today.After(closedThrough) {
		e.EffectiveOn = closedThrough.AddDays(1)
	}
	return e
}

// line adds an amount to an account; none leaves no line, and two lines of one account
// become one.
func (e *Entry) line(account string, amount lms.Money) {
	for i := range e.Lines {
		if e.Lines[i].Account == account {
			amount += e.Lines[i].Amount
			e.Lines = append(e.Lines[:i], e.Lines[i+1:]...)
			break
		}
	}
	if amount != 0 {
		e.Lines = append(e.Lines, Line{account, amount})
	}
}

// BalanceTransaction is Stripe's record of one move of its balance, in cents. Net is
// Amount less Fee.
type BalanceTransaction struct {
	ID          string
	Category    string // reporting_category
	Amount      lms.Money
	Fee         lms.Money
	Net         lms.Money
	Currency    string
	Source      string // id of the charge, refund, dispute or payout
	Payout      string // that carried it to the bank; "" while none has
	CreatedAt   time.Time
	AvailableOn time.Time
}

// Origin is what is known here of a balance transaction's source.
type Origin struct {
	Order    OrderID // 0 if none is known
	Course   string  // code of the order's course
	Earned   bool    // its enrollment was made
	ArriveOn lms.Date
}

// movement says what a category of balance transaction is to the ledger: the kind of
// entry, and the account that stands against what moves at Stripe.
type movement struct {
	kind    EntryKind
	against func(Origin) string
	fees    string // account of the transaction's fee
}

func to(account string) func(Origin) string { return func(Origin) string { return account } }

// returned is where a refund is taken from: what was earned, or what is still owed.
func returned(o Origin) string {
	if o.Earned {
		return refundsOf(o.Course)
	}
	return accountUnearned
}

// movements are the categories that are known; any other is suspense, and an exception.
var movements = map[string]movement{
	"charge":           {EntryCharge, to(accountUnearned), accountFees},
	"fee":              {EntryFee, to(accountFees), accountFees},
	"refund":           {EntryRefund, returned, accountFees},
	"refund_failure":   {EntryRefundFailed, returned, accountFees},
	"dispute":          {EntryDispute, to(accountDisputes), accountDisputeFees},
	"dispute_reversal": {EntryDisputeReversed, to(accountDisputes), accountDisputeFees},
	"payout":           {EntryPayout, to(accountBank), accountFees},
	"payout_reversal":  {EntryPayoutFailed, to(accountBank), accountFees},
}

// knownCategory tells whether the ledger knows what a category of balance transaction
// means.
func knownCategory(category string) bool {
	_, known := movements[category]
	return known
}

// entryOf is the entry that a balance transaction makes: what moved at Stripe, its fee
// as Stripe gives it, and the account that stands against both. A charge without an
// order waits in suspense.
func entryOf(t BalanceTransaction, o Origin) Entry {
	m, known := movements[t.Category]
	if !known {
		m = movement{EntryUnknown, to(accountSuspense), accountFees}
	}
	against := m.against(o)
	if o.Order == 0 && (t.Category == "charge" || t.Category == "refund" || t.Category == "refund_failure") {
		against = accountSuspense
	}
	e := Entry{Kind: m.kind, Reference: t.ID, Order: o.Order, EffectiveAt: t.CreatedAt, EffectiveOn: lms.DateOf(t.CreatedAt)}
	if !o.ArriveOn.IsZero() {
		e.EffectiveOn = o.ArriveOn
	}
	e.line(accountStripe, t.Net)
	e.line(m.fees, t.Fee)
	e.line(against, -t.Amount)
	return e
}

// earnedEntry moves what somebody paid from what is owed to a course's revenue, when
// their enrollment is made.
func earnedEntry(order OrderID, seat SeatID, course string, amount lms.Money, at time.Time) Entry {
	e := Entry{Kind: EntryEarned, Reference: fmt.Sprintf("seat/%d/earned", seat), Order: order, EffectiveAt: at, EffectiveOn: lms.DateOf(at)}
	e.line(accountUnearned, amount)
	e.line(revenueOf(course), -amount)
	return e
}

// arrivalDay is the day on which a payout arrives. Stripe writes it as midnight UTC of
// a day of the calendar: it is that day, also in Missouri.
func arrivalDay(at time.Time) lms.Date {
	y, m, d := at.UTC().Date()
	return lms.Date{Year: y, Month: m, Day: d}
}

// FiscalYear is Missouri's fiscal year of a day: July 1 to June 30, named by its end.
func FiscalYear(day lms.Date) int {
	if day.Month >= 7 {
		return day.Year + 1
	}
	return day.Year
}
