package web

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"mopd/lms"
)

// The cookies of the application. The __Host- prefix makes a browser refuse them
// from and for any other host, so that course content neither sees nor sets them.
const (
	sessionCookie  = "__Host-session"
	visitorCookie  = "__Host-visitor"
	langCookie     = "__Host-lang"
	computerCookie = "__Host-computer"
)

var (
	errOrigin = lms.NewError(lms.Forbidden, "cross_origin")
	errToken  = lms.NewError(lms.Forbidden, "stale_form")
)

func (s *Server) securityHeaders(c *fiber.Ctx) error {
	frames := s.ContentURL("*")
	c.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-src "+frames+"; form-action "+strings.Join(append([]string{"'self'"}, s.FormTargets...), " ")+"; base-uri 'none'; frame-ancestors 'none'")
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("Referrer-Policy", "same-origin")
	c.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	// A course's pop-up must still reach its opener in the content frame.
	c.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	// A course on a sibling host gets a process of its own: it can neither freeze this
	// page nor read its memory.
	c.Set("Origin-Agent-Cluster", "?1")
	if s.AppURL.Scheme == "https" {
		c.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	if !strings.HasPrefix(c.Path(), "/static/") {
		c.Set("Cache-Control", "no-store")
	}
	return c.Next()
}

// protect lets a state-changing request pass only when it comes from the
// application's own pages: same Origin, and a token bound to the visitor's cookie
// and session. Course content may share the application's site, so SameSite
// cookies alone would not tell the two apart.
func (s *Server) protect(c *fiber.Ctx) error {
	// A shared cache keeps static files, and would give one visitor's cookie to all.
	if c.Cookies(visitorCookie) == "" && !strings.HasPrefix(c.Path(), "/static/") {
		s.setCookie(c, visitorCookie, randomToken(), 0)
	}
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		return c.Next()
	}
	if s.routeOf(c.Method(), c.Path()).hook {
		return c.Next()
	}
	site := c.Get("Sec-Fetch-Site")
	if c.Get(fiber.HeaderOrigin) != s.AppURL.Scheme+"://"+s.AppURL.Host || (site != "" && site != "same-origin") {
		return errOrigin
	}
	sent := c.Get("X-CSRF-Token")
	if sent == "" {
		sent = c.FormValue("_csrf")
	}
	if !hmac.Equal([]byte(sent), []byte(s.csrf(c))) {
		if Session(c) == nil && SessionToken(c) != "" { // the form is of a session that is over
			return lms.ErrUnauthenticated.Because(errToken)
		}
		return errToken
	}
	return c.Next()
}

// readable refuses parameters that are no text: Postgres stores neither malformed
// UTF-8 nor NUL.
func (s *Server) readable(c *fiber.Ctx) error {
	for _, args := range []*fasthttp.Args{c.Request().URI().QueryArgs(), c.Request().PostArgs()} {
		for name, value := range args.All() {
			if !isText(name) || !isText(value) {
				return lms.ErrForm
			}
		}
	}
	return c.Next()
}

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func (s *Server) csrf(c *fiber.Ctx) string {
	mac := hmac.New(sha256.New, s.Secret)
	fmt.Fprintf(mac, "form\x00%s\x00%d", visitor(c), sessionID(c))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sessionID is the session that forms are bound to, 0 if there is none. A token may
// change within a session, which keeps the forms of other tabs valid.
func sessionID(c *fiber.Ctx) lms.SessionID {
	if v := Session(c); v != nil {
		return v.Session
	}
	return 0
}

// visitor is the visitor cookie, also when this very answer sets it.
func visitor(c *fiber.Ctx) string {
	if v, ok := c.Locals(visitorCookie).(string); ok {
		return v
	}
	return c.Cookies(visitorCookie)
}

// SessionToken is the token of the session that the request came with, or "".
func SessionToken(c *fiber.Ctx) string { return c.Cookies(sessionCookie) }

// HashToken is what the server keeps of a token: whoever reads the database cannot
// use it.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// SetSession signs the browser in under the token until the browser closes or the
// session ends on the server.
func (s *Server) SetSession(c *fiber.Ctx, token string) { s.setCookie(c, sessionCookie, token, 0) }

// ClearSession makes the browser forget its session.
func (s *Server) ClearSession(c *fiber.Ctx) { s.setCookie(c, sessionCookie, "", -time.Hour) }

// ComputerToken is the token by which the browser is known again, or "".
func ComputerToken(c *fiber.Ctx) string { return c.Cookies(computerCookie) }

const computerAge = 400 * 24 * time.Hour // the longest that browsers keep a cookie

// SetComputer makes the browser known by a token.
func (s *Server) SetComputer(c *fiber.Ctx, token string) {
	s.setCookie(c, computerCookie, token, computerAge)
}

func (s *Server) setCookie(c *fiber.Ctx, name, value string, age time.Duration) {
	cookie := &fiber.Cookie{Name: name, Value: value, Path: "/", Secure: true, HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode}
	if age != 0 {
		cookie.Expires = time.Now().Add(age) // the browser's clock, not the product's
	}
	c.Cookie(cookie)
	c.Locals(name, value)
}

func randomToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
