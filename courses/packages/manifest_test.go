package packages

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	. "mopd/courses/packages/packagestest"
	"mopd/lms"
)

func item(attributes, inner string) string {
	return `<organization identifier="o"><title>T</title><item identifier="i" identifierref="r1" ` + attributes + `><title>L</title>` + inner + `</item></organization>`
}

func TestWhatTheManifestHandsToTheLessonIsKept(t *testing.T) {
	t.Parallel()
	inner := `<adlcp:datafromlms> a=1&amp;b=2 </adlcp:datafromlms><adlcp:masteryscore> 80 </adlcp:masteryscore>
		<adlcp:maxtimeallowed>00:30:00</adlcp:maxtimeallowed><adlcp:timelimitaction>exit,message</adlcp:timelimitaction><adlcp:prerequisites type="aicc_script">x</adlcp:prerequisites>`
	p := mustRead(t, Of(ManifestOf(item("", inner), OneResource)))
	require.Equal(t, " a=1&b=2 ", p.Manifest.LaunchData)
	require.Equal(t, "80", p.Manifest.MasteryScore)
	require.Equal(t, "00:30:00", p.Manifest.MaxTime)
	require.Equal(t, "exit,message", p.Manifest.TimeLimit)
	require.Equal(t, []string{WarnPrerequisites}, codes(p))
}

func TestAPackageWithoutATitleIsNamedByItsMetadata(t *testing.T) {
	t.Parallel()
	manifest := strings.Replace(ManifestOf("", OneResource), "</metadata>", `<lom><general><title><langstring xml:lang="en"> Safe  Sleep </langstring></title></general></lom></metadata>`, 1)
	require.Equal(t, "Safe Sleep", mustRead(t, Of(manifest)).Manifest.Title)
	require.Equal(t, "r1", mustRead(t, Of(ManifestOf("", OneResource))).Manifest.Title)
}

func TestTheLaunchAddressFollowsBasesAndParameters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ bases, href, parameters, file, want string }{
		{"", "index.html", "", "index.html", "index.html"},
		{"", "index.html", "?a=1", "index.html", "index.html?a=1"},
		{"", "index.html", "&amp;a=1", "index.html", "index.html?a=1"},
		{"", "index.html?x=2", "?a=1", "index.html", "index.html?x=2&a=1"},
		{"", "index.html", "#page", "index.html", "index.html#page"},
		{"", "index.html#top", "a=1", "index.html", "index.html?a=1#top"},
		{"", "index.html", `?a="b c"`, "index.html", "index.html?a=%22b%20c%22"},
		{"a/|b/|c/", "x.html", "", "a/b/c/x.html", "a/b/c/x.html"},
		{"a/m.xml||c/", "x.html", "", "a/c/x.html", "a/c/x.html"},
		{"a/|b/|", "../x.html", "", "a/x.html", "a/x.html"},
		{"", "my%20page.html", "", "my page.html", "my%20page.html"},
		{"", "100%.html", "", "100%.html", "100%25.html"},
		{"", `a\x.html`, "", "a/x.html", "a/x.html"},
		{"", "INDEX.HTML", "", "index.html", "index.html"},
		{"", "cafe\u0301.html", "", "caf\u00e9.html", "caf%C3%A9.html"},
	} {
		bases := strings.Split(c.bases+"||", "|")
		attribute := strings.ReplaceAll(strings.ReplaceAll(c.parameters, `"`, "&quot;"), "<", "&lt;")
		manifest := ManifestOf(item(`parameters="`+attribute+`"`, ""), `<resource identifier="r1" xml:base="`+bases[2]+`" adlcp:scormtype="SCO" href="`+c.href+`"/>`)
		manifest = strings.Replace(manifest, "<resources>", `<resources xml:base="`+bases[1]+`">`, 1)
		manifest = strings.Replace(manifest, "<manifest ", `<manifest xml:base="`+bases[0]+`" `, 1)
		p := mustRead(t, ZIP(File{Name: "imsmanifest.xml", Body: manifest}, File{Name: c.file}))
		require.Equal(t, c.want, p.Manifest.Launch)
		require.Equal(t, c.file, p.Manifest.LaunchFile)
	}
}

func TestALaunchOutsideThePackageIsRefused(t *testing.T) {
	t.Parallel()
	for _, href := range []string{"https://example.org/course.html", "../index.html", "/index.html", "//example.org/x", "javascript:alert(1)", `..\index.html`, "%2e%2e/index.html", "a%00.html", "C:/index.html"} {
		_, err := read(t, Of(ManifestOf(OneItem, `<resource identifier="r1" adlcp:scormtype="sco" href="`+href+`"/>`)))
		require.ErrorIs(t, err, ErrLaunchOutside, href)
	}
	_, err := read(t, Of(strings.Replace(ManifestOf(OneItem, OneResource), "<resources>", `<resources xml:base="https://example.org/">`, 1)))
	require.ErrorIs(t, err, ErrLaunchOutside)
}

func TestALessonThatCannotStartIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		organizations, resources string
		want                     *lms.Error
	}{
		"nothing":           {"", "", ErrNoLesson},
		"no SCO":            {OneItem, strings.Replace(OneResource, `"sco"`, `"asset"`, 1), ErrNoLesson},
		"missing file":      {OneItem, strings.Replace(OneResource, `href="index.html"`, `href="gone.html"`, 1), ErrLaunchMissing},
		"no href":           {OneItem, strings.Replace(OneResource, ` href="index.html">`, `>`, 1), ErrNoLaunch},
		"missing resource":  {strings.Replace(OneItem, `"r1"`, `"r2"`, 1), OneResource, ErrReference},
		"two items":         {strings.Replace(OneItem, "</organization>", `<item identifier="i2" identifierref="r1"/></organization>`, 1), OneResource, ErrLessons},
		"two SCOs, no item": {"", OneResource + strings.Replace(OneResource, `"r1"`, `"r2"`, 1), ErrLessons},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, Of(ManifestOf(c.organizations, c.resources)))
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err := read(t, Of(ManifestOf("", OneResource+strings.Replace(OneResource, `"r1"`, `"r2"`, 1))))
	e, _ := lms.AsError(err)
	require.Equal(t, 2, e.Args["Count"])
}

func TestOddThingsAreTakenWithAWarning(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw     []byte
		warning Warning
	}{
		"listed, not there": {Of(ManifestOf(OneItem, strings.Replace(OneResource, "</resource>", `<file href="gone.png"/><file href="away.png"/></resource>`, 1))), Warning{WarnMissingFiles, 2, "away.png"}},
		"there, not listed": {Of(ManifestOf(OneItem, OneResource), File{Name: "notes.txt"}, File{Name: "scorm.xsd"}), Warning{WarnUnlistedFiles, 1, "notes.txt"}},
		"other letter case": {Of(ManifestOf(OneItem, strings.Replace(OneResource, "js/course.js", "JS/Course.js", 1))), Warning{WarnLetterCase, 1, "JS/Course.js"}},
		"an asset beside":   {Of(ManifestOf(strings.Replace(OneItem, "</organization>", `<item identifier="i2" identifierref="r2"/></organization>`, 1), OneResource+`<resource identifier="r2" adlcp:scormtype="asset" href="index.html"/>`)), Warning{WarnOtherItems, 1, "Safe Sleep"}},
		"no version":        {Of(strings.Replace(ManifestOf(OneItem, OneResource), "<schemaversion>1.2</schemaversion>", "", 1)), Warning{WarnNoSchemaVersion, 1, manifestName}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []Warning{c.warning}, mustRead(t, c.raw).Warnings)
		})
	}
}

func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		ManifestOf(OneItem, OneResource), ManifestOf("", OneResource), ManifestOf(item(`parameters="?a=1#b"`, "<adlcp:masteryscore>80</adlcp:masteryscore>"), OneResource),
		strings.Replace(ManifestOf(OneItem, OneResource), "<resources>", `<resources xml:base="a/%2e%2e/../">`, 1),
		strings.Replace(ManifestOf(item("", "<adlcp:maxtimeallowed>00:30:00</adlcp:maxtimeallowed><adlcp:timelimitaction>Exit, message</adlcp:timelimitaction>"), OneResource), "UTF-8", "windows-1252", 1),
		"\xff\xfe<\x00m\x00", `<manifest><organizations><organization><item identifierref="r"/></organization></organizations></manifest>`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		checkSound(t, Of(string(manifest), File{Name: "a/x.html"}))
	})
}

func FuzzPackage(f *testing.F) {
	for _, seed := range [][]byte{Course("x"), Of(ManifestOf("", OneResource)), ZIP(File{Name: "c/imsmanifest.xml", Body: ManifestOf(OneItem, OneResource)}, File{Name: "c/index.html"}), ZIP(), nil} {
		f.Add(seed)
	}
	f.Fuzz(checkSound)
}

// checkSound reads a package and checks what the rest of the product relies on.
func checkSound(t *testing.T, raw []byte) {
	limits := Usual
	limits.Unpacked = 8 << 20
	p, err := Read(t.Context(), bytes.NewReader(raw), int64(len(raw)), limits)
	if err != nil {
		if _, ok := lms.AsError(err); !ok {
			t.Fatalf("not a refusal: %v", err)
		}
		return
	}
	total, launch := int64(0), false
	for _, file := range p.Files {
		if !fs.ValidPath(file.Path) || strings.ContainsAny(file.Path, "\\\x00") {
			t.Fatalf("unsafe path %q", file.Path)
		}
		total += file.Size
		launch = launch || file.Path == p.Manifest.LaunchFile
	}
	if !launch {
		t.Fatalf("the launch file %q is no file of the package", p.Manifest.LaunchFile)
	}
	if total != p.Unpacked || total > limits.Unpacked {
		t.Fatalf("unpacked %d bytes, said %d", total, p.Unpacked)
	}
	if m := p.Manifest; len(m.Activity) > maxIdentifier || strings.Contains(m.Activity+m.Title+m.LaunchData, "\x00") || utf8.RuneCountInString(m.Title) > maxTitle {
		t.Fatalf("identifier %q, title %q", m.Activity, m.Title)
	}
	if strings.ContainsAny(p.Manifest.Launch, " <>\"\\\r\n\x00") || strings.HasPrefix(p.Manifest.Launch, "/") {
		t.Fatalf("launch address %q", p.Manifest.Launch)
	}
	if _, err := p.Open("no such file"); !errors.Is(err, lms.ErrNotFound) {
		t.Fatalf("a file that is not there opened: %v", err)
	}
}
