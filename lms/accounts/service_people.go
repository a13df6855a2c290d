package accounts

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/unicode/norm"

	"mopd/lms"
	"mopd/lms/pg"
)

// Refusals of those who look after people.
var (
	ErrNothingChanged = lms.NewError(lms.Conflict, "nothing_changed")
	ErrRolesChanged   = lms.NewError(lms.Conflict, "roles_changed") // by somebody else, since they were shown
	ErrUnprotected    = lms.NewError(lms.Conflict, "unprotected")   // no login, or no strong factor
)

const (
	peoplePerPage = 25
	trailOnRecord = 10 // lines of the audit trail that a record shows
	reasonLength  = 500
)

// Listed is a person in the directory.
type Listed struct {
	lms.Person
	SignedInAt *time.Time // nil: never
	Disabled   bool
}

// Found is one page of what a search of the directory finds.
type Found struct {
	People      []Listed
	Total       int
	Page, Pages int
}

// SearchPeople is FindPeople for somebody who looks after people. That they searched is
// written down.
func (s *Service) SearchPeople(ctx context.Context, v lms.Viewer, typed string, page int, from string, now time.Time) (Found, error) {
	if typed != "" {
		err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
			return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "people_searched", Note: typed, At: now, From: from})
		})
		if err != nil {
			return Found{}, err
		}
	}
	return s.FindPeople(ctx, typed, page)
}

// Find is everybody whom FindPeople would, for somebody who looks through a list of
// records. That they searched is written down.
func (s *Service) Find(ctx context.Context, v lms.Viewer, typed, from string, now time.Time) (found []lms.PersonID, err error) {
	if typed == "" {
		return nil, nil
	}
	err = pg.InTx(ctx, s.DB, func(tx pgx.Tx) (err error) {
		if found, err = selectFound(ctx, tx, lookFor(typed)); err != nil {
			return err
		}
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "people_searched", Note: typed, At: now, From: from})
	})
	return found, err
}

// FindPeople looks people up by the beginnings of parts of their names, earlier ones
// too, by a MOPD ID or by the beginning of an e-mail address. What is too short to mean
// anybody finds nobody.
func (s *Service) FindPeople(ctx context.Context, typed string, page int) (Found, error) {
	q := lookFor(typed)
	total, err := countListed(ctx, s.DB, q)
	if err != nil {
		return Found{}, err
	}
	f := Found{Total: total, Pages: max(1, (total+peoplePerPage-1)/peoplePerPage)}
	f.Page = min(max(page, 1), f.Pages)
	f.People, err = selectListed(ctx, s.DB, q, peoplePerPage, (f.Page-1)*peoplePerPage)
	return f, err
}

// query is whom somebody looks for, in one of these ways; the zero query finds nobody.
type query struct {
	names   string // a tsquery
	number  int64  // a MOPD ID
	address string // the beginning of an e-mail address, in lower case
}

// lookFor reads what somebody typed.
func lookFor(typed string) query {
	text := strings.Map(unmarked, norm.NFKD.String(typed)) // as accounts.fold, which is left with lower case
	switch words := strings.FieldsFunc(text, separates); {
	case strings.Contains(text, "@"):
		return query{address: strings.ToLower(strings.TrimSpace(text))}
	case strings.Trim(text, "0123456789 -") == "": // also "204 118"
		number, err := strconv.ParseInt(digits(text), 10, 64)
		if err != nil {
			return query{}
		}
		return query{number: number}
	case !slices.ContainsFunc(words, func(word string) bool { return utf8.RuneCountInString(word) > 1 }):
		return query{}
	default:
		return query{names: beginnings(words)}
	}
}

// unmarked drops what stands over and under letters.
func unmarked(r rune) rune {
	if r >= 0x300 && r <= 0x36f {
		return -1
	}
	return r
}

// separates tells what stands between the parts of a name, as accounts.name_words has it.
func separates(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`[].,'’"()/-`, r) }

// longestWord is how much of a word is looked for; Postgres takes no word of more than
// 2 kB.
const longestWord = 100

