package sheet

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

// Why a table, a row of it or a cell cannot be read.
var (
	ErrColumn = lms.NewError(lms.Invalid, "import_header") // Args: Column, which is missing
	ErrRow    = lms.NewError(lms.Invalid, "import_row")
	ErrQuote  = lms.NewError(lms.Invalid, "import_quote") // Args: Line, in which a quote opens that is not closed
	ErrMOPDID = lms.NewError(lms.Invalid, "import_mopd_id")
)

// Reader reads the rows of a table one after the other, by the names of its columns.
type Reader struct {
	csv   *csv.Reader
	place map[string]int // of a column
}

// NewReader begins a table, whose head must name the columns; it may name more.
//
// Errors: ErrColumn, ErrRow and ErrQuote where the head cannot be read.
func NewReader(from io.Reader, columns ...string) (*Reader, error) {
	buffered := bufio.NewReader(from)
	if start, err := buffered.Peek(len(mark)); err == nil && bytes.Equal(start, []byte(mark)) {
		if _, err := buffered.Discard(len(mark)); err != nil {
			return nil, err
		}
	}
	r := &Reader{csv.NewReader(buffered), map[string]int{}}
	r.csv.FieldsPerRecord = -1
	if start, _ := buffered.Peek(buffered.Size()); bytes.ContainsRune(firstLine(start), '\t') {
		r.csv.Comma = '\t' // cells that were copied out of a spreadsheet
	}
	head, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, ErrColumn.With("Column", columns[0])
	}
	if err != nil {
		return nil, r.refusal(head, err)
	}
	for i, name := range head {
		r.place[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, column := range columns {
		if _, ok := r.place[column]; !ok {
			return nil, ErrColumn.With("Column", column)
		}
	}
	return r, nil
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

// Row is what a row says: by column, without spaces around; "" where there is none.
type Row func(column string) string

// refusal is of a row that cannot be read, whose cells before the fault are known. One that
// goes over several lines has swallowed rows, because a quote is not closed.
func (r *Reader) refusal(cells []string, cause error) error {
	if i := slices.IndexFunc(cells, func(cell string) bool { return strings.Contains(cell, "\n") }); i >= 0 {
		line, _ := r.csv.FieldPos(i)
		return ErrQuote.With("Line", line).Because(cause)
	}
	broken, ok := errors.AsType[*csv.ParseError](cause)
	if ok && errors.Is(broken.Err, csv.ErrQuote) && broken.Line > broken.StartLine {
		return ErrQuote.With("Line", broken.StartLine).Because(cause)
	}
	return ErrRow.Because(cause)
}

// Next is the next row and the line on which it begins; io.EOF after the last one. After
// ErrQuote, it is not known where rows begin.
//
// Errors: ErrRow, ErrQuote.
func (r *Reader) Next() (Row, int, error) {
	cells, err := r.csv.Read()
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, broken.StartLine, r.refusal(cells, err)
	}
	if err != nil {
		return nil, 0, err
	}
	line, _ := r.csv.FieldPos(0)
	if len(cells) != len(r.place) {
		return nil, line, r.refusal(cells, csv.ErrFieldCount)
	}
	if slices.ContainsFunc(cells, unreadable) {
		return nil, line, ErrRow
	}
	return func(column string) string {
		if i, ok := r.place[column]; ok {
			return strings.TrimSpace(cells[i])
		}
		return ""
	}, line, nil
}

func unreadable(s string) bool { return !utf8.ValidString(s) || strings.ContainsRune(s, 0) }

// MOPDID reads a MOPD ID, 100000 to 999999999.
//
// Errors: ErrMOPDID.
func (r Row) MOPDID(column string) (lms.MOPDID, error) {
	n, err := strconv.Atoi(r(column))
	if id := lms.MOPDID(n); err == nil && id.Valid() {
		return id, nil
	}
	return 0, ErrMOPDID
}

// Day reads a day as spreadsheets write it: YYYY-MM-DD or M/D/YYYY.
func (r Row) Day(column string) (lms.Date, error) {
	if t, err := time.Parse("1/2/2006", r(column)); err == nil {
		return lms.Date{Year: t.Year(), Month: t.Month(), Day: t.Day()}, nil
	}
	return lms.ParseDate(r(column))
}
