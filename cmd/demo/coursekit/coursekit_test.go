package coursekit

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unpack builds a course and reads every file of its package.
func unpack(t *testing.T, code string) map[string][]byte {
	t.Helper()
	var buffer bytes.Buffer
	require.NoError(t, Build(code, &buffer))
	archive, err := zip.NewReader(bytes.NewReader(buffer.Bytes()), int64(buffer.Len()))
	require.NoError(t, err)
	contents := make(map[string][]byte)
	for _, file := range archive.File {
		reader, err := file.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		contents[file.Name] = data
	}
	return contents
}

// forEachCourse runs a parallel subtest for every code.
func forEachCourse(t *testing.T, test func(t *testing.T, code string)) {
	t.Helper()
	t.Parallel()
	for _, code := range Codes() {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			test(t, code)
		})
	}
}

func TestThreeCoursesCanBeBuilt(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"POI-101", "SSL-100", "SUP-101"}, Codes())
}

func TestAPackageHasTheSameBytesEachTime(t *testing.T) {
	forEachCourse(t, func(t *testing.T, code string) {
		var first, second bytes.Buffer
		require.NoError(t, Build(code, &first))
		require.NoError(t, Build(code, &second))
		require.Equal(t, first.Bytes(), second.Bytes())
	})
}

// parsedManifest reads by namespace, as a learning system does, and so independently of how the manifest was written.
type parsedManifest struct {
	XMLName       xml.Name `xml:"http://www.imsproject.org/xsd/imscp_rootv1p1p2 manifest"`
	Schema        string   `xml:"metadata>schema"`
	SchemaVersion string   `xml:"metadata>schemaversion"`
	Organizations struct {
		Default      string `xml:"default,attr"`
		Organization []struct {
			Identifier string `xml:"identifier,attr"`
			Title      string `xml:"title"`
			Items      []struct {
				Ref     string `xml:"identifierref,attr"`
				Title   string `xml:"title"`
				Mastery string `xml:"http://www.adlnet.org/xsd/adlcp_rootv1p2 masteryscore"`
			} `xml:"item"`
		} `xml:"organization"`
	} `xml:"organizations"`
	Resources []struct {
		Identifier string `xml:"identifier,attr"`
		Type       string `xml:"type,attr"`
		ScormType  string `xml:"http://www.adlnet.org/xsd/adlcp_rootv1p2 scormtype,attr"`
		Href       string `xml:"href,attr"`
		Files      []struct {
			Href string `xml:"href,attr"`
		} `xml:"file"`
	} `xml:"resources>resource"`
}

func TestTheManifestDescribesOneSCOAndListsEveryFile(t *testing.T) {
	forEachCourse(t, func(t *testing.T, code string) {
		contents := unpack(t, code)
		var m parsedManifest
		require.NoError(t, xml.Unmarshal(contents["imsmanifest.xml"], &m))
		require.Equal(t, "ADL SCORM", m.Schema)
		require.Equal(t, "1.2", m.SchemaVersion)

		c, err := load(code)
		require.NoError(t, err)
		require.Len(t, m.Organizations.Organization, 1)
		organization := m.Organizations.Organization[0]
		require.Equal(t, m.Organizations.Default, organization.Identifier)
		require.Equal(t, c.Title, organization.Title)
		require.Len(t, organization.Items, 1)
		require.Equal(t, c.Title, organization.Items[0].Title)
		require.Equal(t, "80", organization.Items[0].Mastery)

		require.Len(t, m.Resources, 1)
		resource := m.Resources[0]
		require.Equal(t, organization.Items[0].Ref, resource.Identifier)
		require.Equal(t, "webcontent", resource.Type)
		require.Equal(t, "sco", resource.ScormType)
		require.Equal(t, "index.html", resource.Href)

		listed := []string{"imsmanifest.xml"}
		for _, file := range resource.Files {
			listed = append(listed, file.Href)
		}
		var packaged []string
		for name := range contents {
			packaged = append(packaged, name)
		}
		require.ElementsMatch(t, packaged, listed)
	})
}

func TestACourseHasEightToTwelvePagesAndTenQuestions(t *testing.T) {
	forEachCourse(t, func(t *testing.T, code string) {
		c, err := load(code)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(c.Pages), 8)
		require.LessOrEqual(t, len(c.Pages), 12)
		require.Len(t, c.Quiz, 10)

		ids := make(map[string]bool)
		for _, p := range c.Pages {
			require.False(t, ids[p.ID], "page id %s stands twice", p.ID)
			ids[p.ID] = true
			require.NotEmpty(t, p.Blocks, p.ID)
		}
		last := c.Pages[len(c.Pages)-1]
		require.Equal(t, "sources", last.ID)
		require.Contains(t, last.Heading, "Sources")
	})
}

func TestEveryQuestionHasOneRightOptionAndAnExplanation(t *testing.T) {
	forEachCourse(t, func(t *testing.T, code string) {
		c, err := load(code)
		require.NoError(t, err)
		html := string(unpack(t, code)["index.html"])
		answers := Answers(code)
		require.Len(t, answers, len(c.Quiz))
		for i, q := range c.Quiz {
			require.Equal(t, answers[i], q.Right)
			require.Contains(t, []string{"a", "b", "c", "d"}, q.Right)
			require.NotEmpty(t, q.Why)
			require.Contains(t, html, `data-question="`+q.ID+`" data-right="`+answers[i]+`"`)
			require.Equal(t, 4, strings.Count(html, `name="`+q.ID+`"`), q.ID)
			texts := make(map[string]bool)
			for _, o := range q.Options {
				texts[string(o.Text)] = true
			}
			require.Len(t, texts, 4, "%s repeats an option", q.ID)
		}
		for _, letter := range []string{"a", "b", "c", "d"} {
			require.Contains(t, answers, letter, "no right answer in place %s", letter)
		}
	})
}

