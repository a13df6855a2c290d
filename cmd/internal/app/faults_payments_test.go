//go:build faults

package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/payments/stripesim"
)

// pay pays for the course at the stand-in.
func (s *shop) pay() {
	s.Helper()
	page := s.register()
	require.NoError(s, s.till.Pay(page[strings.LastIndex(page, "/")+1:], stripesim.CardThatPays))
}

// killsWorker starts a worker, waits until it is killed and starts another.
func (s *shop) killsWorker(fault func(f *stripesim.Faults, kill func()), cause func()) {
	s.Helper()
	killed := make(chan struct{})
	var worker *process
	ready := make(chan struct{})
	s.till.Break(func(f *stripesim.Faults) { fault(f, func() { <-ready; worker.kill(); close(killed) }) })
	cause()
	worker = s.start("work")
	close(ready)
	<-killed
	s.start("work")
}

func TestFaultsAWorkerKilledAnywhereWhileAnOrderIsSettledSettlesItOnce(t *testing.T) {
	t.Parallel()
	for step, fault := range map[string]func(f *stripesim.Faults, kill func()){
		"before the session is read": func(f *stripesim.Faults, kill func()) {
			f.Before = once(http.MethodGet, "/checkout/sessions/", kill)
		},
		"after the session is read, before the order is settled": func(f *stripesim.Faults, kill func()) {
			f.After = once(http.MethodGet, "/checkout/sessions/", kill)
		},
		"after the order is settled, before the charge is read": func(f *stripesim.Faults, kill func()) {
			f.Before = once(http.MethodGet, "/charges/", kill)
		},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			s.killsWorker(fault, s.pay)
			s.settled()
		})
	}
}

func TestFaultsAWorkerKilledInTheMiddleOfSettlingSettlesOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.pay()
	release := s.holdPerson()
	worker := s.start("work")
	s.until("the worker is in the middle of settling", `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`)
	worker.kill()
	release()
	s.start("work")
	s.settled()
}

func TestFaultsAWorkerKilledAnywhereWhileAFeeIsGivenBackGivesItBackOnce(t *testing.T) {
	t.Parallel()
	for step, fault := range map[string]func(f *stripesim.Faults, kill func()){
		"before Stripe is asked": func(f *stripesim.Faults, kill func()) {
			f.Before = once(http.MethodPost, "/refunds", kill)
		},
		"after Stripe has made the refund, before it is kept": func(f *stripesim.Faults, kill func()) {
			f.After = once(http.MethodPost, "/refunds", kill)
		},
		"after the refund is kept, before the ledger has it": func(f *stripesim.Faults, kill func()) {
			f.Before = once(http.MethodGet, "/refunds", kill)
		},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			worker := s.start("work")
			s.pay()
			s.settled()
			worker.kill()
			s.run(password+"\n", "user", "add", "--email", "fay@example.org", "--given", "Fay", "--family", "Ortiz", "--role", "finance")
			finance := newLearner(t, s.url, s.address)
			finance.cookies["__Host-session"] = s.session("fay@example.org")
			s.killsWorker(fault, func() {
				a := finance.post("/finance/orders/1", "/finance/orders/1/refund", url.Values{"amount": {"5.00"}, "reason": {"Asked for"}})
				require.Equal(t, http.StatusSeeOther, a.status, a.body)
			})
			s.until("the fee is given back", `SELECT EXISTS (SELECT FROM payments.entries WHERE kind = 'refund')`)
			s.until("every event is worked", `SELECT NOT EXISTS (SELECT FROM payments.events WHERE processed_at IS NULL)`)
			s.until("every job is done", `SELECT NOT EXISTS (SELECT FROM river.river_job WHERE kind = 'send_refund' AND state <> 'completed')`)
			for what, sql := range map[string]string{
				"one refund":        `SELECT count(*) = 1 FROM payments.refunds WHERE state = 'succeeded'`,
				"the whole amount":  `SELECT refunding = 500 FROM payments.charges`,
				"one entry":         `SELECT count(*) = 1 FROM payments.entries WHERE kind = 'refund'`,
				"a revoked seat":    `SELECT count(*) = 1 FROM payments.seats WHERE state = 'revoked'`,
				"a balance":         `SELECT sum(amount) = 0 FROM payments.entry_lines`,
				"no exception":      `SELECT count(*) = 0 FROM payments.exceptions`,
				"a closed registry": `SELECT count(*) = 1 FROM enrollments.enrollments WHERE state = 'revoked'`,
			} {
				var so bool
				require.NoError(t, s.db.QueryRow(t.Context(), sql).Scan(&so))
				require.True(t, so, what)
			}
		})
	}
}
