package packages

import (
	"net/url"
	"path"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// address is a place within the package.
type address struct {
	file     string // path, unescaped
	query    string // without "?"
	fragment string // without "#"
}

// enter is the folder that xml:base attributes lead to from another, outermost first
// (IMS Content Packaging 1.1.2).
//
// Errors: ErrLaunchOutside.
func enter(folder string, bases ...string) (string, error) {
	for _, base := range bases {
		at, err := within(base)
		if err != nil {
			return "", ErrLaunchOutside.With("File", shown(base)).Because(err)
		}
		if at.file == "" {
			continue
		}
		if !strings.HasSuffix(at.file, "/") { // a base names a folder or a file in it
			at.file = path.Dir(at.file)
		}
		folder = path.Join(folder, at.file)
		if len(folder) > maxPath { // no file of a package lies so deep
			return "", ErrLaunchOutside.With("File", shown(base))
		}
	}
	return folder, nil
}

// locate resolves an href from a folder. A package may point nowhere outside of
// itself.
//
// Errors: ErrLaunchOutside.
func locate(folder, href string) (address, error) {
	outside := ErrLaunchOutside.With("File", shown(href))
	at, err := within(href)
	if err != nil {
		return address{}, outside.Because(err)
	}
	if at.file == "" {
		return address{}, nil
	}
	at.file = norm.NFC.String(path.Join(folder, at.file))
	if !safe(at.file) {
		return address{}, outside
	}
	return at, nil
}

// within reads an address that must be relative. Backslashes are what authors on
// Windows meant for slashes; a bad escape is a "%" that means itself.
func within(href string) (address, error) {
	href = strings.ReplaceAll(strings.TrimSpace(href), `\`, "/")
	var at address
	href, at.fragment, _ = strings.Cut(href, "#")
	href, at.query, _ = strings.Cut(href, "?")
	if unescaped, err := url.PathUnescape(href); err == nil {
		href = unescaped
	}
	if strings.HasPrefix(href, "/") || strings.Contains(strings.SplitN(href, "/", 2)[0], ":") {
		return at, ErrLaunchOutside
	}
	at.file = href
	return at, nil
}

// with is the address with an item's parameters, which may begin with "?", "&" or
// "#" (SCORM 1.2 Content Aggregation Model, item's parameters attribute).
func (a address) with(parameters string) string {
	parameters = strings.TrimLeft(strings.TrimSpace(parameters), "?&")
	if fragment, ok := strings.CutPrefix(parameters, "#"); ok {
		if a.fragment == "" {
			a.fragment = fragment
		}
	} else if parameters != "" {
		extra, fragment, _ := strings.Cut(parameters, "#")
		if a.query != "" {
			extra = a.query + "&" + extra
		}
		a.query = extra
		if a.fragment == "" {
			a.fragment = fragment
		}
	}
	out := (&url.URL{Path: a.file}).EscapedPath()
	if a.query != "" {
		out += "?" + clean(a.query)
	}
	if a.fragment != "" {
		out += "#" + clean(a.fragment)
	}
	return out
}

// clean escapes what may not stand in a query as it is.
func clean(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>\^`+"`{|}#", c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
