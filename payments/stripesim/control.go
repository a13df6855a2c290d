package stripesim

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

//go:embed control.html
var controlHTML string

var controlTemplate = template.Must(template.New("control").Parse(controlHTML))

// What the page of controls shows.
type (
	controlData struct {
		Now    string
		Said   string
		Groups []group
		Breaks []breaking
	}
	group struct {
		Title  string
		Things []thing
	}
	thing struct {
		ID, About string
		Can       []string // verbs
	}
	breaking struct{ About, Verb, Label, Value string }
)

// thingsShown is how many objects of a kind the page shows, the newest first.
const thingsShown = 20

// can is what may be done to an object that stands so.
func can(o object) []string {
	switch o.kind() + " " + o.text("status") {
	case "checkout.session open":
		return []string{"pay", "pay-later"}
	case "charge succeeded":
		return []string{"refund", "dispute"}
	case "refund succeeded":
		return []string{"fail-refund"}
	case "refund pending":
		return []string{"succeed-refund", "fail-refund"}
	case "dispute needs_response":
		return []string{"win", "lose"}
	case "payout in_transit":
		return []string{"arrive", "fail-payout", "change-payout"}
	case "payout paid":
		return []string{"fail-payout"}
	}
	return nil
}

func (s *Sim) controlPage(w http.ResponseWriter, r *http.Request) {
	data := controlData{Said: r.URL.Query().Get("said"), Breaks: []breaking{
		{"The next so many webhooks never leave.", "drop", "Webhooks", "1"},
		{"The next so many webhooks carry a bad signature.", "mis-sign", "Webhooks", "1"},
		{"Each webhook is sent so many more times.", "repeat", "Times", "1"},
		{"Each webhook waits so many seconds.", "delay", "Seconds", "30"},
		{"Webhooks leave the newest first (1) or in order (0).", "reorder", "1 or 0", "1"},
		{"The API is down (1) or up (0).", "down", "1 or 0", "1"},
		{"Refunds wait for the bank (1) or are made at once (0).", "hold-refunds", "1 or 0", "1"},
		{"Events speak another API version.", "speak", "Version", "2026-08-26"},
		{"Another account answers to the key.", "become", "Account", "acct_another"},
		{"Charges are of so many cents, whatever the price; 0 is the price.", "amount", "Cents", "400"},
		{"Stripe takes so many cents of a charge of $5.00; 0 is the usual.", "fee", "Cents", "75"},
	}}
	s.alter(func() {
		data.Now = s.now().UTC().Format("Monday, January 2, 2006, 15:04") + " UTC"
		for _, g := range []struct{ kind, title string }{
			{"checkout.session", "Checkout sessions"}, {"charge", "Charges"}, {"refund", "Refunds"}, {"dispute", "Disputes"}, {"payout", "Payouts"},
		} {
			all := s.each(g.kind)
			shown := group{Title: g.title}
			for i := len(all) - 1; i >= 0 && len(shown.Things) < thingsShown; i-- {
				o := all[i]
				verbs := can(o)
				if g.kind == "checkout.session" && s.state.Objects[o.text("payment_intent")].text("status") == "processing" {
					verbs = []string{"settle", "refuse"}
				}
				shown.Things = append(shown.Things, thing{o.id(), fmt.Sprintf("%s, %s", dollars(o.cents("amount")+o.cents("amount_total")), o.text("status")), verbs})
			}
			data.Groups = append(data.Groups, shown)
		}
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	if err := controlTemplate.Execute(w, data); err != nil {
		s.Log.Error("show controls", "error", err)
	}
}

// controls are the verbs of the page.
var controls = map[string]func(s *Sim, r *http.Request) error{
	"pay":            func(s *Sim, r *http.Request) error { return s.Pay(r.PostFormValue("id"), CardThatPays) },
	"pay-later":      func(s *Sim, r *http.Request) error { return s.PayLater(r.PostFormValue("id")) },
	"settle":         func(s *Sim, r *http.Request) error { return s.SettleLater(r.PostFormValue("id"), true) },
	"refuse":         func(s *Sim, r *http.Request) error { return s.SettleLater(r.PostFormValue("id"), false) },
	"refund":         func(s *Sim, r *http.Request) error { return s.refundRest(r.PostFormValue("id")) },
	"dispute":        func(s *Sim, r *http.Request) error { _, err := s.Dispute(r.PostFormValue("id")); return err },
	"fail-refund":    func(s *Sim, r *http.Request) error { return s.FailRefund(r.PostFormValue("id")) },
	"succeed-refund": func(s *Sim, r *http.Request) error { return s.SucceedRefund(r.PostFormValue("id")) },
	"win":            func(s *Sim, r *http.Request) error { return s.CloseDispute(r.PostFormValue("id"), true) },
	"lose":           func(s *Sim, r *http.Request) error { return s.CloseDispute(r.PostFormValue("id"), false) },
	"close-payout":   func(s *Sim, _ *http.Request) error { _, err := s.ClosePayout(); return err },
	"arrive":         func(s *Sim, r *http.Request) error { return s.PayPayout(r.PostFormValue("id")) },
	"fail-payout":    func(s *Sim, r *http.Request) error { return s.FailPayout(r.PostFormValue("id")) },
	"change-payout":  func(s *Sim, r *http.Request) error { return s.ChangePayout(r.PostFormValue("id"), 1) },
	"advance":        counted(func(s *Sim, n int64, _ *http.Request) { s.Advance(time.Duration(n) * time.Hour) }),
	"adjust":         counted(func(s *Sim, n int64, r *http.Request) { s.Adjust(r.PostFormValue("category"), n) }),
	"charge":         counted(chargeNaming),
	"drop":           broken(func(f *Faults, n int64) { f.Drop = int(n) }),
	"mis-sign":       broken(func(f *Faults, n int64) { f.MisSign = int(n) }),
	"repeat":         broken(func(f *Faults, n int64) { f.Repeat = int(min(n, 20)) }),
	"delay":          broken(func(f *Faults, n int64) { f.Delay = time.Duration(n) * time.Second }),
	"reorder":        broken(func(f *Faults, n int64) { f.Reorder = n != 0 }),
	"down":           broken(func(f *Faults, n int64) { f.Down = n != 0 }),
	"hold-refunds":   broken(func(f *Faults, n int64) { f.HoldRefunds = n != 0 }),
	"amount":         broken(func(f *Faults, n int64) { f.alter(n != 0, "charge", map[string]any{"amount": n}) }),
	"fee": broken(func(f *Faults, n int64) {
		f.alter(n != 0, "balance_transaction", map[string]any{"fee": n, "net": 500 - n})
	}),
	"speak":  func(s *Sim, r *http.Request) error { s.Speak(r.PostFormValue("value")); return nil },
	"become": func(s *Sim, r *http.Request) error { s.Become(r.PostFormValue("value")); return nil },
	"mend": func(s *Sim, _ *http.Request) error {
		s.Break(func(f *Faults) { *f = Faults{} })
		s.Speak(Version)
		s.Become(usualAccount)
		return nil
	},
}

// counted is a control that takes a number.
func counted(do func(s *Sim, n int64, r *http.Request)) func(*Sim, *http.Request) error {
	return func(s *Sim, r *http.Request) error {
		n, err := strconv.ParseInt(r.PostFormValue("value"), 10, 32)
		if err != nil {
			return invalid("", "value", "enter a whole number")
		}
		do(s, n, r)
		return nil
	}
}

// broken is a control of what goes wrong.
func broken(change func(f *Faults, n int64)) func(*Sim, *http.Request) error {
	return counted(func(s *Sim, n int64, _ *http.Request) { s.Break(func(f *Faults) { change(f, n) }) })
}

// alter sets, or takes back, what new objects of a kind say.
func (f *Faults) alter(on bool, kind string, fields map[string]any) {
	if f.Alter == nil {
		f.Alter = map[string]map[string]any{}
	}
	delete(f.Alter, kind)
	if on {
		f.Alter[kind] = fields
	}
}

func chargeNaming(s *Sim, cents int64, r *http.Request) {
	metadata := map[string]any{}
	if order := r.PostFormValue("order"); order != "" {
		metadata["order"] = order
	}
	s.ChargeAtDashboard(cents, metadata)
}

// control does what a button of the page says, and comes back to it.
func (s *Sim) control(w http.ResponseWriter, r *http.Request) {
	verb := r.PathValue("verb")
	do, known := controls[verb]
	if !known || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		http.Error(w, "no such control, or not from its page", http.StatusForbidden)
		return
	}
	said := verb + ": done"
	if err := do(s, r); err != nil {
		said = verb + ": " + err.Error()
	}
	http.Redirect(w, r, "/control?said="+url.QueryEscape(said), http.StatusSeeOther)
}
