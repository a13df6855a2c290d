package accounts

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mopd/lms"
)

// Why a row of an import, or all of it, is refused.
var (
	ErrImportHeader   = lms.NewError(lms.Invalid, "import_header") // Args: Column
	ErrImportRow      = lms.NewError(lms.Invalid, "import_row")    // it cannot be read as a row
	ErrImportMOPDID   = lms.NewError(lms.Invalid, "import_mopd_id")
	ErrImportName     = lms.NewError(lms.Invalid, "import_name")
	ErrImportBorn     = lms.NewError(lms.Invalid, "import_born")
	ErrImportEmail    = lms.NewError(lms.Invalid, "import_email")
	ErrImportHired    = lms.NewError(lms.Invalid, "import_hired")
	ErrImportDiffers  = lms.NewError(lms.Conflict, "import_differs")   // imported before with other facts
	ErrImportIDIsUsed = lms.NewError(lms.Conflict, "import_id_in_use") // the MOPD ID is somebody else's
)

var importColumns = []string{"mopd_id", "given", "family", "born", "email", "hired_on"}

// Imported is a person as an earlier registry hands them over.
type Imported struct {
	MOPDID  lms.MOPDID `json:"mopd_id"`
	Given   string     `json:"given"`
	Family  string     `json:"family"`
	Born    lms.Date   `json:"born"`
	Email   string     `json:"email"`    // "" if there is none
	HiredOn lms.Date   `json:"hired_on"` // zero if it is not known
}

// importRows reads the rows of a file one after the other.
type importRows struct {
	csv   *csv.Reader
	place map[string]int // of a column
	today lms.Date
}

var byteOrderMark = []byte("\uFEFF")

// Errors: ErrImportHeader, ErrImportRow.
func readImport(r io.Reader, today lms.Date) (*importRows, error) {
	buffered := bufio.NewReader(r)
	if start, err := buffered.Peek(len(byteOrderMark)); err == nil && bytes.Equal(start, byteOrderMark) {
		if _, err := buffered.Discard(len(byteOrderMark)); err != nil {
			return nil, err
		}
	}
	rows := &importRows{csv.NewReader(buffered), map[string]int{}, today}
	rows.csv.FieldsPerRecord = -1
	header, err := rows.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, ErrImportHeader.With("Column", importColumns[0])
	}
	if err != nil {
		return nil, ErrImportRow.Because(err)
	}
	for i, name := range header {
		rows.place[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, column := range importColumns {
		if _, ok := rows.place[column]; !ok {
			return nil, ErrImportHeader.With("Column", column)
		}
	}
	return rows, nil
}

// next is the next row and the line on which it begins; io.EOF after the last one.
//
// Errors: ErrImportRow, ErrImportMOPDID, ErrImportName, ErrImportBorn, ErrImportEmail,
// ErrImportHired.
func (r *importRows) next() (p Imported, line int, err error) {
	record, err := r.csv.Read()
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		return p, broken.StartLine, ErrImportRow.Because(err)
	}
	if err != nil {
		return p, 0, err
	}
	line, _ = r.csv.FieldPos(0)
	if len(record) != len(r.place) || slices.ContainsFunc(record, unreadable) {
		return p, line, ErrImportRow
	}
	p, err = r.person(func(column string) string { return strings.TrimSpace(record[r.place[column]]) })
	return p, line, err
}

func unreadable(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }

func (r *importRows) person(value func(column string) string) (p Imported, err error) {
	n, err := strconv.Atoi(value("mopd_id"))
	if p.MOPDID = lms.MOPDID(n); err != nil || !isMOPDID(p.MOPDID) {
		return p, ErrImportMOPDID
	}
	if p.Given, p.Family = value("given"), value("family"); !isName(p.Given) || !isName(p.Family) {
		return p, ErrImportName
	}
	if p.Born, err = writtenDate(value("born")); err != nil || p.Born.Year < 1900 || p.Born.After(r.today) {
		return p, ErrImportBorn
	}
	if p.Email = value("email"); p.Email != "" && !isEmail(p.Email) {
		return p, ErrImportEmail
	}
	if hired := value("hired_on"); hired != "" {
		if p.HiredOn, err = writtenDate(hired); err != nil || p.HiredOn.Before(p.Born) {
			return p, ErrImportHired
		}
	}
	return p, nil
}

// isMOPDID tells whether a number can be a MOPD ID: 100000 to 999999999.
func isMOPDID(n lms.MOPDID) bool { return n >= 100_000 && n < 1_000_000_000 }

// writtenDate reads a day as spreadsheets write it: YYYY-MM-DD or M/D/YYYY.
func writtenDate(s string) (lms.Date, error) {
	if t, err := time.Parse("1/2/2006", s); err == nil {
		return lms.Date{Year: t.Year(), Month: t.Month(), Day: t.Day()}, nil
	}
	return lms.ParseDate(s)
}
