package mailbox

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/pquerna/otp/totp"

	"mopd/lms"
	"mopd/lms/web"
)

// Views are the templates and messages of the mailbox's pages.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Routes hangs the mailbox's pages on the application, open to everybody: a product
// with real people never has them.
func (m *Mailbox) Routes(w *web.Server) {
	h := handlers{m, w}
	w.Get("/demo/mail", lms.Browse, h.list)
	w.Get("/demo/mail/:id", lms.Browse, h.message)
	w.Get("/demo/mail/:id/html", lms.Browse, h.html)
}

type handlers struct {
	*Mailbox
	web *web.Server
}

type listPage struct {
	web.Page
	To       string
	Messages []Message
	Held     int // messages to anybody
	Owners   []string
	AppCode  string // what the authenticator apps of the owners show
}

func (h handlers) list(c *fiber.Ctx) error {
	page := listPage{Page: h.web.Page(c), To: strings.TrimSpace(c.Query("to")), Messages: h.Messages()}
	page.Held = len(page.Messages)
	if page.Owners = h.Apps.Owners; len(page.Owners) > 0 {
		code, err := totp.GenerateCode(h.Apps.Secret, page.Now)
		if err != nil {
			return fmt.Errorf("code of the demo's authenticator apps: %w", err)
		}
		page.AppCode = code
	}
	page.Messages = slices.DeleteFunc(page.Messages, func(m Message) bool {
		return !strings.Contains(strings.ToLower(m.To), strings.ToLower(page.To))
	})
	return h.web.Render(c, "mailbox/list", page)
}

type messagePage struct {
	web.Page
	Message
	Paragraphs []paragraph
}

// paragraph is a list of lines.
type paragraph [][]textPart

// textPart is a piece of a text; either it is a link as a whole, or it holds none.
type textPart struct {
	Text   string
	IsLink bool
}

func (h handlers) message(c *fiber.Ctx) error {
	m, err := h.asked(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "mailbox/message", messagePage{Page: h.web.Page(c), Message: m, Paragraphs: paragraphs(m.Text)})
}

// htmlPolicy lets a message do nothing but be looked at, and its links be followed.
const htmlPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; sandbox allow-popups allow-top-navigation-by-user-activation"

func (h handlers) html(c *fiber.Ctx) error {
	m, err := h.asked(c)
	if err != nil {
		return err
	}
	if m.HTML == "" {
		return lms.ErrNotFound
	}
	c.Set("Content-Security-Policy", htmlPolicy)
	c.Set("Cross-Origin-Opener-Policy", "unsafe-none") // browsers show no sandboxed page with another one
	c.Type("html", "utf-8")
	return c.SendString(m.HTML)
}

// asked is the message that the address names.
//
// Errors: lms.ErrNotFound.
func (h handlers) asked(c *fiber.Ctx) (Message, error) {
	id, err := strconv.Atoi(c.Params("id"))
	if err != nil {
		return Message{}, lms.ErrNotFound
	}
	all := h.Messages()
	i := slices.IndexFunc(all, func(m Message) bool { return m.ID == id })
	if i < 0 {
		return Message{}, lms.ErrNotFound
	}
	return all[i], nil
}

func paragraphs(text string) (all []paragraph) {
	for block := range strings.SplitSeq(text, "\n\n") {
		var p paragraph
		for line := range strings.SplitSeq(block, "\n") {
			p = append(p, split(line))
		}
		all = append(all, p)
	}
	return all
}

func split(line string) (parts []textPart) {
	end := 0
	for _, at := range link.FindAllStringIndex(line, -1) {
		parts = append(parts, textPart{Text: line[end:at[0]]}, textPart{line[at[0]:at[1]], true})
		end = at[1]
	}
	return append(parts, textPart{Text: line[end:]})
}
