package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/sheet"
)

// Refusals of those who import records.
var (
	ErrImportEmpty   = lms.NewError(lms.Invalid, "import_empty")
	ErrImportLong    = lms.NewError(lms.Invalid, "import_long")   // Args: Rows, the most that one file may have
	ErrImportState   = lms.NewError(lms.Conflict, "import_state") // somebody was quicker, or it is still at work
	ErrRecordDiffers = lms.NewError(lms.Conflict, "record_differs")
	ErrRecordThere   = lms.NewError(lms.Conflict, "record_there")  // it is on record already
	ErrRecordOthers  = lms.NewError(lms.Conflict, "record_others") // somebody else has one that its sponsor knows by the same reference
)

const (
	mostRows    = 100_000
	rowsAtATime = 200 // that one job works, and one transaction at most, so that it ends soon
)

// ReadImport keeps a file of records, and has it worked out what would become of each
// row. Nothing is on anybody's record before OrderImport.
//
// Errors: sheet.ErrColumn, sheet.ErrRow where the head cannot be read, sheet.ErrQuote,
// ErrImportEmpty, ErrImportLong.
func (s *Service) ReadImport(ctx context.Context, by lms.PersonID, name string, file io.Reader, from string, now time.Time) (id ImportID, err error) {
	courses, err := selectCourseCodes(ctx, s.DB)
	if err != nil {
		return 0, err
	}
	rows, err := readRows(file, courses, now)
	if err != nil {
		return 0, err
	}
	return id, pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if id, err = insertImport(ctx, tx, name, by, now); err != nil {
			return err
		}
		if err := insertImportRows(ctx, tx, id, rows); err != nil {
			return err
		}
		if err := s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: by, Action: "import_read", Object: importObject(id), Note: name, At: now, From: from}); err != nil {
			return err
		}
		return s.workLater(ctx, tx, id)
	})
}

// readRows reads a whole file; what cannot be read of it becomes a row that says so.
func readRows(file io.Reader, courses []string, now time.Time) (rows []Row, err error) {
	table, err := sheet.NewReader(file, recordColumns...)
	if err != nil {
		return nil, err
	}
	for {
		cells, line, err := table.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, sheet.ErrQuote) {
			return nil, err
		}
		row := Row{Line: line}
		if err == nil {
			row.Said, err = readSaid(cells, now)
		}
		if err == nil && row.Said.Course != "" && !slices.Contains(courses, row.Said.Course) {
			err = ErrRecordCourse
		}
		if why, refused := lms.AsError(err); refused {
			row.Outcome, row.Why = RowUnreadable, why.Code
		} else if err != nil {
			return nil, fmt.Errorf("read the file: %w", err)
		}
		if rows = append(rows, row); len(rows) > mostRows {
			return nil, ErrImportLong.With("Rows", mostRows)
		}
	}
	if len(rows) == 0 {
		return nil, ErrImportEmpty
	}
	return rows, nil
}

func (s *Service) workLater(ctx context.Context, tx pgx.Tx, id ImportID) error {
	_, err := s.Jobs.InsertTx(ctx, tx, WorkImportArgs{Import: id}, nil)
	return err
}

// OrderImport has what was shown beforehand done. It is foreseen once more: where
// something else would become of a row by now, nothing is imported before somebody has
// seen it and orders again.
//
// Errors: ErrImportState.
func (s *Service) OrderImport(ctx context.Context, by lms.PersonID, id ImportID, tells bool, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := updateImportOrdered(ctx, tx, id, by, tells); err != nil {
			return err
		}
		if err := updateSeen(ctx, tx, id); err != nil {
			return err
		}
		if err := s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: by, Action: "import_ordered", Object: importObject(id), At: now, From: from}); err != nil {
			return err
		}
		return s.workLater(ctx, tx, id)
	})
}

// DropImport puts a file away that was not imported.
//
// Errors: lms.ErrNotFound, ErrImportState.
func (s *Service) DropImport(ctx context.Context, by lms.PersonID, id ImportID, from string, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := updateImportState(ctx, tx, id, ImportReady, ImportDropped); err != nil {
			return err
		}
		return s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: by, Action: "import_dropped", Object: importObject(id), At: now, From: from})
	})
}

// UndoImport takes back what an import brought, by newer decisions.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field note, ErrImportState.
func (s *Service) UndoImport(ctx context.Context, by lms.PersonID, id ImportID, note, from string, now time.Time) error {
	if note == "" {
		return lms.ErrForm.WithField("note", "decision_note")
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if err := updateImportUndone(ctx, tx, id, by, note); err != nil {
			return err
		}
		if err := s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: by, Action: "import_undone", Object: importObject(id), Note: note, At: now, From: from}); err != nil {
			return err
		}
		return s.workLater(ctx, tx, id)
	})
}

