package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"mopd/lms"
)

// Languages are the languages of every page; the first one is the fallback.
var Languages = []string{"en", "es"}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Spanish})

// catalog holds every visible string, by key and language.
type catalog struct {
	bundle     *i18n.Bundle
	localizers map[string]*i18n.Localizer
	keys       map[string]bool
}

func loadCatalog(features map[string]fs.FS) (*catalog, error) {
	cat := &catalog{bundle: i18n.NewBundle(language.English), localizers: map[string]*i18n.Localizer{}, keys: map[string]bool{}}
	cat.bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	for _, lang := range Languages {
		for feature, fsys := range features {
			file, err := cat.bundle.LoadMessageFileFS(fsys, "messages/"+lang+".json")
			if err != nil {
				return nil, fmt.Errorf("messages of %s: %w", feature, err)
			}
			for _, m := range file.Messages {
				cat.keys[m.ID] = true
			}
		}
		cat.localizers[lang] = i18n.NewLocalizer(cat.bundle, lang)
	}
	return cat, nil
}

// text is the string of a key; args are names and values in turn. A value named
// Count picks the plural form. Dates, instants, waits, hours and money are written as
// the language writes them.
func (cat *catalog) text(lang, key string, args ...any) (string, error) {
	if len(args)%2 != 0 {
		return "", fmt.Errorf("message %s: a name without a value", key)
	}
	data := map[string]any{}
	for i := 0; i < len(args); i += 2 {
		value, err := localized(lang, args[i+1])
		if err != nil {
			return "", fmt.Errorf("message %s: %w", key, err)
		}
		data[fmt.Sprint(args[i])] = value
	}
	cfg := &i18n.LocalizeConfig{MessageID: key, TemplateData: data}
	if n, ok := data["Count"]; ok {
		cfg.PluralCount = n
	}
	text, err := cat.localizers[lang].Localize(cfg)
	if err != nil {
		return "", fmt.Errorf("message %s in %s: %w", key, lang, err)
	}
	return text, nil
}

// localized is a value as the language writes it. A type that nobody thought of is
// an error: a person would read its machine form.
func localized(lang string, v any) (any, error) {
	switch v := v.(type) {
	case lms.Date:
		return formatDate(lang, v), nil
	case time.Time:
		return formatInstant(lang, v), nil
	case *time.Time:
		return formatInstant(lang, *v), nil
	case time.Duration:
		return formatWait(lang, v), nil
	case fmt.Stringer:
		return v, nil
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.String, reflect.Int, reflect.Int32, reflect.Int64:
		return v, nil
	default:
		return nil, fmt.Errorf("no way to write a %T", v)
	}
}

func (v *views) has(key string) bool { return v.catalog.keys[key] }

// text is a string that must exist; a missing one shows as its key.
func (v *views) text(lang, key string, args ...any) string {
	text, err := v.catalog.text(lang, key, args...)
	if err != nil {
		return key
	}
	return text
}

func (v *views) sentence(lang string, e *lms.Error) string {
	var args []any
	for name, value := range e.Args {
		args = append(args, name, value)
	}
	return v.text(lang, "error."+e.Code, args...)
}

// Explain is the sentence of an error, and of each form field that it is about, for
// a command line.
func Explain(features map[string]fs.FS, lang string, err error) string {
	e, ok := lms.AsError(err)
	if !ok {
		return err.Error()
	}
	v, viewsErr := parseViews(features)
	if viewsErr != nil {
		return errors.Join(err, viewsErr).Error()
	}
	sentences := []string{v.sentence(lang, e)}
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		sentences = append(sentences, field+": "+v.sentence(lang, lms.NewError(e.Kind, e.Fields[field])))
	}
	return strings.Join(sentences, "\n")
}

// Text is a string of the catalogs in the request's language.
func (s *Server) Text(c *fiber.Ctx, key string, args ...any) string {
	return s.views.text(s.lang(c), key, args...)
}

// Strings are the strings under a prefix, keyed without it, for a page's script.
func (s *Server) Strings(c *fiber.Ctx, prefix string) map[string]string {
	out := map[string]string{}
	for key := range s.views.catalog.keys {
		if short, ok := strings.CutPrefix(key, prefix); ok {
			out[short] = s.views.text(s.lang(c), key)
		}
	}
	return out
}

// lang is the language of the answer: chosen in this browser, else the person's,
// else what the browser asks for.
func (s *Server) lang(c *fiber.Ctx) string {
	if chosen := c.Cookies(langCookie); chosen == "en" || chosen == "es" {
		return chosen
	}
	if p := Viewer(c); p != nil && p.Lang != "" {
		return p.Lang
	}
	tag, _ := language.MatchStrings(matcher, c.Get(fiber.HeaderAcceptLanguage))
	base, _ := tag.Base()
	return base.String()
}

const langAge = 365 * 24 * time.Hour

func (s *Server) chooseLanguage(c *fiber.Ctx) error {
	chosen := c.FormValue("lang")
	if chosen != "en" && chosen != "es" {
		return lms.ErrForm
	}
	s.setCookie(c, langCookie, chosen, langAge)
	return c.Redirect(LocalPath(c.FormValue("next"), "/"), fiber.StatusSeeOther)
}

var monthsES = [...]string{"", "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}

func formatDate(lang string, d lms.Date) string {
	if lang == "es" {
		return fmt.Sprintf("%d de %s de %d", d.Day, monthsES[d.Month], d.Year)
	}
	return fmt.Sprintf("%s %d, %d", d.Month, d.Day, d.Year)
}

func formatInstant(lang string, t time.Time) string {
	t = t.In(lms.Central)
	if lang == "es" {
		clock := strings.NewReplacer("AM", "a. m.", "PM", "p. m.").Replace(t.Format("3:04 PM"))
		return formatDate(lang, lms.DateOf(t)) + ", " + clock + " (hora central)"
	}
	return formatDate(lang, lms.DateOf(t)) + ", " + t.Format("3:04 PM") + " Central"
}

// formatWait is a time to wait in seconds, or above two minutes in minutes.
func formatWait(lang string, d time.Duration) string {
	n, unit := wholeSeconds(d), map[string]string{"en": "second", "es": "segundo"}[lang]
	if n > 120 {
		n, unit = (n+59)/60, map[string]string{"en": "minute", "es": "minuto"}[lang]
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// wholeSeconds rounds up: whoever waits that long has waited long enough.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

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
