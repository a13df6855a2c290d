package courses

import (
	"net/url"
	"slices"
	"strconv"

	"mopd/courses/packages"
	"mopd/lms"
	"mopd/lms/web"
)

type catalogPage struct {
	web.Page
	Query  query
	Topics []string
	Bands  []string
	Sorts  []string
	Found  found
	Any    bool // the catalog has courses at all
	Sold   bool // fees can be paid
}

// HasTopic tells whether a topic is chosen.
func (p catalogPage) HasTopic(topic string) bool { return slices.Contains(p.Query.Topics, topic) }

// To is the address of another page of the same results.
func (p catalogPage) To(page int) string {
	v := url.Values{}
	set := func(name, value string, given bool) {
		if given {
			v.Set(name, value)
		}
	}
	q := p.Query
	set("q", q.Text, q.Text != "")
	v["topic"] = q.Topics
	set("free", "1", q.Free)
	set("earn", "1", q.Earn)
	set("safe_sleep", "1", q.Sleep)
	set("hours", q.Hours, q.Hours != "")
	set("sort", q.Sort, q.Sort != sorts[0])
	set("page", strconv.Itoa(page), page > 1)
	if len(v.Encode()) == 0 {
		return "/courses"
	}
	return "/courses?" + v.Encode()
}

// Previous and Next are neighbouring pages; 0 is none.
func (p catalogPage) Previous() int { return p.Found.Page - 1 }

// Next is the page after this one; 0 is none.
func (p catalogPage) Next() int {
	if p.Found.Page == p.Found.Pages {
		return 0
	}
	return p.Found.Page + 1
}

type coursePage struct {
	web.Page
	listing
	Withdrawn bool            // its versions are all retired
	Sold      bool            // fees can be paid
	Order     string          // path of the viewer's order that waits; "" if none
	Would     []lms.YearHours // what completing it today would do for the viewer
}

// MayEarn tells whether the viewer has the course before them, and it would earn hours.
func (p coursePage) MayEarn() bool {
	return p.Hours > 0 && p.EarnsAgainOn.IsZero() && !p.Withdrawn
}

// ThisYear is the year in which the course would be completed.
func (p coursePage) ThisYear() int { return lms.DateOf(p.Now).Year }

// Offer is what the page's one button does, or says in its place.
func (p coursePage) Offer() string {
	switch {
	case p.State == lms.Active:
		return "continue"
	case p.State == lms.Ready:
		return "start"
	case p.Withdrawn:
		return "withdrawn"
	case !p.OpenForRegistration():
		return "soon"
	case p.Order != "":
		return "ordered"
	case p.Fee > 0 && !p.Sold:
		return "pay_soon"
	case p.Viewer == nil:
		return "sign_in"
	case !p.EarnsAgainOn.IsZero():
		return "no_credit"
	default:
		return "register"
	}
}

type authorListPage struct {
	web.Page
	Rows []authorRow
	All  bool // also what is not the viewer's
}

// courseForm is what was typed, as it was typed.
type courseForm struct {
	Code, Title, Summary, Sponsor, Topics, Series, Fee string
	SafeSleep                                          bool
	Number, Hours, From, Through, Approver             string
}

type courseFormPage struct {
	web.Page
	Form  courseForm
	Wrong map[string]string // field -> key of its message
	New   bool
}

func (p courseFormPage) fields(list ...web.Field) web.Fields {
	for i, f := range list {
		list[i].Label = "author.form." + f.Name
		if f.Hint != "" {
			list[i].Hint = list[i].Label + "_hint"
		}
		list[i].Wrong = p.Wrong[f.Name]
	}
	return list
}

const hint = "yes"

// CourseFields are the fields about the course.
func (p courseFormPage) CourseFields() web.Fields {
	f := p.Form
	return p.fields(
		web.Field{Name: "code", Value: f.Code, Hint: hint, Max: 31, Required: true, Locked: !p.New},
		web.Field{Name: "title", Value: f.Title, Max: 200, Required: true},
		web.Field{Name: "summary", Value: f.Summary, Hint: hint, Type: "textarea", Max: 1000},
		web.Field{Name: "sponsor", Value: f.Sponsor, Max: 200, Required: true},
		web.Field{Name: "topics", Value: f.Topics, Hint: hint, Max: 400},
		web.Field{Name: "series", Value: f.Series, Hint: hint, Max: 200},
		web.Field{Name: "fee", Value: f.Fee, Hint: hint, Max: 10},
	)
}

// ApprovalFields are the fields about the approval of its hours.
func (p courseFormPage) ApprovalFields() web.Fields {
	f := p.Form
	return p.fields(
		web.Field{Name: "number", Value: f.Number, Max: 60},
		web.Field{Name: "hours", Value: f.Hours, Hint: hint, Max: 6},
		web.Field{Name: "from", Value: f.From, Type: "date"},
		web.Field{Name: "through", Value: f.Through, Hint: hint, Type: "date"},
		web.Field{Name: "approver", Value: f.Approver, Max: 200},
	)
}

// AllFields are all of them, in the form's order.
func (p courseFormPage) AllFields() web.Fields {
	return append(p.CourseFields(), p.ApprovalFields()...)
}

type authorCoursePage struct {
	web.Page
	Course   lms.Course
	Approval Approval
	Authors  []Author
	Versions []versionRow
	Current  lms.VersionID // the published one; 0 if none
	Approved bool          // publishing is allowed
	MaxSize  int64
	UnderWay []ownUpload       // the viewer's
	Refused  *ownUpload        // the viewer's last one, if it was refused; nil otherwise
	Strings  map[string]string // of the upload script
	Who      string            // typed into the form that adds an author
	Wrong    map[string]string // field of that form -> code of its sentence
}

// AuthorFields are the fields of the form that adds an author.
func (p authorCoursePage) AuthorFields() web.Fields {
	return web.Fields{
		{Name: "who", Value: p.Who, Label: "author.authors.who", Hint: "author.authors.who_hint", Max: 254, Required: true},
	}.With(p.Wrong)
}

// CanRemove tells whether somebody may leave the authors: one stays.
func (p authorCoursePage) CanRemove() bool { return len(p.Authors) > 1 }

// Steps are the steps of an upload.
func (authorCoursePage) Steps() []Step { return Steps }

// Through is the last day of the approval.
func (p authorCoursePage) Through() lms.Date { return through(p.Approval) }

func through(a Approval) lms.Date {
	if a.Until.IsZero() {
		return lms.Date{}
	}
	return a.Until.AddDays(-1)
}

type versionRow struct {
	Version
	LaunchFile string
}

// WarningKey is the message of a warning.
func (versionRow) WarningKey(w packages.Warning) string { return "author.warning." + w.Code }

// replacePage asks before a version takes the place of the published one.
type replacePage struct {
	web.Page
	Version, Current Version
	Title            string // of the course
}

type retirePage struct {
	web.Page
	Version Version
	Title   string // of the course
}
