package accounts

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"mopd/lms"
)

var aboutMaya = []string{"Maya", "Rivera López", "maya.rivera80@example.org", lms.Date{Year: 1980, Month: 2, Day: 14}.String()}

func TestAPasswordThatNobodyGuessesIsFineWhateverItsCharacters(t *testing.T) {
	t.Parallel()
	for _, password := range []string{
		"correct horse", "trainblue", "no capitals no digits no signs", "ñandú y caballo", "ночной поезд", "夜の電車と青い星空", "🐎🔋📎🐎🔋📎🐎🔋",
		"83920571", "!?!?!?!?", "Maya rides a bike", "my child likes care bears", "Mayan pyramids", "\x00\xff!?!?!?", strings.Repeat("ñu", maxPassword/3),
	} {
		require.Empty(t, checkPassword(password, aboutMaya...), "%q", password)
		require.Empty(t, checkPassword(password), "%q, of somebody of whom nothing is known", password)
	}
}

func TestAPasswordIsRefusedForAReason(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]string{
		"":                           "password_short",
		"ñandúes":                    "password_short",
		"n\u0303andu\u0301es":        "password_short", // seven characters in nine code points
		"🐎🔋📎🐎🔋📎🐎":                    "password_short",
		strings.Repeat("a", 1001):    "password_long",
		strings.Repeat("ñ", 501):     "password_long",
		"password":                   "password_common",
		"PassWord123":                "password_common",
		"ññññññññññññ":               "password_common", // one character again and again
		"ｐａｓｓｗｏｒｄ":                   "password_common", // full width
		"rivera lópez":               "password_personal",
		"RiveraLopez":                "password_personal",
		"Rivera Lo\u0301pez":         "password_personal",
		"lopez-rivera-maya":          "password_personal",
		"MayaRivera2024":             "password_personal",
		"maya!!!!!":                  "password_personal",
		"maya.rivera80@example.org":  "password_personal",
		"maya.rivera80@example.org1": "password_personal",
		"maya.rivera80":              "password_personal",
		"mayarivera81":               "password_personal",
		"Maya1980Rivera":             "password_personal",
		"19800214":                   "password_personal",
		"1980-02-14":                 "password_personal",
		"02/14/1980":                 "password_personal",
		"14.02.1980":                 "password_personal",
		"childcare":                  "password_personal",
		"Missouri Caregiver 2026":    "password_personal",
		"cuidado infantil":           "password_personal",
	} {
		require.Equal(t, want, checkPassword(password, aboutMaya...), "%q", password)
	}
}

func TestDigitsAfterAPersonsWordsMakeNoPassword(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"Maya", "rivera", "LOPEZ", "López", "Caregiver"}), 2, 6).Draw(t, "words")
		between := rapid.SampledFrom([]string{"", " ", "-", ".", "_!"}).Draw(t, "between")
		digits := rapid.StringMatching(`[0-9]{0,9}`).Draw(t, "digits")
		require.Equal(t, "password_personal", checkPassword(strings.Join(words, between)+between+digits, aboutMaya...))
	})
}

func TestWhatIsSaidOfAPasswordDoesNotDependOnTheKeyboard(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.StringOfN(rapid.SampledFrom([]rune("aeñéúÅ가ｐﬁ 7")), 0, 12, -1).Draw(t, "password")
		name := rapid.StringOfN(rapid.SampledFrom([]rune("aeñéúÅ가ｐﬁ 7")), 0, 3, -1).Draw(t, "name")
		want := checkPassword(norm.NFC.String(password), norm.NFC.String(name))
		require.Equal(t, want, checkPassword(norm.NFD.String(password), norm.NFD.String(name)))
	})
}

func TestAnyTextsCanBeChecked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		password, about := rapid.String().Draw(t, "password"), rapid.SliceOf(rapid.String()).Draw(t, "about")
		code := checkPassword(password, about...)
		require.Contains(t, []string{"", "password_short", "password_long", "password_common", "password_personal"}, code)
		if utf8.RuneCountInString(normal(password)) < MinPassword {
			require.NotEmpty(t, code)
		}
	})
}
