package accounts

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"mopd/lms/accounts/passwords"
)

// maxPassword is the greatest number of bytes of a password: room for any sentence, and
// an end to what has to be read.
const maxPassword = 1000

// siteWords are what anybody would guess about an account of this site.
const siteWords = "child care caregiver training missouri mopd cuidado infantil capacitación"

// checkPassword is the code of the sentence that says why somebody may not have a
// password, or "". Length and guessing are all that counts (NIST SP 800-63B-4 §3.1.1.2):
// there are no rules about which characters it has. about is what others know of the
// person: names, e-mail address, day of birth as lms.Date writes it.
func checkPassword(password string, about ...string) (code string) {
	if len(password) > maxPassword {
		return "password_long"
	}
	password = normal(password)
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return "password_short"
	case passwords.Common(password) || isOneCharacter(password):
		return "password_common"
	case isPersonal(password, about):
		return "password_personal"
	}
	return ""
}

// isOneCharacter tells whether a text is one character again and again.
func isOneCharacter(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return strings.Trim(text, string(first)) == ""
}

// normal is a password however a keyboard writes its characters: é is one code point on
// some, and two on others.
func normal(password string) string { return norm.NFKC.String(password) }

// isPersonal tells whether a password is nothing but words about the person or the site,
// in any order, maybe with digits after them: "Maya-Rivera 1980" is, "Maya rides a bike"
// is not. Case, accents, spaces and signs make no difference.
func isPersonal(password string, about []string) bool {
	var words []string
	for _, word := range strings.FieldsFunc(siteWords+" "+strings.Join(about, " "), isSeparator) {
		if word = plain(word); word != "" {
			words = append(words, word, stem(word))
		}
	}
	return regexp.MustCompile("^(" + strings.Join(words, "|") + ")+$").MatchString(stem(plain(password)))
}

func isSeparator(r rune) bool { return !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Digit) }

// plain are the letters and digits of a text, in lower case and without accents.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.In(r, unicode.Letter, unicode.Digit) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
}

// stem is a word without the digits at its end, unless digits are all that it has.
func stem(word string) string {
	if stem := strings.TrimRightFunc(word, unicode.IsDigit); stem != "" {
		return stem
	}
	return word
}
