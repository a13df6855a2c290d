package courses

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"mopd/courses/packages"
	"mopd/lms"
	"mopd/lms/web"
)

type authorHandlers struct {
	*Service
	web *web.Server
}

func (h authorHandlers) list(c *fiber.Ctx) error {
	viewer := web.Viewer(c)
	all := lms.May(viewer, lms.Publish, lms.Object{}) // also what is nobody's
	rows, err := selectAuthorRows(c.UserContext(), h.DB, lms.DateOf(h.web.Now()), viewer.ID, all)
	if err != nil {
		return err
	}
	return h.web.Render(c, "courses/author_list", authorListPage{h.web.Page(c), rows, all})
}

func (h authorHandlers) newCourse(c *fiber.Ctx) error {
	return h.web.Render(c, "courses/author_form", courseFormPage{Page: h.web.Page(c), New: true})
}

func (h authorHandlers) addCourse(c *fiber.Ctx) error {
	form := readForm(c)
	facts, err := form.facts()
	if err == nil {
		_, err = h.AddCourse(c.UserContext(), actor(c), facts, h.web.Now())
	}
	if err != nil {
		return h.formAgain(c, form, true, err)
	}
	return web.Redirect(c, "/author/courses/"+facts.tidy().Code, "course_added")
}

func (h authorHandlers) editCourse(c *fiber.Ctx) error {
	course, approval, err := h.courseAndApproval(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "courses/author_form", courseFormPage{Page: h.web.Page(c), Form: formOf(course, approval)})
}

func (h authorHandlers) courseAndApproval(c *fiber.Ctx) (lms.Course, Approval, error) {
	course, err := h.theirs(c)
	if err != nil {
		return course, Approval{}, err
	}
	approval, err := latestApproval(c.UserContext(), h.DB, course.ID, "")
	return course, approval, err
}

// theirs is the course of the address, if it is the viewer's.
func (h authorHandlers) theirs(c *fiber.Ctx) (lms.Course, error) {
	return courseOf(c.UserContext(), h.DB, actor(c), c.Params("code"), lms.DateOf(h.web.Now()))
}

func (h authorHandlers) saveCourse(c *fiber.Ctx) error {
	course, err := h.theirs(c)
	if err != nil {
		return err
	}
	form := readForm(c)
	form.Code = course.Code
	facts, err := form.facts()
	if err == nil {
		err = h.EditCourse(c.UserContext(), actor(c), facts, h.web.Now())
	}
	if err != nil {
		return h.formAgain(c, form, false, err)
	}
	return web.Redirect(c, "/author/courses/"+form.Code, "course_saved")
}

// formAgain shows the form with what was typed and what is wrong with it.
func (h authorHandlers) formAgain(c *fiber.Ctx, form courseForm, isNew bool, err error) error {
	e, ok := lms.AsError(err)
	if !ok || !errors.Is(e, lms.ErrForm) && !errors.Is(e, ErrCodeTaken) {
		return err
	}
	page := courseFormPage{Page: h.web.Page(c), Form: form, New: isNew, Wrong: e.Fields}
	if errors.Is(e, ErrCodeTaken) {
		page.Wrong = map[string]string{"code": "error." + e.Code}
	}
	c.Status(fiber.StatusUnprocessableEntity)
	return h.web.Render(c, "courses/author_form", page)
}

func (h authorHandlers) course(c *fiber.Ctx) error {
	page, err := h.coursePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "courses/author_course", page)
}

func (h authorHandlers) coursePage(c *fiber.Ctx) (authorCoursePage, error) {
	course, approval, err := h.courseAndApproval(c)
	if err != nil {
		return authorCoursePage{}, err
	}
	page := authorCoursePage{
		Page: h.web.Page(c), Course: course, Approval: approval, Current: course.Version,
		MaxSize: packages.Usual.Package, Strings: h.web.Strings(c, "upload.js."),
	}
	if page.Approved, err = hasApproval(c.UserContext(), h.DB, course.ID, lms.DateOf(h.web.Now())); err != nil {
		return page, err
	}
	if page.Authors, err = selectAuthors(c.UserContext(), h.DB, course.ID); err != nil {
		return page, err
	}
	versions, err := selectVersions(c.UserContext(), h.DB, course.ID)
	if err != nil {
		return page, err
	}
	for _, v := range versions {
		page.Versions = append(page.Versions, versionRow{v, launchFile(v.Launch)})
	}
	return page, h.ownUploads(c, &page)
}

// quietAfter is when an upload whose page was left is not listed any more.
const quietAfter = 10 * time.Minute

func (h authorHandlers) ownUploads(c *fiber.Ctx, page *authorCoursePage) error {
	quiet := h.web.Now().Add(-quietAfter)
	uploads, err := selectOwnUploads(c.UserContext(), h.DB, web.Viewer(c).ID, page.Course.ID, quiet)
	for i, u := range uploads {
		switch {
		case u.State == Processing || u.State == Receiving && u.TouchedAt.After(quiet):
			page.UnderWay = append(page.UnderWay, u)
		case u.State == Refused && i == 0:
			page.Refused = &u
		}
	}
	return err
}

// launchFile is the path in a launch address, as the package writes it.
func launchFile(launch string) string {
	u, err := url.Parse("/" + launch)
	if err != nil {
		return launch
	}
	return strings.TrimPrefix(u.Path, "/")
}

