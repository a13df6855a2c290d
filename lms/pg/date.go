package pg

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"mopd/lms"
)

// registerDate teaches a connection to read and write lms.Date, which knows no
// SQL itself. The zero Date is NULL.
func registerDate(m *pgtype.Map) {
	m.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{encodeDate}, m.TryWrapEncodePlanFuncs...)
	m.TryWrapScanPlanFuncs = append([]pgtype.TryWrapScanPlanFunc{scanDate}, m.TryWrapScanPlanFuncs...)
	m.RegisterDefaultPgType(lms.Date{}, "date")
	m.RegisterDefaultPgType(&lms.Date{}, "date")
}

type date lms.Date

var errInfinite = errors.New("a date without end has no day")

func (d *date) ScanDate(v pgtype.Date) error {
	if v.InfinityModifier != pgtype.Finite {
		return errInfinite
	}
	*d = date{}
	if v.Valid {
		d.Year, d.Month, d.Day = v.Time.Date()
	}
	return nil
}

func (d date) DateValue() (pgtype.Date, error) {
	if d == (date{}) {
		return pgtype.Date{}, nil
	}
	return pgtype.Date{Time: time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC), Valid: true}, nil
}

type dateEncodePlan struct{ next pgtype.EncodePlan }

func (p *dateEncodePlan) SetNext(next pgtype.EncodePlan) { p.next = next }

func (p *dateEncodePlan) Encode(v any, buf []byte) ([]byte, error) {
	return p.next.Encode(date(v.(lms.Date)), buf)
}

func encodeDate(v any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	if d, ok := v.(lms.Date); ok {
		return &dateEncodePlan{}, date(d), true
	}
	return nil, nil, false
}

type dateScanPlan struct{ next pgtype.ScanPlan }

func (p *dateScanPlan) SetNext(next pgtype.ScanPlan) { p.next = next }

func (p *dateScanPlan) Scan(src []byte, dst any) error {
	return p.next.Scan(src, (*date)(dst.(*lms.Date)))
}

func scanDate(target any) (pgtype.WrappedScanPlanNextSetter, any, bool) {
	if d, ok := target.(*lms.Date); ok {
		return &dateScanPlan{}, (*date)(d), true
	}
	return nil, nil, false
}
