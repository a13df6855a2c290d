package packages

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	. "mopd/courses/packages/packagestest"
	"mopd/lms"
)

func read(t *testing.T, raw []byte) (*Package, error) {
	t.Helper()
	return Read(t.Context(), bytes.NewReader(raw), int64(len(raw)), Usual)
}

func mustRead(t *testing.T, raw []byte) *Package {
	t.Helper()
	p, err := read(t, raw)
	require.NoError(t, err)
	return p
}

func codes(p *Package) (out []string) {
	for _, w := range p.Warnings {
		out = append(out, w.Code)
	}
	return out
}

func TestASoundPackageIsReadWhole(t *testing.T) {
	t.Parallel()
	p := mustRead(t, Course("Safe Sleep"))
	require.Equal(t, lms.SCORM12, p.Manifest.Standard)
	require.Equal(t, "Safe Sleep", p.Manifest.Title)
	require.Equal(t, "item_1", p.Manifest.Activity)
	require.Equal(t, "index.html", p.Manifest.Launch)
	require.Empty(t, p.Warnings)
	require.Len(t, p.Files, 4)
	for _, f := range p.Files {
		r, err := p.Open(f.Path)
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, f.Size, int64(len(body)))
		require.Equal(t, f.SHA256, sha256.Sum256(body))
	}
	require.Equal(t, "text/html", p.Files[1].ContentType)
}

func TestHostileEntriesAreRefused(t *testing.T) {
	t.Parallel()
	symlink := func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }
	for name, c := range map[string]struct {
		file File
		want *lms.Error
	}{
		"parent path":        {File{Name: "../evil.html"}, ErrPath},
		"parent in the path": {File{Name: "a/../../evil.html"}, ErrPath},
		"absolute path":      {File{Name: "/etc/passwd"}, ErrPath},
		"backslash":          {File{Name: `a\b.html`}, ErrPath},
		"drive":              {File{Name: "C:evil.html"}, ErrPath},
		"drive with slash":   {File{Name: "c:/evil.html"}, ErrPath},
		"NUL":                {File{Name: "a\x00.html"}, ErrPath},
		"line break":         {File{Name: "a\n.html"}, ErrPath},
		"empty name":         {File{Name: ""}, ErrPath},
		"dot":                {File{Name: "./a.html"}, ErrPath},
		"parent folder":      {File{Name: "../"}, ErrPath},
		"too long":           {File{Name: strings.Repeat("a", maxPath+1)}, ErrPath},
		"duplicate":          {File{Name: "index.html"}, ErrTwice},
		"composed duplicate": {File{Name: "caf\u00e9.html"}, ErrTwice},
		"symbolic link":      {File{Name: "link", Body: "/etc/passwd", Change: symlink}, ErrLink},
		"device":             {File{Name: "dev", Change: func(h *zip.FileHeader) { h.SetMode(fs.ModeDevice | 0o666) }}, ErrLink},
		"encrypted":          {File{Name: "a.html", Change: func(h *zip.FileHeader) { h.Flags |= 1 }}, ErrEncrypted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, Of(ManifestOf(OneItem, OneResource), File{Name: "cafe\u0301.html"}, c.file))
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAnUnknownCompressionIsRefused(t *testing.T) {
	t.Parallel()
	raw := Course("x")
	at := bytes.Index(raw, []byte("PK\x01\x02"))
	raw[at+10] = 9 // Deflate64
	_, err := read(t, raw)
	require.ErrorIs(t, err, ErrMethod)
}

func TestADamagedPackageIsRefused(t *testing.T) {
	t.Parallel()
	stored := File{Name: "video.mp4", Body: "0123456789", Change: func(h *zip.FileHeader) { h.Method = zip.Store }}
	raw := Course("x", stored)
	at := bytes.Index(raw, []byte("0123456789"))
	raw[at] ^= 1
	_, err := read(t, raw)
	require.ErrorIs(t, err, ErrDamaged)

	_, err = read(t, Course("x")[:300])
	require.ErrorIs(t, err, ErrNotZIP)
	_, err = read(t, nil)
	require.ErrorIs(t, err, ErrNotZIP)
	_, err = read(t, []byte("<html>this is no package</html>"))
	require.ErrorIs(t, err, ErrNotZIP)
}

func TestADamageThatHidesBehindAZeroChecksumIsRefused(t *testing.T) {
	t.Parallel()
	raw := Course("x")
	for rest := raw; ; {
		at := bytes.Index(rest, []byte("PK\x01\x02"))
		if at < 0 {
			break
		}
		binary.LittleEndian.PutUint32(rest[at+16:], 0)
		rest = rest[at+46:]
	}
	_, err := read(t, raw)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestLimitsAreCountedWhileUnpacking(t *testing.T) {
	t.Parallel()
	raw := Course("x", File{Name: "zeros.bin", Body: strings.Repeat("\x00", 1<<20)})
	for name, c := range map[string]struct {
		change func(*Limits)
		want   *lms.Error
	}{
		"package":   {func(l *Limits) { l.Package = int64(len(raw)) - 1 }, ErrTooLarge},
		"files":     {func(l *Limits) { l.Files = 3 }, ErrTooManyFiles},
		"directory": {func(l *Limits) { l.Directory = 100 }, ErrTooManyFiles},
		"one file":  {func(l *Limits) { l.File = 1<<20 - 1 }, ErrFileTooLarge},
		"unpacked":  {func(l *Limits) { l.Unpacked = 1 << 20 }, ErrBomb},
		"ratio":     {func(l *Limits) { l.RatioFrom = 1 << 10 }, ErrBomb},
		"manifest":  {func(l *Limits) { l.Manifest = 100 }, ErrManifestSize},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := Usual
			c.change(&limits)
			_, err := Read(t.Context(), bytes.NewReader(raw), int64(len(raw)), limits)
			require.ErrorIs(t, err, c.want)
		})
	}
	mustRead(t, raw)
}

