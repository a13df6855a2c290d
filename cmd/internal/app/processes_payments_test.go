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

// once runs what a fault does the first time that a call of Stripe fits.
func once(method, path string, do func()) func(*http.Request) {
	var first sync.Once
	return func(r *http.Request) {
		if r.Method == method && strings.Contains(r.URL.Path, path) {
			first.Do(do)
		}
	}
}

// register asks for the course, and gives the address of the page on which it is paid.
func (s *shop) register() string {
	s.Helper()
	a := s.buyer.post("/courses/FEE-1", "/courses/FEE-1/register", nil)
	require.Equal(s, http.StatusSeeOther, a.status, a.body)
	return a.location
}

// settled waits until the one order is paid, and fails unless it took one charge, one
// seat and one enrollment, and the ledger balances.
func (s *shop) settled() {
	s.Helper()
	s.until("the course is ready", `SELECT EXISTS (SELECT FROM enrollments.enrollments WHERE state = 'ready')`)
	s.until("every event is worked", `SELECT NOT EXISTS (SELECT FROM payments.events WHERE processed_at IS NULL)`)
	for what, sql := range map[string]string{
		"one order":      `SELECT count(*) = 1 FROM payments.orders WHERE state = 'paid'`,
		"one charge":     `SELECT count(*) = 1 FROM payments.charges`,
		"one seat":       `SELECT count(*) = 1 FROM payments.seats WHERE state = 'granted' AND enrollment IS NOT NULL`,
		"one enrollment": `SELECT count(*) = 1 FROM enrollments.enrollments`,
		"one receipt":    `SELECT count(*) = 1 FROM river.river_job WHERE kind = 'send_mail'`,
		"two entries":    `SELECT count(*) = 2 FROM payments.entries`,
		"a balance":      `SELECT sum(amount) = 0 FROM payments.entry_lines`,
		"no exception":   `SELECT count(*) = 0 FROM payments.exceptions`,
	} {
		var so bool
		require.NoError(s, s.db.QueryRow(s.Context(), sql).Scan(&so))
		require.True(s, so, what)
	}
}

func TestAServerKilledAnywhereWhileSomebodyPaysChargesOnce(t *testing.T) {
	t.Parallel()
	for step, fault := range map[string]func(f *stripesim.Faults, kill func()){
		"after the order is kept, before Stripe is asked for its page": func(f *stripesim.Faults, kill func()) {
			f.Before = once(http.MethodPost, "/checkout/sessions", kill)
		},
		"after Stripe has made the page, before it is kept": func(f *stripesim.Faults, kill func()) {
			f.After = once(http.MethodPost, "/checkout/sessions", kill)
		},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.start("work")
			web := s.web
			s.till.Break(func(f *stripesim.Faults) { fault(f, web.kill) })
			_, err := s.buyer.tryPost("/courses/FEE-1", "/courses/FEE-1/register", nil)
			require.Error(t, err, "the server is killed")
			s.web = s.serveAt(s.address)
			page := s.register()
			require.Equal(t, page, s.register(), "pressing again leads to the same page")
			require.NoError(t, s.till.Pay(page[strings.LastIndex(page, "/")+1:], stripesim.CardThatPays))
			s.settled()
		})
	}
}

func TestAWebhookThatFindsNoServerComesAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.start("work")
	page := s.register()
	s.web.kill()
	require.NoError(t, s.till.Pay(page[strings.LastIndex(page, "/")+1:], stripesim.CardThatPays))
	s.web = s.serveAt(s.address)
	s.settled()
}
