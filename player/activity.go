package player

import (
	"context"
	"errors"
	"maps"

	"mopd/lms"
)

// activity is an activity's data while a request changes it. Each change is laid over
// it here, and the row, which may be large, is written once.
type activity struct {
	data     map[string]string
	size     int // as maxData counts
	finished bool
	unsaved  map[string]string // changed in this request; nil: nothing was laid over it
}

// activity reads an activity of the attempt, the first time from the database.
//
// Errors: lms.ErrNotFound.
func (l *live) activity(ctx context.Context, name string) (*activity, error) {
	a, known := l.activities[name]
	if !known {
		row, err := lockData(ctx, l.tx, l.lease.Attempt, name)
		switch {
		case err == nil:
			a = &activity{data: row.Data, size: row.Size, finished: row.Finished}
		case !errors.Is(err, lms.ErrNotFound):
			return nil, err
		}
		l.activities[name] = a
	}
	if a == nil {
		return nil, lms.ErrNotFound
	}
	return a, nil
}

// lay lays changes over the data. False: there is no room for them.
func (a *activity) lay(changes map[string]string, finished bool) bool {
	size := a.size
	for element, value := range changes {
		before, was := a.data[element]
		if was {
			size += textSize(value) - textSize(before)
		} else {
			size += textSize(element) + textSize(value) + len(": , ")
		}
	}
	if size > maxData {
		return false
	}
	if a.unsaved == nil {
		a.unsaved = map[string]string{}
	}
	maps.Copy(a.data, changes)
	maps.Copy(a.unsaved, changes)
	a.size, a.finished = size, finished
	return true
}

// decide sets the lesson status that the rules give. It always has room.
func (a *activity) decide(status string) {
	before, was := a.data[elementStatus]
	if was {
		a.size -= textSize(before) - textSize(status)
	} else {
		a.size += textSize(elementStatus) + textSize(status) + len(": , ")
	}
	a.data[elementStatus], a.unsaved[elementStatus] = status, status
}

// textSize is the length in bytes that Postgres gives a string in the text of a jsonb.
func textSize(s string) int {
	n := len(s) + len(`""`)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\b', c == '\f', c == '\n', c == '\r', c == '\t':
			n++
		case c < 0x20:
			n += len(`\u0000`) - 1
		}
	}
	return n
}

// write writes each activity that has changed.
func (l *live) write(ctx context.Context) error {
	for name, a := range l.activities {
		if a == nil || a.unsaved == nil {
			continue
		}
		if err := updateData(ctx, l.tx, l.lease.Attempt, name, a.unsaved, a.finished); err != nil {
			return err
		}
	}
	return nil
}