func TestAHeaderThatUnderstatesASizeIsNotBelieved(t *testing.T) {
	t.Parallel()
	raw := Course("x", File{Name: "zeros.bin", Body: strings.Repeat("\x00", 1<<20)})
	at := bytes.Index(raw, []byte("PK\x01\x02"))
	for !bytes.HasPrefix(raw[at+46:], []byte("zeros.bin")) {
		at += 4 + bytes.Index(raw[at+4:], []byte("PK\x01\x02"))
	}
	binary.LittleEndian.PutUint32(raw[at+24:], 10)
	_, err := read(t, raw)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestReadingStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	raw := Course("x")
	_, err := Read(ctx, bytes.NewReader(raw), int64(len(raw)), Usual)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAPackageInOneFolderIsTakenWithAWarning(t *testing.T) {
	t.Parallel()
	p := mustRead(t, ZIP(
		File{Name: "__MACOSX/._course"},
		File{Name: "course/"},
		File{Name: "course/imsmanifest.xml", Body: ManifestOf(OneItem, OneResource)},
		File{Name: "course/index.html"}, File{Name: "course/js/course.js"}, File{Name: "course/.DS_Store"},
	))
	require.Equal(t, []string{WarnFolder}, codes(p))
	require.Equal(t, "index.html", p.Manifest.Launch)
	require.Len(t, p.Files, 3)
}

func TestAPackageWithoutAManifestIsRefusedAndOtherStandardsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := read(t, ZIP(File{Name: "test.htm"}))
	require.ErrorIs(t, err, ErrNoManifest)
	_, err = read(t, ZIP(File{Name: "a/b/imsmanifest.xml", Body: ManifestOf(OneItem, OneResource)}))
	require.ErrorIs(t, err, ErrNoManifest)
	_, err = read(t, ZIP(File{Name: "a/imsmanifest.xml"}, File{Name: "b/index.html"}))
	require.ErrorIs(t, err, ErrNoManifest)

	standards := map[string][]byte{
		"cmi5":                 ZIP(File{Name: "cmi5.xml"}, File{Name: "index.html"}),
		"xAPI (Tin Can)":       ZIP(File{Name: "tincan.xml"}, File{Name: "index.html"}),
		"IMS Common Cartridge": Of(strings.Replace(ManifestOf("", ""), "ADL SCORM</schema><schemaversion>1.2", "IMS Common Cartridge</schema><schemaversion>1.1.0", 1)),
		"ADL SCORM 1.1":        Of(strings.Replace(ManifestOf("", ""), "<schemaversion>1.2", "<schemaversion>1.1", 1)),
	}
	for _, v := range []string{"2004 3rd Edition", "2004 4th Edition", "CAM 1.3", "1.3"} {
		standards["SCORM 2004"] = Of(strings.Replace(ManifestOf("", ""), "<schemaversion>1.2", "<schemaversion>"+v, 1))
		for want, raw := range standards {
			_, err := read(t, raw)
			require.ErrorIs(t, err, ErrStandard)
			e, _ := lms.AsError(err)
			require.Equal(t, want, e.Args["Standard"])
		}
	}
	_, err = read(t, Of(`<manifest xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_v1p3"/>`))
	require.ErrorIs(t, err, ErrStandard)
}