// Import is a file of records as it stands.
//
// Errors: lms.ErrNotFound.
func (s *Service) Import(ctx context.Context, id ImportID) (Import, error) {
	return selectImport(ctx, s.DB, id)
}

// ImportOutcomes is how many rows of an import became what.
func (s *Service) ImportOutcomes(ctx context.Context, id ImportID) (map[Outcome]int, error) {
	return selectOutcomes(ctx, s.DB, id)
}

// UnreadableRows are the first rows of an import that cannot be read.
func (s *Service) UnreadableRows(ctx context.Context, id ImportID) ([]Row, error) {
	return selectRows(ctx, s.DB, id, RowUnreadable, 100, 0)
}

// rowsError is of rows that could not be worked.
type rowsError struct {
	rows []Row
	error
}

func (e *rowsError) Unwrap() error { return e.error }

// passOver lets the rows that cannot be worked not stop the others: nothing of them is on
// record, and the import says so.
func (s *Service) passOver(ctx context.Context, id ImportID, why error) error {
	e, ok := errors.AsType[*rowsError](why)
	if !ok {
		return why
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error { return updateFailed(ctx, tx, id, e.rows) })
}

// WorkImport works some rows of an import, each person's in a transaction of its own,
// and tells whether it is through. A kill loses none and repeats none.
//
// Errors: lms.ErrNotFound.
func (s *Service) WorkImport(ctx context.Context, id ImportID, now time.Time) (ended bool, err error) {
	imp, err := selectImport(ctx, s.DB, id)
	if err != nil || !imp.State.Working() {
		return true, err
	}
	after := 0
	for worked := 0; worked < rowsAtATime; {
		rows, err := selectImportGroup(ctx, s.DB, id, imp.State, after)
		if err != nil {
			return false, err
		}
		if len(rows) == 0 {
			return s.endWork(ctx, imp)
		}
		after, worked = rows[0].Line-1, worked+len(rows)
		if err := s.workGroup(ctx, imp, rows, now); err != nil {
			return false, &rowsError{rows, fmt.Errorf("import %d, line %d: %w", id, rows[0].Line, err)}
		}
	}
	return false, nil
}

// endWork moves an import on whose rows are all worked, and tells whether none are to be
// worked in its next state.
func (s *Service) endWork(ctx context.Context, imp Import) (ended bool, err error) {
	next := imp.State.after()
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		if imp.State == ImportChecking {
			now, err := selectImport(ctx, tx, imp.ID)
			if err != nil {
				return err
			}
			switch {
			case now.Worked < now.Rows: // another order began a check of its own
				next = ImportChecking
				return nil
			case now.Changed > 0:
				next = ImportReady
			default:
				next = ImportImporting
			}
		}
		return updateImportState(ctx, tx, imp.ID, imp.State, next)
	})
	if errors.Is(err, ErrImportState) { // another worker was quicker
		return !next.Working(), nil
	}
	return !next.Working(), err
}

func (s *Service) workGroup(ctx context.Context, imp Import, rows []Row, now time.Time) error {
	switch imp.State {
	case ImportReading, ImportChecking:
		foreseen, err := s.foresee(ctx, imp, rows, now)
		if err != nil {
			return err
		}
		return updateForeseen(ctx, s.DB, imp.ID, imp.State, foreseen)
	case ImportImporting:
		return s.inGroup(ctx, imp, rows, func(tx pgx.Tx, rows []Row) error { return s.bringIn(ctx, tx, imp, rows, now) })
	default:
		return s.inGroup(ctx, imp, rows, func(tx pgx.Tx, rows []Row) error { return s.takeBack(ctx, tx, imp, rows, now) })
	}
}

// inGroup works rows in a transaction that has locked them; those that another worker
// has worked meanwhile are left out.
func (s *Service) inGroup(ctx context.Context, imp Import, rows []Row, work func(tx pgx.Tx, rows []Row) error) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		locked, err := selectImportRowsLocked(ctx, tx, imp.ID, imp.State, rows)
		if err != nil || len(locked) == 0 {
			return err
		}
		return work(tx, locked)
	})
}

// errForeseen rolls back what was only tried.
var errForeseen = errors.New("tried only")

// foresee is what would become of somebody's rows, were they imported now: they are, and
// it is rolled back.
func (s *Service) foresee(ctx context.Context, imp Import, rows []Row, now time.Time) (taken []Row, err error) {
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if taken, err = s.take(ctx, tx, imp, rows, now); err != nil {
			return err
		}
		for i := range taken {
			taken[i].Credit = 0
		}
		return errForeseen
	})
	if errors.Is(err, errForeseen) {
		err = nil
	}
	return taken, err
}