func (h authorHandlers) publish(c *fiber.Ctx) error {
	v, version, err := h.version(c)
	if err != nil {
		return err
	}
	replaces, err := strconv.ParseInt(c.FormValue("replaces", "0"), 10, 64)
	if err != nil {
		return lms.ErrForm.Because(err)
	}
	if err := h.PublishVersion(c.UserContext(), actor(c), v, lms.VersionID(replaces), h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/author/courses/"+version.Code, "version_published")
}

// askReplace asks before the published version is replaced. Where none is to be
// replaced there is nothing to ask.
func (h authorHandlers) askReplace(c *fiber.Ctx) error {
	v, version, err := h.version(c)
	if err != nil {
		return err
	}
	current, err := publishedVersion(c.UserContext(), h.DB, version.Course)
	if err != nil {
		return err
	}
	if current.ID == 0 || current.ID == v {
		return c.Redirect("/author/courses/"+version.Code, fiber.StatusSeeOther)
	}
	course, err := selectCourse(c.UserContext(), h.DB, version.Code, lms.DateOf(h.web.Now()))
	if err != nil {
		return err
	}
	return h.web.Render(c, "courses/author_replace", replacePage{h.web.Page(c), version, current, course.Title})
}

func (h authorHandlers) askRetire(c *fiber.Ctx) error {
	_, version, err := h.version(c)
	if err != nil {
		return err
	}
	course, err := selectCourse(c.UserContext(), h.DB, version.Code, lms.DateOf(h.web.Now()))
	if err != nil {
		return err
	}
	return h.web.Render(c, "courses/author_retire", retirePage{h.web.Page(c), version, course.Title})
}

func (h authorHandlers) retire(c *fiber.Ctx) error {
	v, version, err := h.version(c)
	if err != nil {
		return err
	}
	if err := h.Retire(c.UserContext(), actor(c), v, h.web.Now()); err != nil {
		return err
	}
	return web.Redirect(c, "/author/courses/"+version.Code, "version_retired")
}

func (h authorHandlers) version(c *fiber.Ctx) (lms.VersionID, Version, error) {
	v, err := web.Number[lms.VersionID](c, "id")
	if err != nil {
		return 0, Version{}, err
	}
	version, err := versionOf(c.UserContext(), h.DB, actor(c), v)
	return v, version, err
}

func readForm(c *fiber.Ctx) courseForm {
	return courseForm{
		Code: c.FormValue("code"), Title: c.FormValue("title"), Summary: c.FormValue("summary"),
		Sponsor: c.FormValue("sponsor"), Topics: c.FormValue("topics"), Series: c.FormValue("series"),
		Fee: c.FormValue("fee"), SafeSleep: c.FormValue("safe_sleep") == "1",
		Number: c.FormValue("number"), Hours: c.FormValue("hours"), From: c.FormValue("from"),
		Through: c.FormValue("through"), Approver: c.FormValue("approver"),
	}
}

// facts reads what was typed. A form without any fact of an approval has none.
//
// Errors: lms.ErrForm with Fields.
func (f courseForm) facts() (Facts, error) {
	wrong := map[string]string{}
	say := func(err error, field string) {
		if err != nil {
			wrong[field] = "author.wrong." + field
		}
	}
	facts := Facts{Code: f.Code, Title: f.Title, Summary: f.Summary, Sponsor: f.Sponsor,
		Topics: strings.Split(f.Topics, ","), Series: f.Series, SafeSleep: f.SafeSleep}
	var err error
	if strings.TrimSpace(f.Fee) != "" {
		facts.Fee, err = lms.ParseMoney(f.Fee)
		say(err, "fee")
	}
	if f.Number+f.Hours+f.From+f.Through+f.Approver != "" {
		facts.Approval = Approval{Number: f.Number, Approver: f.Approver}
		facts.Approval.Hours, err = lms.ParseHours(f.Hours)
		say(err, "hours")
		facts.Approval.From, err = lms.ParseDate(strings.TrimSpace(f.From))
		say(err, "from")
		if strings.TrimSpace(f.Through) != "" {
			last, err := lms.ParseDate(strings.TrimSpace(f.Through))
			say(err, "through")
			facts.Approval.Until = last.AddDays(1)
		}
	}
	tidied := facts.tidy()
	if e, ok := lms.AsError(tidied.check()); ok {
		for field, key := range e.Fields {
			if field == "until" {
				field, key = "through", "author.wrong.until"
			}
			if wrong[field] == "" {
				wrong[field] = key
			}
		}
	}
	return tidied, formError(wrong)
}

func formOf(c lms.Course, a Approval) courseForm {
	f := courseForm{Code: c.Code, Title: c.Title, Summary: c.Summary, Sponsor: c.Sponsor, Topics: strings.Join(c.Topics, ", "),
		Series: c.Series, Fee: strings.TrimPrefix(c.Fee.String(), "$"), SafeSleep: c.SafeSleep}
	if a == (Approval{}) {
		return f
	}
	f.Number, f.Hours, f.From, f.Approver = a.Number, a.Hours.String(), a.From.String(), a.Approver
	if last := through(a); !last.IsZero() {
		f.Through = fmt.Sprint(last)
	}
	return f
}
