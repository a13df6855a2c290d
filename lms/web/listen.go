package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"mopd/lms"
)

// How long a request may take to arrive and an answer to leave. Chunks of uploads
// arrive on slow lines, and videos leave on them.
const (
	readTime  = 20 * time.Second
	chunkTime = 5 * time.Minute
	writeTime = time.Minute
	fileTime  = time.Hour
)

// bare is the policy of answers that come from no page: nothing may run or load in
// a frame that shows one.
const bare = "default-src 'none'; sandbox; frame-ancestors 'none'"

// Serve answers on the listener until Shutdown.
func (s *Server) Serve(l net.Listener) error {
	s.app.Use(func(*fiber.Ctx) error { return lms.ErrNotFound })
	s.content.Use(func(*fiber.Ctx) error { return lms.ErrNotFound })
	s.http = &fasthttp.Server{
		Handler:                      s.dispatch(s.app.Handler(), s.content.Handler()),
		HeaderReceived:               s.limits,
		ErrorHandler:                 unreadable,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		MaxRequestBodySize:           MaxBody,
		ReadTimeout:                  readTime,
		WriteTimeout:                 writeTime,
		IdleTimeout:                  75 * time.Second,
		ReadBufferSize:               16 << 10,
		Logger:                       fasthttpLog{s.Log},
		SecureErrorLogMessage:        true, // no paths and cookies of requests that cannot be read
		CloseOnShutdown:              true,
	}
	return s.http.Serve(l)
}

// dispatch gives each host to its application.
func (s *Server) dispatch(app, content fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		host := strings.ToLower(string(ctx.URI().Host()))
		_, isContent := s.label(host)
		switch {
		case unwanted(&ctx.Request.Header):
			refuse(ctx, fasthttp.StatusUnsupportedMediaType)
		case isContent:
			content(ctx)
		case string(ctx.Path()) == "/healthz":
			ctx.Response.Header.Set(fiber.HeaderContentSecurityPolicy, bare)
			ctx.SetBodyString("ok\n")
		case host == s.AppURL.Host:
			app(ctx)
		default:
			refuse(ctx, fasthttp.StatusMisdirectedRequest)
		}
	}
}

// unwanted tells of bodies that no page sends: a compressed or multipart one could
// unfold to any size.
func unwanted(h *fasthttp.RequestHeader) bool {
	return len(h.ContentEncoding()) > 0 || bytes.HasPrefix(bytes.ToLower(h.ContentType()), []byte("multipart/"))
}

// limits are what a request may take, judged by its head alone.
func (s *Server) limits(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	if _, isContent := s.label(string(h.Host())); isContent {
		return fasthttp.RequestConfig{WriteTimeout: fileTime}
	}
	if len(h.Cookie(sessionCookie)) == 0 {
		return fasthttp.RequestConfig{}
	}
	switch r := s.routeOf(string(h.Method()), path); {
	case r.chunks:
		return fasthttp.RequestConfig{ReadTimeout: chunkTime, MaxRequestBodySize: MaxChunk}
	case r.file:
		return fasthttp.RequestConfig{WriteTimeout: fileTime}
	}
	return fasthttp.RequestConfig{}
}

// unreadable answers a request that does not reach the application.
func unreadable(ctx *fasthttp.RequestCtx, err error) {
	if _, small := errors.AsType[*fasthttp.ErrSmallBuffer](err); small {
		// Course content on a sibling host can set so many cookies that no request of
		// this browser would ever be read again.
		refuse(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge)
		ctx.Response.Header.Set("Clear-Site-Data", `"cookies"`)
		return
	}
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		refuse(ctx, fasthttp.StatusRequestEntityTooLarge)
		return
	}
	refuse(ctx, fasthttp.StatusBadRequest)
}

func refuse(ctx *fasthttp.RequestCtx, status int) {
	text := fasthttp.StatusMessage(status)
	if status == fasthttp.StatusMisdirectedRequest {
		text = "This server does not answer for that host name."
	}
	ctx.Error(text+"\n", status)
	ctx.Response.Header.Set(fiber.HeaderContentSecurityPolicy, bare)
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
