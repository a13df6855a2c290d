package player

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
	"mopd/static"
)

// errWorker refuses service workers: one could answer in the place of the run-time.
var errWorker = lms.NewError(lms.Forbidden, "service_worker")

// sandbox is what course content may do wherever it is opened, also outside of the
// player's frame.
const sandbox = "sandbox allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads"

// guardContent sets what every answer on a content host has. Content loads and sends
// within its own host only; who may frame it is the application and itself.
func (h handlers) guardContent(c *fiber.Ctx) error {
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("Referrer-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set("Origin-Agent-Cluster", "?1") // a course that loops freezes itself alone
	c.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	// Old packages write script and style into their pages and build code from strings.
	c.Set("Content-Security-Policy", "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; form-action 'self'; base-uri 'self'; "+sandbox+"; frame-ancestors 'self' "+h.appOrigin())
	if h.w.AppURL.Scheme == "https" {
		c.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	if c.Get("Service-Worker") != "" {
		return errWorker
	}
	return c.Next()
}

func (h handlers) appOrigin() string { return h.w.AppURL.Scheme + "://" + h.w.AppURL.Host }

// frame is the page between the shell and the course: the script in it holds the
// run-time API, the journal and the transport.
func (h handlers) frame(c *fiber.Ctx) error {
	if _, err := h.s.grant(c.UserContext(), h.w.Label(c), h.w.Now()); err != nil {
		return err
	}
	c.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "+h.appOrigin())
	c.Set(fiber.HeaderCacheControl, "no-store")
	return h.w.Render(c, "player/frame", framePage{Page: h.w.Page(c), AppOrigin: h.appOrigin(), Script: frameScriptURL()})
}

type framePage struct {
	web.Page
	AppOrigin string
	Script    string
}

const frameScript = "frame.js"

func frameScriptURL() string {
	_, version, _ := strings.Cut(static.URL(frameScript), "?")
	return "/.frame/frame.js?" + version
}

func (h handlers) frameScript(c *fiber.Ctx) error {
	content, contentType, ok := static.Open(frameScript)
	if !ok {
		return lms.ErrNotFound
	}
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderCacheControl, "private, max-age=31536000, immutable")
	return c.Send(content)
}

// --- the run-time endpoints ---

var errNotFrame = lms.NewError(lms.Forbidden, "cross_origin")

// bearer reads who calls. Calls come from the frame alone: its own origin, and a
// token that stands in no URL and no cookie.
func (h handlers) bearer(c *fiber.Ctx, epoch int64) (Bearer, error) {
	label := h.w.Label(c)
	site := c.Get("Sec-Fetch-Site")
	if c.Get(fiber.HeaderOrigin) != h.w.ContentURL(label) || site != "" && site != "same-origin" {
		return Bearer{}, errNotFrame
	}
	token, ok := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
	if !ok || token == "" {
		return Bearer{}, lms.ErrUnauthenticated
	}
	return Bearer{Label: label, Token: token, Epoch: epoch}, nil
}

// answer gives the run-time's answer; of a refusal it says what the run-time needs to
// go on: what is acknowledged.
func (h handlers) answer(c *fiber.Ctx, body any, err error) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	if err == nil {
		return c.JSON(body)
	}
	e, ok := lms.AsError(err)
	if !ok || !errors.Is(err, lms.ErrFenced) && !errors.Is(err, errGap) {
		return err
	}
	out := fiber.Map{"code": e.Code, "message": h.w.Sentence(c, e)}
	if seq, ok := e.Args["Seq"].(int64); ok {
		out["seq"] = seq
	}
	return c.Status(web.Status(e)).JSON(out)
}

func (h handlers) state(c *fiber.Ctx) error {
	b, err := h.beating(c)
	if err != nil {
		return err
	}
	st, err := h.s.Restore(c.UserContext(), b, h.w.Now())
	return h.answer(c, st, err)
}

func (h handlers) heartbeat(c *fiber.Ctx) error {
	b, err := h.beating(c)
	if err != nil {
		return err
	}
	saved, err := h.s.Beat(c.UserContext(), b, h.w.Now())
	return h.answer(c, saved, err)
}

// beating reads a call that carries its epoch and nothing else.
func (h handlers) beating(c *fiber.Ctx) (Bearer, error) {
	var body struct {
		Epoch int64 `json:"epoch"`
	}
	if err := json.Unmarshal(c.BodyRaw(), &body); err != nil || body.Epoch < 1 {
		return Bearer{}, errCommitForm.Because(err)
	}
	return h.bearer(c, body.Epoch)
}

func (h handlers) commit(c *fiber.Ctx) error {
	r, err := parseCommit(c.BodyRaw())
	if err != nil {
		return err
	}
	b, err := h.bearer(c, r.Epoch)
	if err != nil {
		return err
	}
	saved, err := h.s.Commit(c.UserContext(), b, r, h.w.Now())
	return h.answer(c, saved, err)
}
