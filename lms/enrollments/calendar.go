package enrollments

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"time"

	ics "github.com/arran4/golang-ical"

	"mopd/lms"
)

// calendar writes the proposed days of a plan as a calendar file (RFC 5545): entries of a
// whole day, which have no zone, and do not show the person as busy. A course keeps its UID,
// and SEQUENCE grows, so that taking a newer plan over moves its entry. Of the person it says
// nothing. title says what an entry is called.
func calendar(p lms.PersonID, steps []Step, origin *url.URL, title func(Step) string, now time.Time) string {
	cal := ics.NewCalendar()
	cal.SetProductId("-//" + origin.Hostname() + "//Plan//EN")
	cal.SetMethod(ics.MethodPublish)
	for _, step := range steps {
		address := origin.Scheme + "://" + origin.Host + step.Path()
		e := cal.AddEvent(entryID(p, step.ID) + "@" + origin.Hostname())
		e.SetDtStampTime(now)
		e.SetSequence(int(now.Unix() / 60))
		e.SetAllDayStartAt(step.On.Start())
		e.SetAllDayEndAt(step.On.AddDays(1).Start())
		e.SetSummary(title(step))
		e.SetDescription(address)
		e.SetURL(address)
		e.SetTimeTransparency(ics.TransparencyTransparent)
	}
	return cal.Serialize(ics.WithNewLine("\r\n"))
}

// entryID names a course in somebody's calendar.
func entryID(p lms.PersonID, c lms.CourseID) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "plan %d %d", p, c))
	return hex.EncodeToString(sum[:16])
}
