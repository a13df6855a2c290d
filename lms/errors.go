package lms

import (
	"errors"
	"fmt"
	"maps"
)

// Kind says what sort of refusal an Error is; only lms/web turns it into an HTTP
// status code.
type Kind int

// The kinds of refusal.
const (
	Invalid         Kind = iota + 1 // what was sent cannot be read or breaks a form's rule
	NotFound                        // there is no such thing, or it is not theirs to see
	Conflict                        // a rule about the present state forbids it
	Forbidden                       // this person may not do it
	Unauthenticated                 // nobody is signed in
	TooLarge                        // more than is accepted
	TooMany                         // more often than is accepted; Args: Wait (time.Duration) until the next try
	Unavailable                     // a part of the system does not answer; nothing was changed
)

// Error is the one error type that a person may come to read. Its sentence stands
// in the message catalogs under "error.<Code>", with Args filled in; the cause is
// for the log alone.
type Error struct {
	Code   string
	Kind   Kind
	Args   map[string]any
	Fields map[string]string // form field -> code of its own sentence
	cause  error
}

// NewError makes an error value; declare it once and compare with errors.Is.
func NewError(kind Kind, code string) *Error { return &Error{Code: code, Kind: kind} }

func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.cause)
	}
	return e.Code
}

func (e *Error) Unwrap() error { return e.cause }

// Is makes every copy of an error (with arguments, with a cause) the same value
// to errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With is the error with an argument for its sentence.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Args = maps.Clone(e.Args)
	if c.Args == nil {
		c.Args = map[string]any{}
	}
	c.Args[name] = value
	return &c
}

// Because is the error with its hidden cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithField is the error with a form field that it concerns and the code of that
// field's sentence.
func (e *Error) WithField(field, code string) *Error {
	c := *e
	c.Fields = maps.Clone(e.Fields)
	if c.Fields == nil {
		c.Fields = map[string]string{}
	}
	c.Fields[field] = code
	return &c
}

// AsError finds the Error in err's chain.
func AsError(err error) (*Error, bool) { return errors.AsType[*Error](err) }

// Refusals that more than one room gives.
var (
	ErrNotFound        = NewError(NotFound, "not_found")
	ErrForbidden       = NewError(Forbidden, "forbidden")
	ErrUnauthenticated = NewError(Unauthenticated, "unauthenticated")
	ErrFactorNeeded    = NewError(Unauthenticated, "factor_needed")  // a second factor is still to be given
	ErrFactorMissing   = NewError(Unauthenticated, "factor_missing") // a second factor is to be set up first
	ErrProofNeeded     = NewError(Unauthenticated, "proof_needed")   // a second factor is to be given again
	ErrForm            = NewError(Invalid, "form")
	ErrTooLarge        = NewError(TooLarge, "too_large")
	ErrUnavailable     = NewError(Unavailable, "unavailable")

	ErrCourseNotOpen    = NewError(Conflict, "course_not_open")   // no published version, or no approval of hours on that day
	ErrAlreadyEnrolled  = NewError(Conflict, "already_enrolled")  // one open enrollment of a course
	ErrPaymentNotOpen   = NewError(Conflict, "payment_not_open")  // the course has a fee, and paying is not offered
	ErrFeeDue           = NewError(Conflict, "fee_due")           // the course has a fee, which is to be paid first
	ErrAnotherActive    = NewError(Conflict, "another_active")    // one active course; Args: Title, Enrollment
	ErrNotActive        = NewError(Conflict, "not_active")        // the enrollment is to be started first
	ErrAlreadyCompleted = NewError(Conflict, "already_completed") // the enrollment has ended with a completion
	ErrRefunded         = NewError(Conflict, "refunded")          // the enrollment has ended: its fee was given back
	ErrWindowOver       = NewError(Conflict, "window_over")       // Args: Last (Date)
	ErrEarnsAgain       = NewError(Conflict, "earns_again")       // credit once a year; Args: From (Date)
	ErrCreditPosted     = NewError(Conflict, "credit_posted")     // one credit for one completion
	ErrFenced           = NewError(Conflict, "fenced")            // a newer player has taken over
)
