// Package packagestest makes course packages for tests: sound ones, and ones with
// every fault that a hostile or careless author may give them. The product never
// imports it. Start at Course.
package packagestest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
)

// File is one entry of a ZIP file.
type File struct {
	Name   string
	Body   string
	Change func(*zip.FileHeader) // of the header, before it is written
}

// ZIP is a ZIP file of the entries, in their order.
func ZIP(files ...File) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate}
		if strings.HasSuffix(f.Name, "/") {
			h.Method = zip.Store
		}
		if f.Change != nil {
			f.Change(h)
		}
		body, err := w.CreateHeader(h)
		if err != nil {
			panic(err)
		}
		if _, err := body.Write([]byte(f.Body)); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// ManifestOf is an imsmanifest.xml of SCORM 1.2 with the inner XML of organizations
// and resources.
func ManifestOf(organizations, resources string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="m" version="1" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2" xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
<metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
<organizations default="o">` + organizations + `</organizations>
<resources>` + resources + `</resources>
</manifest>`
}

// The parts of a manifest with one lesson.
const (
	OneItem     = `<organization identifier="o"><title>Safe Sleep</title><item identifier="item_1" identifierref="r1"><title>Lesson</title></item></organization>`
	OneResource = `<resource identifier="r1" type="webcontent" adlcp:scormtype="sco" href="index.html"><file href="index.html"/><file href="js/course.js"/></resource>`
)

// Of is a package of the manifest and the files of a small lesson.
func Of(manifest string, more ...File) []byte {
	return ZIP(append([]File{
		{Name: "imsmanifest.xml", Body: manifest},
		{Name: "index.html", Body: "<!doctype html><title>Lesson</title><script src=js/course.js></script>"},
		{Name: "js/", Body: ""},
		{Name: "js/course.js", Body: "// the lesson"},
	}, more...)...)
}

// Course is a sound package; courses of different names have different bytes.
func Course(name string, more ...File) []byte {
	organization := strings.Replace(OneItem, "Safe Sleep", name, 1)
	resource := strings.Replace(OneResource, "</resource>", `<file href="name.txt"/></resource>`, 1)
	for _, f := range more {
		resource = strings.Replace(resource, "</resource>", fmt.Sprintf(`<file href="%s"/></resource>`, f.Name), 1)
	}
	return Of(ManifestOf(organization, resource), append(more, File{Name: "name.txt", Body: name})...)
}