func TestALessonRunsWhereOnlyItsOwnOriginIsAllowed(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+=|javascript:|(src|href)="(https?:)?//`)
	forEachCourse(t, func(t *testing.T, code string) {
		contents := unpack(t, code)
		require.Empty(t, inline.FindAllString(string(contents["index.html"]), -1))
		for _, reference := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(string(contents["index.html"]), -1) {
			require.Contains(t, contents, reference[1])
		}
		require.NotContains(t, string(contents["style.css"]), "url(")
		require.NotContains(t, string(contents["style.css"]), "@import")
	})
}

func TestEveryDrawingHasATextAlternative(t *testing.T) {
	forEachCourse(t, func(t *testing.T, code string) {
		html := string(unpack(t, code)["index.html"])
		drawings := strings.Count(html, "<svg ")
		require.Positive(t, drawings)
		require.Len(t, regexp.MustCompile(`<svg role="img" aria-label="[^"]{20,}"`).FindAllString(html, -1), drawings)
	})
}

func TestTheEmergencyNumbersAreTheRightOnes(t *testing.T) {
	t.Parallel()
	numbers := regexp.MustCompile(`1-8\d\d-\d{3}-\d{4}`)
	known := []string{"1-800-222-1222", "1-800-498-8666", "1-800-392-3738"}
	for _, code := range Codes() {
		c, err := load(code)
		require.NoError(t, err)
		for _, p := range c.Pages {
			for _, b := range p.Blocks {
				for _, number := range numbers.FindAllString(string(b.HTML), -1) {
					require.True(t, slices.Contains(known, number), "%s on page %s", number, p.ID)
				}
			}
		}
	}
	require.Contains(t, string(unpack(t, "POI-101")["index.html"]), known[0])
}

func TestTextFromACourseCannotBecomeMarkup(t *testing.T) {
	t.Parallel()
	var c course
	require.NoError(t, c.read("# one | A <b> heading\n\n<script>alert(1)</script> & **bold <i>**\n\n- item <img>\n  goes on\n- second"))
	require.Equal(t, "<p>&lt;script&gt;alert(1)&lt;/script&gt; &amp; <strong>bold &lt;i&gt;</strong></p>", string(c.Pages[0].Blocks[0].HTML))
	require.Equal(t, "<ul><li>item &lt;img&gt; goes on</li><li>second</li></ul>", string(c.Pages[0].Blocks[1].HTML))
}

func TestAFaultInACourseTextIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"text before the first page": "Hello",
		"three options":              "# one | One\n\n? Why?\n(x) a\n( ) b\n( ) c\n= because",
		"two right options":          "# one | One\n\n? Why?\n(x) a\n(x) b\n( ) c\n( ) d\n= because",
		"no right option":            "# one | One\n\n? Why?\n( ) a\n( ) b\n( ) c\n( ) d\n= because",
		"no explanation":             "# one | One\n\n? Why?\n(x) a\n( ) b\n( ) c\n( ) d",
		"two explanations":           "# one | One\n\n? Why?\n(x) a\n( ) b\n( ) c\n( ) d\n= because\n= also",
		"a stray line":               "# one | One\n\n? Why?\n(x) a\nb",
		"a heading without an id":    "# One",
		"a page after the quiz":      "# quiz | Quiz\n\n# one | One",
		"an unknown drawing":         "# one | One\n\n@ nowhere | Nothing to see",
		"a drawing without words":    "# one | One\n\n@ crib",
	} {
		var c course
		require.Error(t, c.read(text), name)
	}
}

func TestAnUnknownCourseIsAnError(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, Build("XXX-999", io.Discard), "no such course")
	require.Nil(t, Answers("XXX-999"))
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestAFailingWriterIsReported(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, Build("SSL-100", fullDisk{}), errFull)
}

func TestTheCatalogHoldsThirteenCoursesInWholeQuarterHours(t *testing.T) {
	t.Parallel()
	list, err := Catalog()
	require.NoError(t, err)
	require.Equal(t, "DESE Office of Childhood", list.Sponsor)
	require.Equal(t, "DESE", list.Trainer)
	require.Len(t, list.Courses, 13)
	codes := make(map[string]bool)
	hours := 0.0
	for _, c := range list.Courses {
		require.False(t, codes[c.Code], c.Code)
		codes[c.Code] = true
		hours += c.ClockHours
		quarters := c.ClockHours * 4
		require.InDelta(t, float64(int(quarters)), quarters, 0, c.Code)
		require.NotEmpty(t, c.Title)
		require.NotEmpty(t, c.Summary)
		require.Equal(t, c.Code == "SSL-100", c.SafeSleep)
	}
	require.InDelta(t, 16.5, hours, 0)
	for _, code := range Codes() {
		require.True(t, codes[code], code)
	}
}
