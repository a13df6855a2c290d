package stripesim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"
)

// Faults are what the controls break.
type Faults struct {
	Down        bool
	HoldRefunds bool
	LoseCharges bool                      // payments succeed and name no charge
	Alter       map[string]map[string]any // fields of new objects, by kind, that say something else
	Delay       time.Duration             // until a webhook is sent
	Drop        int                       // webhooks that never leave
	Repeat      int                       // more times that each webhook is sent
	MisSign     int                       // webhooks signed with another secret
	Reorder     bool
	Before      func(*http.Request) // a request is worked
	After       func(*http.Request) // it was, and is not answered yet
}

// Break has the next things go wrong as change says, until it is called again.
func (s *Sim) Break(change func(*Faults)) {
	s.alter(func() { change(&s.faults) })
}

// delivery is a webhook on its way.
type delivery struct {
	event    object
	endpoint string
	tries    int
	due      time.Time
}

const mostTries = 8

var errRefused = errors.New("refused")

// tell makes an event and has it sent; mu is held.
func (s *Sim) tell(kind string, about object) {
	raw, err := json.Marshal(about)
	if err != nil {
		return
	}
	event := s.add("event", "evt", object{"type": kind, "api_version": s.state.Version, "pending_webhooks": 1, "data": map[string]any{"object": json.RawMessage(raw)}})
	if s.faults.Drop > 0 {
		s.faults.Drop--
		return
	}
	for _, endpoint := range s.state.Lists["webhook_endpoint"] {
		for range 1 + s.faults.Repeat {
			d := delivery{event: event, endpoint: endpoint, due: time.Now().Add(s.faults.Delay)}
			if s.faults.Reorder {
				s.hooks = slices.Insert(s.hooks, 0, d)
			} else {
				s.hooks = append(s.hooks, d)
			}
		}
	}
}

// Endpoint has every event posted to an address, and gives the secret that signs them.
func (s *Sim) Endpoint(url string) (secret string) {
	s.alter(func() { _, secret = s.endpoint(url) })
	return secret
}

func (s *Sim) endpoint(url string) (o object, secret string) {
	for _, known := range s.each("webhook_endpoint") {
		if known.text("url") == url {
			return known, s.state.Secrets[known.id()]
		}
	}
	o = s.add("webhook_endpoint", "we", object{"url": url, "status": "enabled", "enabled_events": []string{"*"}, "api_version": Version})
	secret = "whsec_" + o.id()
	s.state.Secrets[o.id()] = secret
	return o, secret
}

func (s *Sim) createEndpoint(r *http.Request) (any, error) {
	o, secret := s.endpoint(r.PostForm.Get("url"))
	told := object{"secret": secret}
	for name, value := range o {
		told[name] = value
	}
	return told, nil
}

// Run sends webhooks until ctx ends.
func (s *Sim) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		d, wait := s.next()
		if d != nil {
			s.send(ctx, *d)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// next is a webhook that is due, or how long until one is.
func (s *Sim) next() (*delivery, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := time.Minute
	for i, d := range s.hooks {
		ahead := time.Until(d.due)
		if ahead <= 0 {
			s.hooks = slices.Delete(s.hooks, i, i+1)
			s.sending++
			return &d, 0
		}
		wait = min(wait, ahead)
	}
	return nil, wait
}

func (s *Sim) send(ctx context.Context, d delivery) {
	s.mu.Lock()
	url, secret := s.state.Objects[d.endpoint].text("url"), s.state.Secrets[d.endpoint]
	if s.faults.MisSign > 0 {
		s.faults.MisSign--
		secret = "whsec_another"
	}
	payload, err := json.Marshal(d.event)
	at := s.Now() // the receiver does not know of Advance
	s.mu.Unlock()
	if err == nil {
		err = s.post(ctx, url, payload, webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: payload, Secret: secret, Timestamp: at}).Header)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending--
	if d.tries++; err != nil && d.tries < mostTries {
		d.due = time.Now().Add(s.retryGap << d.tries / 4)
		s.hooks = append(s.hooks, d)
	}
	s.settled.Broadcast()
}

func (s *Sim) post(ctx context.Context, url string, payload []byte, signature string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Stripe-Signature", signature)
	answer, err := s.Client.Do(r)
	if err != nil {
		s.Log.Info("webhook not delivered", "error", err)
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		s.Log.Info("webhook refused", "status", answer.StatusCode)
		return errRefused
	}
	return nil
}

// Settle waits until every webhook was delivered or given up.
func (s *Sim) Settle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settled.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for (len(s.hooks) > 0 || s.sending > 0) && ctx.Err() == nil {
		s.settled.Wait()
	}
	return ctx.Err()
}
