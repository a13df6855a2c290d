package stripesim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fault is an error of the API.
type fault struct {
	Status  int    `json:"-"`
	Type    string `json:"type"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Param   string `json:"param,omitempty"`
}

func (f *fault) Error() string { return f.Message }

func invalid(code, param, format string, args ...any) error {
	return &fault{http.StatusBadRequest, "invalid_request_error", code, fmt.Sprintf(format, args...), param}
}

func missing(kind, id string) error {
	return &fault{http.StatusNotFound, "invalid_request_error", "resource_missing", fmt.Sprintf("No such %s: '%s'", kind, id), "id"}
}

// answered is what a request with an idempotency key got.
type answered struct {
	Request string // path and parameters
	Status  int
	Body    json.RawMessage
	At      time.Time
}

// keysLive is how long idempotency keys are remembered.
const keysLive = 24 * time.Hour

type endpoint func(r *http.Request) (any, error)

// Handler answers the API and the hosted page.
func (s *Sim) Handler() http.Handler {
	mux := http.NewServeMux()
	api := func(pattern string, e endpoint) { mux.Handle(pattern, s.api(e)) }
	api("POST /v1/checkout/sessions", s.createSession)
	api("GET /v1/checkout/sessions/{id}", s.retrieve("checkout.session"))
	api("POST /v1/checkout/sessions/{id}/expire", s.expireSession)
	api("POST /v1/refunds", s.createRefund)
	api("POST /v1/webhook_endpoints", s.createEndpoint)
	for path, kind := range map[string]string{
		"checkout/sessions": "checkout.session", "payment_intents": "payment_intent", "charges": "charge", "refunds": "refund", "disputes": "dispute",
		"balance_transactions": "balance_transaction", "payouts": "payout", "events": "event", "webhook_endpoints": "webhook_endpoint",
	} {
		api("GET /v1/"+path, s.list(kind))
		if kind != "checkout.session" {
			api("GET /v1/"+path+"/{id}", s.retrieve(kind))
		}
	}
	api("GET /v1/account", func(*http.Request) (any, error) {
		return object{"id": cmp.Or(s.state.Account, usualAccount), "object": "account"}, nil
	})
	mux.HandleFunc("GET /control", s.controlPage)
	mux.HandleFunc("POST /control/{verb}", s.control)
	mux.HandleFunc("GET /pay/{id}", s.payPage)
	mux.HandleFunc("POST /pay/{id}", s.payForm)
	return mux
}

// api wraps an endpoint with what every request of the API goes through.
func (s *Sim) api(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, replayed := s.answer(e, r)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Request-Id", "req_sim")
		if replayed {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		w.WriteHeader(a.Status)
		if _, err := w.Write(a.Body); err != nil {
			s.Log.Info("the client is gone", "error", err)
		}
	})
}

func (s *Sim) answer(e endpoint, r *http.Request) (a answered, replayed bool) {
	if err := r.ParseForm(); err != nil {
		return encode(nil, invalid("", "", "the form cannot be read")), false
	}
	if r.Header.Get("Authorization") != "Bearer "+s.Key {
		return encode(nil, &fault{http.StatusUnauthorized, "invalid_request_error", "", "Invalid API Key provided", ""}), false
	}
	if v := r.Header.Get("Stripe-Version"); v != "" && v != Version {
		return encode(nil, invalid("", "", "API version %s is not spoken here", v)), false
	}
	s.hook(r, func(f Faults) func(*http.Request) { return f.Before })
	s.alter(func() {
		if s.faults.Down {
			a = encode(nil, &fault{http.StatusServiceUnavailable, "api_error", "", "down", ""})
			return
		}
		a, replayed = s.once(e, r)
	})
	s.hook(r, func(f Faults) func(*http.Request) { return f.After })
	return a, replayed
}

// hook runs what a control wants done about a request, without the lock.
func (s *Sim) hook(r *http.Request, which func(Faults) func(*http.Request)) {
	s.mu.Lock()
	do := which(s.faults)
	s.mu.Unlock()
	if do != nil {
		do(r)
	}
}

// once answers a request with an idempotency key as it did the first time.
func (s *Sim) once(e endpoint, r *http.Request) (a answered, replayed bool) {
	key := r.Header.Get("Idempotency-Key")
	if r.Method != http.MethodPost || key == "" {
		return encode(e(r)), false
	}
	request := r.URL.Path + " " + r.PostForm.Encode()
	if before, known := s.state.Keys[key]; known && s.now().Sub(before.At) < keysLive {
		if before.Request != request {
			return encode(nil, &fault{http.StatusBadRequest, "idempotency_error", "", "Keys for idempotent requests can only be used with the same parameters they were first used with.", ""}), false
		}
		return before, true
	}
	if a = encode(e(r)); a.Status < 500 {
		a.Request, a.At = request, s.now()
		s.state.Keys[key] = a
	}
	return a, false
}

func encode(v any, err error) answered {
	status := http.StatusOK
	if err != nil {
		var f *fault
		if !errors.As(err, &f) {
			f = &fault{http.StatusInternalServerError, "api_error", "", err.Error(), ""}
		}
		status, v = f.Status, map[string]any{"error": f}
	}
	body, err := json.Marshal(v)
	if err != nil {
		return answered{Status: http.StatusInternalServerError, Body: []byte(`{}`)}
	}
	return answered{Status: status, Body: body}
}

func (s *Sim) retrieve(kind string) endpoint {
	return func(r *http.Request) (any, error) {
		o, err := s.get(kind, r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return s.expanded(o, expands(r.Form)), nil
	}
}

const (
	usualPage = 10
	mostPage  = 100
)

// list answers a page of a kind, the newest first.
func (s *Sim) list(kind string) endpoint {
	return func(r *http.Request) (any, error) {
		limit, err := strconv.Atoi(cmp.Or(r.Form.Get("limit"), strconv.Itoa(usualPage)))
		if err != nil || limit < 1 || limit > mostPage {
			return nil, invalid("parameter_invalid_integer", "limit", "This value must be between 1 and 100.")
		}
		after, data, more := r.Form.Get("starting_after"), []any{}, false
		ids := s.state.Lists[kind]
		start := len(ids) - 1
		if after != "" {
			at := slices.Index(ids, after)
			if at < 0 {
				return nil, missing(kind, after)
			}
			start = at - 1
		}
		var expand []string
		for _, path := range expands(r.Form) {
			expand = append(expand, strings.TrimPrefix(path, "data."))
		}
		for i := start; i >= 0; i-- {
			o := s.state.Objects[ids[i]]
			if !fits(o, r.Form) {
				continue
			}
			if len(data) == limit {
				more = true
				break
			}
			data = append(data, s.expanded(o, expand))
		}
		return object{"object": "list", "url": r.URL.Path, "has_more": more, "data": data}, nil
	}
}

// fits tells whether an object is what a list asks for.
func fits(o object, form url.Values) bool {
	if hidden, _ := o["forgotten"].(bool); hidden {
		return false
	}
	var types []string
	for name := range form {
		value := form.Get(name)
		switch {
		case name == "limit" || name == "starting_after" || strings.HasPrefix(name, "expand"):
		case strings.HasPrefix(name, "created[") || strings.HasPrefix(name, "arrival_date["):
			field, operator, _ := strings.Cut(strings.TrimSuffix(name, "]"), "[")
			bound, _ := strconv.ParseInt(value, 10, 64)
			got := o.cents(field)
			if operator == "gte" && got < bound || operator == "gt" && got <= bound || operator == "lte" && got > bound || operator == "lt" && got >= bound {
				return false
			}
		case strings.HasPrefix(name, "types["):
			types = append(types, value)
		default:
			if o.text(name) != value {
				return false
			}
		}
	}
	return types == nil || slices.Contains(types, o.text("type"))
}

// expands are the paths that a form asks to expand.
func expands(form url.Values) (paths []string) {
	for name, values := range form {
		if strings.HasPrefix(name, "expand[") {
			paths = append(paths, values...)
		}
	}
	return paths
}

// expanded is a copy of an object with what the paths name in place of its id.
func (s *Sim) expanded(o object, paths []string) object {
	raw, err := json.Marshal(o)
	if err != nil {
		return o
	}
	clone := object{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&clone); err != nil {
		return o
	}
	for _, path := range paths {
		name, rest, _ := strings.Cut(path, ".")
		inner, found := s.state.Objects[clone.text(name)]
		if nested, ok := clone[name].(object); ok { // expanded by a path before
			inner, found = s.state.Objects[nested.id()], true
		}
		if !found {
			continue
		}
		var further []string
		if rest != "" {
			further = []string{rest}
		}
		clone[name] = s.expanded(inner, further)
	}
	return clone
}
