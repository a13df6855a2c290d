// Package words holds every visible string, in English and Spanish: what pages,
// mails and the command line say. It knows no feature, page or mail. Start at Load
// and Catalog.Text.
package words

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

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"mopd/lms"
)

// Languages are the languages of every string; the first one is the fallback.
var Languages = []string{"en", "es"}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Spanish})

// Known tells whether everything is said in a language.
func Known(lang string) bool { return slices.Contains(Languages, lang) }

// Match is the language that fits what a browser asks for (RFC 9110 §12.5.4).
func Match(acceptLanguage string) string {
	tag, _ := language.MatchStrings(matcher, acceptLanguage)
	base, _ := tag.Base()
	return base.String()
}

// Catalog holds every string, by key and language.
type Catalog struct {
	localizers map[string]*i18n.Localizer
	keys       map[string]bool
}

// Load reads messages/LANGUAGE.json of every feature.
func Load(features map[string]fs.FS) (*Catalog, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	cat := &Catalog{localizers: map[string]*i18n.Localizer{}, keys: map[string]bool{}}
	for _, lang := range Languages {
		for feature, fsys := range features {
			file, err := bundle.LoadMessageFileFS(fsys, "messages/"+lang+".json")
			if err != nil {
				return nil, fmt.Errorf("messages of %s: %w", feature, err)
			}
			for _, m := range file.Messages {
				cat.keys[m.ID] = true
			}
		}
		cat.localizers[lang] = i18n.NewLocalizer(bundle, lang)
	}
	return cat, nil
}

// Has tells whether there is a string of that key.
func (cat *Catalog) Has(key string) bool { return cat.keys[key] }

// Under are the keys that begin with a prefix.
func (cat *Catalog) Under(prefix string) (keys []string) {
	for key := range cat.keys {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Write is the string of a key; args are names and values in turn. A value named
// Count picks the plural form. Dates, instants, waits, hours and money are written as
// the language writes them.
func (cat *Catalog) Write(lang, key string, args ...any) (string, error) {
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

// Text is a string that must exist; a missing one shows as its key.
func (cat *Catalog) Text(lang, key string, args ...any) string {
	text, err := cat.Write(lang, key, args...)
	if err != nil {
		return key
	}
	return text
}

// Sentence is what an error says.
func (cat *Catalog) Sentence(lang string, e *lms.Error) string {
	var args []any
	for name, value := range e.Args {
		args = append(args, name, value)
	}
	return cat.Text(lang, "error."+e.Code, args...)
}

// Explain is the sentence of an error, and of each form field that it is about, for
// a command line.
func (cat *Catalog) Explain(lang string, err error) string {
	e, ok := lms.AsError(err)
	if !ok {
		return err.Error()
	}
	sentences := []string{cat.Sentence(lang, e)}
	for _, field := range slices.Sorted(maps.Keys(e.Fields)) {
		sentences = append(sentences, field+": "+cat.Sentence(lang, lms.NewError(e.Kind, e.Fields[field])))
	}
	return strings.Join(sentences, "\n")
}

// Explain is Catalog.Explain with the catalogs of the features, which are loaded for
// it.
func Explain(features map[string]fs.FS, lang string, err error) string {
	cat, loadErr := Load(features)
	if loadErr != nil {
		return errors.Join(err, loadErr).Error()
	}
	return cat.Explain(lang, err)
}

// localized is a value as the language writes it. A type that nobody thought of is
// an error: a person would read its machine form.
func localized(lang string, v any) (any, error) {
	switch v := v.(type) {
	case lms.Date:
		return Date(lang, v), nil
	case time.Time:
		return Instant(lang, v), nil
	case *time.Time:
		return Instant(lang, *v), nil
	case time.Duration:
		return Wait(lang, v), nil
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

var monthsES = [...]string{"", "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}

// Date is a day in words.
func Date(lang string, d lms.Date) string {
	if lang == "es" {
		return fmt.Sprintf("%d de %s de %d", d.Day, monthsES[d.Month], d.Year)
	}
	return fmt.Sprintf("%s %d, %d", d.Month, d.Day, d.Year)
}

// Month is the month of a day in words.
func Month(lang string, d lms.Date) string {
	if lang == "es" {
		return fmt.Sprintf("%s de %d", monthsES[d.Month], d.Year)
	}
	return fmt.Sprintf("%s %d", d.Month, d.Year)
}

// Instant is an instant in words, in Central time.
func Instant(lang string, t time.Time) string {
	t = t.In(lms.Central)
	if lang == "es" {
		clock := strings.NewReplacer("AM", "a. m.", "PM", "p. m.").Replace(t.Format("3:04 PM"))
		return Date(lang, lms.DateOf(t)) + ", " + clock + " (hora central)"
	}
	return Date(lang, lms.DateOf(t)) + ", " + t.Format("3:04 PM") + " Central"
}

// Wait is a time to wait in seconds, or above two minutes in minutes.
func Wait(lang string, d time.Duration) string {
	n, unit := WholeSeconds(d), map[string]string{"en": "second", "es": "segundo"}[lang]
	if n > 120 {
		n, unit = (n+59)/60, map[string]string{"en": "minute", "es": "minuto"}[lang]
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// WholeSeconds rounds up: whoever waits that long has waited long enough.
func WholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
