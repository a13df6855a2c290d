package payments

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of this feature.
var (
	ErrOrderThere = lms.NewError(lms.Conflict, "order_there") // one order for a course waits to be paid
	ErrOrderOver  = lms.NewError(lms.Conflict, "order_over")  // it can no longer be paid or canceled
)

// The guards of this feature and the rules that they guarantee (docs/guards.md).
var guards = pg.Guards{
	"seats_one_reserved":    ErrOrderThere,
	"charges_refund_within": ErrRefundAmount,
	"refunds_two_people":    ErrOwnRefund,
}

// Checkout makes the order for a course with a fee, or finds the one that is already
// there, and gives the address of the page at Stripe on which it is paid; of an order
// that its payer has paid already, and the bank has not, that of the order. Asked again,
// in another tab or after any failure, it gives the same: two charges for one window
// cannot be.
//
// Errors: lms.ErrPaymentNotOpen, lms.ErrNotFound, lms.ErrCourseNotOpen,
// lms.ErrAlreadyEnrolled, lms.ErrEarnsAgain unless accepted, ErrStripeSilent.
func (s *Service) Checkout(ctx context.Context, p lms.Purchase, now time.Time) (address string, err error) {
	if s.Key == "" {
		return "", lms.ErrPaymentNotOpen.With("Title", p.Code)
	}
	o, err := s.reserve(ctx, p, now)
	if err == nil && o.State == Open && !o.Payable(now) {
		if o, err = s.Settle(ctx, o.ID, now); err == nil && o.State == Canceled {
			o, err = s.reserve(ctx, p, now)
		}
	}
	switch {
	case err != nil:
		return "", err
	case o.State == Open && o.Session == "":
		return s.open(ctx, o, p.Person.Email)
	case o.State == Open && o.URL != "":
		return o.URL, nil
	default:
		return orderPath(o.ID), nil
	}
}

// reserve is the person's unsettled order for a course, or a new one.
func (s *Service) reserve(ctx context.Context, p lms.Purchase, now time.Time) (o Order, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := pg.LockPerson(ctx, tx, p.Person.ID); err != nil {
			return err
		}
		course, err := s.Enrollments.CanRegister(ctx, tx, p.Person.ID, p.Code, p.AcceptNoCredit, lms.DateOf(now))
		if err != nil {
			return err
		}
		if o, err = selectUnsettled(ctx, tx, p.Person.ID, course.ID); !errors.Is(err, lms.ErrNotFound) {
			return err
		}
		if course.Fee <= 0 {
			return lms.ErrNotFound.Because(errors.New("the course is free"))
		}
		id, err := insertOrder(ctx, tx, p.Person.ID, course, p.Lang, now)
		if err != nil {
			return guards.Explain(err)
		}
		if o, err = selectOrder(ctx, tx, id); err != nil {
			return err
		}
		return s.audit(ctx, tx, "ordered", o, p.From, now)
	})
	return o, err
}

// open gives an order its page at Stripe.
func (s *Service) open(ctx context.Context, o Order, email string) (address string, err error) {
	here := s.address(o.ID)
	session, address, err := s.stripe.checkout(ctx, o, email, here+"?"+cameBack+"={CHECKOUT_SESSION_ID}", here)
	if err != nil {
		return "", err
	}
	return address, updateSession(ctx, s.DB, o.ID, session, address)
}

// LastOrder is the newest order; 0 if there is none.
func (s *Service) LastOrder(ctx context.Context) (OrderID, error) { return selectLastOrder(ctx, s.DB) }

// Orders are a person's orders, the newest first.
func (s *Service) Orders(ctx context.Context, p lms.PersonID) ([]Order, error) {
	return selectOrdersOf(ctx, s.DB, p)
}

// OrderOf is an order of a person.
//
// Errors: lms.ErrNotFound.
func (s *Service) OrderOf(ctx context.Context, p lms.PersonID, id OrderID) (Order, error) {
	o, err := selectOrder(ctx, s.DB, id)
	if err == nil && o.Payer != p {
		return Order{}, lms.ErrNotFound
	}
	return o, err
}

// Offered tells whether fees can be paid.
func (s *Service) Offered() bool { return s.Key != "" }

// Waiting is the path of each order of a person that waits to be paid or settled.
func (s *Service) Waiting(ctx context.Context, p lms.PersonID) (map[lms.CourseID]string, error) {
	all, err := selectOrdersOf(ctx, s.DB, p)
	paths := map[lms.CourseID]string{}
	for _, o := range all {
		if o.SeatState == Reserved {
			paths[o.Course] = orderPath(o.ID)
		}
	}
	return paths, err
}

