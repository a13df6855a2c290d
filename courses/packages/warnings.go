package packages

import (
	"slices"
	"strings"
)

// Warning is something odd that does not keep a package from working. Its sentence
// stands in the message catalogs under "author.warning.<Code>".
type Warning struct {
	Code    string `json:"code"`
	Count   int    `json:"count"`
	Example string `json:"example"` // one name that it concerns
}

// The codes of warnings.
const (
	WarnFolder          = "folder"           // the package lies in a folder within the ZIP file
	WarnNoOrganization  = "no_organization"  // no contents: the one lesson among the resources was taken
	WarnNoSchemaVersion = "no_schemaversion" // the manifest names no version; it has the form of SCORM 1.2
	WarnOtherItems      = "other_items"      // contents that are no lesson are not shown
	WarnMissingFiles    = "missing_files"    // listed in the manifest, not in the package
	WarnUnlistedFiles   = "unlisted_files"   // in the package, not listed in the manifest
	WarnLetterCase      = "letter_case"      // the manifest writes a name in other letter case
	WarnPrerequisites   = "prerequisites"    // the lesson has prerequisites, which one lesson cannot need
	WarnMasteryScore    = "mastery_score"    // the mastery score is no number from 0 to 100 and is left out
	WarnMaxTime         = "max_time"         // the time allowed is no CMITimespan and is left out
	WarnTimeLimit       = "time_limit"       // the time limit action is not of the vocabulary and is left out
	WarnLaunchData      = "launch_data"      // the launch data are longer than SCORM 1.2 asks a system to take
	WarnTitle           = "title"            // the title was cut
)

func (p *Package) warn(code string, count int, example string) {
	if count > 0 {
		p.Warnings = append(p.Warnings, Warning{code, count, shown(example)})
	}
}

// compare warns where manifest and files do not agree.
func (p *Package) compare() {
	byFold := make(map[string]string, len(p.Files))
	for _, f := range p.Files {
		byFold[strings.ToLower(f.Path)] = f.Path
	}
	listed := map[string]bool{manifestName: true}
	var missing, otherCase []string
	for _, name := range p.Manifest.files {
		actual, ok := name, true
		if _, exact := p.entries[name]; !exact {
			if actual, ok = byFold[strings.ToLower(name)]; ok {
				otherCase = append(otherCase, name)
			} else {
				missing = append(missing, name)
			}
		}
		listed[actual] = true
	}
	var unlisted []string
	for _, f := range p.Files {
		if !listed[f.Path] && !schemaFile(f.Path) {
			unlisted = append(unlisted, f.Path)
		}
	}
	p.warnOf(WarnMissingFiles, missing)
	p.warnOf(WarnLetterCase, otherCase)
	p.warnOf(WarnUnlistedFiles, unlisted)
}

func (p *Package) warnOf(code string, names []string) {
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > 0 {
		p.warn(code, len(names), names[0])
	}
}

// schemaFile tells whether a file is one of the definitions that packages carry
// beside their manifest and never list.
func schemaFile(name string) bool {
	return strings.HasSuffix(name, ".xsd") || strings.HasSuffix(name, ".dtd")
}
