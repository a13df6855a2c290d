package accounts

import (
	"io"

	"mopd/lms"
	"mopd/lms/sheet"
)

// Why a row of an import, or all of it, is refused.
var (
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
	table *sheet.Reader
	today lms.Date
}

// Errors: sheet.ErrColumn, sheet.ErrRow.
func readImport(r io.Reader, today lms.Date) (*importRows, error) {
	table, err := sheet.NewReader(r, importColumns...)
	return &importRows{table, today}, err
}

// next is the next row and the line on which it begins; io.EOF after the last one.
//
// Errors: sheet.ErrRow, sheet.ErrMOPDID, ErrImportName, ErrImportBorn, ErrImportEmail,
// ErrImportHired.
func (r *importRows) next() (p Imported, line int, err error) {
	row, line, err := r.table.Next()
	if err != nil {
		return p, line, err
	}
	p, err = r.person(row)
	return p, line, err
}

func (r *importRows) person(row sheet.Row) (p Imported, err error) {
	if p.MOPDID, err = row.MOPDID("mopd_id"); err != nil {
		return p, err
	}
	if p.Given, p.Family = row("given"), row("family"); !isName(p.Given) || !isName(p.Family) {
		return p, ErrImportName
	}
	if p.Born, err = row.Day("born"); err != nil || p.Born.Year < 1900 || p.Born.After(r.today) {
		return p, ErrImportBorn
	}
	if p.Email = row("email"); p.Email != "" && !isEmail(p.Email) {
		return p, ErrImportEmail
	}
	if row("hired_on") != "" {
		if p.HiredOn, err = row.Day("hired_on"); err != nil || p.HiredOn.Before(p.Born) {
			return p, ErrImportHired
		}
	}
	return p, nil
}
