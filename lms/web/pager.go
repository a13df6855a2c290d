package web

import (
	"maps"
	"net/url"
	"strconv"

	"github.com/gofiber/fiber/v2"
)

// Pager leads to the pages before and after one.
type Pager struct {
	Base   string
	Query  url.Values // what is looked for
	Number int
	More   bool // there is a page after this one
}

// mostPages is more pages than there ever are.
const mostPages = 1_000_000

// PageOf is the number of the page that a request asks for.
func PageOf(c *fiber.Ctx) int { return min(max(c.QueryInt("page", 1), 1), mostPages) }

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
