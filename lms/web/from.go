package web

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
)

const fromKey = "from"

// From is the network address that a request came from, for the audit trail.
func From(c *fiber.Ctx) string {
	from, _ := c.Locals(fromKey).(string)
	return from
}

// locate finds where a request came from: the nearest address that is not a trusted
// proxy. What a client wrote into X-Forwarded-For itself stands further left and
// does not count. A proxy may append a line of its own instead of to the client's: the
// lines are one list, in their order (RFC 9110 §5.3).
func (s *Server) locate(c *fiber.Ctx) error {
	from, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	from = from.Unmap()
	lines := c.Request().Header.PeekAll(fiber.HeaderXForwardedFor)
	hops := strings.Split(string(bytes.Join(lines, []byte(","))), ",")
	for _, hop := range slices.Backward(hops) {
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil || !s.trusted(from) {
			break
		}
		from = before.Unmap()
	}
	c.Locals(fromKey, from.String())
	return c.Next()
}

func (s *Server) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

func parseProxies(list []string) ([]netip.Prefix, error) {
	var proxies []netip.Prefix
	for _, text := range list {
		if a, err := netip.ParseAddr(text); err == nil {
			proxies = append(proxies, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: want an address or a network", text)
		}
		proxies = append(proxies, p)
	}
	return proxies, nil
}

// Number is the number that a part of the address is, one or more.
//
// Errors: lms.ErrNotFound where it is none: nothing has such an address.
func Number[T ~int64](c *fiber.Ctx, name string) (T, error) {
	n, err := strconv.ParseInt(c.Params(name), 10, 64)
	if err != nil || n < 1 {
		return 0, lms.ErrNotFound.Because(err)
	}
	return T(n), nil
}
