// Package mailbox catches the mail and the text messages of a demo or a test: a real
// SMTP server and a gateway for texts, both on this machine alone, and pages that
// show what came. It delivers nothing and keeps nothing but in memory. Start at
// Start; tests go on with Mailbox.Wait.
package mailbox

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Message is one e-mail or text message to one recipient.
type Message struct {
	ID      int
	At      time.Time
	To      string // address or number
	Subject string // "" for a text message
	Text    string
	HTML    string // "" for a text message
	IsText  bool
}

// Apps are authenticator apps on the phones of a demo's people.
type Apps struct {
	Owners []string // e-mail addresses
	Secret string   // base 32; all apps hold the same
}

// keep is how many of the newest messages are kept.
const keep = 200

// maxMessage is how large one may be, in bytes.
const maxMessage = 1 << 20

// Mailbox holds what came. It is safe for use by several goroutines.
type Mailbox struct {
	// Apps are the authenticator apps that the page shows beside the messages.
	Apps Apps

	smtp    *smtp.Server
	http    *http.Server
	mails   net.Listener
	smtpURL string
	textURL string
	token   string
	serving sync.WaitGroup

	mu       sync.Mutex
	messages []Message // newest first
	last     int
	came     chan struct{} // closed when a message comes, and made anew
}

// Start listens on free ports of this machine. It goes on until Stop, whatever
// becomes of ctx.
func Start(ctx context.Context) (*Mailbox, error) {
	var lc net.ListenConfig
	mails, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("mailbox: %w", err)
	}
	texts, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mailbox: %w", err), mails.Close())
	}
	m := &Mailbox{
		mails: mails, smtpURL: "smtp://" + mails.Addr().String(), textURL: "http://" + texts.Addr().String() + "/texts",
		token: rand.Text(), came: make(chan struct{}),
	}
	m.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: m}, nil }))
	m.smtp.Domain, m.smtp.MaxMessageBytes, m.smtp.ErrorLog = "localhost", maxMessage, log.New(io.Discard, "", 0)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /texts", m.takeText)
	m.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	m.serving.Go(func() { _ = m.smtp.Serve(mails) }) // both end by Stop
	m.serving.Go(func() { _ = m.http.Serve(texts) })
	return m, nil
}

// Stop closes both servers and every connection to them.
func (m *Mailbox) Stop() {
	_ = m.smtp.Close()
	_ = m.mails.Close() // which the server does not know yet when it has only just started
	_ = m.http.Close()
	m.serving.Wait()
}

// SMTPURL is where mail goes.
func (m *Mailbox) SMTPURL() string { return m.smtpURL }

// TextURL is where text messages go, with TextToken as the bearer's token.
func (m *Mailbox) TextURL() string { return m.textURL }

// TextToken is what the gateway for texts wants to see.
func (m *Mailbox) TextToken() string { return m.token }

// Messages are those kept, the newest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

func (m *Mailbox) add(msg Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	msg.ID, msg.At = m.last, time.Now()
	m.messages = slices.Insert(m.messages, 0, msg)
	m.messages = m.messages[:min(len(m.messages), keep)]
	close(m.came)
	m.came = make(chan struct{})
}

// Wait gives the newest message to an address or number that matches, as soon as
// there is one; a nil match takes any.
//
// Errors: ctx's.
func (m *Mailbox) Wait(ctx context.Context, to string, match func(Message) bool) (Message, error) {
	for {
		found, came := m.find(to, match)
		if found != nil {
			return *found, nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("wait for a message to %s: %w", to, ctx.Err())
		}
	}
}

// find also gives what is closed when looking again makes sense.
func (m *Mailbox) find(to string, match func(Message) bool) (*Message, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.messages {
		if strings.EqualFold(msg.To, to) && (match == nil || match(msg)) {
			return &msg, m.came
		}
	}
	return nil, m.came
}

var (
	link = regexp.MustCompile(`https?://[^\s<>"]+`)
	code = regexp.MustCompile(`\b[0-9]{6}\b`)
)

// Link is the first link in the text of a message, or "".
func Link(m Message) string { return link.FindString(m.Text) }

// Code is the first code of six digits in the text of a message, or "". Digits of a
// link do not count.
func Code(m Message) string { return code.FindString(link.ReplaceAllString(m.Text, "")) }

func (m *Mailbox) takeText(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(m.token)) != 1 {
		http.Error(w, "wrong token", http.StatusUnauthorized)
		return
	}
	var body struct{ To, Body string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessage)).Decode(&body); err != nil || body.To == "" {
		http.Error(w, `want {"to", "body"}`, http.StatusBadRequest)
		return
	}
	m.add(Message{To: body.To, Text: body.Body, IsText: true})
	w.WriteHeader(http.StatusAccepted)
}
