// Package web is the Fiber application that every feature hangs its routes on:
// two origins on one listener (the application and the course content), sessions,
// protection of state-changing routes, rendering in English and Spanish, and the
// one place that turns errors into answers. It knows no feature and no SQL.
// Start at New; a feature's routes go through Server.Get and Server.Post.
package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
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
	// Viewer is the person signed in under the token at an instant.
	// Errors: lms.ErrUnauthenticated.
	Viewer(ctx context.Context, token string, now time.Time) (lms.Person, error)
}

// Config is what a Server needs.
type Config struct {
	AppURL         *url.URL // the application's origin, such as https://learn.example.org
	ContentHost    string   // content is served at {label}.ContentHost, such as content.example.org
	Secret         []byte   // signs the tokens that protect forms; 32 bytes at least
	TrustedProxies []string // addresses whose X-Forwarded-For counts
	Now            func() time.Time
	Log            *slog.Logger
	Sessions       Sessions
	Views          map[string]fs.FS // feature -> its templates/*.html and messages/*.json
}

// Server is the web application.
type Server struct {
	Config
	app     *fiber.App
	content *fiber.App
	http    *fasthttp.Server
	views   *views
	routes  []Route
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
	if s.views, err = parseViews(cfg.Views); err != nil {
		return nil, err
	}
	fc := fiber.Config{
		DisableStartupMessage:   true,
		ErrorHandler:            s.answerError,
		EnableTrustedProxyCheck: true,
		TrustedProxies:          cfg.TrustedProxies,
		ProxyHeader:             fiber.HeaderXForwardedFor,
		BodyLimit:               MaxChunk,
		Immutable:               true, // values outlive the handler in jobs, logs and tests
	}
	s.app, s.content = fiber.New(fc), fiber.New(fc)
	for _, app := range []*fiber.App{s.app, s.content} {
		app.Use(recover.New(recover.Config{EnableStackTrace: true, StackTraceHandler: s.logPanic}))
		app.Use(s.deadline)
	}
	s.app.Use(s.securityHeaders, s.identify, s.protect, s.readable)
	s.app.Get("/static/*", s.static)
	s.app.Post("/language", s.chooseLanguage)
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
	return strings.CutSuffix(host, "."+s.ContentHost)
}

// Serve answers on the listener until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	s.app.Use(func(*fiber.Ctx) error { return lms.ErrNotFound })
	s.content.Use(func(*fiber.Ctx) error { return lms.ErrNotFound })
	app, content := s.app.Handler(), s.content.Handler()
	s.http = &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			host := strings.ToLower(string(ctx.URI().Host()))
			switch _, isContent := s.label(host); {
			case string(ctx.Path()) == "/healthz":
				ctx.SetBodyString("ok\n")
			case host == s.AppURL.Host:
				app(ctx)
			case isContent:
				content(ctx)
			default:
				ctx.Error("This server does not answer for that host name.\n", fasthttp.StatusMisdirectedRequest)
			}
		},
		ErrorHandler:          unreadable,
		NoDefaultServerHeader: true,
		MaxRequestBodySize:    MaxChunk + 64<<10,
		ReadTimeout:           5 * time.Minute,
		WriteTimeout:          time.Hour, // a long video on a slow line
		IdleTimeout:           75 * time.Second,
		ReadBufferSize:        16 << 10,
		Logger:                fasthttpLog{s.Log},
		CloseOnShutdown:       true,
	}
	return s.http.Serve(l)
}

// unreadable answers a request that does not reach the application.
func unreadable(ctx *fasthttp.RequestCtx, err error) {
	status := fasthttp.StatusBadRequest
	if _, small := errors.AsType[*fasthttp.ErrSmallBuffer](err); small {
		status = fasthttp.StatusRequestHeaderFieldsTooLarge
	} else if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		status = fasthttp.StatusRequestEntityTooLarge
	}
	ctx.Error(fasthttp.StatusMessage(status)+"\n", status)
}

// Shutdown stops taking requests and waits for those under way.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.http == nil {
		return nil
	}
	return s.http.ShutdownWithContext(ctx)
}

type fasthttpLog struct{ log *slog.Logger }

func (l fasthttpLog) Printf(format string, args ...any) {
	l.log.Debug("http server", "event", fmt.Sprintf(format, args...))
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
	s.Log.Error("panic", "path", c.Path(), "value", fmt.Sprint(v))
}
