package web

import (
	"maps"
	"net/url"
	"strconv"
)

// Pager leads to the pages before and after one.
type Pager struct {
	Base   string
	Query  url.Values // what is looked for
	Number int
	More   bool // there is a page after this one
}

// To is the address of a page.
func (p Pager) To(page int) string {
	q := url.Values{"page": {strconv.Itoa(page)}}
	maps.Copy(q, p.Query)
	return p.Base + "?" + q.Encode()
}

// Previous is the page before this one; 0 is none.
func (p Pager) Previous() int { return p.Number - 1 }

// Next is the page after this one; 0 is none.
func (p Pager) Next() int {
	if !p.More {
		return 0
	}
	return p.Number + 1
}
