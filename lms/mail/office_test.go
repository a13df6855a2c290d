package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// office is a real mail server that keeps what it is handed.
type office struct {
	port     int
	login    bool                              // asks for user and password
	refuse   func(step, to string) error       // nil: takes everything
	letters  chan received                     // in the order in which they came
	attempts chan string                       // recipients, also of what is refused
	wrap     func(l net.Listener) net.Listener // TLS from the first byte
	config   *tls.Config
}

type received struct {
	from, to string
	raw      []byte
	tls      bool
}

const user, secret = "learn", "s3 cret/@"

func openOffice(t testing.TB, change func(*office)) *office {
	t.Helper()
	o := &office{letters: make(chan received, 50), attempts: make(chan string, 50)}
	if change != nil {
		change(o)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.port = l.Addr().(*net.TCPAddr).Port
	if o.wrap != nil {
		l = o.wrap(l)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &counter{o, c, !o.login, received{}}, nil }))
	s.Domain, s.TLSConfig, s.ErrorLog = "localhost", o.config, log.New(io.Discard, "", 0)
	s.AllowInsecureAuth = true
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		_ = l.Close() // which the server does not know yet when it has only just started
		require.NoError(t, <-served)
	})
	return o
}

func (o *office) url() string { return fmt.Sprintf("smtp://127.0.0.1:%d", o.port) }

// next is the next letter that came.
func (o *office) next(t testing.TB) letter {
	t.Helper()
	select {
	case r := <-o.letters:
		return parse(t, r)
	case <-time.After(20 * time.Second):
		t.Fatal("no letter came")
		return letter{}
	}
}

// counter serves one connection.
type counter struct {
	*office
	conn    *smtp.Conn
	allowed bool
	now     received
}

func (c *counter) AuthMechanisms() []string {
	if !c.login {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		if name != user || password != secret {
			return smtp.ErrAuthFailed
		}
		c.allowed = true
		return nil
	}), nil
}

func (c *counter) check(step string) error {
	if !c.allowed {
		return smtp.ErrAuthRequired
	}
	if c.refuse == nil {
		return nil
	}
	return c.refuse(step, c.now.to)
}

func (c *counter) Mail(from string, _ *smtp.MailOptions) error {
	c.now.from = from
	return c.check("MAIL")
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.now.to = to
	c.attempts <- to
	return c.check("RCPT")
}

func (c *counter) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := c.check("DATA"); err != nil {
		return err
	}
	_, c.now.tls = c.conn.TLSConnectionState()
	c.now.raw = raw
	c.letters <- c.now
	return nil
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }

// letter is a message as a mail program reads it.
type letter struct {
	received
	header     netmail.Header
	subject    string
	text, html string
}

func parse(t testing.TB, r received) letter {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(r.raw))
	require.NoError(t, err)
	l := letter{received: r, header: m.Header}
	l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		body, err := io.ReadAll(part)
		require.NoError(t, err)
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		require.Equal(t, "UTF-8", params["charset"])
		switch kind {
		case "text/plain":
			require.Empty(t, l.html, "the richest part comes last")
			l.text = string(body)
		case "text/html":
			l.html = string(body)
		default:
			t.Errorf("a part of type %s", kind)
		}
	}
	return l
}

// certified is a certificate for example.com, and who vouches for it.
func certified(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, roots
}

// leadTo makes every host be the office.
func (o *office) leadTo(s *server, roots *x509.CertPool) {
	var d net.Dialer
	s.roots = roots
	s.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", o.port))
	}
}
