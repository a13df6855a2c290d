// Package sheet writes tables as CSV that a spreadsheet reads as it is meant: accented
// letters stay what they are, and no cell is taken for a formula.
package sheet

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// ContentType is that of a file that Writer makes (RFC 4180, RFC 7111).
const ContentType = "text/csv; charset=utf-8; header=present"

// mark tells spreadsheets that the text is UTF-8.
const mark = "\ufeff"

// Writer writes rows to a file.
type Writer struct {
	to  io.Writer
	csv *csv.Writer
}

// NewWriter begins a file with its head.
func NewWriter(to io.Writer, head ...string) (*Writer, error) {
	if _, err := io.WriteString(to, mark); err != nil {
		return nil, fmt.Errorf("write table: %w", err)
	}
	w := &Writer{to, csv.NewWriter(to)}
	return w, w.Write(head)
}

// Write writes rows, at once.
func (w *Writer) Write(rows ...[]string) error {
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = harmless(cell)
		}
		if err := w.csv.Write(cells); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}

// harmless is a cell that no spreadsheet takes for a formula (OWASP, CSV injection). An
// amount below zero stays a number.
func harmless(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r", rune(cell[0])) || isAmount(cell) {
		return cell
	}
	return "'" + cell
}

func isAmount(cell string) bool {
	digits, found := strings.CutPrefix(cell, "-")
	return found && digits != "" && strings.Trim(digits, "0123456789.") == ""
}
