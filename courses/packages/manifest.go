package packages

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"mopd/lms"
)

const manifestName = "imsmanifest.xml"

// Manifest is what the product takes from an imsmanifest.xml of SCORM 1.2
// (Content Aggregation Model 1.2, section 2.3).
type Manifest struct {
	Standard     lms.Standard
	Title        string
	Activity     string // identifier of the lesson's item; of its resource, when there is no item
	Launch       string // address of the launch file within the package: path, escaped, and query
	LaunchFile   string // its path, as the package writes it
	LaunchData   string // adlcp:datafromlms
	MasteryScore string // adlcp:masteryscore, "" if none
	MaxTime      string // adlcp:maxtimeallowed, "" if none
	TimeLimit    string // adlcp:timelimitaction, "" if none

	files []string // that the resources list
}

// The elements of a manifest, of whatever namespace: many packages declare the
// wrong one.
type (
	manifestXML struct {
		XMLName       xml.Name
		Attrs         []xml.Attr `xml:",any,attr"`
		Base          string     `xml:"base,attr"`
		Schema        string     `xml:"metadata>schema"`
		SchemaVersion string     `xml:"metadata>schemaversion"`
		Titles        []string   `xml:"metadata>lom>general>title>langstring"`
		Organizations struct {
			Default string            `xml:"default,attr"`
			List    []organizationXML `xml:"organization"`
		} `xml:"organizations"`
		Resources struct {
			Base string        `xml:"base,attr"`
			List []resourceXML `xml:"resource"`
		} `xml:"resources"`
	}
	organizationXML struct {
		Identifier string    `xml:"identifier,attr"`
		Title      string    `xml:"title"`
		Items      []itemXML `xml:"item"`
	}
	itemXML struct {
		Identifier    string    `xml:"identifier,attr"`
		Reference     string    `xml:"identifierref,attr"`
		Parameters    string    `xml:"parameters,attr"`
		Title         string    `xml:"title"`
		Prerequisites string    `xml:"prerequisites"`
		MaxTime       string    `xml:"maxtimeallowed"`
		TimeLimit     string    `xml:"timelimitaction"`
		LaunchData    string    `xml:"datafromlms"`
		MasteryScore  string    `xml:"masteryscore"`
		Items         []itemXML `xml:"item"`
	}
	resourceXML struct {
		Identifier string `xml:"identifier,attr"`
		Base       string `xml:"base,attr"`
		Type12     string `xml:"scormtype,attr"`
		Type2004   string `xml:"scormType,attr"`
		Href       string `xml:"href,attr"`
		Files      []struct {
			Href string `xml:"href,attr"`
		} `xml:"file"`
	}
)

func (r resourceXML) sco() bool {
	return strings.EqualFold(r.Type12, "sco") || strings.EqualFold(r.Type2004, "sco")
}

// readManifest reads the package's imsmanifest.xml and finds its lesson.
func (p *Package) readManifest(limits Limits) error {
	raw, err := p.manifestBytes(limits.Manifest)
	if err != nil {
		return err
	}
	m, err := decode(raw)
	if err != nil {
		return err
	}
	if err := p.refuseStandard(m); err != nil {
		return err
	}
	return p.findLesson(m)
}

func (p *Package) manifestBytes(limit int64) ([]byte, error) {
	f, err := p.Open(manifestName)
	if err != nil {
		return nil, ErrDamaged.With("File", manifestName).Because(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, ErrDamaged.With("File", manifestName).Because(err)
	}
	if int64(len(raw)) > limit {
		return nil, ErrManifestSize.With("Limit", megabytes(limit))
	}
	return raw, nil
}

// decode reads the XML. Entities that a document declares are not expanded: XML's
// own five are all that there are.
func decode(raw []byte) (manifestXML, error) {
	var m manifestXML
	d := xml.NewDecoder(bytes.NewReader(toUTF8(raw)))
	d.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(label), "utf-16") {
			return input, nil // toUTF8 has seen to it
		}
		return charset.NewReaderLabel(label, input)
	}
	if err := d.Decode(&m); err != nil {
		return m, ErrManifest.Because(err)
	}
	if m.XMLName.Local != "manifest" {
		return m, ErrManifest.Because(fmt.Errorf("the root element is %q", m.XMLName.Local))
	}
	return m, nil
}

// toUTF8 takes UTF-16 to UTF-8 and a byte order mark away. Without a mark, UTF-16
// shows by the form of its first "<" (XML 1.0, appendix F).
func toUTF8(raw []byte) []byte {
	big := false
	switch {
	case bytes.HasPrefix(raw, []byte{0xEF, 0xBB, 0xBF}):
		return raw[3:]
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		big, raw = true, raw[2:]
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}):
		raw = raw[2:]
	case bytes.HasPrefix(raw, []byte{0, '<'}):
		big = true
	case !bytes.HasPrefix(raw, []byte{'<', 0}):
		return raw
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		first, second := uint16(raw[2*i]), uint16(raw[2*i+1])
		if big {
			first, second = second, first
		}
		units[i] = first | second<<8
	}
	out := make([]byte, 0, len(raw))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return out
}

// refuseStandard names every standard but SCORM 1.2.
func (p *Package) refuseStandard(m manifestXML) error {
	version := strings.TrimSpace(m.SchemaVersion)
	switch lower := strings.ToLower(version); {
	case lower == "1.2":
		return nil
	case strings.Contains(lower, "2004"), strings.Contains(lower, "cam 1.3"), lower == "1.3":
		return ErrStandard.With("Standard", "SCORM 2004")
	case strings.Contains(strings.ToLower(m.Schema), "common cartridge"):
		return ErrStandard.With("Standard", "IMS Common Cartridge")
	}
	form := formOf(m)
	switch {
	case form == "SCORM 2004":
		return ErrStandard.With("Standard", form)
	case version != "":
		return ErrStandard.With("Standard", shown(strings.TrimSpace(m.Schema+" "+version)))
	}
	p.warn(WarnNoSchemaVersion, 1, manifestName)
	return nil
}

