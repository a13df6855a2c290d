package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"mopd/lms"
	"mopd/lms/words"
	"mopd/static"
)

// Views are the templates and messages that every page shares.
//
//go:embed templates/*.html messages/*.json
var Views embed.FS

// Page is what every page has; a feature's page struct embeds it.
type Page struct {
	Lang   string
	Viewer *lms.Viewer // nil: nobody is signed in
	Half   bool        // somebody's session, in which a second factor is still missing
	Once   bool        // an answer that has no address: another language cannot be chosen on it
	Help   string      // how to reach somebody who helps; "" if the deployment does not say
	CSRF   string
	Path   string // of this page, with its query, to come back to
	Notice string // key of a message to show once, after a redirect; "" if none
	Now    time.Time
}

// May tells whether the viewer may do something, so that a page shows only doors
// that open.
func (p Page) May(a lms.Action) bool { return lms.May(p.Viewer, a) }

// YearBar is the progress of a calendar year toward the clock hours that it asks for.
type YearBar struct {
	lms.YearStanding
	Missing lms.Hours
	LastDay lms.Date
	Past    bool
}

// NewYearBar is the bar of a year as seen today.
func NewYearBar(s lms.YearStanding, today lms.Date) YearBar {
	return YearBar{s, max(0, s.Required-s.Counted), lms.Date{Year: s.Year, Month: 12, Day: 31}, s.Year < today.Year}
}

// On tells whether the page lies under a path of the menu.
func (p Page) On(path string) bool {
	return p.Path == path || strings.HasPrefix(p.Path, path+"/") || strings.HasPrefix(p.Path, path+"?")
}

// Page is what the request's page has in common with every other.
func (s *Server) Page(c *fiber.Ctx) Page {
	p := Page{Lang: s.Lang(c), Viewer: Viewer(c), Half: Viewer(c) == nil && Session(c) != nil, Help: s.Help, CSRF: s.csrf(c), Path: c.OriginalURL(), Now: s.Now()}
	if c.Method() != fiber.MethodGet {
		p.Path = s.cameFrom(c) // an answer to a form has no address of its own
	}
	if key := "notice." + c.Query("notice"); s.views.words.Has(key) {
		p.Notice = key
	}
	return p
}

// Render answers with the page of a template, such as "courses/catalog". Output
// is buffered: a template that fails answers an error, never half a page.
func (s *Server) Render(c *fiber.Ctx, name string, page any) error {
	var out bytes.Buffer
	if err := s.views.render(&out, s.Lang(c), name, page); err != nil {
		return err
	}
	c.Type("html", "utf-8")
	return c.Send(out.Bytes())
}

// Redirect answers a change with the page to look at next; notice is the key of
// a message there, without "notice.", or "".
func Redirect(c *fiber.Ctx, to, notice string) error {
	if notice != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + "notice=" + notice
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}

type views struct {
	words *words.Catalog
	pages map[string]map[string]*template.Template // language -> "feature/page"
}

// parseViews parses every template once for each language. A page is the layout
// with the blocks that its file defines. Files whose names begin with "_" are no pages:
// they hold what pages of the same feature share.
func parseViews(features map[string]fs.FS) (*views, error) {
	all := map[string]fs.FS{"web": Views}
	for name, fsys := range features {
		all[name] = fsys
	}
	cat, err := words.Load(all)
	if err != nil {
		return nil, err
	}
	v := &views{words: cat, pages: map[string]map[string]*template.Template{}}
	for _, lang := range words.Languages {
		v.pages[lang] = map[string]*template.Template{}
		base, err := template.New("").Option("missingkey=error").Funcs(v.funcs(lang)).
			ParseFS(Views, "templates/layout.html", "templates/partials.html")
		if err != nil {
			return nil, fmt.Errorf("layout: %w", err)
		}
		for feature, fsys := range all {
			files, err := fs.Glob(fsys, "templates/*.html")
			if err != nil {
				return nil, err
			}
			shared, err := fs.Glob(fsys, "templates/_*.html")
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				if name := path.Base(file); name == "layout.html" || name == "partials.html" || slices.Contains(shared, file) {
					continue
				}
				t, err := template.Must(base.Clone()).ParseFS(fsys, append(slices.Clone(shared), file)...)
				if err != nil {
					return nil, fmt.Errorf("template %s/%s: %w", feature, file, err)
				}
				v.pages[lang][feature+"/"+strings.TrimSuffix(path.Base(file), ".html")] = t
			}
		}
	}
	return v, nil
}

func (v *views) render(out *bytes.Buffer, lang, name string, page any) error {
	return v.renderAs(out, "layout", lang, name, page)
}

func (v *views) renderAs(out *bytes.Buffer, layout, lang, name string, page any) error {
	t, ok := v.pages[lang][name]
	if !ok {
		return fmt.Errorf("no template %q", name)
	}
	if err := t.ExecuteTemplate(out, layout, page); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return nil
}

func (v *views) funcs(lang string) template.FuncMap {
	return template.FuncMap{
		"t":        func(key string, args ...any) (string, error) { return v.words.Write(lang, key, args...) },
		"asset":    static.URL,
		"date":     func(d lms.Date) string { return words.Date(lang, d) },
		"month":    func(d lms.Date) string { return words.Month(lang, d) },
		"instant":  func(t time.Time) string { return words.Instant(lang, t) },
		"day":      lms.DateOf,
		"sentence": func(e *lms.Error) string { return v.words.Sentence(lang, e) },
		"bytes":    formatBytes,
	}
}
