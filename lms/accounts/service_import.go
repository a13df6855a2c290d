package accounts

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
)

// importBatch is how many rows go in at once: a kill loses no more, and running the
// import again brings them.
const importBatch = 1000

// Import is what became of the rows of a file.
type Import struct {
	Added    int
	Same     int // there already, with the same facts
	Problems []ImportProblem
}

// ImportProblem is a row that did not go in.
type ImportProblem struct {
	Line   int
	MOPDID lms.MOPDID // 0 if it could not be read
	Why    *lms.Error
}

type importRow struct {
	Imported
	line int
}

// ImportPeople makes a profile of each row of a CSV file, which its person may claim.
// Rows that are there already are left as they are, so that it may be run again; what
// differs from what was imported before is reported and waits on the worklist. Rows go
// in by batches: what was interrupted goes on when it is run again.
//
// Errors: sheet.ErrColumn, sheet.ErrRow where the header cannot be read.
func (s *Service) ImportPeople(ctx context.Context, r io.Reader, now time.Time) (done Import, err error) {
	rows, err := readImport(r, lms.DateOf(now))
	if err != nil {
		return done, err
	}
	for ended := false; !ended; {
		var batch []importRow
		for len(batch) < importBatch && !ended {
			p, line, err := rows.next()
			why, refused := lms.AsError(err)
			switch {
			case errors.Is(err, io.EOF):
				ended = true
			case refused:
				done.Problems = append(done.Problems, ImportProblem{line, p.MOPDID, why})
			case err != nil:
				return done, fmt.Errorf("read the file: %w", err)
			default:
				batch = append(batch, importRow{p, line})
			}
		}
		if err := s.importBatch(ctx, batch, &done, now); err != nil {
			return done, err
		}
	}
	return done, nil
}

// importBatch imports rows in one transaction. A MOPD ID that somebody was given at the
// same moment makes it look again.
func (s *Service) importBatch(ctx context.Context, batch []importRow, done *Import, now time.Time) error {
	for {
		var part Import
		err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
			part = Import{}
			return s.importRows(ctx, tx, batch, &part, now)
		})
		if pg.Violated(err) == "mopd_ids_pkey" {
			continue
		}
		if err != nil {
			return err
		}
		done.Added, done.Same = done.Added+part.Added, done.Same+part.Same
		done.Problems = append(done.Problems, part.Problems...)
		return nil
	}
}

func (s *Service) importRows(ctx context.Context, tx pgx.Tx, batch []importRow, done *Import, now time.Time) error {
	var ids []lms.MOPDID
	for _, row := range batch {
		ids = append(ids, row.MOPDID)
	}
	known, err := selectImported(ctx, tx, ids)
	if err != nil {
		return err
	}
	var fresh []Imported
	for _, row := range batch {
		said, used := known[row.MOPDID]
		switch {
		case !used:
			fresh = append(fresh, row.Imported)
			known[row.MOPDID] = &row.Imported
			continue
		case said != nil && *said == row.Imported:
			done.Same++
			continue
		}
		why := ErrImportDiffers
		if said == nil {
			why = ErrImportIDIsUsed
		}
		done.Problems = append(done.Problems, ImportProblem{row.line, row.MOPDID, why})
		if err := insertImportItem(ctx, tx, row.Imported, why.Code, now); err != nil {
			return err
		}
	}
	done.Added = len(fresh)
	return s.addImported(ctx, tx, fresh, now)
}

func (s *Service) addImported(ctx context.Context, tx pgx.Tx, fresh []Imported, now time.Time) error {
	people, err := insertImported(ctx, tx, fresh, now)
	if err != nil {
		return err
	}
	var employments []lms.Employment
	for i, p := range fresh {
		if !p.HiredOn.IsZero() {
			employments = append(employments, lms.Employment{Person: people[i], HiredOn: p.HiredOn, Source: "import"})
		}
	}
	return s.Registry.EmployedMany(ctx, tx, employments, now)
}

// Holder is who has a MOPD ID today, and whether they hold or held a name.
//
// Errors: lms.ErrNotFound.
func (s *Service) Holder(ctx context.Context, tx pgx.Tx, id lms.MOPDID, given, family string) (p lms.Person, held bool, err error) {
	holder, err := selectHolder(ctx, tx, id)
	if err != nil {
		return p, false, err
	}
	names, err := selectNames(ctx, tx, holder)
	if err != nil {
		return p, false, err
	}
	p, err = selectPerson(ctx, tx, holder)
	return p, slices.ContainsFunc(names, func(n Name) bool { return sameName(n.Given, given) && sameName(n.Family, family) }), err
}

// mostNamesakes is how many people with a name are shown to choose among.
const mostNamesakes = 5

// Namesakes are some of the people who hold or held a name or one that begins so.
func (s *Service) Namesakes(ctx context.Context, tx pgx.Tx, given, family string) (people []lms.Person, err error) {
	listed, err := selectListed(ctx, tx, lookFor(given+" "+family), mostNamesakes, 0)
	for _, l := range listed {
		people = append(people, l.Person)
	}
	return people, err
}
