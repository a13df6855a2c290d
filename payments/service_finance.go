package payments

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Dossier is everything that happened to an order.
type Dossier struct {
	Order
	Payer      Payer
	Charges    []Charged
	Refunds    []Refund
	Disputes   []Dispute
	Booked     []Booked
	Exceptions []Exception
	Policy     RefundPolicy
	Launched   bool // the course was begun
}

// Due tells whether the whole fee is given back for the asking on a day.
func (d Dossier) Due(today lms.Date) bool {
	return d.PaidAt != nil && d.Left() == d.Total && d.Policy.Due(lms.DateOf(*d.PaidAt), d.Launched, today)
}

// Left is what of the charge has not been given back, or asked for.
func (d Dossier) Left() (left lms.Money) {
	for _, c := range d.Charges {
		left += c.Amount - c.Refunding
	}
	for _, r := range d.Refunds {
		if r.State == RefundRequested {
			left -= r.Amount
		}
	}
	return left
}

// Disputed tells whether a bank still decides about the charge.
func (d Dossier) Disputed() bool {
	for _, dispute := range d.Disputes {
		if dispute.Open() {
			return true
		}
	}
	return false
}

// Dossier is the whole history of an order.
//
// Errors: lms.ErrNotFound.
func (s *Service) Dossier(ctx context.Context, id OrderID, today lms.Date) (d Dossier, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if d.Order, err = selectOrder(ctx, tx, id); err != nil {
			return err
		}
		if d.Payer, err = selectPayer(ctx, tx, d.Order.Payer); err != nil {
			return err
		}
		if d.Charges, err = selectCharged(ctx, tx, id); err != nil {
			return err
		}
		if d.Refunds, err = selectRefundsOf(ctx, tx, id); err != nil {
			return err
		}
		if d.Disputes, err = selectDisputesOf(ctx, tx, id); err != nil {
			return err
		}
		if d.Booked, err = selectBooked(ctx, tx, id); err != nil {
			return err
		}
		if d.Exceptions, err = selectExceptionsOf(ctx, tx, id); err != nil {
			return err
		}
		if d.Policy, err = selectRefundPolicy(ctx, tx, today); err != nil || d.Enrollment == 0 {
			return err
		}
		e, err := s.Enrollments.Enrollment(ctx, tx, d.Enrollment)
		d.Launched = e.FirstLaunched != nil
		return err
	})
	return d, err
}

// Refund finds a refund with its order.
//
// Errors: lms.ErrNotFound.
func (s *Service) Refund(ctx context.Context, id RefundID) (r Refund, o Order, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if r, err = selectRefund(ctx, tx, id); err != nil {
			return err
		}
		o, err = selectOrder(ctx, tx, r.Order)
		return err
	})
	return r, o, err
}

// What somebody does about an exception.
const (
	TakeException    = "take"
	NoteException    = "note"
	ResolveException = "resolve"
	ReopenException  = "reopen"
)

// ErrExceptionMoved is of an exception that somebody else has resolved or opened again.
var ErrExceptionMoved = lms.NewError(lms.Conflict, "exception_moved")

// WorkException takes an exception, adds a note to it, resolves it or opens it again. A
// resolution says what was done.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field text, ErrExceptionMoved.
func (s *Service) WorkException(ctx context.Context, v lms.Viewer, id int64, what, text, from string, now time.Time) error {
	if text = strings.TrimSpace(text); text == "" && what != TakeException {
		return lms.ErrForm.WithField("text", "exception_text")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		x, err := selectException(ctx, tx, id)
		if err != nil {
			return err
		}
		moved := true
		switch what {
		case TakeException:
			err = updateOwner(ctx, tx, id, v.ID)
		case NoteException:
		case ResolveException:
			moved, err = updateResolved(ctx, tx, id, v.ID, now)
		case ReopenException:
			moved, err = updateReopened(ctx, tx, id)
		default:
			return lms.ErrForm
		}
		if err != nil {
			return err
		}
		if !moved {
			return ErrExceptionMoved
		}
		if text != "" {
			if err := insertNote(ctx, tx, id, v.ID, text, now); err != nil {
				return err
			}
		}
		return s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "exception_" + what, Object: x.Subject, Note: text, At: now, From: from})
	})
}
