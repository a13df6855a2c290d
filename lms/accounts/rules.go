package accounts

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mopd/lms"
)

// MinPassword is the least number of characters of a password.
const MinPassword = 8

// How long things live.
const (
	Idle    = 30 * time.Minute // a session without a request
	Longest = 12 * time.Hour   // a session in any case

	codeLife     = 10 * time.Minute // a code that was sent
	resetLife    = 30 * time.Minute // a link to a new password
	linkLife     = 24 * time.Hour   // any other link
	rememberFor  = 30 * 24 * time.Hour
	computerLife = 400 * 24 * time.Hour
	endedKept    = 7 * 24 * time.Hour // why a session ended
	codeTries    = 5
	codesPerSet  = 10
	totpPeriod   = 30 // seconds
	totpSkew     = 1  // steps to either side that still count
	nameLength   = 100
	agentLength  = 300
	emailLength  = 254
	oldestPerson = 100 // years
)

// Kind is what a second factor is.
type Kind string

// The kinds of second factors.
const (
	Authenticator Kind = "authenticator"
	Passkey       Kind = "passkey"
	ByEmail       Kind = "email"
	ByText        Kind = "text"
)

// Strong tells whether staff may sign in with it: codes that travel can be read on
// their way.
func (k Kind) Strong() bool { return k == Authenticator || k == Passkey }

// preference is the order in which ways are offered.
var preference = []Kind{Passkey, Authenticator, ByText, ByEmail}

// Factor is one way in which a person can show that it is them.
type Factor struct {
	ID        int64
	Kind      Kind
	Label     string // where it was set up, such as "Chrome, Windows"
	Phone     string // E.164, of ByText
	MadeAt    time.Time
	UsedAt    *time.Time
	Confirmed bool
}

// LastDigits are the end of the phone number: as much as a page shows.
func (f Factor) LastDigits() string { return f.Phone[max(0, len(f.Phone)-2):] }

// usable are the confirmed factors that may sign a person in, best first. Where none
// may, staff may still begin with what they have, to set up a better one.
func (s *Service) usable(p lms.Person, factors []Factor) (list []Factor) {
	for _, kind := range preference {
		for _, f := range factors {
			if f.Kind == kind && f.Confirmed && s.offered(p, kind) {
				list = append(list, f)
			}
		}
	}
	return list
}

// offered tells whether a person may use a kind at all.
func (s *Service) offered(p lms.Person, kind Kind) bool {
	switch kind {
	case ByEmail:
		return s.EmailCodes && !p.Staff()
	case ByText:
		return s.Mail.CanText() && !p.Staff()
	default:
		return true
	}
}

// canRemove tells whether a person has another way in without a factor.
//
// Errors: ErrLastFactor.
func (s *Service) canRemove(p lms.Person, factors []Factor, id int64) error {
	rest := slices.DeleteFunc(slices.Clone(factors), func(f Factor) bool { return f.ID == id })
	if len(s.usable(p, rest)) == 0 {
		return ErrLastFactor
	}
	return nil
}

func isName(s string) bool {
	n := utf8.RuneCountInString(s)
	return 1 <= n && n <= nameLength && s == oneLine(s)
}

// oneLine is a text as a form's field has it: without spaces around it and without
// characters that no keyboard writes into one.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		joins := r == '\u200c' || r == '\u200d' // some scripts need them
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && !joins {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	_, host, _ := strings.Cut(s, "@")
	return err == nil && a.Address == s && len(s) <= emailLength && isASCII(s) && strings.Contains(host, ".") && !strings.Contains(s, "[")
}

// isASCII: not every mail server takes other addresses (RFC 6531).
func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 126 || r < 33 }) < 0
}

// canBeBorn tells whether somebody born on a day could sign up today.
func canBeBorn(born, today lms.Date) bool {
	return !born.IsZero() && !born.After(today.AddMonths(-12*14)) && born.After(today.AddMonths(-12*oldestPerson))
}

var phoneNoise = regexp.MustCompile(`[\s().-]`)

// phoneNumber is a number of the United States or its neighbors (+1) as people write it, in
// the form of E.164: text messages elsewhere cost more than a code is worth.
func phoneNumber(written string) (string, bool) {
	n := phoneNoise.ReplaceAllString(written, "")
	switch {
	case regexp.MustCompile(`^\d{10}$`).MatchString(n):
		n = "+1" + n
	case regexp.MustCompile(`^1\d{10}$`).MatchString(n):
		n = "+" + n
	}
	return n, regexp.MustCompile(`^\+1[2-9]\d{9}$`).MatchString(n)
}

// digits are the digits of a code as people type it, "123 456".
func digits(code string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, code)
}

// recoveryForm is a recovery code as it is stored, however it is typed: letters that
// look like digits are not in it.
func recoveryForm(code string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'o':
			return '0'
		case r == 'l', r == 'i':
			return '1'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		default:
			return -1
		}
	}, strings.ToLower(code))
}

// agentName says in a few words what a browser calls itself.
func agentName(userAgent string) string {
	first := func(pairs [][2]string) string {
		for _, p := range pairs {
			if strings.Contains(userAgent, p[0]) {
				return p[1]
			}
		}
		return ""
	}
	browser := first([][2]string{{"Edg/", "Edge"}, {"Firefox/", "Firefox"}, {"OPR/", "Opera"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}})
	system := first([][2]string{{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}})
	switch {
	case browser != "" && system != "":
		return browser + ", " + system
	case browser+system != "":
		return browser + system
	default:
		return "?"
	}
}

// checkReason is whether somebody says why, in so many characters at most.
//
// Errors: lms.ErrForm with field reason.
func checkReason(reason string, most int, tooLong string) error {
	switch n := utf8.RuneCountInString(reason); {
	case n == 0:
		return lms.ErrForm.WithField("reason", "reason_missing")
	case n > most:
		return lms.ErrForm.WithField("reason", tooLong)
	default:
		return nil
	}
}
