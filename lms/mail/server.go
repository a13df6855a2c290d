package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendTimeout is how long sending one message may take. It ends before the job does,
// so that the job can say why.
const sendTimeout = 8 * time.Second

// server is where letters are handed over.
type server struct {
	host           string
	port           int
	user, password string // "" for a server that asks for none
	implicit       bool   // TLS from the first byte, else by STARTTLS
	local          bool   // on this machine, where TLS protects nothing
	roots          *x509.CertPool
	dial           func(ctx context.Context, network, address string) (net.Conn, error)
}

var ports = map[string]int{"smtp": 587, "smtps": 465}

// parseServer reads the setting. No error quotes it, for it holds a password.
func parseServer(setting string) (*server, error) {
	u, err := url.Parse(setting)
	if err != nil || ports[u.Scheme] == 0 || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("mail server: want smtp://user:password@host:587 or smtps://user:password@host:465")
	}
	var d net.Dialer
	s := &server{host: u.Hostname(), port: ports[u.Scheme], implicit: u.Scheme == "smtps", dial: d.DialContext}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, fmt.Errorf("mail server: there is no port %s", p)
		}
	}
	s.user = u.User.Username()
	s.password, _ = u.User.Password()
	if (s.user == "") != (s.password == "") {
		return nil, errors.New("mail server: want a user and a password, or neither")
	}
	ip, err := netip.ParseAddr(s.host)
	s.local = s.host == "localhost" || err == nil && ip.IsLoopback()
	return s, nil
}

func (s *server) address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// client is made anew for each message: go-mail's keeps what it learned of one
// connection.
func (s *server) client(ctx context.Context) (*gomail.Client, error) {
	config := &tls.Config{ServerName: s.host, RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(sendTimeout), gomail.WithTLSConfig(config), gomail.WithTLSPolicy(gomail.TLSMandatory)}
	switch {
	case s.implicit:
		options = append(options, gomail.WithSSL())
	case s.local:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.user != "" {
		options = append(options, gomail.WithUsername(s.user), gomail.WithPassword(s.password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	options = append(options, gomail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dial(dialing, network, address)
		if err != nil {
			return nil, err
		}
		// go-mail grants each command its time anew, and leaves a connection open over
		// which it could not sign in.
		context.AfterFunc(ctx, func() { conn.Close() })
		if s.implicit {
			conn = tls.Client(conn, config)
		}
		return conn, nil
	}))
	c, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return c, nil
}

// reach connects and signs in.
func (s *server) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	conn, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	return c.CloseWithSMTPClient(conn)
}

// send hands a message over.
//
// Errors: ErrRefused.
func (s *server) send(ctx context.Context, m *gomail.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	conn, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	err = c.SendWithSMTPClient(conn, m)
	if m.IsDelivered() {
		// The message is the server's now; how the two part company does not matter.
		_ = c.CloseWithSMTPClient(conn)
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return safe(err)
}

// aboutMessage are the steps at which a server's 5xx is about the recipient or the
// message. Elsewhere it is about our settings, which somebody can mend.
var aboutMessage = map[gomail.SendErrReason]bool{gomail.ErrSMTPRcptTo: true, gomail.ErrSMTPData: true, gomail.ErrSMTPDataClose: true}

// safe is what may be stored of a failure: step and codes. The server's own words
// often quote the recipient.
func safe(err error) error {
	failed, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return errors.New("send mail: the connection broke")
	}
	kind := errors.New("send mail")
	if aboutMessage[failed.Reason] && failed.ErrorCode() >= 500 {
		kind = fmt.Errorf("send mail: %w", ErrRefused)
	}
	if failed.ErrorCode() == 0 {
		return fmt.Errorf("%w: %s: the connection broke", kind, failed.Reason)
	}
	return fmt.Errorf("%w: %s: the server answered %d %s", kind, failed.Reason, failed.ErrorCode(), failed.EnhancedStatusCode())
}
