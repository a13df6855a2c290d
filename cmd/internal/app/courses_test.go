package app_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"mopd/courses"
	"mopd/lms"
)

// oneLesson is the smallest course: each press of a button sets one thing.
const oneLesson = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lesson</title></head><body>
<main><h1>Lesson</h1><p>Page <span id="page"></span></p>
<button id="turn">Turn the page</button> <button id="complete">Complete</button></main>
<script>
var api = window.parent.API, page = 0;
api.LMSInitialize("");
page = Number(api.LMSGetValue("cmi.core.lesson_location")) || 0;
function show() { document.getElementById("page").textContent = page; }
document.getElementById("turn").onclick = function () {
  page++; show();
  api.LMSSetValue("cmi.core.lesson_location", String(page));
};
document.getElementById("complete").onclick = function () {
  api.LMSSetValue("cmi.core.lesson_status", "completed");
  api.LMSCommit("");
};
window.addEventListener("pagehide", function () { api.LMSSetValue("cmi.core.exit", "suspend"); api.LMSFinish(""); });
show();
document.documentElement.className = "live";
</script></body></html>`

const oneManifest = `<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="one" version="1" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2" xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
<metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
<organizations default="o"><organization identifier="o"><title>One lesson</title><item identifier="i" identifierref="r"><title>One lesson</title></item></organization></organizations>
<resources><resource identifier="r" type="webcontent" adlcp:scormtype="sco" href="index.html"><file href="index.html"/></resource></resources>
</manifest>`

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		require.NoError(t, err)
		_, err = io.WriteString(f, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func onePackage(t testing.TB) []byte {
	return zipOf(t, map[string]string{"imsmanifest.xml": oneManifest, "index.html": oneLesson})
}

// publish makes a course of 1.25 clock hours from a package.
func (b *box) publish(code, title string, pkg io.ReaderAt, size int64, fee lms.Money) {
	b.Helper()
	_, err := b.Courses.Publish(b.Context(), courses.System, courses.PublishRequest{
		Facts: courses.Facts{
			Code: code, Title: title, Summary: "A course to try.", Sponsor: "Office of Childhood", Topics: []string{"Safety"}, Fee: fee,
			Approval: courses.Approval{Number: "A-" + code, Hours: 5, From: lms.Date{Year: 2020, Month: 1, Day: 1}, Approver: "Office of Childhood"},
		},
		Name: code + ".zip", Package: pkg, Size: size,
	}, b.clock.Now())
	require.NoError(b, err)
}

func (b *box) publishOne(code, title string) {
	b.Helper()
	pkg := onePackage(b)
	b.publish(code, title, bytes.NewReader(pkg), int64(len(pkg)), 0)
}

// begin registers for a course through the pages, starts it and confirms the
// attestation, up to the player.
func (p *tab) begin(code string) {
	p.Helper()
	p.open("/courses/" + code)
	p.click(`form[action="/courses/` + code + `/register"] button`)
	p.until("the course is ready to start", `document.querySelector('form[action$="/start"]')`)
	p.click(`form[action$="/start"] button`)
	p.attest()
}

func (p *tab) attest() {
	p.Helper()
	p.attestOnly()
	p.until("the player is open", `document.querySelector("body.mo-player")`)
}

// saved waits until the player says that everything is saved.
func (p *tab) saved() {
	p.Helper()
	p.until("everything is saved", `document.querySelector("#save").dataset.state == "saved"`)
}
