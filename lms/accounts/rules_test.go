package accounts

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mopd/lms"
	"mopd/lms/mail"
)

func TestATelephoneNumberIsReadAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"573 555 0100": "+15735550100", "(573) 555-0100": "+15735550100", "573.555.0100": "+15735550100", "1-573-555-0100": "+15735550100",
		"+1 573 555 0100": "+15735550100", "+52 55 1234 5678": "", "+44 20 7946 0958": "", "+881 6 2345 6789": "", "173 555 0100": "", " 5735550100\n": "+15735550100",
		"": "", "555 0100": "", "573 555 0100 ext. 3": "", "+0 573 555 0100": "", "+1": "", "573555010": "", "+1234567890123456": "", "2 573 555 0100": "",
		"５７３５５５０１００": "", "+15735550100;+15735550101": "", "++15735550100": "", "call me": "",
	} {
		got, ok := phoneNumber(written)
		require.Equal(t, want != "", ok, written)
		if ok {
			require.Equal(t, want, got)
		}
	}
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)

func FuzzPhoneNumber(f *testing.F) {
	for _, seed := range []string{"(573) 555-0100", "+52 55 1234 5678", "1", "", "\xff+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		number, ok := phoneNumber(written)
		if !ok {
			return
		}
		if again, ok := phoneNumber(number); !e164.MatchString(number) || !ok || again != number {
			t.Fatalf("%q is %q, and that is %q", written, number, again)
		}
	})
}

