package player

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mopd/lms"
)

// Refusals of this feature.
var (
	errComputer    = lms.NewError(lms.Conflict, "computer_needed")
	errAttestation = lms.NewError(lms.Conflict, "attestation_needed")
	errConfirmBoth = lms.NewError(lms.Invalid, "confirm_both")
	errCommitForm  = lms.NewError(lms.Invalid, "commit_form")
	errTooMuch     = lms.NewError(lms.TooLarge, "commit_too_large")
	errGap         = lms.NewError(lms.Conflict, "commit_gap") // Args: Seq, the last number acknowledged
)

// Wording is the version of the attestation's words (rules §7) that the catalogs
// hold now: new words, new version.
const Wording = "2026-11"

// seatGap is the longest pause between two arrivals that still counts as time in
// the seat.
const seatGap = 90 * time.Second

// SeatTime is what an arrival adds to a session's time in the seat.
func SeatTime(seen, now time.Time) time.Duration {
	if gap := now.Sub(seen); gap > 0 && gap <= seatGap {
		return gap
	}
	return 0
}

// Names of the SCORM 1.2 elements that decide something here (RTE 3.4.4).
const (
	elementStatus  = "cmi.core.lesson_status"
	elementRaw     = "cmi.core.score.raw"
	elementExit    = "cmi.core.exit"
	elementSession = "cmi.core.session_time"
)

// outcome is what run-time data says about the lesson.
type outcome struct {
	Status  string // lesson_status, "" if the content never set it
	Raw     string // score.raw
	Exit    string
	Mastery string // the manifest's mastery score
	Over    bool   // the content called LMSFinish
}

// final is the lesson status that stands (RTE 3.4.4, cmi.core.lesson_status). At
// LMSFinish a mastery score decides between passed and failed where the content
// gave a score, and content that never gave a status has completed. Content left
// half-way, to be resumed, is neither: its score is still running.
func (o outcome) final() string {
	if !o.Over {
		return o.Status
	}
	unset := o.Status == "" || o.Status == "not attempted"
	halfway := o.Exit == "suspend" && (unset || o.Status == "incomplete")
	if mastered, decides := o.mastered(); decides && !halfway {
		if mastered {
			return "passed"
		}
		return "failed"
	}
	switch {
	case !unset:
		return o.Status
	case o.Exit == "":
		return "completed"
	default:
		return "incomplete"
	}
}

// Met is the completion rule: completed or passed; browsed is neither. While the
// content runs, a score under the mastery score speaks against its own "passed" or
// "completed"; and "completed" without a score waits for LMSFinish, since the score
// may still come.
func (o outcome) Met() bool {
	status := o.final()
	if o.Over {
		return status == "completed" || status == "passed"
	}
	mastered, decides := o.mastered()
	_, scored := o.mark()
	switch {
	case decides:
		return mastered && (status == "completed" || status == "passed")
	case scored:
		return status == "passed"
	default:
		return status == "completed" || status == "passed"
	}
}

// mark is the mastery score, if the manifest gives one that is a number.
func (o outcome) mark() (float64, bool) {
	return decimal(o.Mastery)
}

func (o outcome) mastered() (mastered, decides bool) {
	mark, scored := o.mark()
	raw, given := decimal(o.Raw)
	return scored && given && raw >= mark, scored && given
}

var decimalForm = regexp.MustCompile(`^-?(\d+(\.\d*)?|\.\d+)$`)

// decimal reads a CMIDecimal (RTE 3.4.2.1.1), as the run-time in the browser does:
// no exponent, no plus sign.
func decimal(s string) (float64, bool) {
	if !decimalForm.MatchString(s) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// Entry is cmi.core.entry (RTE 3.4.4): "ab-initio" for the first visit, "resume"
// after one that was suspended or broke off, "" after one that ended normally.
func Entry(data map[string]string, finished bool) string {
	switch {
	case len(data) == 0:
		return "ab-initio"
	case !finished || data[elementExit] == "suspend":
		return "resume"
	default:
		return ""
	}
}

// ParseTimespan reads a CMITimespan (RTE 3.4.2.1.1): HHHH:MM:SS.SS with two to four
// digits of hours, in hundredths of a second.
func ParseTimespan(s string) (int64, error) {
	bad := fmt.Errorf("time %q: want HHHH:MM:SS.SS", s)
	part := strings.Split(s, ":")
	if len(part) != 3 || len(part[0]) < 2 || len(part[0]) > 4 || len(part[1]) != 2 {
		return 0, bad
	}
	seconds, fraction, dotted := strings.Cut(part[2], ".")
	if len(seconds) != 2 || dotted && (fraction == "" || len(fraction) > 2) {
		return 0, bad
	}
	if len(fraction) == 1 {
		fraction += "0"
	}
	total := int64(0)
	for _, unit := range []struct {
		digits string
		worth  int64
	}{{part[0], 360000}, {part[1], 6000}, {seconds, 100}, {fraction, 1}} {
		if unit.digits == "" {
			continue
		}
		n, err := strconv.ParseUint(unit.digits, 10, 16)
		if err != nil {
			return 0, bad
		}
		total += int64(n) * unit.worth
	}
	return total, nil
}

// FormatTimespan writes hundredths of a second as a CMITimespan; hours stop at
// 9999, which is all that it can hold.
func FormatTimespan(centiseconds int64) string {
	const most = 9999*360000 + 59*6000 + 5999
	cs := min(max(centiseconds, 0), most)
	return fmt.Sprintf("%04d:%02d:%02d.%02d", cs/360000, cs/6000%60, cs/100%60, cs%100)
}
