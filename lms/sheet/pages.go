package sheet

import (
	"bytes"
	"io"
)

// Next gives the next rows of a table, and tells whether they are the last.
type Next func() (rows [][]string, last bool, err error)

// Pages is a table that is asked for page by page, as it is read. It fails rather than
// ends where rows are missing. Close calls done.
func Pages(head []string, next Next, done func()) (io.ReadCloser, error) {
	p := &pages{next: next, done: done}
	var err error
	p.table, err = NewWriter(&p.ready, head...)
	return p, err
}

type pages struct {
	next  Next
	done  func()
	ready bytes.Buffer
	table *Writer // writes to ready
	last  bool
}

func (p *pages) Read(b []byte) (int, error) {
	for p.ready.Len() == 0 {
		if p.last {
			return 0, io.EOF
		}
		rows, last, err := p.next()
		if err != nil {
			return 0, err
		}
		p.last = last
		if err := p.table.Write(rows...); err != nil {
			return 0, err
		}
	}
	return p.ready.Read(b)
}

func (p *pages) Close() error {
	p.done()
	return nil
}
