package registry

import (
	"context"
	"crypto/rand"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Code is what stands on a printed report, so that anyone who holds it can check it: 60
// random bits in Crockford's base 32, which has no letters that are taken for digits.
type Code string

const (
	codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength   = 12
)

func newCode() Code {
	random := make([]byte, codeLength)
	rand.Read(random)
	for i, b := range random {
		random[i] = codeAlphabet[int(b)%len(codeAlphabet)]
	}
	return Code(random)
}

// ReadCode reads a code as people type it: in groups or not, in small letters or large,
// with O for 0 and I or L for 1.
func ReadCode(typed string) Code {
	return Code(strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(typed)))
}

// String is the code in groups of four.
func (c Code) String() string {
	if len(c) != codeLength {
		return string(c)
	}
	return string(c[:4] + "-" + c[4:8] + "-" + c[8:])
}

// Print is a report that was made to be printed.
type Print struct {
	Code   Code
	Person lms.PersonID // the profile whose report it is
	Owner  lms.PersonID // whose profile that is today
	Year   int
	MadeAt time.Time
	Moment
}

// MakePrint keeps that a report was made to be printed, and gives it a code.
func (s *Service) MakePrint(ctx context.Context, v lms.Viewer, p lms.PersonID, year int, m Moment, from string, now time.Time) (code Code, err error) {
	code = newCode()
	return code, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if _, err := lockWho(ctx, tx, p); err != nil { // what is being recorded comes before or after
			return err
		}
		if err := insertPrint(ctx, tx, Print{Code: code, Person: p, Year: year, MadeAt: now, Moment: m}, v.ID); err != nil {
			return err
		}
		return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "report_printed", Subject: p, Object: "report/" + string(code), At: now, From: from})
	})
}

// Verified is a printed report as it was, and whether newer facts exist. Another name or
// MOPD ID is none: it changes nothing of the training.
type Verified struct {
	Print
	Record Record
	Newer  bool // what was completed through the same day is known otherwise by now
}

// Verify finds the report that a code stands on.
//
// Errors: lms.ErrNotFound.
func (s *Service) Verify(ctx context.Context, code Code, now time.Time) (v Verified, err error) {
	return v, pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if v.Print, err = selectPrint(ctx, tx, code); err != nil {
			return err
		}
		if v.Record, err = s.Record(ctx, tx, v.Person, v.Moment); err != nil {
			return err
		}
		today, err := s.Record(ctx, tx, v.Owner, Moment{v.Through, now})
		if err != nil {
			return err
		}
		then, err := sayings(v.Record, v.Year)
		if err != nil {
			return err
		}
		is, err := sayings(today, v.Year)
		v.Newer = !reflect.DeepEqual(then, is)
		return err
	})
}

// sayings is what a year's report says.
func sayings(r Record, year int) (said [4]any, err error) {
	rows, later, err := reportRows(r, year)
	return [4]any{r.Year(year), rows, later, r.SafeSleep}, err
}
