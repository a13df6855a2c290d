package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	. "mopd/courses/packages/packagestest"
	"mopd/lms"
)

// based is a manifest with a base at each level and with so many files.
func based(base string, files int) string {
	base = `xml:base="` + base + `" `
	resource := strings.Replace(OneResource, "</resource>", strings.Repeat(`<file href="x"/>`, files)+"</resource>", 1)
	return strings.NewReplacer("<manifest ", "<manifest "+base, "<resources>", "<resources "+base+">", "<resource ", "<resource "+base).
		Replace(ManifestOf(OneItem, resource))
}

// upAndDown is a long base that leads to the folder in which it stands.
func upAndDown(bytes int) string { return strings.Repeat("a/../", bytes/5) }

func TestLongBasesCostNothingForEachFile(t *testing.T) {
	t.Parallel()
	const files = 40_000
	fastest := func(raw []byte) (least time.Duration) {
		for range 3 {
			start := time.Now()
			mustRead(t, raw)
			if took := time.Since(start); least == 0 || took < least {
				least = took
			}
		}
		return least
	}
	plain, long := fastest(Of(based("", files))), fastest(Of(based(upAndDown(maxAddress), files)))
	require.Less(t, long, 5*plain, "without a base: %v", plain)
}

func TestAddressesAndTextsOfTheManifestHaveAnEnd(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxAddress+1)
	in := func(old, new string) string { return strings.Replace(ManifestOf(OneItem, OneResource), old, new, 1) }
	for name, c := range map[string]struct {
		manifest, text string
		limit          int
	}{
		"base of the manifest":  {in("<manifest ", `<manifest xml:base="`+upAndDown(maxAddress+5)+`" `), "xml:base", maxAddress},
		"base of the resources": {in("<resources>", `<resources xml:base="`+long+`">`), "xml:base", maxAddress},
		"base of a resource":    {in("<resource ", `<resource xml:base="`+long+`" `), "xml:base", maxAddress},
		"href of a resource":    {in(`sco" href="`, `sco" href="`+long), "href", maxAddress},
		"href of a file":        {in(`<file href="`, `<file href="`+long), "href", maxAddress},
		"parameters":            {in(`identifier="item_1"`, `identifier="item_1" parameters="`+long+`"`), "parameters", maxAddress},
		"identifier":            {in(`identifier="item_1"`, `identifier="`+strings.Repeat("i", maxIdentifier+1)+`"`), "identifier", maxIdentifier},
		"identifier in bytes":   {in(`identifier="item_1"`, `identifier="`+strings.Repeat("ñ", maxIdentifier/2+1)+`"`), "identifier", maxIdentifier},
		"identifier of a resource": {strings.ReplaceAll(ManifestOf("", OneResource), `"r1"`, `"`+strings.Repeat("r", maxIdentifier+1)+`"`),
			"identifier", maxIdentifier},
		"launch data": {in("<title>Lesson</title>", "<adlcp:datafromlms>"+strings.Repeat("x", maxLaunchData+1)+"</adlcp:datafromlms>"), "datafromlms", maxLaunchData},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, Of(c.manifest))
			require.ErrorIs(t, err, ErrText)
			e, _ := lms.AsError(err)
			require.Equal(t, map[string]any{"Name": c.text, "Limit": c.limit}, e.Args)
		})
	}
	identifier := strings.Repeat("i", maxIdentifier)
	p := mustRead(t, Of(strings.Replace(based(upAndDown(maxAddress), 0), "item_1", identifier, 1)))
	require.Equal(t, identifier, p.Manifest.Activity)
	require.Equal(t, "index.html", p.Manifest.Launch)

	_, err := read(t, Of(in(`"item_1"`, `"a&#0;b"`)))
	require.ErrorIs(t, err, ErrManifest)
	_, err = read(t, Of(in("<manifest ", `<manifest xml:base="`+strings.Repeat("deep/", maxPath/5+1)+`" `)))
	require.ErrorIs(t, err, ErrLaunchOutside)
}

func TestAManifestHasAsManyElementsAsAreTakenAndNoMore(t *testing.T) {
	t.Parallel()
	manifest := func(items int) string {
		return ManifestOf(strings.Replace(OneItem, "</organization>", strings.Repeat("<item/>", items)+"</organization>", 1), OneResource)
	}
	elements := strings.Count(manifest(0), "<") - strings.Count(manifest(0), "</") - 1 // the XML declaration
	mustRead(t, Of(manifest(Usual.Elements-elements)))
	_, err := read(t, Of(manifest(Usual.Elements-elements+1)))
	require.ErrorIs(t, err, ErrElements)
	e, _ := lms.AsError(err)
	require.Equal(t, map[string]any{"Limit": Usual.Elements}, e.Args)

	// What follows is no XML, and nobody gets to see it.
	_, err = read(t, Of("<manifest>"+strings.Repeat("<item/>", Usual.Elements)+"<<<"))
	require.ErrorIs(t, err, ErrElements)
}

func TestAnEndlessPartOfTheManifestIsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxPart+64<<10)
	in := func(old, new string) string { return strings.Replace(ManifestOf(OneItem, OneResource), old, new, 1) }
	for name, manifest := range map[string]string{
		"attribute":       in("<item ", `<item long="`+long+`" `),
		"many attributes": in("<item ", `<item `+strings.Repeat(`a="" `, len(long)/5)),
		"name":            in("<metadata>", "<metadata><"+long+"/>"),
		"text":            in("<title>Lesson", "<title>"+long),
		"comment":         in("<metadata>", "<metadata><!--"+long+"-->"),
		"encodings":       in("<metadata>", strings.Repeat(`<?xml version="1.0" encoding="windows-1252"?>`, 2)+"<metadata>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, Of(manifest))
			require.ErrorIs(t, err, ErrManifest)
		})
	}
	mustRead(t, Of(in("<metadata>", "<metadata><!--"+long[:maxPart/2]+"-->")))
}

// until is a context that ends once it has been asked so many times.
type until struct {
	context.Context
	left int
}

func (u *until) Err() error {
	if u.left--; u.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestReadingStopsWithItsContextWhereverItIs(t *testing.T) {
	t.Parallel()
	const files, plenty = 300, 1 << 30
	raw := Of(based("a/../", files) + strings.Repeat(" ", 100<<10))
	whole := &until{t.Context(), plenty}
	_, err := Read(whole, bytes.NewReader(raw), int64(len(raw)), Usual)
	require.NoError(t, err)
	asked := plenty - whole.left
	require.Greater(t, asked, files)
	for times := range asked {
		_, err := Read(&until{t.Context(), times}, bytes.NewReader(raw), int64(len(raw)), Usual)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, refusal := lms.AsError(err)
		require.False(t, refusal, "a deadline says nothing about the package: %v", err)
	}
}

func TestWhatTheLessonIsToldHasTheFormsOfSCORM12(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ element, value, want, warning string }{
		{"masteryscore", "80", "80", ""},
		{"masteryscore", " 100.0 ", "100.0", ""},
		{"masteryscore", ".5", ".5", ""},
		{"masteryscore", "101", "", WarnMasteryScore},
		{"masteryscore", "-1", "", WarnMasteryScore},
		{"masteryscore", "8e1", "", WarnMasteryScore},
		{"masteryscore", "0x10", "", WarnMasteryScore},
		{"masteryscore", "NaN", "", WarnMasteryScore},
		{"masteryscore", "80 %", "", WarnMasteryScore},
		{"masteryscore", strings.Repeat("0", 300), "", WarnMasteryScore},
		{"maxtimeallowed", "00:30:00", "00:30:00", ""},
		{"maxtimeallowed", "0001:30:00.25", "0001:30:00.25", ""},
		{"maxtimeallowed", "30 minutes", "", WarnMaxTime},
		{"maxtimeallowed", "PT30M", "", WarnMaxTime},
		{"timelimitaction", "exit,message", "exit,message", ""},
		{"timelimitaction", "exit,no message", "exit,no message", ""},
		{"timelimitaction", "continue,message", "continue,message", ""},
		{"timelimitaction", " Continue,  No  Message ", "continue,no message", ""},
		{"timelimitaction", "exit", "", WarnTimeLimit},
		{"timelimitaction", "leave,message", "", WarnTimeLimit},
		{"timelimitaction", "exit,message,message", "", WarnTimeLimit},
		{"datafromlms", strings.Repeat("ñ", usualLaunchData), strings.Repeat("ñ", usualLaunchData), ""},
		{"datafromlms", strings.Repeat("x", usualLaunchData+1), strings.Repeat("x", usualLaunchData+1), WarnLaunchData},
		{"datafromlms", strings.Repeat("x", maxLaunchData), strings.Repeat("x", maxLaunchData), WarnLaunchData},
	} {
		p := mustRead(t, Of(ManifestOf(item("", "<adlcp:"+c.element+">"+c.value+"</adlcp:"+c.element+">"), OneResource)))
		m := p.Manifest
		require.Equal(t, c.want, m.MasteryScore+m.MaxTime+m.TimeLimit+m.LaunchData, "%.40s", c.value)
		if c.warning == "" {
			require.Empty(t, p.Warnings, "%.40s", c.value)
		} else {
			require.Equal(t, []string{c.warning}, codes(p), "%.40s", c.value)
		}
	}
}

func TestALongTitleIsCutWithAWarning(t *testing.T) {
	t.Parallel()
	titled := func(title string) *Package {
		return mustRead(t, Of(ManifestOf(strings.Replace(OneItem, "Safe Sleep", title, 1), OneResource)))
	}
	whole := strings.Repeat("ñ", maxTitle)
	p := titled(" " + whole + "\n")
	require.Equal(t, whole, p.Manifest.Title)
	require.Empty(t, p.Warnings)
	p = titled(whole + "o")
	require.Equal(t, strings.Repeat("ñ", maxTitle-1)+"…", p.Manifest.Title)
	require.Equal(t, []string{WarnTitle}, codes(p))
}

func TestTheLimitsOfTextsHaveTheirSentencesInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "es"} {
		raw, err := os.ReadFile("../messages/" + lang + ".json")
		require.NoError(t, err)
		var messages map[string]any
		require.NoError(t, json.Unmarshal(raw, &messages))
		for _, code := range []string{WarnMaxTime, WarnTimeLimit, WarnLaunchData, WarnTitle} {
			require.Contains(t, messages, "author.warning."+code, lang)
		}
		for e, args := range map[*lms.Error][]string{ErrText: {"Name", "Limit"}, ErrElements: {"Limit"}} {
			for _, arg := range args {
				require.Contains(t, fmt.Sprint(messages["error."+e.Code]), "{{."+arg+"}}", lang)
			}
		}
	}
}
