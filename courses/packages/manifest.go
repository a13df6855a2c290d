package packages

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

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

// readManifest reads the package's imsmanifest.xml and finds its lesson.
func (p *Package) readManifest(ctx context.Context, limits Limits) error {
	raw, err := p.manifestBytes(limits.Manifest)
	if err != nil {
		return err
	}
	m, err := decode(ctx, raw, limits.Elements)
	if err != nil {
		return err
	}
	if err := p.refuseStandard(m); err != nil {
		return err
	}
	return p.findLesson(ctx, m)
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
func (p *Package) findLesson(ctx context.Context, m manifestXML) error {
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
		return p.take(ctx, m, title, lessons[0])
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
func (p *Package) take(ctx context.Context, m manifestXML, title string, l lesson) error {
	if err := refuseLong(m, l); err != nil {
		return err
	}
	top, err := enter("", m.Base, m.Resources.Base)
	if err != nil {
		return err
	}
	folder, err := enter(top, l.resource.Base)
	if err != nil {
		return err
	}
	launch, err := locate(folder, l.resource.Href)
	if err != nil {
		return err
	}
	out := Manifest{
		Standard:     lms.SCORM12,
		Activity:     l.item.Identifier,
		Title:        p.title(append(append([]string{title, l.item.Title}, m.Titles...), l.resource.Identifier)),
		LaunchData:   l.item.LaunchData,
		MasteryScore: p.known(WarnMasteryScore, l.item.MasteryScore, score),
		MaxTime:      p.known(WarnMaxTime, l.item.MaxTime, timespan),
		TimeLimit:    p.known(WarnTimeLimit, l.item.TimeLimit, timeLimitAction),
	}
	if utf8.RuneCountInString(out.LaunchData) > usualLaunchData {
		p.warn(WarnLaunchData, 1, out.LaunchData)
	}
	if prerequisites := strings.TrimSpace(l.item.Prerequisites); prerequisites != "" {
		p.warn(WarnPrerequisites, 1, prerequisites)
	}
	if out.LaunchFile, err = p.actual(launch.file); err != nil {
		return err
	}
	if out.files, err = listed(ctx, m, top); err != nil {
		return err
	}
	out.files = append(out.files, launch.file)
	launch.file = out.LaunchFile
	out.Launch = launch.with(l.item.Parameters)
	p.Manifest = out
	return nil
}

// listed are the files that the resources list; those of other places are not of
// the package.
func listed(ctx context.Context, m manifestXML, top string) (files []string, err error) {
	for _, r := range m.Resources.List {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		folder, err := enter(top, r.Base)
		if err != nil {
			continue
		}
		for _, f := range r.Files {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if at, err := locate(folder, f.Href); err == nil && at.file != "" {
				files = append(files, at.file)
			}
		}
	}
	return files, nil
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
