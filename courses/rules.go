package courses

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"mopd/lms"
)

// Refusals of this feature, beside those of courses/packages.
var (
	ErrCodeTaken        = lms.NewError(lms.Conflict, "course_code_taken")
	ErrAlreadyPublished = lms.NewError(lms.Conflict, "version_already_published") // it, or another one in the meantime
	ErrNoApproval       = lms.NewError(lms.Conflict, "course_no_approval")        // publishing needs it (rules §1)
	ErrAlreadyRetired   = lms.NewError(lms.Conflict, "version_already_retired")
	ErrNoSuchAuthor     = lms.NewError(lms.Invalid, "no_such_author") // whom it names may not publish, or is not there
	ErrLastAuthor       = lms.NewError(lms.Conflict, "last_author")

	ErrUploadOver       = lms.NewError(lms.Conflict, "upload_over") // it takes nothing more
	ErrUploadIncomplete = lms.NewError(lms.Conflict, "upload_incomplete")
	ErrUploadChunk      = lms.NewError(lms.Invalid, "upload_chunk") // of another number or size than agreed
	ErrUploadEmpty      = lms.NewError(lms.Invalid, "upload_empty")
	ErrUploadTooLate    = lms.NewError(lms.Conflict, "upload_too_late") // to cancel: the version is being stored
)

// Facts are what an author says about a course.
type Facts struct {
	Code      string
	Title     string
	Summary   string
	Sponsor   string
	Topics    []string
	Series    string
	Fee       lms.Money
	SafeSleep bool
	Approval  Approval // its zero value: none, or none to add
}

// Approval is the approval of a course's clock hours.
type Approval struct {
	Number   string
	Hours    lms.Hours
	From     lms.Date
	Until    lms.Date // the first day after it; zero: without end
	Approver string
}

var codeForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{1,30}$`)

const (
	maxFee   = 1000_00
	maxHours = 100 * 4
)

// tidy is the facts without stray spaces, their code in capitals.
func (f Facts) tidy() Facts {
	f.Code = tidyCode(f.Code)
	for _, text := range []*string{&f.Title, &f.Summary, &f.Sponsor, &f.Series, &f.Approval.Number, &f.Approval.Approver} {
		*text = strings.Join(strings.Fields(*text), " ")
	}
	topics := make([]string, 0, len(f.Topics))
	for _, topic := range f.Topics {
		if topic = strings.Join(strings.Fields(topic), " "); topic != "" && !slices.ContainsFunc(topics, func(t string) bool { return strings.EqualFold(t, topic) }) {
			topics = append(topics, topic)
		}
	}
	f.Topics = topics
	return f
}

func tidyCode(code string) string { return strings.ToUpper(strings.TrimSpace(code)) }

// spelled is the facts with their topics spelled as known ones that differ in letter
// case alone.
func (f Facts) spelled(known []string) Facts {
	f.Topics = slices.Clone(f.Topics)
	for i, topic := range f.Topics {
		if k := slices.IndexFunc(known, func(t string) bool { return strings.EqualFold(t, topic) }); k >= 0 {
			f.Topics[i] = known[k]
		}
	}
	return f
}

// check tells what is wrong with the facts, by field: each names a message. Their
// guards are the checks of the tables.
//
// Errors: lms.ErrForm with Fields.
func (f Facts) check() error {
	wrong := map[string]string{}
	say := func(bad bool, field string) {
		if bad {
			wrong[field] = "author.wrong." + field
		}
	}
	say(!codeForm.MatchString(f.Code) || f.Code == "NEW", "code")
	say(!length(f.Title, 1, 200), "title")
	say(!length(f.Summary, 0, 1000), "summary")
	say(!length(f.Sponsor, 1, 200), "sponsor")
	say(!length(f.Series, 0, 200), "series")
	say(len(f.Topics) > 10 || slices.ContainsFunc(f.Topics, func(t string) bool { return !length(t, 1, 60) }), "topics")
	say(f.Fee < 0 || f.Fee > maxFee, "fee")
	if a := f.Approval; a != (Approval{}) {
		say(!length(a.Number, 1, 60), "number")
		say(a.Hours < 1 || a.Hours > maxHours, "hours")
		say(a.From.IsZero(), "from")
		say(!a.Until.IsZero() && !a.Until.After(a.From), "until")
		say(!length(a.Approver, 1, 200), "approver")
	}
	return formError(wrong)
}

func formError(wrong map[string]string) error {
	if len(wrong) == 0 {
		return nil
	}
	err := lms.ErrForm
	for field, message := range wrong {
		err = err.WithField(field, message)
	}
	return err
}

func length(s string, least, most int) bool {
	n := utf8.RuneCountInString(s)
	return n >= least && n <= most && !strings.ContainsRune(s, 0)
}

// VersionState is where a version stands.
type VersionState string

// The states of a version. The content of a retired one is still served: who is
// enrolled in it finishes it.
const (
	Draft     VersionState = "draft"
	Published VersionState = "published"
	Retired   VersionState = "retired"
)

// canPublish tells why a version may not become its course's published one, given
// the published one, the one that the author meant to replace, and whether the
// course has an approval that is not over.
//
// Errors: ErrAlreadyPublished (guard: versions_one_published), ErrNoApproval.
func canPublish(v, current, replaces lms.VersionID, approved bool) error {
	if v == current || current != replaces {
		return ErrAlreadyPublished
	}
	if !approved {
		return ErrNoApproval
	}
	return nil
}

// canLeave tells why somebody may not leave a course's authors: one stays.
//
// Errors: lms.ErrNotFound for somebody who is none of them, ErrLastAuthor (guard:
// authors_keep_one).
func canLeave(authors []lms.PersonID, leaves lms.PersonID) error {
	switch {
	case !slices.Contains(authors, leaves):
		return lms.ErrNotFound
	case len(authors) == 1:
		return ErrLastAuthor
	default:
		return nil
	}
}