// beginnings asks for all of the words, each by its beginning (PostgreSQL 15 §8.11.2).
func beginnings(words []string) string {
	terms := make([]string, len(words))
	for i, word := range words {
		if runes := []rune(word); len(runes) > longestWord {
			word = string(runes[:longestWord])
		}
		terms[i] = "'" + strings.ReplaceAll(word, `\`, `\\`) + "':*" // an apostrophe separates
	}
	return strings.Join(terms, " & ")
}

// Name is a name and since when it is on record.
type Name struct {
	Given, Family string
	RecordedAt    time.Time
}

// Record is what those who look after people see of one of them; never a secret.
type Record struct {
	lms.Person
	Earlier    []Name
	Aliases    []lms.MOPDID // earlier numbers, which still lead here
	Addresses  []string
	Factors    []Kind
	Sessions   int
	Disabled   Disabling
	SignedInAt *time.Time // nil: never
	Trail      []AuditLine
	More       bool // lines, which PersonTrail has
}

// LookAt shows a person's record. That it was looked at is written down, except by
// themselves.
//
// Errors: lms.ErrNotFound.
func (s *Service) LookAt(ctx context.Context, v lms.Viewer, id lms.PersonID, from string, now time.Time) (Record, error) {
	var r Record
	return r, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		id, err := selectWhoStays(ctx, tx, id)
		if err != nil {
			return err
		}
		if r, err = s.record(ctx, tx, id, now); err != nil {
			return err
		}
		return s.looked(ctx, tx, v, id, from, now)
	})
}

// LookAtPerson is LookAt for the pages that show less.
//
// Errors: lms.ErrNotFound.
func (s *Service) LookAtPerson(ctx context.Context, v lms.Viewer, id lms.PersonID, from string, now time.Time) (lms.Person, error) {
	var p lms.Person
	return p, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		id, err := selectWhoStays(ctx, tx, id)
		if err != nil {
			return err
		}
		if p, err = selectPerson(ctx, tx, id); err != nil {
			return err
		}
		return s.looked(ctx, tx, v, id, from, now)
	})
}

func (s *Service) looked(ctx context.Context, tx pgx.Tx, v lms.Viewer, id lms.PersonID, from string, now time.Time) error {
	if v.ID == id {
		return nil
	}
	return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "record_viewed", Subject: id, At: now, From: from})
}

func (s *Service) record(ctx context.Context, tx pgx.Tx, id lms.PersonID, now time.Time) (r Record, err error) {
	if r.Person, err = selectPerson(ctx, tx, id); err != nil {
		return r, err
	}
	names, err := selectNames(ctx, tx, id)
	if err != nil {
		return r, err
	}
	numbers, err := selectMOPDIDs(ctx, tx, id)
	if err != nil {
		return r, err
	}
	r.Earlier, r.Aliases = names[1:], numbers[1:]
	if r.Addresses, err = selectAddresses(ctx, tx, id); err != nil {
		return r, err
	}
	factors, err := selectFactors(ctx, tx, id)
	if err != nil {
		return r, err
	}
	for _, f := range factors {
		if f.Confirmed && !slices.Contains(r.Factors, f.Kind) {
			r.Factors = append(r.Factors, f.Kind)
		}
	}
	sessions, err := selectSessions(ctx, tx, id, now.Add(-Idle), now.Add(-Longest))
	if err != nil {
		return r, err
	}
	r.Sessions = len(sessions)
	if r.Disabled, err = selectDisabling(ctx, tx, id); err != nil {
		return r, err
	}
	if r.SignedInAt, err = selectSignedInAt(ctx, tx, id); err != nil {
		return r, err
	}
	lines, err := selectAudit(ctx, tx, AuditFilter{Subject: id}, trailOnRecord+1)
	r.Trail, r.More = lines[:min(len(lines), trailOnRecord)], len(lines) > trailOnRecord
	return r, err
}

// PersonTrail are the lines about a person's record, for somebody who looks after people:
// those older than before, or from the newest on. Older is the before of the next page, 0 if
// this is the last one. That they looked is written down.
//
// Errors: lms.ErrNotFound.
func (s *Service) PersonTrail(ctx context.Context, v lms.Viewer, id lms.PersonID, before int64, from string, now time.Time) (p lms.Person, lines []AuditLine, older int64, err error) {
	if p, err = s.LookAtPerson(ctx, v, id, from, now); err != nil {
		return p, nil, 0, err
	}
	lines, older, err = s.trail(ctx, AuditFilter{Subject: p.ID, Before: before}, looksPerPage)
	return p, lines, older, err
}

// Correction is how a person's name and date of birth are to be on record, and why.
type Correction struct {
	Given, Family string
	Born          lms.Date // zero if it stays unknown
	Reason        string
}

func (c Correction) check(p lms.Person, today lms.Date) error {
	form := lms.ErrForm
	if !isName(c.Given) {
		form = form.WithField("given", "correct_given")
	}
	if !isName(c.Family) {
		form = form.WithField("family", "correct_family")
	}
	if c.Born != p.Born && !canBeBorn(c.Born, today) {
		form = form.WithField("born", "correct_born")
	}
	if n := utf8.RuneCountInString(c.Reason); n < 1 || n > reasonLength {
		form = form.WithField("reason", "reason_missing")
	}
	if len(form.Fields) > 0 {
		return form
	}
	return nil
}

// Correct puts a person's name and date of birth right, and tells them. Reports as known
// earlier keep the earlier name.
//
// Errors: lms.ErrNotFound, lms.ErrForm with fields given, family, born or reason,
// ErrNothingChanged, ErrOwnRecord.
func (s *Service) Correct(ctx context.Context, v lms.Viewer, id lms.PersonID, c Correction, from string, now time.Time) error {
	c.Given, c.Family, c.Reason = strings.TrimSpace(c.Given), strings.TrimSpace(c.Family), strings.TrimSpace(c.Reason)
	return s.forPerson(ctx, id, func(tx pgx.Tx) error {
		who, err := selectWhoStays(ctx, tx, id)
		if err != nil {
			return err
		}
		if who == v.ID {
			return ErrOwnRecord
		}
		p, err := selectPerson(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := c.check(p, lms.DateOf(now)); err != nil {
			return err
		}
		renamed, reborn := c.Given != p.Given || c.Family != p.Family, c.Born != p.Born
		if !renamed && !reborn {
			return ErrNothingChanged
		}
		entry := lms.AuditEntry{Actor: v.ID, Subject: id, At: now, From: from}
		if renamed {
			if err := insertName(ctx, tx, id, c.Given, c.Family, now); err != nil {
				return err
			}
			entry.Action, entry.Note = "name_corrected", fmt.Sprintf("%s → %s %s: %s", p.Name(), c.Given, c.Family, c.Reason)
			if err := insertAudit(ctx, tx, entry); err != nil {
				return err
			}
		}
		if reborn {
			if err := updateBorn(ctx, tx, id, c.Born); err != nil {
				return err
			}
			entry.Action, entry.Note = "born_corrected", fmt.Sprintf("%s → %s: %s", written(p.Born), c.Born, c.Reason)
			if err := insertAudit(ctx, tx, entry); err != nil {
				return err
			}
		}
		return s.tell(ctx, tx, p, "record_corrected")
	})
}

// written is a date for a line of the trail.
func written(d lms.Date) string {
	if d.IsZero() {
		return "?"
	}
	return d.String()
}

// EndSessions ends every session of a person, forgets the computers in which they signed
// in, and tells them.
//
// Errors: lms.ErrNotFound.
func (s *Service) EndSessions(ctx context.Context, v lms.Viewer, id lms.PersonID, from string, now time.Time) error {
	return s.forPerson(ctx, id, func(tx pgx.Tx) error {
		p, err := selectPerson(ctx, tx, id)
		if err != nil {
			return err
		}
		return s.signOut(ctx, tx, p, lms.AuditEntry{Actor: v.ID, Action: "sessions_ended", Subject: id, At: now, From: from}, EndedByAdmin)
	})
}

// signOut signs a person out everywhere for what an entry says, which the mail of its
// name tells them, with more lines.
func (s *Service) signOut(ctx context.Context, tx pgx.Tx, p lms.Person, e lms.AuditEntry, why Ended, more ...string) error {
	if err := s.endSessions(ctx, tx, p.ID, 0, why, e.At); err != nil {
		return err
	}
	if err := deleteComputers(ctx, tx, p.ID); err != nil {
		return err
	}
	if err := s.tell(ctx, tx, p, e.Action, more...); err != nil {
		return err
	}
	return insertAudit(ctx, tx, e)
}
