package web

import (
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/static"
)

// Route is a registered route of the application and the action that it lets
// somebody do.
type Route struct {
	Method string
	Path   string
	Action lms.Action
	chunks bool
	file   bool
	hook   bool
}

// Get registers a page. No GET changes anything but that it is written down.
func (s *Server) Get(path string, action lms.Action, h fiber.Handler) {
	s.route(Route{Method: fiber.MethodGet, Path: path, Action: action}, h)
}

// Post registers a change.
func (s *Server) Post(path string, action lms.Action, h fiber.Handler) {
	s.route(Route{Method: fiber.MethodPost, Path: path, Action: action}, h)
}

// PutChunk registers a route whose body is one chunk of an upload, MaxChunk at most.
func (s *Server) PutChunk(path string, action lms.Action, h fiber.Handler) {
	s.route(Route{Method: fiber.MethodPut, Path: path, Action: action, chunks: true}, h)
}

// Hook registers what another service posts, which proves itself by a signature of its
// own: a form's token is not asked for.
func (s *Server) Hook(path string, h fiber.Handler) {
	s.route(Route{Method: fiber.MethodPost, Path: path, Action: lms.Browse, hook: true}, h)
}

// Download registers a file that may take its time to leave.
func (s *Server) Download(path string, action lms.Action, h fiber.Handler) {
	s.route(Route{Method: fiber.MethodGet, Path: path, Action: action, file: true}, h)
}

// Routes are all routes registered so far.
func (s *Server) Routes() []Route { return s.routes }

// Paths are the methods and paths that the application and the content hosts answer
// to, as their routers know them: a route that went around Get and Post shows here.
func (s *Server) Paths() (app, content []string) { return paths(s.app), paths(s.content) }

func paths(app *fiber.App) (list []string) {
	for _, r := range app.GetRoutes(true) {
		if r.Method != fiber.MethodHead {
			list = append(list, r.Method+" "+r.Path)
		}
	}
	return list
}

func (s *Server) route(r Route, h fiber.Handler) {
	s.routes = append(s.routes, r)
	handler := func(c *fiber.Ctx) error {
		refusal := lms.Refusal(Session(c), r.Action, s.Now())
		if refusal == nil {
			return h(c)
		}
		if way := wayIn(refusal); way != "" && r.Method == fiber.MethodGet && !wantsJSON(c) {
			return c.Redirect(way+"?next="+url.QueryEscape(c.OriginalURL()), fiber.StatusSeeOther)
		}
		return refusal
	}
	s.app.Add(r.Method, r.Path, handler)
	if r.Method == fiber.MethodGet {
		s.app.Head(r.Path, handler)
	}
}

// routeOf is the first route that a request fits; the zero Route if none does.
func (s *Server) routeOf(method, path string) Route {
	for _, r := range s.routes {
		if r.Method == method && fiber.RoutePatternMatch(path, r.Path) {
			return r
		}
	}
	return Route{}
}

var firstSegment = regexp.MustCompile(`^/[A-Za-z0-9._-]{1,24}(/|$)`)

// patternOf is the path of a request as far as it may be written down: the pattern of
// its route. A path itself may hold the token of a link that still works. Of one that no
// route fits it is the first segment, unless that is as long as a token.
func (s *Server) patternOf(c *fiber.Ctx) string {
	if r := c.Route(); r.Path != "/" { // which is the path of whatever stands before the routes, too
		return r.Path
	}
	method := c.Method()
	if method == fiber.MethodHead {
		method = fiber.MethodGet
	}
	if r := s.routeOf(method, c.Path()); r.Path != "" {
		return r.Path
	}
	switch first := firstSegment.FindString(c.Path()); {
	case first == c.Path():
		return first
	case first != "":
		return first + "…"
	default:
		return "/…"
	}
}

// log writes down what became of a request: which one, from where and whose. Nobody
// signed in is person 0.
func (s *Server) log(c *fiber.Ctx, level slog.Level, message string, more ...any) {
	if !s.Log.Enabled(c.UserContext(), level) {
		return
	}
	var person lms.PersonID
	if v := Session(c); v != nil {
		person = v.ID
	}
	about := []any{"method", c.Method(), "route", s.patternOf(c), "from", From(c), "person", person}
	s.Log.Log(c.UserContext(), level, message, append(about, more...)...)
}

// wayIn is the page that removes what stands in the way, "" if there is none.
func wayIn(refusal error) string {
	switch {
	case errors.Is(refusal, lms.ErrUnauthenticated):
		return "/sign-in"
	case errors.Is(refusal, lms.ErrFactorNeeded):
		return "/account/prove"
	case errors.Is(refusal, lms.ErrFactorMissing):
		return "/account/factors/new"
	case errors.Is(refusal, lms.ErrProofNeeded):
		return "/account/prove"
	default:
		return ""
	}
}

const viewerKey = "viewer"

// identify finds whose session the request has.
func (s *Server) identify(c *fiber.Ctx) error {
	if token := SessionToken(c); token != "" && !strings.HasPrefix(c.Path(), "/static/") {
		switch v, err := s.Sessions.Viewer(c.UserContext(), token, s.Now()); {
		case err == nil:
			c.Locals(viewerKey, &v)
		case !errors.Is(err, lms.ErrUnauthenticated):
			return err
		}
	}
	return c.Next()
}

// Viewer is the person signed in, or nil. Somebody whose second factor is still
// missing is not.
func Viewer(c *fiber.Ctx) *lms.Viewer {
	if v := Session(c); v != nil && v.Stage == lms.SignedIn {
		return v
	}
	return nil
}

// Session is whose session the request has, however far it has got, or nil.
func Session(c *fiber.Ctx) *lms.Viewer {
	v, _ := c.Locals(viewerKey).(*lms.Viewer)
	return v
}

// LocalPath is next if it is a path of this application, else fallback: a form may
// not send a person to another site.
func LocalPath(next, fallback string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return fallback
	}
	return next
}

func (s *Server) static(c *fiber.Ctx) error {
	content, contentType, ok := static.Open(c.Params("*"))
	if !ok {
		return lms.ErrNotFound
	}
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	return c.Send(content)
}

func wantsJSON(c *fiber.Ctx) bool {
	return strings.HasPrefix(c.Get(fiber.HeaderAccept), fiber.MIMEApplicationJSON)
}