// bringIn imports somebody's rows.
func (s *Service) bringIn(ctx context.Context, tx pgx.Tx, imp Import, rows []Row, now time.Time) error {
	taken, err := s.take(ctx, tx, imp, rows, now)
	if err != nil {
		return err
	}
	if err := updateTaken(ctx, tx, imp.ID, taken); err != nil {
		return err
	}
	return s.tellOfImport(ctx, tx, imp, taken)
}

// take puts rows on record, in the order of their completion, and says what became of
// each.
func (s *Service) take(ctx context.Context, tx pgx.Tx, imp Import, rows []Row, now time.Time) ([]Row, error) {
	taken := slices.Clone(rows)
	slices.SortStableFunc(taken, func(a, b Row) int { return a.Said.EarnedAt().Compare(b.Said.EarnedAt()) })
	for i, row := range taken {
		p, held, err := s.People.Holder(ctx, tx, row.Said.MOPDID, row.Said.Given, row.Said.Family)
		switch {
		case errors.Is(err, lms.ErrNotFound):
			taken[i].Outcome, taken[i].Why = RowWaiting, whyNoSuchID
		case err != nil:
			return nil, err
		case !held:
			taken[i].Outcome, taken[i].Why = RowWaiting, whyNameDiffers
		case p.ID == imp.MadeBy || p.ID == imp.OrderedBy:
			taken[i].Outcome, taken[i].Why = RowWaiting, whyOwn
		default:
			if taken[i], err = s.bring(ctx, tx, p.ID, imp.ID, row, 0, now); err != nil {
				return nil, err
			}
		}
	}
	return taken, asTheyStand(ctx, tx, taken)
}

// asTheyStand says of rows what stands once all of them are in: a later one may hold an
// earlier one.
func asTheyStand(ctx context.Context, tx pgx.Tx, taken []Row) error {
	for i, row := range taken {
		if row.Credit == 0 || row.Outcome == RowSame || row.Outcome == RowWaiting {
			continue
		}
		c, err := selectClaimed(ctx, tx, row.Credit)
		if err != nil {
			return err
		}
		taken[i].Outcome, taken[i].Why = Outcome(c.Status), c.Reason
	}
	return nil
}

// takeBack undoes somebody's rows, and lets the rules decide again about what they stood
// in the way of.
func (s *Service) takeBack(ctx context.Context, tx pgx.Tx, imp Import, rows []Row, now time.Time) error {
	var whose lms.PersonID
	taken := 0
	for _, row := range rows {
		if row.Credit == 0 {
			continue
		}
		c, err := selectClaimed(ctx, tx, row.Credit)
		if err != nil {
			return err
		}
		if whose, err = lockWho(ctx, tx, c.Person); err != nil {
			return err
		}
		took, err := s.takeBackCredit(ctx, tx, imp, whose, c.ID, now)
		if err != nil {
			return err
		}
		if took {
			taken++
		}
	}
	if err := updateTakenBack(ctx, tx, imp, rows); err != nil || taken == 0 {
		return err
	}
	if err := s.judgeAgain(ctx, tx, whose, now, reasonRepeat, reasonYoungerStands, reasonAtOnce); err != nil {
		return err
	}
	return s.tellUndone(ctx, tx, imp, whose, taken)
}

// takeBackCredit takes a credit out of force, unless it is undone, another import says it
// too, or a registrar's denial has left nothing of it. One's own is held for another
// registrar.
func (s *Service) takeBackCredit(ctx context.Context, tx pgx.Tx, imp Import, who lms.PersonID, id lms.CreditID, now time.Time) (bool, error) {
	c, err := selectClaimed(ctx, tx, id) // as it stands now that the person is locked
	if err != nil || c.Reason == reasonUndone || c.By != 0 && c.Status == lms.Denied && !(c.SafeSleep && renews(c.Status, c.Reason)) {
		return false, err
	}
	if vouched, err := isVouchedFor(ctx, tx, id, imp.ID); err != nil || vouched {
		return false, err
	}
	if who == imp.UndoneBy {
		return false, s.hold(ctx, tx, id, who, reasonUndone, now)
	}
	policy, err := selectPolicyOf(ctx, tx, id)
	if err != nil {
		return false, err
	}
	if err := s.release(ctx, tx, id); err != nil {
		return false, err
	}
	if err := freeReference(ctx, tx, id); err != nil {
		return false, err
	}
	d := decision{Status: lms.Denied, Reason: reasonUndone, Policy: policy, By: imp.UndoneBy, Note: imp.UndoneNote}
	if err := insertDecision(ctx, tx, id, d, now); err != nil {
		return false, err
	}
	return true, s.Audit.Audit(ctx, tx, lms.AuditEntry{Actor: imp.UndoneBy, Action: "credit_denied", Subject: who, Object: creditObject(id), Note: d.Note, At: now})
}

func importObject(id ImportID) string { return fmt.Sprintf("import/%d", id) }
