// Package web is the Fiber application that every feature hangs its routes on:
// two origins on one listener (the application and the course content), sessions,
// protection of state-changing routes, rendering in English and Spanish, and the
// one place that turns errors into answers. It knows no feature and no SQL.
// Start at New; a feature's routes go through Server.Get and Server.Post.
package web

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"

	"mopd/lms"
)

// Sessions finds who a session token belongs to.
type Sessions interface {
	// Viewer is the person whose session has the token at an instant.
	// Errors: lms.ErrUnauthenticated.
	Viewer(ctx context.Context, token string, now time.Time) (lms.Viewer, error)
}

// Config is what a Server needs.
type Config struct {
	AppURL         *url.URL // the application's origin, such as https://learn.example.org
	ContentHost    string   // content is served at {label}.ContentHost, such as content.example.org
	Secret         []byte   // signs the tokens that protect forms; 32 bytes at least
	TrustedProxies []string // addresses or networks whose X-Forwarded-For counts
	Now            func() time.Time
	Log            *slog.Logger
	FormTargets    []string // other origins to which a form may lead, such as where fees are paid
	Help           string   // how people reach somebody who helps, for the foot of every page
	Sessions       Sessions
	// Speak makes a language that somebody signed in chooses that of their account: of
	// mails and text messages, too. Nil: it is the browser's alone.
	Speak func(ctx context.Context, p lms.PersonID, lang string) error
	Views map[string]fs.FS // feature -> its templates/*.html and messages/*.json
}

// Server is the web application.
type Server struct {
	Config
	app     *fiber.App
	content *fiber.App
	http    *fasthttp.Server
	views   *views
	routes  []Route
	proxies []netip.Prefix
}

// Sizes of a request's body, in bytes. Only the routes that take a chunk of an
// upload may be sent more than MaxBody.
const (
	MaxChunk = 8 << 20
	MaxBody  = 1 << 20
)

// New makes the application with nothing on it but static files and health.
func New(cfg Config) (*Server, error) {
	if len(cfg.Secret) < 32 {
		return nil, fmt.Errorf("the secret key has %d bytes, want 32 at least", len(cfg.Secret))
	}
	s := &Server{Config: cfg}
	var err error
	if s.proxies, err = parseProxies(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	if s.views, err = parseViews(cfg.Views); err != nil {
		return nil, err
	}
	fc := fiber.Config{
		DisableStartupMessage:   true,
		ErrorHandler:            s.answerError,
		EnableTrustedProxyCheck: true, // of no proxy: From reads what those of Config say
		BodyLimit:               MaxChunk,
		Immutable:               true, // values outlive the handler in jobs, logs and tests
	}
	s.app, s.content = fiber.New(fc), fiber.New(fc)
	for _, app := range []*fiber.App{s.app, s.content} {
		app.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: s.logPanic}))
		app.Use(s.deadline, s.locate)
	}
	s.app.Use(s.securityHeaders, s.identify, s.protect, s.readable)
	s.Get("/static/*", lms.Browse, s.static)
	s.Post("/language", lms.Browse, s.chooseLanguage)
	return s, nil
}

// Content is the application that answers on the content hosts; the player hangs
// its routes there. None of the application's sessions or cookies reach it.
func (s *Server) Content() *fiber.App { return s.content }

// ContentURL is the origin of one label's content.
func (s *Server) ContentURL(label string) string {
	host := label + "." + s.ContentHost
	if port := s.AppURL.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	return s.AppURL.Scheme + "://" + host
}

// Label is the content label of a request, or "" on the application's host.
func (s *Server) Label(c *fiber.Ctx) string {
	if label, ok := s.label(string(c.Request().URI().Host())); ok {
		return label
	}
	return ""
}

func (s *Server) label(hostport string) (string, bool) {
	host := strings.ToLower(hostport)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	label, under := strings.CutSuffix(host, "."+s.ContentHost)
	return label, under && label != "" && !strings.Contains(label, ".")
}

const requestTime = 30 * time.Second

// deadline ends what a request started when it has taken too long: fasthttp does
// not tell when the client is gone.
func (s *Server) deadline(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(c.UserContext(), requestTime)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

func (s *Server) logPanic(c *fiber.Ctx, v any) {
	s.log(c, slog.LevelError, "panic", "value", fmt.Sprint(v))
}
