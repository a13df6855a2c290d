package registry

import (
	"time"

	"mopd/lms"
)

// ImportID is the key of a file of records.
type ImportID int64

// ImportState is where an import stands.
type ImportState string

// The states of an import. Only importing changes anybody's record, and undoing.
const (
	ImportReading   ImportState = "reading" // what would become of it is worked out
	ImportReady     ImportState = "ready"
	ImportChecking  ImportState = "checking" // ordered; whether what was shown is still what would happen
	ImportImporting ImportState = "importing"
	ImportImported  ImportState = "imported"
	ImportDropped   ImportState = "dropped"
	ImportUndoing   ImportState = "undoing"
	ImportUndone    ImportState = "undone"
)

// after is the state that an import in a state comes to.
func (s ImportState) after() ImportState {
	switch s {
	case ImportReading:
		return ImportReady
	case ImportChecking, ImportImporting:
		return ImportImported
	case ImportUndoing:
		return ImportUndone
	}
	return s
}

// Working tells whether rows are being worked.
func (s ImportState) Working() bool { return s.after() != s }

// Outcome is what becomes of a row.
type Outcome string

// The outcomes. Those of credits are named as their decisions.
const (
	RowUnreadable Outcome = "unreadable"
	RowFailed     Outcome = "failed"  // it could not be worked; nothing of it is on record
	RowWaiting    Outcome = "waiting" // for a registrar to say whose it is
	RowCredited   Outcome = "credited"
	RowHeld       Outcome = "held"
	RowDenied     Outcome = "denied"
	RowSame       Outcome = "same" // it is on record already
	RowDismissed  Outcome = "dismissed"
)

// rowChanged asks for the rows of which something else became than was shown.
const rowChanged Outcome = "changed"

// Outcomes are all of them, those first that want a look.
var Outcomes = []Outcome{RowWaiting, RowHeld, RowDenied, RowUnreadable, RowFailed, RowCredited, RowSame, RowDismissed}

// Why a row waits.
const (
	whyNoSuchID    = "no_such_id"
	whyNameDiffers = "name_differs"
	whyDiffers     = "differs" // from a record that came before under the same reference or day and title
	whyOwn         = "own"     // of somebody who imports it
	whyOthers      = "others"  // somebody else has a record that its sponsor knows by the same reference
)

// Import is a file of records from elsewhere.
type Import struct {
	ID         ImportID
	Name       string
	State      ImportState
	Tells      bool // people get a mail about it
	MadeBy     lms.PersonID
	OrderedBy  lms.PersonID
	ByName     string // "" if by command
	MadeAt     time.Time
	UndoneBy   lms.PersonID
	UndoneNote string
	Rows       int
	Worked     int // of the rows, in the state that it is in
	Changed    int // rows of which something else became, or would become, than was shown
}

// Row is a row of an import.
type Row struct {
	Line     int
	Said     Said
	Outcome  Outcome
	Why      string
	Credit   lms.CreditID // 0 if it has none
	Note     string
	Shown    Outcome // that was foreseen, where something else became of it or would; "" if nothing else
	ShownWhy string
}
