// Package coursekit makes the demonstration's SCORM 1.2 courses from plain texts.
//
// Each course is one text under content/, written in the small format that text.go reads. Build turns it into a package
// interchange file: a zip with an imsmanifest.xml and one sharable content object (SCO) that reports to SCORM 1.2's API
// (SCORM 1.2 Run-Time Environment, section 3). Everything comes from files embedded here: building never touches the
// network, the clock or the disk, and the same texts always give the same bytes.
//
// A course has a quiz that the SCO itself scores, so its answers travel in the package. That suits a demonstration
// and a practice quiz; an examination belongs in a module that the server scores.
//
// Start reading at Build.
package coursekit

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// PassMark is the quiz score, in percent, from which a course counts as passed.
const PassMark = 80

// launchFile is the SCO's entry page, as the manifest names it.
const launchFile = "index.html"

//go:embed catalog.json content/*.txt drawings/*.svg assets/*
var files embed.FS

// packed is the modification time of every entry: a constant, so that packages are reproducible.
var packed = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Codes lists the courses that Build can make, in order of code.
func Codes() []string {
	names, err := fs.Glob(files, "content/*.txt")
	if err != nil {
		panic(fmt.Sprintf("coursekit: listing embedded texts: %v", err))
	}
	codes := make([]string, 0, len(names))
	for _, name := range names {
		codes = append(codes, strings.TrimSuffix(strings.TrimPrefix(name, "content/"), ".txt"))
	}
	slices.Sort(codes)
	return codes
}

// Build writes the SCORM 1.2 package of the course to w (SCORM 1.2 Content Aggregation Model, section 2.3.4). An unknown
// code, a course text with a fault, and a failing w are errors.
func Build(code string, w io.Writer) error {
	c, err := load(code)
	if err != nil {
		return err
	}
	entries, err := c.entries()
	if err != nil {
		return fmt.Errorf("course %s: %w", code, err)
	}
	archive := zip.NewWriter(w)
	for _, e := range entries {
		out, err := archive.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: packed})
		if err != nil {
			return fmt.Errorf("course %s: add %s: %w", code, e.name, err)
		}
		if _, err := out.Write(e.data); err != nil {
			return fmt.Errorf("course %s: write %s: %w", code, e.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("course %s: close package: %w", code, err)
	}
	return nil
}

// Answers gives the right option ("a" to "d") of each quiz question, in order, and nil for an unknown code. It lets an
// end-to-end test pass a course as a learner would.
func Answers(code string) []string {
	c, err := load(code)
	if err != nil {
		return nil
	}
	answers := make([]string, 0, len(c.Quiz))
	for _, q := range c.Quiz {
		answers = append(answers, q.Right)
	}
	return answers
}

// entry is one file of a package.
type entry struct {
	name string
	data []byte
}

// entries lists the files of the package, the manifest first.
func (c course) entries() ([]entry, error) {
	var page bytes.Buffer
	if err := lesson.Execute(&page, c); err != nil {
		return nil, fmt.Errorf("render lesson: %w", err)
	}
	content := []entry{{launchFile, page.Bytes()}}
	for _, name := range []string{"course.js", "scorm.js", "style.css"} {
		data, err := files.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		content = append(content, entry{name, data})
	}
	manifest, err := c.manifest(content)
	if err != nil {
		return nil, err
	}
	return append([]entry{{manifestFile, manifest}}, content...), nil
}
