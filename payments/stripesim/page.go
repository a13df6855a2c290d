package stripesim

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed pay.html
var payHTML string

var payTemplate = template.Must(template.New("pay").Parse(payHTML))

type payData struct {
	Spanish bool
	Session string
	Name    string
	Total   string
	Cancel  string
	Open    bool
	Wrong   string
}

// Say is a text in the language of the session.
func (d payData) Say(english, spanish string) string {
	if d.Spanish {
		return spanish
	}
	return english
}

func (d payData) Lang() string { return d.Say("en", "es") }

func (s *Sim) payPage(w http.ResponseWriter, r *http.Request) { s.showPay(w, r, "") }

func (s *Sim) showPay(w http.ResponseWriter, r *http.Request, wrong string) {
	var data payData
	err := s.do(func() error {
		session, err := s.get("checkout.session", r.PathValue("id"))
		if err != nil {
			return err
		}
		data = payData{
			Spanish: session.text("locale") == "es", Session: session.id(), Name: session.text("name"), Total: dollars(session.cents("amount_total")),
			Cancel: session.text("cancel_url"), Open: session.text("status") == "open", Wrong: wrong,
		}
		return nil
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	switch {
	case err != nil:
		w.WriteHeader(http.StatusNotFound)
		data.Name = "?"
	case wrong != "":
		w.WriteHeader(http.StatusPaymentRequired)
	}
	if err := payTemplate.Execute(w, data); err != nil {
		s.Log.Error("show pay page", "error", err)
	}
}

// payForm pays. Of a card nothing is kept.
func (s *Sim) payForm(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	var err error
	if r.PostFormValue("method") == "bank" {
		err = s.PayLater(id)
	} else {
		err = s.Pay(id, strings.NewReplacer(" ", "", "-", "").Replace(r.PostFormValue("card")))
	}
	var f *fault
	if errors.As(err, &f) && f.Type == "card_error" {
		s.showPay(w, r, f.Message)
		return
	}
	if err != nil {
		s.showPay(w, r, "")
		return
	}
	s.mu.Lock()
	back := strings.ReplaceAll(s.state.Objects[id].text("success_url"), "{CHECKOUT_SESSION_ID}", id)
	s.mu.Unlock()
	http.Redirect(w, r, back, http.StatusSeeOther)
}

func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }
