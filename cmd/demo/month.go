package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/cmd/internal/app"
	"mopd/lms"
	"mopd/lms/accounts"
	"mopd/lms/mail"
	"mopd/payments"
	"mopd/payments/stripesim"
)

// monthCourse is the demo's course with a fee.
const monthCourse = "POI-101"

// purchases are who paid for it in the month before the demo began, and how many days
// before.
var purchases = []struct {
	given, family string
	daysAgo       int
}{
	{"Keisha", "Johnson", 29}, {"Rosa", "Delgado", 28}, {"Emily", "Novak", 28}, {"Tamika", "Harris", 26}, {"Linh", "Tran", 25}, {"Carol", "Schmidt", 22},
	{"Imani", "Wright", 21}, {"Beatriz", "Soto", 20}, {"Megan", "Doyle", 19}, {"Fatima", "Hassan", 18}, {"Joanne", "Becker", 15}, {"Denise", "Parker", 14},
	{"Yolanda", "Reyes", 12}, {"Hannah", "Fischer", 8}, {"Latoya", "Simmons", 6}, {"Grace", "Oduya", 5}, {"Mai", "Vang", 3}, {"Paula", "Kent", 1},
}

// What else happened in that month, by days before the demo began.
const (
	firstPayout, secondPayout, thirdPayout = 23, 16, 9
	askedBack                              = 24 // a fee within the policy
	givenBackElsewhere                     = 13 // in Stripe's dashboard
	disputed                               = 7
	cardFromAbroad                         = 12 // its fee is another than agreed
)

// month is the demo's month of sales as it is played.
type month struct {
	*payments.Service
	app     *app.App
	till    *till
	finance lms.Viewer
	start   time.Time
	charges map[int]string // by days ago
	orders  map[int]payments.OrderID
}

// unposted takes the letters of the past, which nobody is sent.
type unposted struct{}

func (unposted) Post(context.Context, pgx.Tx, mail.Letter) error { return nil }

// seedMonth plays a month of sales at the stand-in for Stripe, so that finance has
// something to look at, unless there are orders already.
func seedMonth(ctx context.Context, a *app.App, t *till, now time.Time) error {
	sold, err := a.Payments.LastOrder(ctx)
	if err != nil || sold != 0 {
		return err
	}
	d := a.Payments.Dependencies
	d.Mail = unposted{}
	finance, err := a.Accounts.PersonBy(ctx, "finance@demo.example")
	if err != nil {
		return err
	}
	m := &month{Service: payments.New(d), app: a, till: t, start: now, charges: map[int]string{}, orders: map[int]payments.OrderID{}}
	m.finance.ID = finance
	defer t.MoveTo(now)
	for daysAgo := 30; daysAgo > 0; daysAgo-- {
		if err := m.day(ctx, daysAgo); err != nil {
			return fmt.Errorf("%d days ago: %w", daysAgo, err)
		}
	}
	return m.CheckAll(ctx, now)
}

// at is an hour of a day before the demo began.
func (m *month) at(daysAgo, hour int) time.Time {
	return lms.DateOf(m.start).AddDays(-daysAgo).Start().Add(time.Duration(hour) * time.Hour)
}

func (m *month) day(ctx context.Context, daysAgo int) error {
	for i, p := range purchases {
		if p.daysAgo != daysAgo {
			continue
		}
		if err := m.sell(ctx, i, m.at(daysAgo, 9+i%8)); err != nil {
			return err
		}
	}
	now := m.at(daysAgo, 20)
	m.till.MoveTo(now)
	switch daysAgo {
	case firstPayout, secondPayout, thirdPayout:
		payout, err := m.till.ClosePayout()
		if err != nil {
			return err
		}
		if err := m.till.PayPayout(payout); err != nil {
			return err
		}
		return m.SyncPayout(ctx, payout, now)
	case askedBack:
		refund, err := m.AskRefund(ctx, m.finance, payments.RefundRequest{Order: m.orders[28], Amount: 500, Reason: "Registered by mistake, and asked within 30 days."}, "", now)
		if err != nil {
			return err
		}
		return m.SendRefund(ctx, refund, now)
	case givenBackElsewhere:
		if _, err := m.till.RefundAtDashboard(m.charges[14], 500); err != nil {
			return err
		}
		return m.SyncCharge(ctx, m.charges[14], now)
	case disputed:
		if _, err := m.till.Dispute(m.charges[22]); err != nil {
			return err
		}
		return m.SyncCharge(ctx, m.charges[22], now)
	}
	return nil
}

// sell has somebody register for the course and pay.
func (m *month) sell(ctx context.Context, i int, now time.Time) error {
	p := purchases[i]
	buyer, err := m.app.Accounts.Add(ctx, accounts.NewPerson{Given: p.given, Family: p.family, Email: fmt.Sprintf("caregiver%d@demo.example", i+1), Password: demoPassword}, now)
	if err != nil {
		return err
	}
	m.till.MoveTo(now)
	if p.daysAgo == cardFromAbroad {
		m.till.Break(func(f *stripesim.Faults) {
			f.Alter = map[string]map[string]any{"balance_transaction": {"fee": int64(52), "net": int64(448)}}
		})
		defer m.till.Break(func(f *stripesim.Faults) { f.Alter = nil })
	}
	if _, err := m.Checkout(ctx, lms.Purchase{Person: buyer, Code: monthCourse, Lang: "en"}, now); err != nil {
		return err
	}
	mine, err := m.Orders(ctx, buyer.ID)
	if err != nil {
		return err
	}
	if err := m.till.Pay(mine[0].Session, stripesim.CardThatPays); err != nil {
		return err
	}
	if _, err := m.Settle(ctx, mine[0].ID, now); err != nil {
		return err
	}
	m.orders[p.daysAgo] = mine[0].ID
	sold, err := m.Dossier(ctx, mine[0].ID, lms.DateOf(now))
	if err != nil {
		return err
	}
	m.charges[p.daysAgo] = sold.Charges[0].ID
	return nil
}
