// Package lms is the kernel: the nouns of a learning management system for
// child-care caregivers (person, course, enrollment, credit, clock hour, money,
// date) and the rules about them as pure functions.
//
// It knows no SQL, no HTTP, no clock and no randomness: days and instants are
// arguments. Each rule here explains; a named database constraint guarantees it
// (docs/guards.md pairs them). Start reading at rules.go.
package lms
