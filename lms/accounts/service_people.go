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

// GrantedRoles are those that an administrator gives and takes.
var GrantedRoles = slices.DeleteFunc(slices.Clone(lms.Roles), func(r lms.Role) bool { return r == lms.Caregiver })

const (
	peoplePerPage = 25
	trailOnRecord = 20 // lines of the audit trail that a record shows
	reasonLength  = 500
)

// Listed is a person in the directory.
type Listed struct {
	lms.Person
	SignedInAt *time.Time // nil: never
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

// beginnings asks for all of the words, each by its beginning (PostgreSQL 15 §8.11.2).
func beginnings(words []string) string {
	terms := make([]string, len(words))
	for i, word := range words {
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
	SignedInAt *time.Time // nil: never
	Trail      []AuditLine
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
	if r.SignedInAt, err = selectSignedInAt(ctx, tx, id); err != nil {
		return r, err
	}
	r.Trail, err = selectAudit(ctx, tx, AuditFilter{Subject: id}, trailOnRecord)
	return r, err
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

// RoleChange is the roles that a person has beyond caregiver, as they were shown and as
// they are to be.
type RoleChange struct{ Was, Want []lms.Role }

// Gives are the roles that the person gets.
func (c RoleChange) Gives() []lms.Role { return rolesBeyond(c.Want, c.Was) }

// Takes are the roles that the person loses.
func (c RoleChange) Takes() []lms.Role { return rolesBeyond(c.Was, c.Want) }

// rolesBeyond are the roles of a list that another one has not, in the order of lms.Roles.
func rolesBeyond(list, other []lms.Role) (rest []lms.Role) {
	for _, r := range GrantedRoles {
		if slices.Contains(list, r) && !slices.Contains(other, r) {
			rest = append(rest, r)
		}
	}
	return rest
}

// check errors: lms.ErrForm with field roles, ErrNothingChanged.
func (c RoleChange) check() error {
	for _, r := range c.Want {
		if !slices.Contains(GrantedRoles, r) {
			return lms.ErrForm.WithField("roles", "role_unknown")
		}
	}
	if len(c.Gives())+len(c.Takes()) == 0 {
		return ErrNothingChanged
	}
	return nil
}

// canTakeRole tells whether somebody may lose a role that so many others hold who can
// sign in.
//
// Errors: ErrLastAdmin.
func canTakeRole(r lms.Role, others int) error {
	if r == lms.Administrator && others == 0 {
		return ErrLastAdmin
	}
	return nil
}

// CheckRoles tells what would stand against a change of a person's roles now.
//
// Errors: lms.ErrForm with field roles, ErrNothingChanged, ErrLastAdmin, ErrUnprotected.
func (s *Service) CheckRoles(ctx context.Context, id lms.PersonID, c RoleChange) error {
	if err := c.check(); err != nil {
		return err
	}
	return s.canChange(ctx, s.DB, id, c)
}

// canChange errors: ErrLastAdmin, ErrUnprotected.
func (s *Service) canChange(ctx context.Context, db pg.Querier, id lms.PersonID, c RoleChange) error {
	for _, r := range c.Takes() {
		others, err := countOtherHolders(ctx, db, r, id)
		if err != nil {
			return err
		}
		if err := canTakeRole(r, others); err != nil {
			return err
		}
	}
	if len(c.Gives()) == 0 {
		return nil
	}
	protected, err := selectProtected(ctx, db, id)
	if err == nil && !protected {
		return ErrUnprotected
	}
	return err
}

// ChangeRoles gives and takes roles. Every session of the person ends, the computers in
// which they signed in are forgotten, and they are told.
//
// Errors: lms.ErrNotFound, lms.ErrForm with field roles, ErrNothingChanged,
// ErrRolesChanged, ErrLastAdmin, ErrUnprotected.
func (s *Service) ChangeRoles(ctx context.Context, v lms.Viewer, id lms.PersonID, c RoleChange, from string, now time.Time) error {
	if err := c.check(); err != nil {
		return err
	}
	return s.forPerson(ctx, id, func(tx pgx.Tx) error {
		p, err := selectPerson(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(rolesBeyond(p.Roles, c.Was))+len(rolesBeyond(c.Was, p.Roles)) > 0 {
			return ErrRolesChanged
		}
		if err := s.canChange(ctx, tx, id, c); err != nil {
			return err
		}
		for _, r := range c.Takes() {
			if err := deleteRole(ctx, tx, id, r); err != nil {
				return err
			}
		}
		for _, r := range c.Gives() {
			if err := insertRole(ctx, tx, id, r); err != nil {
				return err
			}
		}
		return s.signOut(ctx, tx, p, lms.AuditEntry{Actor: v.ID, Action: "roles_changed", Subject: id, Note: trailed(c.Want), At: now, From: from}, s.rolesLine(p.Lang, c.Want))
	})
}

// trailed is a set of roles for a line of the trail.
func trailed(roles []lms.Role) string {
	names := []string{string(lms.Caregiver)}
	for _, r := range rolesBeyond(roles, nil) {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

// rolesLine says what somebody is who has roles beyond caregiver.
func (s *Service) rolesLine(lang string, roles []lms.Role) string {
	names := []string{s.Words.Text(lang, "accounts.role."+string(lms.Caregiver))}
	for _, r := range rolesBeyond(roles, nil) {
		names = append(names, s.Words.Text(lang, "accounts.role."+string(r)))
	}
	return s.Words.Text(lang, "mail.roles_changed.now", "Roles", strings.Join(names, ", "))
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
		return s.signOut(ctx, tx, p, lms.AuditEntry{Actor: v.ID, Action: "sessions_ended", Subject: id, At: now, From: from})
	})
}

// signOut signs a person out everywhere for what an entry says, which the mail of its
// name tells them, with more lines.
func (s *Service) signOut(ctx context.Context, tx pgx.Tx, p lms.Person, e lms.AuditEntry, more ...string) error {
	if err := s.endSessions(ctx, tx, p.ID, 0); err != nil {
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
