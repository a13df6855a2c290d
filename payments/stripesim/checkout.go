package stripesim

import (
	"cmp"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// sessionParams are the parameters of a Checkout session that are understood.
var sessionParams = regexp.MustCompile(`^(mode|success_url|cancel_url|client_reference_id|customer_email|locale|expires_at|metadata\[\w+\]|payment_intent_data\[(description|metadata\]\[\w+)\]|line_items\[\d+\]\[(quantity|price_data\]\[(currency|unit_amount|product_data\]\[(name|description)))\]|expand\[\d*\])$`)

func metadataOf(r *http.Request, prefix string) map[string]any {
	m := map[string]any{}
	for name := range r.PostForm {
		if key, found := strings.CutPrefix(name, prefix+"["); found {
			m[strings.TrimSuffix(key, "]")] = r.PostForm.Get(name)
		}
	}
	return m
}

func (s *Sim) createSession(r *http.Request) (any, error) {
	for name := range r.PostForm {
		if !sessionParams.MatchString(name) {
			return nil, invalid("parameter_unknown", name, "Received unknown parameter: %s", name)
		}
	}
	form := r.PostForm.Get
	if form("mode") != "payment" {
		return nil, invalid("", "mode", "only mode payment is done here")
	}
	if form("success_url") == "" {
		return nil, invalid("parameter_missing", "success_url", "Missing required param: success_url.")
	}
	price := "line_items[0][price_data]"
	amount, err := strconv.ParseInt(form(price+"[unit_amount]"), 10, 64)
	if err != nil || form(price+"[product_data][name]") == "" {
		return nil, invalid("parameter_missing", "line_items", "Missing required param: line_items[0][price_data].")
	}
	quantity, err := strconv.ParseInt(cmp.Or(form("line_items[0][quantity]"), "1"), 10, 64)
	if err != nil || quantity < 1 {
		return nil, invalid("parameter_invalid_integer", "line_items[0][quantity]", "Invalid integer")
	}
	if form(price+"[currency]") != "usd" {
		return nil, invalid("", price+"[currency]", "only usd is done here")
	}
	if amount*quantity < 50 {
		return nil, invalid("amount_too_small", "", "The Checkout Session's total amount must convert to at least 50 cents.")
	}
	expires := s.now().Add(24 * time.Hour)
	if at := form("expires_at"); at != "" {
		unix, err := strconv.ParseInt(at, 10, 64)
		expires = time.Unix(unix, 0)
		if ahead := expires.Sub(s.now()); err != nil || ahead < 30*time.Minute-time.Second || ahead > 24*time.Hour {
			return nil, invalid("", "expires_at", "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.")
		}
	}
	session := s.add("checkout.session", "cs_test", object{
		"mode": "payment", "status": "open", "payment_status": "unpaid", "success_url": form("success_url"), "cancel_url": form("cancel_url"),
		"client_reference_id": form("client_reference_id"), "customer_email": form("customer_email"), "locale": form("locale"), "currency": "usd",
		"amount_total": amount * quantity, "amount_subtotal": amount * quantity, "expires_at": expires.Unix(), "payment_intent": nil,
		"metadata": metadataOf(r, "metadata"), "intent_metadata": metadataOf(r, "payment_intent_data[metadata]"), "name": form(price + "[product_data][name]"),
	})
	session["url"] = s.URL + "/pay/" + session.id()
	s.lapses = min(s.lapses, session.cents("expires_at"))
	return session, nil
}

func (s *Sim) expireSession(r *http.Request) (any, error) {
	session, err := s.get("checkout.session", r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	if session.text("status") != "open" {
		return nil, invalid("", "", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of %s.", session.text("status"))
	}
	s.expire(session)
	return session, nil
}

func (s *Sim) expire(session object) {
	session["status"], session["url"] = "expired", nil
	s.tell("checkout.session.expired", session)
}

// lapse expires the sessions whose time is over; mu is held. Most often that is none, and
// then it looks through none.
func (s *Sim) lapse() {
	now := s.now().Unix()
	if s.lapses > now {
		return
	}
	s.lapses = math.MaxInt64
	for _, session := range s.each("checkout.session") {
		if session.text("status") != "open" {
			continue
		}
		if expires := session.cents("expires_at"); expires > now {
			s.lapses = min(s.lapses, expires)
		} else {
			s.expire(session)
		}
	}
}

// Cards that are known, as in Stripe's test mode.
const (
	CardThatPays     = "4242424242424242"
	CardDeclined     = "4000000000000002"
	CardInsufficient = "4000000000009995"
)

// Pay pays an open session by a card, as its payer would on the hosted page.
func (s *Sim) Pay(session, card string) error {
	return s.do(func() error {
		o, err := s.payable(session)
		if err != nil {
			return err
		}
		return s.pay(o, card)
	})
}

func (s *Sim) payable(id string) (object, error) {
	session, err := s.get("checkout.session", id)
	if err != nil {
		return nil, err
	}
	if status := session.text("status"); status != "open" {
		return nil, invalid("", "", "The session is %s.", status)
	}
	return session, nil
}

func (s *Sim) intentOf(session object) object {
	if intent, err := s.get("payment_intent", session.text("payment_intent")); err == nil {
		return intent
	}
	intent := s.add("payment_intent", "pi", object{
		"amount": session.cents("amount_total"), "currency": session["currency"], "status": "requires_payment_method", "latest_charge": nil, "metadata": session["intent_metadata"],
	})
	session["payment_intent"] = intent.id()
	return intent
}

// pay makes the charge of a session, or has it declined.
func (s *Sim) pay(session object, card string) error {
	intent := s.intentOf(session)
	if card != CardThatPays {
		code := map[string]string{CardDeclined: "generic_decline", CardInsufficient: "insufficient_funds"}[card]
		intent["status"] = "requires_payment_method"
		s.tell("payment_intent.payment_failed", intent)
		return &fault{http.StatusPaymentRequired, "card_error", "card_declined", cmp.Or(code, "invalid_number"), ""}
	}
	session["status"], session["payment_status"], session["url"] = "complete", "paid", nil
	intent["status"] = "succeeded"
	if !s.faults.LoseCharges {
		intent["latest_charge"] = s.charge(intent, "card").id()
	}
	s.tell("payment_intent.succeeded", intent)
	s.tell("checkout.session.completed", session)
	return nil
}

// PayLater completes a session by a bank debit, which settles when it is told to.
func (s *Sim) PayLater(session string) error {
	return s.do(func() error {
		o, err := s.payable(session)
		if err != nil {
			return err
		}
		s.payLater(o)
		return nil
	})
}

func (s *Sim) payLater(session object) {
	s.intentOf(session)["status"] = "processing"
	session["status"], session["url"] = "complete", nil
	s.tell("checkout.session.completed", session)
}

// SettleLater has the bank pay what PayLater began, or refuse it.
func (s *Sim) SettleLater(session string, paid bool) error {
	return s.do(func() error {
		o, err := s.get("checkout.session", session)
		if err != nil {
			return err
		}
		intent := s.intentOf(o)
		if intent.text("status") != "processing" {
			return invalid("", "", "Nothing is being settled.")
		}
		if !paid {
			intent["status"] = "requires_payment_method"
			s.tell("checkout.session.async_payment_failed", o)
			return nil
		}
		charge := s.charge(intent, "us_bank_account")
		intent["status"], intent["latest_charge"], o["payment_status"] = "succeeded", charge.id(), "paid"
		s.tell("checkout.session.async_payment_succeeded", o)
		return nil
	})
}
