package mailbox

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"github.com/emersion/go-smtp"
)

// session takes the mail of one connection.
type session struct {
	box *Mailbox
	to  []string
}

// Mail begins a message.
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data takes the message, once for each recipient.
func (s *session) Data(r io.Reader) error {
	msg, err := read(r)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	for _, to := range s.to {
		msg.To = to
		s.box.add(msg)
	}
	return nil
}

// Reset forgets the message under way.
func (s *session) Reset() { s.to = nil }

// Logout ends the session.
func (s *session) Logout() error { return nil }

// read finds subject, text and HTML of a message.
func read(r io.Reader) (Message, error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return Message{}, fmt.Errorf("read a message: %w", err)
	}
	var msg Message
	if msg.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return Message{}, fmt.Errorf("read a subject: %w", err)
	}
	return msg, msg.readPart(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
}

func (msg *Message) readPart(contentType, encoding string, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain" // RFC 2045 5.2
	}
	if strings.HasPrefix(kind, "multipart/") {
		return msg.readParts(multipart.NewReader(body, params["boundary"]))
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read a part: %w", err)
	}
	text := strings.TrimSpace(strings.ReplaceAll(string(content), "\r\n", "\n"))
	switch kind {
	case "text/plain":
		msg.Text = text
	case "text/html":
		msg.HTML = text
	}
	return nil
}

func (msg *Message) readParts(parts *multipart.Reader) error {
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a part: %w", err)
		}
		if err := msg.readPart(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); err != nil {
			return err
		}
	}
}
