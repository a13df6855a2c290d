package player

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what one commit and one attempt may hold. The run-time keeps to the
// same ones, so that content hears of them first.
const (
	maxCommit  = 1 << 20 // bytes of a commit's body
	maxData    = 1 << 20 // bytes of an activity's data
	maxElement = 255     // bytes of an element's name
	maxValue   = 64_000  // characters of a value (suspend_data; others have less)
	maxEarlier = 200     // batches sent along with the last one
	maxHeld    = 8 << 20 // bytes of changes that are held of one attempt
)

// Batch is a numbered set of changes: what the content set since the batch before.
type Batch struct {
	Seq      int64             `json:"seq"`
	OfEpoch  int64             `json:"of_epoch"` // session in which the work was done; 0: this one
	Activity string            `json:"activity"`
	Changes  map[string]string `json:"changes"`
	Over     bool              `json:"terminated"` // the content called LMSFinish
	MadeAt   int64             `json:"made_at"`    // by the browser's clock, in milliseconds since 1970: evidence, decides nothing
}

// made is when the browser says that the work was done; nil if it says nothing that
// can be a time.
func (b Batch) made() *time.Time {
	at := time.UnixMilli(b.MadeAt)
	if b.MadeAt <= 0 || at.Year() > 9999 {
		return nil
	}
	return &at
}

// CommitRequest is the body of a commit. Earlier batches go along when the page is
// closing: all that is not acknowledged then arrives together or not at all.
type CommitRequest struct {
	Epoch int64 `json:"epoch"`
	Batch
	Earlier []Batch `json:"earlier"`
}

// parseCommit reads a commit's body: its form and numbers. What content put into it
// is judged batch by batch, since a refusal would hold up all that comes after it.
//
// Errors: errTooMuch, errCommitForm.
func parseCommit(body []byte) (CommitRequest, error) {
	var r CommitRequest
	if len(body) > maxCommit {
		return r, errTooMuch
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, errCommitForm.Because(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errCommitForm.Because(err)
	}
	if r.Epoch < 1 || len(r.Earlier) > maxEarlier {
		return r, errCommitForm
	}
	last := int64(0)
	for _, b := range r.batches() {
		if b.Seq <= last {
			return r, errCommitForm
		}
		last = b.Seq
	}
	return r, nil
}

func (r CommitRequest) batches() []Batch {
	return append(r.Earlier[:len(r.Earlier):len(r.Earlier)], r.Batch)
}

// sort tells the changes that are some element's of the run-time from those that
// cannot be read, nil if there are none. Of a batch of no activity none can: read is
// nil then.
func (b Batch) sort() (read, unread map[string]string) {
	if b.Activity == "" || !isText(b.Activity) {
		return nil, joined(b.Changes, nil)
	}
	read = map[string]string{}
	for element, value := range b.Changes {
		if isChange(element, value) {
			read[element] = value
		} else {
			if unread == nil {
				unread = map[string]string{}
			}
			unread[element] = value
		}
	}
	return read, unread
}

func isChange(element, value string) bool {
	if !strings.HasPrefix(element, "cmi.") || len(element) > maxElement || !isText(element) ||
		!isText(value) || utf8.RuneCountInString(value) > maxValue {
		return false
	}
	if element == elementSession {
		_, err := ParseTimespan(value)
		return err == nil
	}
	return true
}

// isText tells whether Postgres can store it.
func isText(s string) bool { return !strings.ContainsRune(s, 0) }

func withoutNUL(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }
