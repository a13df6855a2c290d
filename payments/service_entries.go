package payments

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/sheet"
)

const (
	exportStep = 1000 // rows, or entries, read at a time
	exportTime = 10 * time.Minute
)

// ExportLines is the lines of the ledger as a table of comma-separated values, as they
// were recorded: for the state's accounting, each with its account's GL code. That it
// was exported is written down.
func (s *Service) ExportLines(ctx context.Context, v lms.Viewer, f EntryFilter, lang, from string, now time.Time) (io.ReadCloser, error) {
	last, err := selectLastEntry(ctx, s.DB)
	if err != nil {
		return nil, err
	}
	entry := int64(1)
	return s.export(ctx, v, "entries", lang, from, now, []string{
		"number", "kind", "effective", "fiscal_year", "belongs", "recorded", "account", "code", "course", "gl", "debit", "credit", "order", "payer", "mopd_id", "reference", "source", "payout", "arrives",
	}, func(ctx context.Context) ([][]string, bool, error) {
		lines, err := selectLinesFrom(ctx, s.DB, f, entry, exportStep)
		entry += exportStep
		rows := make([][]string, len(lines))
		for i, l := range lines {
			rows[i] = []string{
				fmt.Sprint(l.Entry), s.Words.Text(lang, "payments.entry."+string(l.Kind)), l.EffectiveOn.String(), strconv.Itoa(FiscalYear(l.EffectiveOn)), optional(l.BelongsOn), moment(l.RecordedAt),
				s.Words.Text(lang, "payments.account."+l.Account.Kind(), "Course", l.Account.Course()), string(l.Account), l.Account.Course(), l.GL, above(l.Amount), above(-l.Amount), number(int64(l.Order)), l.Name, number(int64(l.MOPDID)), l.Reference, l.Source, l.Payout, optional(l.ArrivesOn),
			}
		}
		return rows, entry > last, err
	})
}

// ExportOrders is the orders that fit as a table of comma-separated values.
func (s *Service) ExportOrders(ctx context.Context, v lms.Viewer, state, text, lang, from string, now time.Time) (io.ReadCloser, error) {
	upTo := lastOrder
	return s.export(ctx, v, "orders", lang, from, now, []string{"order", "ordered", "payer", "mopd_id", "course", "amount", "state", "given_back"},
		func(ctx context.Context) ([][]string, bool, error) {
			orders, err := selectFoundOrders(ctx, s.DB, state, text, upTo, exportStep, 0)
			rows := make([][]string, len(orders))
			for i, o := range orders {
				upTo = o.ID - 1
				rows[i] = []string{number(int64(o.ID)), moment(o.CreatedAt), o.Name, number(int64(o.MOPDID)), o.Title, cents(o.Total), s.Words.Text(lang, "payments.state."+string(o.State)), cents(o.Refunding)}
			}
			return rows, len(rows) < exportStep, err
		})
}

// ExportPayouts is all payouts as a table of comma-separated values.
func (s *Service) ExportPayouts(ctx context.Context, v lms.Viewer, lang, from string, now time.Time) (io.ReadCloser, error) {
	offset := 0
	return s.export(ctx, v, "payouts", lang, from, now, []string{"payout", "arrives", "fiscal_year", "amount", "state", "lines", "lines_sum"},
		func(ctx context.Context) ([][]string, bool, error) {
			payouts, err := selectPayouts(ctx, s.DB, exportStep, offset)
			offset += len(payouts)
			rows := make([][]string, len(payouts))
			for i, p := range payouts {
				rows[i] = []string{p.ID, p.ArrivesOn.String(), strconv.Itoa(FiscalYear(p.ArrivesOn)), cents(p.Amount), s.Words.Text(lang, "payments.payout."+p.Status), strconv.Itoa(p.Lines), cents(p.LinesSum)}
			}
			return rows, len(rows) < exportStep, err
		})
}

// export writes down that a table was exported, and gives it, read as it is read.
func (s *Service) export(ctx context.Context, v lms.Viewer, what, lang, from string, now time.Time, columns []string, read func(context.Context) (rows [][]string, last bool, err error)) (io.ReadCloser, error) {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		return s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "money_exported", Object: what, At: now, From: from})
	})
	if err != nil {
		return nil, err
	}
	head := make([]string, len(columns))
	for i, column := range columns {
		head[i] = s.Words.Text(lang, "payments.column."+column)
	}
	// It is read after the request's own time is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTime)
	return sheet.Pages(head, func() ([][]string, bool, error) { return read(ctx) }, cancel)
}

// above is an amount above zero as a number of dollars; "" if it is below.
func above(m lms.Money) string {
	if m <= 0 {
		return ""
	}
	return cents(m)
}

// cents is an amount as a number of dollars.
func cents(m lms.Money) string { return strings.Replace(m.String(), "$", "", 1) }

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func moment(t time.Time) string { return t.In(lms.Central).Format(time.RFC3339) }

func optional(d *lms.Date) string {
	if d == nil {
		return ""
	}
	return d.String()
}

// NameAccounts gives accounts their codes in the state's general ledger.
func (s *Service) NameAccounts(ctx context.Context, v lms.Viewer, gl map[Account]string, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		for account, code := range gl {
			changed, err := updateGL(ctx, tx, account, code)
			if err != nil {
				return err
			}
			if !changed {
				continue
			}
			if err := s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "account_named", Object: string(account), Note: code, At: now, From: from}); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetFeeRate says what Stripe takes for charges of a method from a day on.
//
// Errors: lms.ErrForm with fields method and share.
func (s *Service) SetFeeRate(ctx context.Context, v lms.Viewer, r FeeRate, from string, now time.Time) error {
	if r.Method == "" {
		return lms.ErrForm.WithField("method", "rate_method")
	}
	if r.Share < 0 || r.Share > 10000 {
		return lms.ErrForm.WithField("share", "rate_share")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := insertFeeRate(ctx, tx, r); err != nil {
			return err
		}
		return s.Accounts.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "fee_rate_set", Object: r.Method, Note: r.EffectiveFrom.String(), At: now, From: from})
	})
}
