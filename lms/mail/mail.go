// Package mail sends letters and text messages: whoever composes one posts it in the
// transaction that causes it, and a job sends it once that transaction stands. It
// knows no feature and composes no sentence; what it is given is in the reader's
// language already. A letter carries one-time links and codes, so that it lies in the
// database sealed, and no error quotes it. Start at New, then Outbox.Post.
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	netmail "net/mail"
	"regexp"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"mopd/lms/jobs"
	"mopd/lms/secrets"
)

// Letter is one e-mail to one person. Every text is plain and in the language Lang.
type Letter struct {
	To      string // address alone, without a name
	Lang    string // such as "es"
	Subject string
	Lines   []string // a paragraph each
	Code    string   // one-time code, shown large; "" for none
	Button  *Button  // nil for none
	After   []string // paragraphs below code and button
}

// Button is the one thing to do about a letter; its URL is written out below it.
type Button struct{ Label, URL string }

// Text is a text message.
type Text struct {
	To   string // E.164, such as +15735550100
	Body string
}

var (
	// ErrAddress means that a letter is not for one plain e-mail address, or a text
	// not for an E.164 number.
	ErrAddress = errors.New("no address that a message can be sent to")
	// ErrNoGateway means that no gateway for text messages is set.
	ErrNoGateway = errors.New("no gateway for text messages is set")
	// ErrRefused means that a message was refused in a way that trying again does not
	// mend.
	ErrRefused = errors.New("refused for good")
)

// Gateway passes text messages on to the telephone network.
type Gateway interface {
	// SendText sends one message. No error may quote its number or body.
	// Errors: ErrRefused.
	SendText(ctx context.Context, t Text) error
}

// Config is what an Outbox needs.
type Config struct {
	SMTPURL string // smtp://user:password@host:587 or smtps://user:password@host:465
	From    string // sender of every letter: Name <address>
	Gateway Gateway
	Jobs    jobs.Inserter
	Keys    *secrets.Keyring
}

// Outbox takes letters and text messages and sends them.
type Outbox struct {
	Config
	from   *netmail.Address
	server *server
}

// New makes an outbox; it reaches no server yet. Without a Gateway it takes no text
// messages.
func New(cfg Config) (*Outbox, error) {
	from, err := netmail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("sender of mail %q: want Name <address>", cfg.From)
	}
	server, err := parseServer(cfg.SMTPURL)
	if err != nil {
		return nil, err
	}
	return &Outbox{Config: cfg, from: from, server: server}, nil
}

// Post sends the letter once the transaction is committed.
//
// Errors: ErrAddress.
func (o *Outbox) Post(ctx context.Context, tx pgx.Tx, l Letter) error {
	if !isAddress(l.To) {
		return ErrAddress
	}
	sealed, err := o.seal(l)
	if err != nil {
		return err
	}
	return o.insert(ctx, tx, sendMailArgs{sealed})
}

// PostText sends the text message once the transaction is committed.
//
// Errors: ErrAddress, ErrNoGateway.
func (o *Outbox) PostText(ctx context.Context, tx pgx.Tx, t Text) error {
	if !o.CanText() {
		return ErrNoGateway
	}
	if !isNumber.MatchString(t.To) {
		return ErrAddress
	}
	sealed, err := o.seal(t)
	if err != nil {
		return err
	}
	return o.insert(ctx, tx, sendTextArgs{sealed})
}

// CanText tells whether text messages can be sent.
func (o *Outbox) CanText() bool { return o.Gateway != nil }

// Reach makes sure that the mail server answers and lets this program in. Server
// names it.
func (o *Outbox) Reach(ctx context.Context) error { return o.server.reach(ctx) }

// Server is the host and port of the mail server.
func (o *Outbox) Server() string { return o.server.address() }

var isNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// isAddress refuses names, lists and comments, and with them whatever could reach
// into another header.
func isAddress(s string) bool {
	a, err := netmail.ParseAddress(s)
	return err == nil && a.Address == s && !strings.ContainsFunc(s, unicode.IsControl)
}

const sealContext = "mail"

func (o *Outbox) seal(message any) ([]byte, error) {
	plain, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("seal a message: %w", err)
	}
	return o.Keys.Seal(plain, sealContext), nil
}

func (o *Outbox) open(sealed []byte, message any) error {
	plain, err := o.Keys.Open(sealed, sealContext)
	if err != nil {
		return fmt.Errorf("open a message: %w", err)
	}
	if json.Unmarshal(plain, message) != nil {
		return errors.New("open a message: it is not of this kind") // the cause would quote it
	}
	return nil
}

func (o *Outbox) insert(ctx context.Context, tx pgx.Tx, args river.JobArgs) error {
	if _, err := o.Jobs.InsertTx(ctx, tx, args, nil); err != nil {
		return fmt.Errorf("post a message: %w", err)
	}
	return nil
}
