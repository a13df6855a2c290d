package static

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestAnAddressChangesWithTheContent(t *testing.T) {
	t.Parallel()
	content, _, ok := Open("styles.css")
	require.True(t, ok)
	sum := sha256.Sum256(content)
	require.Equal(t, "/static/styles.css?v="+hex.EncodeToString(sum[:])[:10], URL("styles.css"))

	before := load(fstest.MapFS{"d/a.js": {Data: []byte("1")}}, "d")["a.js"].url
	after := load(fstest.MapFS{"d/a.js": {Data: []byte("2")}}, "d")["a.js"].url
	require.NotEqual(t, before, after)
}

func TestAssetsHaveTheirContentTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"styles.css":         "text/css; charset=utf-8",
		"app.js":             "text/javascript; charset=utf-8",
		"img/logo.svg":       "image/svg+xml",
		"img/favicon.svg":    "image/svg+xml",
		"img/no-courses.svg": "image/svg+xml",
		"img/not-found.svg":  "image/svg+xml",
		"img/computer.svg":   "image/svg+xml",
	} {
		content, contentType, ok := Open(name)
		require.True(t, ok, name)
		require.Equal(t, want, contentType, name)
		require.NotEmpty(t, content, name)
	}
}

func TestAnUnknownNameIsRefused(t *testing.T) {
	t.Parallel()
	_, _, ok := Open("../embed.go")
	require.False(t, ok)
	require.PanicsWithValue(t, `static: no asset is named "missing.css"`, func() { URL("missing.css") })
}

func TestAFileThatCannotBeServedStopsTheProgram(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { load(fstest.MapFS{"d/notes.xyz": {Data: []byte("1")}}, "d") })
}

// The content security policy allows styles, fonts and pictures from the
// application's own origin only, so the style sheet may name nothing else.
func TestTheStyleSheetAsksOnlyForFilesThatAreHere(t *testing.T) {
	t.Parallel()
	css, _, _ := Open("styles.css")
	require.NotContains(t, string(css), "@import")
	names := regexp.MustCompile(`url\(["']?([^"')]+)`).FindAllStringSubmatch(string(css), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		_, _, ok := Open(strings.TrimPrefix(name[1], "./"))
		require.True(t, ok, name[1])
	}
}

func TestTheStyleSheetStaysSmall(t *testing.T) {
	t.Parallel()
	css, _, _ := Open("styles.css")
	require.Less(t, len(css), 150_000)
}

func TestAnInlinedStyleSheetAsksForNothing(t *testing.T) {
	t.Parallel()
	sheet := Inlined("styles.css")
	for _, name := range regexp.MustCompile(`url\(["']?([^"')]+)`).FindAllStringSubmatch(sheet, -1) {
		require.True(t, strings.HasPrefix(name[1], "data:"), name[1])
	}
	require.Contains(t, sheet, "data:font/woff2;base64,")
	require.Panics(t, func() { Inlined("missing.css") })
}
