package payments

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of refunds.
var (
	ErrRefundAmount  = lms.NewError(lms.Conflict, "refund_amount")  // more than is left of the charge; Args: Left
	ErrDisputed      = lms.NewError(lms.Conflict, "refund_dispute") // the bank decides about the charge
	ErrNothingPaid   = lms.NewError(lms.Conflict, "refund_nothing") // the order has no charge
	ErrOwnRefund     = lms.NewError(lms.Forbidden, "refund_own")    // who asked for it does not decide
	ErrRefundDecided = lms.NewError(lms.Conflict, "refund_decided") // somebody has decided already
	ErrNotGivenBack  = lms.NewError(lms.Conflict, "not_given_back") // something of the fee is still kept
	ErrRefundRefused = lms.NewError(lms.Conflict, "refund_refused") // by Stripe; Args: Code
)

// RefundRequest is what finance asks for.
type RefundRequest struct {
	Order      OrderID
	Amount     lms.Money
	Reason     string
	KeepAccess bool
}

// AskRefund takes a refund. Up to the policy's limit Stripe is asked at once; above it a
// second person decides first.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field reason, ErrNothingPaid, ErrDisputed,
// ErrRefundAmount.
func (s *Service) AskRefund(ctx context.Context, v lms.Viewer, r RefundRequest, from string, now time.Time) (id RefundID, err error) {
	if strings.TrimSpace(r.Reason) == "" {
		return 0, lms.ErrForm.WithField("reason", "refund_reason")
	}
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		o, err := s.lock(ctx, tx, r.Order)
		if err != nil {
			return err
		}
		c, err := selectPaidCharge(ctx, tx, o.ID)
		if errors.Is(err, lms.ErrNotFound) {
			return ErrNothingPaid
		}
		if err != nil {
			return err
		}
		if err := canRefund(r.Amount, c.Amount-c.Refunding, c.Disputed); err != nil {
			return err
		}
		policy, err := selectRefundPolicy(ctx, tx, lms.DateOf(now))
		if err != nil {
			return err
		}
		state := RefundApproved
		if r.Amount > policy.SecondOver {
			state = RefundRequested
		}
		if id, err = insertRefund(ctx, tx, r, c.ID, state, v.ID, now); err != nil {
			return err
		}
		if err := reserveRefund(ctx, tx, c.ID); err != nil {
			return guards.Explain(err)
		}
		if err := s.say(ctx, tx, v, "refund_requested", o, r.Reason, from, now); err != nil || state != RefundApproved {
			return err
		}
		return s.enqueueRefund(ctx, tx, id)
	})
	return id, err
}

// DecideRefund approves or denies a refund that waits for a second person.
//
// Errors: lms.ErrNotFound, ErrOwnRefund, ErrRefundDecided, lms.ErrForm with field why.
func (s *Service) DecideRefund(ctx context.Context, v lms.Viewer, id RefundID, approve bool, why, from string, now time.Time) error {
	if !approve && strings.TrimSpace(why) == "" {
		return lms.ErrForm.WithField("why", "refund_why")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		r, o, err := s.lockRefund(ctx, tx, id)
		if err != nil {
			return err
		}
		if r.State != RefundRequested {
			return ErrRefundDecided
		}
		if r.RequestedBy == v.ID {
			return ErrOwnRefund
		}
		r.State, r.DecidedBy, r.DecidedAt, r.WhyDenied = RefundApproved, v.ID, &now, why
		action := "refund_approved"
		if !approve {
			r.State, action = RefundDenied, "refund_denied"
		}
		if err := updateRefund(ctx, tx, r, now); err != nil {
			return guards.Explain(err)
		}
		if err := reserveRefund(ctx, tx, r.Charge); err != nil {
			return guards.Explain(err)
		}
		if err := s.say(ctx, tx, v, action, o, why, from, now); err != nil || !approve {
			return err
		}
		return s.enqueueRefund(ctx, tx, id)
	})
}

