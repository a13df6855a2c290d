//go:build faults

package app_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mopd/payments/stripesim"
)

// killsWorker starts a worker on what cause brings, waits until it is killed at a step
// and starts another.
func (s *shop) killsWorker(step at, cause func()) {
	s.Helper()
	ready, killed := make(chan struct{}), make(chan struct{})
	var worker *process
	s.till.Break(step.kills(func() {
		<-ready
		worker.kill()
		close(killed)
	}))
	cause()
	worker = s.start("work")
	close(ready)
	<-killed
	s.start("work")
}

func TestFaultsAWorkerKilledAnywhereWhileAnOrderIsSettledSettlesItOnce(t *testing.T) {
	t.Parallel()
	atEach(t, map[string]at{
		"before the session is read":                             {method: http.MethodGet, path: "/checkout/sessions/"},
		"after the session is read, before the order is settled": {method: http.MethodGet, path: "/checkout/sessions/", after: true},
		"after the order is settled, before the charge is read":  {method: http.MethodGet, path: "/charges/"},
	}, func(s *shop, step at) {
		s.killsWorker(step, func() { s.pays(s.register()) })
		s.settled()
	})
}

func TestFaultsAWorkerKilledInTheMiddleOfSettlingSettlesOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.pays(s.register())
	release := s.holdPerson()
	worker := s.start("work")
	s.untilStopped("the worker is in the middle of settling")
	worker.kill()
	release()
	s.start("work")
	s.settled()
}

func TestFaultsAWorkerKilledAnywhereWhileAFeeIsGivenBackGivesItBackOnce(t *testing.T) {
	t.Parallel()
	atEach(t, map[string]at{
		"before Stripe is asked":                              {method: http.MethodPost, path: "/refunds"},
		"after Stripe has made the refund, before it is kept": {method: http.MethodPost, path: "/refunds", after: true},
		"after Stripe has made the refund, while it is read":  {method: http.MethodGet, path: "/refunds"},
	}, func(s *shop, step at) {
		worker := s.start("work")
		s.pays(s.register())
		s.settled()
		worker.kill()
		s.run(password+"\n", "user", "add", "--email", "fay@example.org", "--given", "Fay", "--family", "Ortiz", "--role", "finance")
		finance := newLearner(s, s.url, s.address)
		finance.cookies["__Host-session"] = s.session("fay@example.org")
		s.killsWorker(step, func() {
			a := finance.post("/finance/orders/1", "/finance/orders/1/refund", url.Values{"amount": {"5.00"}, "reason": {"Asked for"}})
			require.Equal(s, http.StatusSeeOther, a.status, a.body)
		})
		s.until("the fee is given back", `SELECT EXISTS (SELECT FROM payments.entries WHERE kind = 'refund')`)
		s.until("every event is worked", `SELECT NOT EXISTS (SELECT FROM payments.events WHERE processed_at IS NULL)`)
		s.until("every job is done", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'send_refund' AND state <> 'completed')`)
		s.holds(map[string]string{
			"one refund":           `SELECT count(*) = 1 FROM payments.refunds WHERE state = 'succeeded'`,
			"the whole amount":     `SELECT refunding = 500 FROM payments.charges`,
			"one entry":            `SELECT count(*) = 1 FROM payments.entries WHERE kind = 'refund'`,
			"a revoked seat":       `SELECT count(*) = 1 FROM payments.seats WHERE state = 'revoked'`,
			"a revoked enrollment": `SELECT count(*) = 1 FROM enrollments.enrollments WHERE state = 'revoked'`,
			"a balance":            `SELECT sum(amount) = 0 FROM payments.entry_lines`,
			"no exception":         `SELECT count(*) = 0 FROM payments.exceptions`,
		})
	})
}

func TestFaultsReconcilingKilledAnywhereAndDoneAgainEntersEverythingOnce(t *testing.T) {
	t.Parallel()
	atEach(t, map[string]at{
		"after the payouts are listed":                       {method: http.MethodGet, path: "/payouts", after: true},
		"after a payout is read, before it is kept":          {method: http.MethodGet, path: "/payouts/po_", after: true},
		"after its lines are read, before they are kept":     {method: http.MethodGet, path: "/balance_transactions", after: true},
		"after an unknown charge is read, before it is kept": {method: http.MethodGet, path: "/disputes", after: true},
		"before the account is read":                         {method: http.MethodGet, path: "/account"},
		"after the events are listed, before they are kept":  {method: http.MethodGet, path: "/events", after: true},
	}, func(s *shop, step at) {
		worker := s.start("work")
		s.pays(s.register())
		s.settled()
		worker.kill()
		s.till.Break(func(f *stripesim.Faults) { f.Drop = 1 << 20 }) // no webhook tells of what follows
		s.till.Advance(-time.Hour)
		s.till.ChargeAtDashboard(700, map[string]any{})
		payout, err := s.till.ClosePayout()
		require.NoError(s, err)
		require.NoError(s, s.till.PayPayout(payout))
		s.till.Advance(time.Hour)

		ready := make(chan struct{})
		var first *process
		s.till.Break(step.kills(func() {
			<-ready
			first.kill()
		}))
		first = s.start("reconcile")
		close(ready)
		<-first.done
		require.Error(s, first.ended, "it was killed")
		s.run("", "reconcile")
		s.run("", "reconcile")
		s.start("work")
		s.until("every event is worked", `SELECT count(*) > 4 AND count(*) = count(processed_at) FROM payments.events`)
		s.holds(map[string]string{
			"a payout that ties":      `SELECT count(*) = 1 FROM payments.payouts WHERE lines = 2 AND lines_sum = amount AND reconciled_at IS NOT NULL`,
			"one entry for each move": `SELECT count(*) = 3 FROM payments.entries e JOIN payments.balance_transactions t ON t.id = e.reference`,
			"all money at the bank":   `SELECT sum(amount) = 0 FROM payments.entry_lines WHERE account = 'stripe'`,
			"the exceptions":          `SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) = 'missed_event wrong_metadata' FROM payments.exceptions`,
			"a balance":               `SELECT sum(amount) = 0 FROM payments.entry_lines`,
		})
	})
}
