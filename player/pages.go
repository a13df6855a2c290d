package player

import (
	"fmt"
	"html/template"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/web"
)

type computerPage struct {
	web.Page
	Enrollment lms.Enrollment
	Address    string       // to type on a computer
	Mail       template.URL // opens a message to oneself with the address in it
}

type attestPage struct {
	web.Page
	Enrollment lms.Enrollment
	Wording    string
	Refusal    *lms.Error // what is missing; nil at first
}

type earnsAgainPage struct {
	web.Page
	Enrollment lms.Enrollment
	From       lms.Date
}

type refusedPage struct {
	web.Page
	Enrollment lms.Enrollment
	Reason     string // code of the refusal
}

type shellPage struct {
	web.Page
	Enrollment lms.Enrollment
	Strings    map[string]string
	Config     shellConfig
}

// shellConfig is what the shell's script starts from.
type shellConfig struct {
	Launch string `json:"launch"`
	Status string `json:"status"`
	Here   string `json:"here"`
	Exit   string `json:"exit"`
	Report string `json:"report"`
	Title  string `json:"title"`
	Hours  string `json:"hours"`
	Lang   string `json:"lang"`
}

func learnPath(id lms.EnrollmentID) string { return fmt.Sprintf("/learn/%d", id) }

func (h handlers) computerPage(c *fiber.Ctx, e lms.Enrollment) error {
	address := h.w.AppURL.Scheme + "://" + h.w.AppURL.Host + learnPath(e.ID)
	mail := "mailto:?subject=" + url.PathEscape(h.w.Text(c, "player.computer.mail_subject", "Title", e.Title)) +
		"&body=" + url.PathEscape(h.w.Text(c, "player.computer.mail_body", "Title", e.Title, "Address", address))
	return h.w.Render(c, "player/computer", computerPage{Page: h.w.Page(c), Enrollment: e, Address: address, Mail: template.URL(mail)})
}

func (h handlers) attestPage(c *fiber.Ctx, e lms.Enrollment, refusal *lms.Error) error {
	if refusal != nil {
		c.Status(web.Status(refusal))
	}
	return h.w.Render(c, "player/attest", attestPage{Page: h.w.Page(c), Enrollment: e, Wording: Wording, Refusal: refusal})
}

func (h handlers) shellPage(c *fiber.Ctx, e lms.Enrollment) error {
	here := learnPath(e.ID)
	page := h.w.Page(c)
	return h.w.Render(c, "player/shell", shellPage{
		Page: page, Enrollment: e, Strings: h.w.Strings(c, "player.js."),
		Config: shellConfig{
			Launch: here + "/launch", Status: here + "/status", Here: here, Exit: "/my-courses", Report: "/report",
			Title: e.Title, Hours: e.Hours.String(), Lang: page.Lang,
		},
	})
}