func TestTheFolderOfRealPackagesReadsAsItShould(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("MOPD_PACKAGES"); dir != "" {
		for name, want := range map[string]error{
			"bad-manifest.zip":                     ErrManifest,
			"bad-no-manifest.zip":                  ErrNoManifest,
			"geology-cmi5-single-au.zip":           ErrStandard,
			"golf-scorm2004-3rd-runtime-basic.zip": ErrStandard,
		} {
			raw, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			_, err = read(t, raw)
			require.ErrorIs(t, err, want, name)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "golf-scorm12-runtime-basic.zip"))
		require.NoError(t, err)
		golf := mustRead(t, raw)
		require.Equal(t, "Golf Explained - Run-time Basic Calls", golf.Manifest.Title)
		require.Equal(t, "shared/launchpage.html", golf.Manifest.Launch)
		require.Equal(t, "item_1", golf.Manifest.Activity)
		require.Empty(t, golf.Warnings)

		raw, err = os.ReadFile(filepath.Join(dir, "odd-empty-organizations.zip"))
		require.NoError(t, err)
		odd := mustRead(t, raw)
		require.Equal(t, "sso/launchpage.html", odd.Manifest.Launch)
		require.Equal(t, []string{WarnNoOrganization, WarnUnlistedFiles}, codes(odd))
	}
	p := mustRead(t, Of(ManifestOf("", OneResource)))
	require.Equal(t, []string{WarnNoOrganization}, codes(p))
	require.Equal(t, "r1", p.Manifest.Activity)
}

func utf16Bytes(s string, order binary.AppendByteOrder, mark bool) string {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xFEFF)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

func TestManifestsAreReadInTheEncodingsThatToolsWrite(t *testing.T) {
	t.Parallel()
	title := "Sueño seguro – niños"
	utf8 := ManifestOf(strings.Replace(OneItem, "Safe Sleep", title, 1), OneResource)
	says := func(label string) string { return strings.Replace(utf8, "UTF-8", label, 1) }
	windows := strings.NewReplacer("ñ", "\xf1", "–", "\x96").Replace
	for name, body := range map[string]string{
		"UTF-8":                    utf8,
		"UTF-8 with a mark":        "\uFEFF" + utf8,
		"UTF-16LE":                 utf16Bytes(says("UTF-16"), binary.LittleEndian, true),
		"UTF-16BE":                 utf16Bytes(says("utf-16"), binary.BigEndian, true),
		"UTF-16LE without a mark":  utf16Bytes(says("UTF-16LE"), binary.LittleEndian, false),
		"UTF-16BE without a mark":  utf16Bytes(says("UTF-16BE"), binary.BigEndian, false),
		"windows-1252":             windows(says("windows-1252")),
		"ISO-8859-1 as tools mean": windows(says("ISO-8859-1")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, title, mustRead(t, Of(body)).Manifest.Title)
		})
	}
	for name, body := range map[string]string{
		"unknown encoding":  says("EBCDIC-XX"),
		"wrong encoding":    windows(utf8),
		"entity expansion":  `<!DOCTYPE manifest [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + strings.Replace(utf8[strings.Index(utf8, "<manifest"):], title, "&b;", 1),
		"external entity":   `<!DOCTYPE manifest [<!ENTITY a SYSTEM "file:///etc/passwd">]><manifest><metadata>&a;</metadata></manifest>`,
		"cut off":           utf8[:400],
		"empty":             "",
		"another root":      "<html/>",
		"only a prolog":     `<?xml version="1.0" encoding="UTF-8"?>`,
		"half of a unit":    "\xff\xfe<",
		"nested very deep":  strings.Repeat("<manifest>", 20_000),
		"no XML at all":     "imsmanifest",
		"mismatched ending": "<manifest></manifes>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, Of(body))
			require.ErrorIs(t, err, ErrManifest)
		})
	}
}
