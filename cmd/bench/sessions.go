package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mopd/lms"
	"mopd/lms/web"
)

// reader is somebody who is signed in.
type reader struct {
	lms.Person
	token string // of their session
}

// signIn opens a session for each of a number of people. Their signing in itself, with
// the hash of a password and a second step, is not measured here.
func (p *product) signIn(ctx context.Context, people []lms.Person, now time.Time) ([]reader, error) {
	readers := make([]reader, len(people))
	ids, hashes := make([]lms.PersonID, len(people)), make([][]byte, len(people))
	for i, person := range people {
		readers[i] = reader{person, rand.Text()}
		ids[i], hashes[i] = person.ID, web.HashToken(readers[i].token)
	}
	return readers, insertSessions(ctx, p.DB, ids, hashes, now)
}

// reportShows asks for somebody's training report, and tells whether the page says
// something.
func (p *product) reportShows(ctx context.Context, r reader, what string) (bool, error) {
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, p.settings.AppURL+"/report", nil)
	if err != nil {
		return false, fmt.Errorf("ask for a report: %w", err)
	}
	ask.Header.Set("Cookie", "__Host-session="+r.token) // a client's jar keeps it from plain HTTP
	page, err := fetch(ask)
	return strings.Contains(string(page), what), err
}
