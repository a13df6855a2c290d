package web

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/words"
)

var statusOf = map[lms.Kind]int{
	lms.Invalid:         fiber.StatusUnprocessableEntity,
	lms.NotFound:        fiber.StatusNotFound,
	lms.Conflict:        fiber.StatusConflict,
	lms.Forbidden:       fiber.StatusForbidden,
	lms.Unauthenticated: fiber.StatusUnauthorized,
	lms.TooLarge:        fiber.StatusRequestEntityTooLarge,
	lms.TooMany:         fiber.StatusTooManyRequests,
	lms.Unavailable:     fiber.StatusServiceUnavailable,
}

var errInternal = lms.NewError(0, "internal")

// Status is the HTTP status code of an error.
func Status(e *lms.Error) int {
	if status, ok := statusOf[e.Kind]; ok {
		return status
	}
	return fiber.StatusInternalServerError
}

type errorPage struct {
	Page
	Title   string
	Message string
	Do      string // where to go on: a path
	DoLabel string
}

// answerError is the one place where an error becomes an answer. What a person
// reads comes from the catalogs; the cause goes to the log.
func (s *Server) answerError(c *fiber.Ctx, err error) error {
	e := s.public(err)
	status := Status(e)
	if status >= fiber.StatusInternalServerError {
		s.log(c, slog.LevelError, "request failed", "error", err)
	} else if e.Kind == lms.Forbidden {
		s.log(c, slog.LevelWarn, "request forbidden", "error", err)
	} else {
		s.log(c, slog.LevelDebug, "request refused", "error", err)
	}
	c.Status(status)
	c.Set(fiber.HeaderCacheControl, "no-store") // whatever the handler had meant for its answer
	for _, header := range []string{fiber.HeaderETag, fiber.HeaderAcceptRanges, fiber.HeaderContentRange} {
		c.Response().Header.Del(header)
	}
	RetryAfter(c, e)
	page := s.Page(c)
	if wantsJSON(c) || s.Label(c) != "" {
		return c.JSON(fiber.Map{"code": e.Code, "message": s.views.words.Sentence(page.Lang, e)})
	}
	do, label := "/", "error.home"
	switch {
	case wayIn(e) != "":
		do, label = wayIn(e)+"?next="+url.QueryEscape(s.cameFrom(c)), "error.do."+e.Code
	case errors.Is(e, errToken):
		do, label = s.cameFrom(c), "error.back"
	}
	title := "error.title"
	if errors.Is(e, lms.ErrNotFound) {
		title = "error.title_not_found"
	}
	return s.Render(c, "web/error", errorPage{Page: page, Title: s.views.words.Text(page.Lang, title), Message: s.views.words.Sentence(page.Lang, e), Do: do, DoLabel: s.views.words.Text(page.Lang, label)})
}

// cameFrom is the page of this application that a request was sent from, or "/".
func (s *Server) cameFrom(c *fiber.Ctx) string {
	u, err := url.Parse(c.Get(fiber.HeaderReferer))
	if err != nil || u.Scheme != s.AppURL.Scheme || u.Host != s.AppURL.Host {
		return "/"
	}
	return LocalPath(u.RequestURI(), "/")
}

func (s *Server) public(err error) *lms.Error {
	if e, ok := lms.AsError(err); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return lms.ErrUnavailable.Because(err)
	}
	if fe, ok := errors.AsType[*fiber.Error](err); ok {
		switch fe.Code {
		case fiber.StatusNotFound, fiber.StatusMethodNotAllowed:
			return lms.ErrNotFound.Because(err)
		case fiber.StatusRequestEntityTooLarge:
			return lms.ErrTooLarge.Because(err)
		case fiber.StatusBadRequest, fiber.StatusUnprocessableEntity:
			return lms.ErrForm.Because(err)
		}
	}
	return errInternal.Because(err)
}

// Sentence is an error's sentence in the request's language, for pages that show
// it in their own place.
func (s *Server) Sentence(c *fiber.Ctx, err error) string {
	return s.views.words.Sentence(s.Lang(c), s.public(err))
}

// RetryAfter says for programs when to try again, if the error tells (RFC 9110
// §10.2.3).
func RetryAfter(c *fiber.Ctx, e *lms.Error) {
	if wait, ok := e.Args["Wait"].(time.Duration); ok && e.Kind == lms.TooMany {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(words.WholeSeconds(wait)))
	}
}
