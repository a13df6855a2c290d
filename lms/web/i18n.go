package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/words"
)

// Text is a string of the catalogs in the request's language.
func (s *Server) Text(c *fiber.Ctx, key string, args ...any) string {
	return s.views.words.Text(s.Lang(c), key, args...)
}

// Strings are the strings under a prefix, keyed without it, for a page's script.
func (s *Server) Strings(c *fiber.Ctx, prefix string) map[string]string {
	out := map[string]string{}
	for _, key := range s.views.words.Under(prefix) {
		out[strings.TrimPrefix(key, prefix)] = s.Text(c, key)
	}
	return out
}

// Lang is the language of the answer: chosen in this browser, else the person's,
// else what the browser asks for.
func (s *Server) Lang(c *fiber.Ctx) string {
	if chosen := c.Cookies(langCookie); words.Known(chosen) {
		return chosen
	}
	if v := Viewer(c); v != nil && v.Lang != "" {
		return v.Lang
	}
	return words.Match(c.Get(fiber.HeaderAcceptLanguage))
}

const langAge = 365 * 24 * time.Hour

func (s *Server) chooseLanguage(c *fiber.Ctx) error {
	chosen := c.FormValue("lang")
	if !words.Known(chosen) {
		return lms.ErrForm
	}
	if v := Viewer(c); v != nil && s.Speak != nil {
		if err := s.Speak(c.UserContext(), v.ID, chosen); err != nil {
			return err
		}
	}
	s.SetLanguage(c, chosen)
	return c.Redirect(LocalPath(c.FormValue("next"), "/"), fiber.StatusSeeOther)
}

// SetLanguage makes the browser's pages speak a language from the next one on.
func (s *Server) SetLanguage(c *fiber.Ctx, lang string) { s.setCookie(c, langCookie, lang, langAge) }

func formatBytes(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KB", float64(n)/(1<<10))
	default:
		return fmt.Sprintf("%d B", n)
	}
}