// resendWithin is how long Stripe is asked again for a refund whose answer was lost: it
// keeps keys 24 hours at least. After that only what Stripe lists counts.
const resendWithin = 23 * time.Hour

// SendRefund asks Stripe for an approved refund. What comes of it is kept as what any
// webhook tells is, so that it makes no difference which of them is first. Doing it
// again makes no second refund.
//
// Errors: lms.ErrNotFound, ErrStripeSilent.
func (s *Service) SendRefund(ctx context.Context, id RefundID, now time.Time) error {
	r, err := startRefund(ctx, s.DB, id, now)
	if errors.Is(err, lms.ErrNotFound) {
		return nil // it was sent, or denied
	}
	if err != nil {
		return err
	}
	if now.Sub(*r.SentAt) > resendWithin {
		return s.check(ctx, s.DB, r.Order, now)
	}
	if err := s.stripe.refund(ctx, r); errors.Is(err, ErrRefundRefused) {
		return s.refuseRefund(ctx, id, err, now)
	} else if err != nil {
		return err
	}
	return s.SyncCharge(ctx, r.Charge, now)
}

func (s *Service) refuseRefund(ctx context.Context, id RefundID, refusal error, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		r, _, err := s.lockRefund(ctx, tx, id)
		if err != nil || r.State != RefundApproved {
			return err
		}
		e, _ := lms.AsError(refusal)
		r.State = RefundFailed
		r.Failure, _ = e.Args["Code"].(string)
		if err := updateRefund(ctx, tx, r, now); err != nil {
			return err
		}
		if err := noteRefunded(ctx, tx, r.Charge); err != nil {
			return err
		}
		return s.check(ctx, tx, r.Order, now)
	})
}

// lockRefund is a refund with its order, of which nobody else changes anything until
// the transaction ends.
func (s *Service) lockRefund(ctx context.Context, tx pgx.Tx, id RefundID) (r Refund, o Order, err error) {
	if r, err = selectRefund(ctx, tx, id); err != nil {
		return r, o, err
	}
	if o, err = s.lock(ctx, tx, r.Order); err != nil {
		return r, o, err
	}
	r, err = lockRefund(ctx, tx, id)
	return r, o, err
}

// EndAccess ends the registration of an order whose whole fee was given back, such as in
// Stripe's dashboard. A completed course stays.
//
// Errors: lms.ErrNotFound, ErrNotGivenBack.
func (s *Service) EndAccess(ctx context.Context, v lms.Viewer, id OrderID, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		o, err := s.lock(ctx, tx, id)
		if err != nil {
			return err
		}
		charges, err := selectCharged(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, c := range charges {
			if c.Refunding < c.Amount {
				return ErrNotGivenBack
			}
		}
		if len(charges) == 0 {
			return ErrNothingPaid
		}
		if err := s.revoke(ctx, tx, o, now); err != nil {
			return err
		}
		return s.say(ctx, tx, v, "access_ended", o, o.Title, from, now)
	})
}

// revoke ends the enrollment of a seat. A completed one stays: its credit is posted.
func (s *Service) revoke(ctx context.Context, tx pgx.Tx, o Order, now time.Time) error {
	if o.SeatState != Granted {
		return nil
	}
	if o.Enrollment != 0 {
		ended, err := s.Enrollments.Revoke(ctx, tx, o.Enrollment)
		if err != nil || !ended {
			return err
		}
	}
	o.SeatState = Revoked
	return updateSeat(ctx, tx, o.Seat, now)
}

func (s *Service) enqueueRefund(ctx context.Context, tx pgx.Tx, id RefundID) error {
	_, err := s.Jobs.InsertTx(ctx, tx, SendRefundArgs{Refund: id}, nil)
	return err
}

// say writes what finance did about an order.
func (s *Service) say(ctx context.Context, tx pgx.Tx, v lms.Viewer, action string, o Order, note, from string, now time.Time) error {
	return s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: action, Subject: o.Payer, Object: orderObject(o.ID), Note: note, At: now, From: from})
}
