package app_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/payments/stripesim"
)

// shop is a deployment that sells one course, with one server that a test may kill.
type shop struct {
	*site
	till    *till
	web     *process
	address string
	buyer   *learner
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{site: newSite(t)}
	s.till = newTill(t, &clock{}, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, s.address)
		},
	}})
	file := filepath.Join(t.TempDir(), "one.zip")
	require.NoError(t, os.WriteFile(file, onePackage(t), 0o600))
	s.run(password+"\n", "user", "add", "--email", mayasEmail, "--given", "Maya", "--family", "Ortiz")
	s.run("", "publish", file, "--code", "FEE-1", "--hours", "1.25", "--approval", "A-1", "--fee", "5.00")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = l.Addr().String()
	require.NoError(t, l.Close())
	s.env = append(s.env, "STRIPE_SECRET_KEY="+s.till.Key, "STRIPE_URL="+s.till.URL, "STRIPE_CHECKOUT_ORIGIN="+s.till.URL,
		"STRIPE_WEBHOOK_SECRETS="+s.till.Endpoint(s.url+"/stripe/webhook"))
	s.web = s.serveAt(s.address)
	s.buyer = newLearner(t, s.url, s.address)
	s.buyer.cookies["__Host-session"] = s.session(mayasEmail)
	return s
}

// at is a step: the first call of Stripe that fits, before it is worked or after.
type at struct {
	method, path string
	after        bool
}

// kills has a process killed at the step.
func (a at) kills(kill func()) func(*stripesim.Faults) {
	var first sync.Once
	hook := func(r *http.Request) {
		if r.Method == a.method && strings.Contains(r.URL.Path, a.path) {
			first.Do(kill)
		}
	}
	return func(f *stripesim.Faults) {
		if a.after {
			f.After = hook
		} else {
			f.Before = hook
		}
	}
}

// atEach runs a test at each step, in a shop of its own.
func atEach(t *testing.T, steps map[string]at, test func(s *shop, step at)) {
	t.Helper()
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newShop(t), step)
		})
	}
}

// register asks for the course, and gives the address of the page on which it is paid.
func (s *shop) register() string {
	s.Helper()
	a := s.buyer.post("/courses/FEE-1", "/courses/FEE-1/register", nil)
	require.Equal(s, http.StatusSeeOther, a.status, a.body)
	return a.location
}

// pays pays on a page at the stand-in.
func (s *shop) pays(page string) {
	s.Helper()
	require.NoError(s, s.till.Pay(page[strings.LastIndex(page, "/")+1:], stripesim.CardThatPays))
}

// holds fails unless each statement answers true.
func (s *site) holds(facts map[string]string) {
	s.Helper()
	for what, sql := range facts {
		var so bool
		require.NoError(s, s.db.QueryRow(s.Context(), sql).Scan(&so))
		require.True(s, so, what)
	}
}

// settled waits until the one order is paid, and fails unless it took one charge, one
// seat and one enrollment, and the ledger balances.
func (s *shop) settled() {
	s.Helper()
	s.until("the course is ready", `SELECT EXISTS (SELECT FROM enrollments.enrollments WHERE state = 'ready')`)
	s.until("every event is worked", `SELECT NOT EXISTS (SELECT FROM payments.events WHERE processed_at IS NULL)`)
	s.holds(map[string]string{
		"one order":      `SELECT count(*) = 1 FROM payments.orders WHERE state = 'paid'`,
		"one charge":     `SELECT count(*) = 1 FROM payments.charges`,
		"one seat":       `SELECT count(*) = 1 FROM payments.seats WHERE state = 'granted' AND enrollment IS NOT NULL`,
		"one enrollment": `SELECT count(*) = 1 FROM enrollments.enrollments`,
		"one receipt":    `SELECT count(*) = 1 FROM river.river_job WHERE kind = 'send_mail'`,
		"two entries":    `SELECT count(*) = 2 FROM payments.entries`,
		"a balance":      `SELECT sum(amount) = 0 FROM payments.entry_lines`,
		"no exception":   `SELECT count(*) = 0 FROM payments.exceptions`,
	})
}

func TestAServerKilledAnywhereWhileSomebodyPaysChargesOnce(t *testing.T) {
	t.Parallel()
	atEach(t, map[string]at{
		"after the order is kept, before Stripe is asked for its page": {method: http.MethodPost, path: "/checkout/sessions"},
		"after Stripe has made the page, before it is kept":            {method: http.MethodPost, path: "/checkout/sessions", after: true},
	}, func(s *shop, step at) {
		s.start("work")
		s.till.Break(step.kills(s.web.kill))
		_, err := s.buyer.tryPost("/courses/FEE-1", "/courses/FEE-1/register", nil)
		require.Error(s, err, "the server is killed")
		s.web = s.serveAt(s.address)
		page := s.register()
		require.Equal(s, page, s.register(), "pressing again leads to the same page")
		s.pays(page)
		s.settled()
	})
}

func TestAWebhookThatFindsNoServerComesAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.start("work")
	page := s.register()
	s.web.kill()
	s.pays(page)
	s.web = s.serveAt(s.address)
	s.settled()
}
