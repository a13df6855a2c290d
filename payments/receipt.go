package payments

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
)

// sendRefundNotice mails the payer what they get back.
func (s *Service) sendRefundNotice(ctx context.Context, tx pgx.Tx, o Order, r Refund) error {
	payer, err := s.Accounts.Person(ctx, tx, o.Payer)
	if err != nil {
		return err
	}
	text := func(part string) string {
		return s.Words.Text(o.Lang, "mail.refund."+part, "Title", o.Title, "Amount", r.Amount, "Order", int64(o.ID))
	}
	access := "ended"
	if r.KeepAccess {
		access = "kept"
	}
	return s.Mail.Post(ctx, tx, mail.Letter{
		To: payer.Email, Lang: o.Lang, Subject: text("subject"), Lines: []string{text("line"), text(access)},
		Button: &mail.Button{Label: text("button"), URL: s.address(o.ID)},
	})
}

// address is where an order is shown.
func (s *Service) address(id OrderID) string {
	return s.AppURL.Scheme + "://" + s.AppURL.Host + orderPath(id)
}

// sendReceipt mails the payer what they paid, in the language in which they ordered.
func (s *Service) sendReceipt(ctx context.Context, tx pgx.Tx, o Order) error {
	payer, err := s.Accounts.Person(ctx, tx, o.Payer)
	if err != nil {
		return err
	}
	text := func(part string) string {
		return s.Words.Text(o.Lang, "mail.receipt."+part, "Title", o.Title, "Total", o.Total, "Order", int64(o.ID), "On", lms.DateOf(*o.PaidAt), "Hours", o.Hours)
	}
	return s.Mail.Post(ctx, tx, mail.Letter{
		To: payer.Email, Lang: o.Lang, Subject: text("subject"), Lines: []string{text("line"), text("paid")},
		Button: &mail.Button{Label: text("button"), URL: s.address(o.ID)},
		After:  []string{text("after")},
	})
}