func TestHowANumberIsPunctuatedMakesNoDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[2-9][0-9]{9}`).Draw(t, "digits")
		want, ok := phoneNumber(digits)
		require.True(t, ok)
		written := ""
		for _, d := range digits {
			written += rapid.SampledFrom([]string{"", " ", "-", ".", "(", ") "}).Draw(t, "between") + string(d)
		}
		got, ok := phoneNumber(written)
		require.True(t, ok)
		require.Equal(t, want, got)
	})
}

func FuzzRecoveryForm(f *testing.F) {
	for _, seed := range []string{"ab12-cd34-ef56", "O0 lL iI", "", "\xff", "ÁÑ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		form := recoveryForm(typed)
		if strings.Trim(form, "0123456789abcdefghjkmnpqrstuvwxyz") != "" || recoveryForm(form) != form || recoveryForm(strings.ToUpper(form)) != form {
			t.Fatalf("%q is %q", typed, form)
		}
	})
}

func TestARecoveryCodeIsTheSameHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringOfN(rapid.SampledFrom([]rune(recoveryAlphabet)), 12, 12, -1).Draw(t, "code")
		require.Equal(t, code, recoveryForm(code))
		typed := ""
		for _, r := range code {
			ways := []string{string(r), strings.ToUpper(string(r))}
			switch r {
			case '0':
				ways = append(ways, "o", "O")
			case '1':
				ways = append(ways, "l", "I", "i", "L")
			}
			typed += rapid.SampledFrom(ways).Draw(t, "way") + rapid.SampledFrom([]string{"", "", "-", " ", "–"}).Draw(t, "between")
		}
		require.Equal(t, code, recoveryForm(typed))
	})
}

func TestABrowserIsNamedInAFewWords(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		desk.Agent: "Chrome, Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36 Edg/156.0": "Edge, Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1":   "Safari, iPhone",
		"Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Mobile Safari/537.36":           "Chrome, Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36":            "Chrome, ChromeOS",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0":                                  "Firefox, macOS",
		"curl/8.0": "?", "": "?", "Linux": "Linux", "Firefox/1": "Firefox",
	} {
		require.Equal(t, want, agentName(agent), agent)
	}
}

func FuzzAgentName(f *testing.F) {
	for _, seed := range []string{desk.Agent, "", "<script>Windows Safari/", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, agent string) {
		if name := agentName(agent); !regexp.MustCompile(`^(\?|[A-Za-z]+(, [A-Za-z]+)?)$`).MatchString(name) {
			t.Fatalf("%q is called %q", agent, name)
		}
	})
}

func TestAnAddressIsOneThatMailCanBeSentTo(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "org"
	for email, want := range map[string]bool{
		"maya@example.org": true, "maya.rivera+lms@sub.example.org": true, "O'Neil@example.org": true, long: true,
		"": false, "maya": false, "@example.org": false, "maya@": false, " maya@example.org": false, "maya@example.org\n": false,
		"Maya <maya@example.org>": false, "<maya@example.org>": false, "a@example.org,b@example.org": false, "maya@exämple.org": false,
		"maya@example.org\r\nBcc: all@example.org": false, "maya @example.org": false, "maya@@example.org": false, "maya@example.org\x00": false,
		strings.Repeat("a", 243) + "@example.org": false,
	} {
		require.Equal(t, want, isEmail(email), email)
	}
}

func TestANameIsALine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"Maya": true, "Rivera López": true, "X": true, "O'Neil-Smith Jr.": true, "李": true, strings.Repeat("ñ", 100): true,
		"": false, " ": false, " Maya": false, "Ma\x00ya": false, "Ma\nya": false, "Ma\xffya": false, strings.Repeat("ñ", 101): false,
	} {
		require.Equal(t, want, isName(name), "%q", name)
	}
	rapid.Check(t, func(t *rapid.T) {
		line := oneLine(string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")))
		require.Equal(t, line, oneLine(line))
		require.True(t, utf8.ValidString(line))
		require.NotContains(t, line, "\x00")
	})
}

func day(y, m, d int) lms.Date { return lms.Date{Year: y, Month: time.Month(m), Day: d} }

func TestPeopleSignUpFromFourteenYearsOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		born, today lms.Date
		want        bool
	}{
		{day(2012, 3, 16), day(2026, 3, 16), true}, {day(2012, 3, 17), day(2026, 3, 16), false},
		{day(2012, 2, 29), day(2026, 2, 28), false}, {day(2012, 2, 29), day(2026, 3, 1), true}, // no 29th in that year
		{day(2014, 2, 28), day(2028, 2, 29), true}, {day(2014, 3, 1), day(2028, 2, 29), false}, {day(2014, 3, 1), day(2028, 3, 1), true},
		{day(1926, 3, 17), day(2026, 3, 16), true}, {day(1926, 3, 16), day(2026, 3, 16), false},
		{day(1928, 2, 29), day(2028, 2, 28), true}, {day(1928, 2, 29), day(2028, 2, 29), false},
		{lms.Date{}, day(2026, 3, 16), false}, {day(2030, 1, 1), day(2026, 3, 16), false}, {day(1, 1, 1), day(2026, 3, 16), false},
	} {
		require.Equal(t, c.want, canBeBorn(c.born, c.today), "born %s, on %s", c.born, c.today)
	}
}

// offering is a service of a deployment that offers some ways.
func offering(byEmail, byText bool) *Service {
	s := &Service{Dependencies: Dependencies{Mail: &mail.Outbox{}, Settings: Settings{EmailCodes: byEmail}}}
	if byText {
		s.Mail.Gateway = noGateway{}
	}
	return s
}

func anyFactors(t *rapid.T) (factors []Factor) {
	for i, kind := range rapid.SliceOfN(rapid.SampledFrom(preference), 0, 5).Draw(t, "kinds") {
		factors = append(factors, Factor{ID: int64(i + 1), Kind: kind, Confirmed: rapid.Bool().Draw(t, "confirmed")})
	}
	return factors
}

func TestOnlyConfirmedFactorsThatAreOfferedSignIn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		byEmail, byText, staff := rapid.Bool().Draw(t, "e-mail"), rapid.Bool().Draw(t, "text"), rapid.Bool().Draw(t, "staff")
		s, factors := offering(byEmail, byText), anyFactors(t)
		var p lms.Person
		if staff {
			p.Roles = []lms.Role{lms.HelpDesk}
		}
		want := map[int64]bool{}
		for _, f := range factors {
			if f.Confirmed && (f.Kind.Strong() || !staff && (f.Kind == ByEmail && byEmail || f.Kind == ByText && byText)) {
				want[f.ID] = true
			}
		}
		usable := s.usable(p, factors)
		require.Len(t, usable, len(want))
		for i, f := range usable {
			require.True(t, want[f.ID])
			if i > 0 {
				require.False(t, f.Kind.Strong() && !usable[i-1].Kind.Strong(), "the strong ones first")
			}
		}
		for _, f := range factors { // what is left must sign in
			removed := map[bool]int{true: 1}[want[f.ID]]
			require.Equal(t, len(want)-removed > 0, s.canRemove(p, factors, f.ID) == nil)
		}
	})
}

func TestHowFarAPasswordLeads(t *testing.T) {
	t.Parallel()
	confirmed, begun := Factor{Confirmed: true}, Factor{}
	for _, remembered := range []bool{false, true} {
		require.Equal(t, lms.Identified, firstStage(nil, remembered))
		require.Equal(t, lms.Identified, firstStage([]Factor{begun}, remembered), "one that is being set up is none")
	}
	require.Equal(t, lms.Identified, firstStage([]Factor{begun, confirmed}, false))
	require.Equal(t, lms.SignedIn, firstStage([]Factor{confirmed}, true))
}

func TestTheDigitsOfACodeAreAllThatCounts(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{"123 456": "123456", " 12-34-56\n": "123456", "１２３": "", "": "", "x1": "1"} {
		require.Equal(t, want, digits(typed))
	}
	code, err := newCode()
	require.NoError(t, err)
	require.Regexp(t, `^\d{6}$`, code)
}
