// Package stripesim stands in for Stripe: it speaks so much of the API, version
// 2023-10-16, as the real stripe-go client needs to sell courses, shows the hosted
// Checkout page, and signs and repeats webhooks as Stripe does. It is for the demo and
// the tests; no money moves.
//
// What it does not do: 3-D Secure and other steps of a cardholder's bank, saved cards,
// customers, coupons, taxes, currencies other than US dollars, capture apart from the
// charge, Connect, manual payouts, evidence of disputes, search, and rate limits. Fees
// are 2.9 % and 30 ¢ of a card's charge, 0.8 % of a bank debit's, $15 of a dispute. Of the parameters of a request
// it reads those that the product sends, and refuses the others of Checkout sessions
// and refunds by name.
package stripesim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"sync"
	"time"
)

// Version is the API version that is spoken.
const Version = "2023-10-16"

// usualAccount is the id of the account.
const usualAccount = "acct_sim"

// Config is what a Sim needs.
type Config struct {
	Now    func() time.Time
	Key    string // secret key that is accepted
	URL    string // own address, as browsers see it
	File   string // keeps everything over a restart; "" keeps nothing
	Client *http.Client
	Log    *slog.Logger
}

// Sim is a stand-in for one account at Stripe. Its methods may be called by many at
// once.
type Sim struct {
	Config
	mu       sync.Mutex
	state    state
	faults   Faults
	hooks    []delivery // waiting to be sent
	sending  int
	lapses   int64 // second before which no session lapses; 0 if it is not known
	wake     chan struct{}
	settled  *sync.Cond
	retryGap time.Duration
}

// state is everything that the account holds.
type state struct {
	Objects map[string]object
	Lists   map[string][]string // kind -> ids, the oldest first
	Keys    map[string]answered // idempotency key -> what was answered
	Secrets map[string]string   // webhook endpoint -> secret
	Seq     int
	Offset  time.Duration
	Version string // of the events
	Account string // id
}

// object is an object of the API.
type object map[string]any

func (o object) id() string   { return o.text("id") }
func (o object) kind() string { return o.text("object") }

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

func (o object) cents(name string) int64 {
	switch n := o[name].(type) {
	case int64:
		return n
	case float64: // read back from the file
		return int64(n)
	case int:
		return int64(n)
	}
	return 0
}

// New makes a stand-in, or goes on with the one in the file.
func New(c Config) (*Sim, error) {
	s := &Sim{Config: c, wake: make(chan struct{}, 1), retryGap: time.Second}
	s.settled = sync.NewCond(&s.mu)
	s.state = state{Objects: map[string]object{}, Lists: map[string][]string{}, Keys: map[string]answered{}, Secrets: map[string]string{}, Version: Version, Account: usualAccount}
	if s.Client == nil {
		s.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if c.File == "" {
		return s, nil
	}
	raw, err := os.ReadFile(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read stand-in of Stripe: %w", err)
	}
	if err := json.Unmarshal(raw, &s.state); err != nil {
		return nil, fmt.Errorf("read stand-in of Stripe: %w", err)
	}
	return s, nil
}

// now is the account's instant; mu is held.
func (s *Sim) now() time.Time { return s.Now().Add(s.state.Offset) }

// keep writes everything to the file; mu is held.
func (s *Sim) keep() {
	if s.File == "" {
		return
	}
	raw, err := json.Marshal(s.state)
	if err == nil {
		if err = os.WriteFile(s.File+".new", raw, 0o600); err == nil {
			err = os.Rename(s.File+".new", s.File)
		}
	}
	if err != nil {
		s.Log.Error("keep stand-in of Stripe", "error", err)
	}
}

// do runs a change under the lock, keeps it and has its webhooks sent.
func (s *Sim) do(change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lapse()
	err := change()
	s.keep()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return err
}

// alter is do of a change that cannot fail.
func (s *Sim) alter(change func()) {
	if err := s.do(func() error { change(); return nil }); err != nil {
		panic(err)
	}
}

// add makes an object of the account.
func (s *Sim) add(kind, prefix string, o object) object {
	s.state.Seq++
	id := fmt.Sprintf("%s_sim%08d", prefix, s.state.Seq)
	all := object{"id": id, "object": kind, "created": s.now().Unix(), "livemode": false}
	for name, value := range o {
		all[name] = value
	}
	if kind != "balance_transaction" || o["type"] == "charge" { // what a charge leaves, not what moves later
		maps.Copy(all, s.faults.Alter[kind])
	}
	s.state.Objects[id] = all
	s.state.Lists[kind] = append(s.state.Lists[kind], id)
	return all
}

// get finds an object of a kind.
func (s *Sim) get(kind, id string) (object, error) {
	o, found := s.state.Objects[id]
	if !found || o.kind() != kind {
		return nil, missing(kind, id)
	}
	return o, nil
}

// each is every object of a kind, the oldest first.
func (s *Sim) each(kind string) (all []object) {
	for _, id := range s.state.Lists[kind] {
		all = append(all, s.state.Objects[id])
	}
	return all
}

// Change has an object say something else from now on, as no real account does.
func (s *Sim) Change(id string, fields map[string]any) error {
	return s.do(func() error {
		o, found := s.state.Objects[id]
		if !found {
			return missing("object", id)
		}
		maps.Copy(o, fields)
		s.lapses = 0
		return nil
	})
}

// Speak has the account speak another API version in its events.
func (s *Sim) Speak(version string) { s.alter(func() { s.state.Version = version }) }

// Become has another account answer to the key.
func (s *Sim) Become(account string) { s.alter(func() { s.state.Account = account }) }

// MoveTo sets the account's clock.
func (s *Sim) MoveTo(t time.Time) {
	s.alter(func() {
		s.state.Offset = t.Sub(s.Now())
		s.lapse()
	})
}

// Advance moves the account's clock; sessions whose time is over lapse.
func (s *Sim) Advance(d time.Duration) {
	s.alter(func() {
		s.state.Offset += d
		s.lapse()
	})
}
