package mail

import (
	"context"
	"crypto/tls"
	"net"
	netmail "net/mail"
	"net/url"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail"

	"github.com/stretchr/testify/require"
)

var sender = &netmail.Address{Name: "Child Care Training", Address: "no-reply@example.org"}

func message(t testing.TB, l Letter) *gomail.Msg {
	t.Helper()
	m, err := compose(l, sender, "7.abc", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	return m
}

func at(t testing.TB, setting string) *server {
	t.Helper()
	s, err := parseServer(setting)
	require.NoError(t, err)
	return s
}

var short = Letter{To: "maya@example.org", Lang: "en", Subject: "Hello", Lines: []string{"One line."}}

func TestLettersAreHandedOverEncryptedToAServerThatIsElsewhere(t *testing.T) {
	t.Parallel()
	config, roots := certified(t)
	login := url.UserPassword(user, secret).String()
	for name, setting := range map[string]string{"STARTTLS": "smtp://" + login + "@example.com", "TLS": "smtps://" + login + "@example.com"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := openOffice(t, func(o *office) {
				o.login, o.config = true, config
				if name == "TLS" {
					o.wrap = func(l net.Listener) net.Listener { return tls.NewListener(l, config) }
				}
			})
			s := at(t, setting)
			o.leadTo(s, roots)
			require.NoError(t, s.reach(t.Context()))
			require.NoError(t, s.send(t.Context(), message(t, short)))
			got := o.next(t)
			require.True(t, got.tls)
			require.Equal(t, "no-reply@example.org", got.from)
			require.Equal(t, "maya@example.org", got.to)
		})
	}
}

func TestNothingIsSentToAServerElsewhereThatIsNotWhoItClaimsToBe(t *testing.T) {
	t.Parallel()
	config, roots := certified(t)
	honest := openOffice(t, func(o *office) { o.config = config })
	bare := openOffice(t, nil)

	s := at(t, "smtp://another.example.org")
	honest.leadTo(s, roots)
	require.ErrorContains(t, s.send(t.Context(), message(t, short)), "certificate")

	s = at(t, "smtp://example.com")
	honest.leadTo(s, nil)
	require.ErrorContains(t, s.send(t.Context(), message(t, short)), "certificate")

	s = at(t, "smtp://example.com")
	bare.leadTo(s, roots)
	require.ErrorContains(t, s.send(t.Context(), message(t, short)), "STARTTLS")
	require.Empty(t, honest.attempts)
	require.Empty(t, bare.attempts)
}

func TestAServerOnThisMachineNeedsNoTLS(t *testing.T) {
	t.Parallel()
	o := openOffice(t, func(o *office) { o.login = true })
	u, err := url.Parse(o.url())
	require.NoError(t, err)
	u.User = url.UserPassword(user, secret)
	require.NoError(t, at(t, u.String()).send(t.Context(), message(t, short)))
	require.False(t, o.next(t).tls)

	u.User = url.UserPassword(user, "wrong")
	err = at(t, u.String()).send(t.Context(), message(t, short))
	require.ErrorContains(t, err, "535")
	require.NotErrorIs(t, err, ErrRefused, "somebody can mend the setting")
	require.NotContains(t, err.Error(), "wrong")
	require.ErrorContains(t, at(t, u.String()).reach(t.Context()), "535")
}

func TestOnlyWhatTheServerSaysForGoodAboutAMessageEndsIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step string
		code int
		good bool
	}{{"RCPT", 550, true}, {"DATA", 554, true}, {"RCPT", 450, false}, {"DATA", 452, false}, {"MAIL", 550, false}} {
		o := openOffice(t, func(o *office) {
			o.refuse = func(step, _ string) error {
				if step != c.step {
					return nil
				}
				return &smtp.SMTPError{Code: c.code, EnhancedCode: smtp.EnhancedCode{c.code / 100, 1, 1}, Message: "not <maya@example.org>, she said"}
			}
		})
		err := at(t, o.url()).send(t.Context(), message(t, short))
		require.ErrorContains(t, err, "answered "+string(rune('0'+c.code/100)), c)
		if c.good {
			require.ErrorIs(t, err, ErrRefused, c)
		} else {
			require.NotErrorIs(t, err, ErrRefused, c)
		}
		require.NotContains(t, err.Error(), "maya", "%v: the server's words quote the recipient", c)
	}
}

func TestAServerThatSaysNothingIsGivenUpInTime(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) }) // the kernel accepts, nobody greets
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.Error(t, at(t, "smtp://"+l.Addr().String()).send(ctx, message(t, short)))
	require.Less(t, time.Since(start), sendTimeout)
}

func TestAMailServerIsSetByURL(t *testing.T) {
	t.Parallel()
	s := at(t, "smtp://learn:p%40ss@mail.example.org")
	require.Equal(t, "mail.example.org:587", s.address())
	require.Equal(t, "p@ss", s.password)
	require.False(t, s.implicit || s.local)
	require.Equal(t, "mail.example.org:465", at(t, "smtps://mail.example.org").address())
	require.Equal(t, "[::1]:25", at(t, "smtp://[::1]:25").address())
	for _, local := range []string{"smtp://localhost", "smtp://127.0.0.9:25", "smtp://[::1]"} {
		require.True(t, at(t, local).local, local)
	}
	for _, wrong := range []string{
		"", "mail.example.org:587", "https://mail.example.org", "smtp://", "smtp://x/path", "smtp://x?tls=no", "smtp://x:0", "smtp://x:99999",
		"smtp://learn@mail.example.org", "smtp://:hunter2@mail.example.org", "smtp://learn:hunter2%@mail.example.org",
	} {
		_, err := parseServer(wrong)
		require.ErrorContains(t, err, "mail server: ", wrong)
		require.NotContains(t, err.Error(), "hunter2")
	}
}
