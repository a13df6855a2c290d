package packages

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// refuseLong refuses what is longer than the product can keep or resolve. It stands
// before any work on these texts.
//
// Errors: ErrText.
func refuseLong(m manifestXML, l lesson) error {
	for name, value := range m.addresses() {
		if err := atMost(maxAddress, name, value); err != nil {
			return err
		}
	}
	if err := atMost(maxAddress, "parameters", l.item.Parameters); err != nil {
		return err
	}
	if err := atMost(maxIdentifier, "identifier", l.item.Identifier); err != nil {
		return err
	}
	return atMost(maxLaunchData, "datafromlms", l.item.LaunchData)
}

func atMost(limit int, name, value string) error {
	if len(value) > limit {
		return ErrText.With("Name", name).With("Limit", limit)
	}
	return nil
}

// title is the first of the candidates that says anything, on one line. A longer one
// than a course may have is cut.
func (p *Package) title(candidates []string) string {
	for _, candidate := range candidates {
		var line strings.Builder
		for word := range strings.FieldsSeq(candidate) {
			if line.Len() > 0 {
				line.WriteByte(' ')
			}
			line.WriteString(word)
		}
		if line.Len() == 0 {
			continue
		}
		if utf8.RuneCountInString(line.String()) > maxTitle {
			p.warn(WarnTitle, 1, line.String())
		}
		return cut(line.String(), maxTitle)
	}
	return ""
}

// known is a value in the form that the lesson may be told it. One of no known form
// is left out with a warning.
func (p *Package) known(warning, value string, form func(string) (string, bool)) string {
	value = strings.TrimSpace(value)
	if value == "" {
		return ""
	}
	out, ok := form(value)
	if !ok {
		p.warn(warning, 1, value)
		return ""
	}
	return out
}

var (
	decimalForm  = regexp.MustCompile(`^(\d{1,3}(\.\d{0,10})?|\.\d{1,10})$`)
	timespanForm = regexp.MustCompile(`^\d{2,4}:\d{2}:\d{2}(\.\d{1,2})?$`)
)

// score is a decimal number from 0 to 100 (SCORM Run-Time Environment 1.2,
// cmi.student_data.mastery_score).
func score(s string) (string, bool) {
	if !decimalForm.MatchString(s) {
		return "", false
	}
	n, err := strconv.ParseFloat(s, 64)
	return s, err == nil && n <= 100
}

// timespan is hours, minutes and seconds (CMITimespan: SCORM Run-Time Environment
// 1.2, cmi.student_data.max_time_allowed).
func timespan(s string) (string, bool) { return s, timespanForm.MatchString(s) }

// timeLimitAction is a word of the vocabulary (SCORM Run-Time Environment 1.2,
// cmi.student_data.time_limit_action), whatever the letter case and the spaces.
func timeLimitAction(s string) (string, bool) {
	action, message, _ := strings.Cut(strings.ToLower(s), ",")
	action, message = strings.TrimSpace(action), strings.Join(strings.Fields(message), " ")
	return action + "," + message, (action == "exit" || action == "continue") && (message == "message" || message == "no message")
}
