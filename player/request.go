package player

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
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
)

// Batch is a numbered set of changes: what the content set since the batch before.
type Batch struct {
	Seq      int64             `json:"seq"`
	OfEpoch  int64             `json:"of_epoch"` // session in which the work was done; 0: this one
	Activity string            `json:"activity"`
	Changes  map[string]string `json:"changes"`
	Over     bool              `json:"terminated"` // the content called LMSFinish
}

// CommitRequest is the body of a commit. Earlier batches go along when the page is
// closing: all that is not acknowledged then arrives together or not at all.
type CommitRequest struct {
	Epoch int64 `json:"epoch"`
	Batch
	Earlier []Batch `json:"earlier"`
}

// parseCommit reads a commit's body.
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
		if b.Seq <= last || b.OfEpoch < 0 || b.OfEpoch > r.Epoch || b.Activity == "" {
			return r, errCommitForm
		}
		last = b.Seq
		for element, value := range b.Changes {
			if err := checkChange(element, value); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

func (r CommitRequest) batches() []Batch {
	return append(r.Earlier[:len(r.Earlier):len(r.Earlier)], r.Batch)
}

func checkChange(element, value string) error {
	if !strings.HasPrefix(element, "cmi.") || len(element) > maxElement || strings.ContainsRune(element, 0) || strings.ContainsRune(value, 0) {
		return errCommitForm
	}
	if utf8.RuneCountInString(value) > maxValue {
		return errTooMuch
	}
	if element == elementSession {
		if _, err := ParseTimespan(value); err != nil {
			return errCommitForm.Because(err)
		}
	}
	return nil
}