// formOf is what the namespaces of a manifest that names no version tell.
func formOf(m manifestXML) string {
	for _, a := range m.Attrs {
		if v := strings.ToLower(a.Value); strings.Contains(v, "adlcp_v1p3") || strings.Contains(v, "adlseq_v1p3") {
			return "SCORM 2004"
		}
	}
	return "SCORM 1.2"
}

// lesson is an item and the SCO that it launches.
type lesson struct {
	item     itemXML
	resource resourceXML
}

// findLesson finds the one lesson of the package.
func (p *Package) findLesson(m manifestXML) error {
	resources := make(map[string]resourceXML, len(m.Resources.List))
	for _, r := range m.Resources.List {
		resources[r.Identifier] = r
	}
	title, lessons, others, err := contents(m, resources)
	if err != nil {
		return err
	}
	if len(lessons) == 0 {
		for _, r := range m.Resources.List {
			if r.sco() {
				lessons = append(lessons, lesson{itemXML{Identifier: r.Identifier}, r})
			}
		}
		if len(lessons) == 1 {
			p.warn(WarnNoOrganization, 1, manifestName)
		}
	}
	switch len(lessons) {
	case 0:
		return ErrNoLesson
	case 1:
		p.warn(WarnOtherItems, others, title)
		return p.take(m, title, lessons[0])
	default:
		return ErrLessons.With("Count", len(lessons))
	}
}

// contents lists the lessons of the default organization, and counts the items
// that open something else.
func contents(m manifestXML, resources map[string]resourceXML) (title string, lessons []lesson, others int, err error) {
	list := m.Organizations.List
	if len(list) == 0 {
		return "", nil, 0, nil
	}
	chosen := list[0]
	for _, o := range list {
		if o.Identifier == m.Organizations.Default {
			chosen = o
			break
		}
	}
	var walk func([]itemXML) error
	walk = func(items []itemXML) error {
		for _, item := range items {
			if item.Reference != "" {
				r, ok := resources[item.Reference]
				switch {
				case !ok:
					return ErrReference.With("Item", shown(strings.TrimSpace(item.Title)+" ("+item.Reference+")"))
				case r.sco():
					lessons = append(lessons, lesson{item, r})
				default:
					others++
				}
			}
			if err := walk(item.Items); err != nil {
				return err
			}
		}
		return nil
	}
	err = walk(chosen.Items)
	return chosen.Title, lessons, others, err
}

// take makes the lesson the package's.
func (p *Package) take(m manifestXML, title string, l lesson) error {
	out := Manifest{
		Standard:     lms.SCORM12,
		Activity:     l.item.Identifier,
		LaunchData:   l.item.LaunchData,
		MasteryScore: strings.TrimSpace(l.item.MasteryScore),
		MaxTime:      strings.TrimSpace(l.item.MaxTime),
		TimeLimit:    strings.TrimSpace(l.item.TimeLimit),
	}
	candidates := append([]string{title, l.item.Title}, m.Titles...)
	for _, candidate := range append(candidates, l.resource.Identifier) {
		if out.Title == "" {
			out.Title = shown(strings.Join(strings.Fields(candidate), " "))
		}
	}
	if out.MasteryScore != "" && !score(out.MasteryScore) {
		p.warn(WarnMasteryScore, 1, out.MasteryScore)
		out.MasteryScore = ""
	}
	if strings.TrimSpace(l.item.Prerequisites) != "" {
		p.warn(WarnPrerequisites, 1, strings.TrimSpace(l.item.Prerequisites))
	}
	if len(out.Activity)+len(out.LaunchData)+len(out.MaxTime)+len(out.TimeLimit) > maxText {
		return ErrText
	}
	for _, r := range m.Resources.List {
		for _, f := range r.Files {
			if at, err := locate(f.Href, m.Base, m.Resources.Base, r.Base); err == nil && at.file != "" {
				out.files = append(out.files, at.file)
			}
		}
	}
	launch, err := locate(l.resource.Href, m.Base, m.Resources.Base, l.resource.Base)
	if err != nil {
		return err
	}
	if out.LaunchFile, err = p.actual(launch.file); err != nil {
		return err
	}
	out.files = append(out.files, launch.file)
	launch.file = out.LaunchFile
	out.Launch = launch.with(l.item.Parameters)
	if len(out.Launch) > maxText {
		return ErrText
	}
	p.Manifest = out
	return nil
}

// actual is a file of the package by the name that the manifest gives it, in
// whatever letter case: authors' computers often see no difference.
func (p *Package) actual(name string) (string, error) {
	if name == "" {
		return "", ErrNoLaunch
	}
	if _, ok := p.entries[name]; ok {
		return name, nil
	}
	found := ""
	for candidate := range p.entries {
		if strings.EqualFold(candidate, name) {
			if found != "" {
				return "", ErrLaunchMissing.With("File", shown(name)).Because(errors.New("two files differ in letter case alone"))
			}
			found = candidate
		}
	}
	if found == "" {
		return "", ErrLaunchMissing.With("File", shown(name))
	}
	return found, nil
}

// score tells whether a text is a number from 0 to 100, as a score is (SCORM
// Run-Time Environment 1.2, cmi.student_data.mastery_score).
func score(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && f >= 0 && f <= 100
}
