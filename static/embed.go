// Package static holds the web assets: styles, fonts, pictures and the code
// that runs in the browser. The built files are committed in dist and embedded
// here, so that the program is one file and a Go build needs no Node.js.
// It serves nothing and knows no route: it gives a file's content and address.
// Start reading at [URL]; README.md tells how the files are built.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

//go:embed dist
var dist embed.FS

// prefix is where the application serves the files.
const prefix = "/static/"

// types is spelled out because the tables of an operating system differ.
var types = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

type file struct {
	content     []byte
	contentType string
	url         string
}

var files = load(dist, "dist")

// load reads every file under root. It panics on a file that cannot be
// served, because that is a mistake in the build and not in a request.
func load(from fs.FS, root string) map[string]file {
	found := map[string]file{}
	err := fs.WalkDir(from, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		contentType, known := types[path.Ext(name)]
		if !known {
			return fmt.Errorf("%s has no known content type", name)
		}
		short := strings.TrimPrefix(name, root+"/")
		sum := sha256.Sum256(content)
		found[short] = file{
			content:     content,
			contentType: contentType,
			url:         prefix + short + "?v=" + hex.EncodeToString(sum[:])[:10],
		}
		return nil
	})
	if err != nil {
		panic("static: " + err.Error())
	}
	return found
}

// URL gives the address of an asset, such as "styles.css" or
// "img/no-courses.svg". It changes whenever the content does, so the answer
// may be cached forever. It panics on an unknown name: names are constants in
// templates, and the tests render every template.
func URL(name string) string {
	f, ok := files[name]
	if !ok {
		panic(fmt.Sprintf("static: no asset is named %q", name))
	}
	return f.url
}

// Inlined gives the text of a style sheet with the files that it asks for inside, for a
// page that can load nothing. It panics on an unknown name, as URL does.
func Inlined(name string) string {
	sheet, known := files[name]
	if !known {
		panic(fmt.Sprintf("static: no asset is named %q", name))
	}
	return asked.ReplaceAllStringFunc(string(sheet.content), func(url string) string {
		f, known := files[strings.TrimPrefix(asked.FindStringSubmatch(url)[1], "./")]
		if !known {
			return url
		}
		return "url(data:" + f.contentType + ";base64," + base64.StdEncoding.EncodeToString(f.content) + ")"
	})
}

// asked matches a file that a style sheet asks for.
var asked = regexp.MustCompile(`url\(["']?([^"')]+)["']?\)`)

// Open gives the content of an asset and its content type; ok is false when
// there is none of that name. The content is shared: do not change it.
func Open(name string) (content []byte, contentType string, ok bool) {
	f, ok := files[name]
	return f.content, f.contentType, ok
}