// Returned is an order as its payer sees it who comes back from Stripe. The first time,
// Stripe is asked how it stands, which spares the wait for the webhook; coming again
// has no effect.
//
// Errors: lms.ErrNotFound.
func (s *Service) Returned(ctx context.Context, p lms.PersonID, id OrderID, now time.Time) (Order, error) {
	o, err := s.OrderOf(ctx, p, id)
	if err != nil || o.State != Open || o.Session == "" || s.Key == "" {
		return o, err
	}
	first, err := updateAsked(ctx, s.DB, id, now)
	if err != nil || !first {
		return o, err
	}
	settled, err := s.Settle(ctx, id, now)
	if errors.Is(err, ErrStripeSilent) {
		return o, nil // the webhook will tell
	}
	return settled, err
}

// Cancel makes an order of a person one that cannot be paid any more. One that was paid
// meanwhile stays paid.
//
// Errors: lms.ErrNotFound, ErrOrderOver, ErrStripeSilent.
func (s *Service) Cancel(ctx context.Context, p lms.PersonID, id OrderID, from string, now time.Time) (Order, error) {
	o, err := s.OrderOf(ctx, p, id)
	if err != nil {
		return o, err
	}
	if o.State != Open {
		return o, ErrOrderOver.With("Title", o.Title)
	}
	state := sessionState{Expired: true} // a page that nobody was sent to
	if o.Session != "" {
		if state, err = s.stripe.expire(ctx, o.Session); err != nil {
			return o, err
		}
	}
	return s.settle(ctx, id, state, ByPayer, from, now)
}

// Settle asks Stripe how the Checkout session of an order stands, and makes of the
// order what it says: with the payment come the seat, the enrollment, the entries in
// the ledger and the receipt, in one transaction. Doing it again changes nothing.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (s *Service) Settle(ctx context.Context, id OrderID, now time.Time) (Order, error) {
	o, err := selectOrder(ctx, s.DB, id)
	if err != nil {
		return o, err
	}
	state := sessionState{Open: true}
	switch {
	case o.Session != "":
		if state, err = s.stripe.session(ctx, o.Session); err != nil {
			return o, err
		}
	case !o.Payable(now):
		// Stripe may have made a session that never was heard of: nobody was sent to it.
		state = sessionState{Expired: true}
	}
	return s.settle(ctx, id, state, "", "", now)
}

func (s *Service) settle(ctx context.Context, id OrderID, state sessionState, why, from string, now time.Time) (o Order, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if o, err = s.lock(ctx, tx, id); err != nil {
			return err
		}
		was := o.State
		o.PaymentIntent = cmp.Or(o.PaymentIntent, state.PaymentIntent)
		o.State, o.Why = o.next(state)
		if o.State == Canceled && was != Canceled {
			o.Why = cmp.Or(why, o.Why)
			o.EndedAt, o.SeatState = &now, Released
		}
		if o.State == Paid && was != Paid {
			o.PaidAt, o.EndedAt = &now, nil
			if err := s.grant(ctx, tx, &o, now); err != nil {
				return err
			}
		}
		if err := updateOrder(ctx, tx, o); err != nil {
			return err
		}
		if err := updateSeat(ctx, tx, o.Seat, now); err != nil {
			return err
		}
		if err := s.book(ctx, tx, o, state.Charge, now); err != nil {
			return err
		}
		if o.State == was {
			return nil
		}
		if err := s.audit(ctx, tx, "order_"+string(o.State), o, from, now); err != nil {
			return err
		}
		return s.check(ctx, tx, o.ID, now)
	})
	return o, err
}

// grant gives an order its seat, and the seat its enrollment. Who is enrolled already
// keeps the seat, which is an exception.
func (s *Service) grant(ctx context.Context, tx pgx.Tx, o *Order, now time.Time) error {
	o.SeatState = Granted
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) {
		o.Enrollment, err = s.Enrollments.Admit(ctx, tx, o.Payer, o.snapshot(), now)
		return err
	})
	if errors.Is(err, lms.ErrAlreadyEnrolled) {
		o.Enrollment = 0
		return nil
	}
	if err != nil {
		return err
	}
	return s.sendReceipt(ctx, tx, *o)
}

// book enters a charge of an order in the ledger, and what it earned.
func (s *Service) book(ctx context.Context, tx pgx.Tx, o Order, c *Charge, now time.Time) error {
	if err := insertAccounts(ctx, tx, o.Course, o.Code); err != nil {
		return err
	}
	if c != nil {
		if err := upsertCharge(ctx, tx, *c, o.ID, now); err != nil {
			return err
		}
		if c.Transaction != nil {
			if err := s.enter(ctx, tx, o, []BalanceTransaction{*c.Transaction}, now); err != nil {
				return err
			}
		}
	}
	if o.State != Paid || o.Enrollment == 0 {
		return nil
	}
	_, err := insertEntry(ctx, tx, earnedEntry(o.ID, o.SeatID, o.Code, o.Total, *o.PaidAt), now)
	return err
}

func (s *Service) audit(ctx context.Context, tx pgx.Tx, action string, o Order, from string, now time.Time) error {
	actor := o.Payer
	if from == "" {
		actor = 0
	}
	return s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: actor, Action: action, Subject: o.Payer, Object: orderObject(o.ID), Note: o.Title, At: now, From: from})
}
