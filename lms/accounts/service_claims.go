package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
	"mopd/lms/pg"
	"mopd/lms/web"
)

// Claim is what somebody says to claim their profile of the earlier registry.
type Claim struct {
	MOPDID string // as typed
	Family string
	Born   lms.Date
	Lang   string
}

// typedClaim is a claim that could be read.
type typedClaim struct {
	MOPDID lms.MOPDID
	Family string
	Born   lms.Date
	Lang   string
	From   string // network address
}

func (c Claim) read(from string, today lms.Date) (typedClaim, error) {
	n, err := strconv.Atoi(digits(c.MOPDID))
	typed := typedClaim{lms.MOPDID(n), strings.TrimSpace(c.Family), c.Born, c.Lang, from}
	form := lms.ErrForm
	if err != nil || !typed.MOPDID.Valid() {
		form = form.WithField("mopd_id", "mopd_id_form")
	}
	if !isName(typed.Family) {
		form = form.WithField("family", "family_missing")
	}
	if c.Born.Year < 1900 || c.Born.After(today) {
		form = form.WithField("born", "claim_born_form")
	}
	if len(form.Fields) > 0 {
		return typed, form
	}
	return typed, nil
}

const (
	claimsBeforeHelp = 3 // tries for one MOPD ID within a day, before a registrar is told
	claimProved      = 30 * time.Minute
	contactsKept     = 10 // of one claim, the newest
	noteLength       = 1000
)

var (
	perClaim        = pace{free: claimsBeforeHelp, base: time.Minute, most: 30 * time.Minute, forget: 24 * time.Hour}
	perClaimNetwork = pace{free: 30, base: 5 * time.Second, most: time.Minute, forget: time.Hour}
	perContact      = pace{free: 3, base: 24 * time.Hour, most: 24 * time.Hour, forget: 24 * time.Hour}
	perClaimCode    = pace{free: 20, base: time.Minute, most: time.Minute, limit: 20, forget: 24 * time.Hour}
)

// claimCodes counts the codes that are tried for one profile. A claim that fits nobody
// counts for itself, which costs the same.
func claimCodes(p lms.PersonID, tokenHash []byte) bucket {
	if p == 0 {
		return bucket{"code of a claim that fits nobody", []string{string(tokenHash)}, perClaimCode}
	}
	return bucket{"claim code", []string{strconv.FormatInt(int64(p), 10)}, perClaimCode}
}

func claimTries(id lms.MOPDID) bucket {
	return bucket{"claim", []string{strconv.Itoa(int(id))}, perClaim}
}

// AskClaim notes a claim and gives the token of the page on which it goes on. Nothing
// here depends on whether there is such a profile: a job looks it up and mails a code to
// the address on file. A registrar is told of many tries for one MOPD ID.
//
// Errors: lms.ErrForm with fields mopd_id, family or born; ErrTooManyTries.
func (s *Service) AskClaim(ctx context.Context, c Claim, from string, now time.Time) (token string, err error) {
	typed, err := c.read(from, lms.DateOf(now))
	if err != nil {
		return "", err
	}
	if err := take(ctx, s.DB, now, claimTries(typed.MOPDID), bucket{"claim, network", []string{networkOf(from)}, perClaimNetwork}); err != nil {
		return "", err
	}
	token = newToken()
	hash := web.HashToken(token)
	b, err := json.Marshal(request{Purpose: toClaim, Claim: hash})
	if err != nil {
		return "", fmt.Errorf("request: %w", err)
	}
	return token, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		tries, err := selectTries(ctx, tx, typed.MOPDID, now.Add(-24*time.Hour))
		if err != nil {
			return err
		}
		tries = append(tries, claimTry{typed.Family, typed.Born, typed.Lang, from, now})
		listed := len(tries) >= claimsBeforeHelp
		if err := insertClaim(ctx, tx, hash, typed, listed, now); err != nil {
			return err
		}
		if listed {
			if err := upsertClaimItem(ctx, tx, typed.MOPDID, tries, now); err != nil {
				return err
			}
		}
		_, err = s.Jobs.InsertTx(ctx, tx, AnswerRequestArgs{Sealed: s.Keys.Seal(b, requestContext)}, nil)
		return err
	})
}

// answerClaim mails a code to the address on file, if the claim fits a profile that
// nobody has claimed. The owner of a claimed one is told.
func (s *Service) answerClaim(ctx context.Context, tx pgx.Tx, tokenHash []byte, now time.Time) error {
	c, err := selectClaim(ctx, tx, tokenHash, now.Add(-codeLife))
	if errors.Is(err, lms.ErrNotFound) {
		return nil // too late for a code
	}
	if err != nil {
		return err
	}
	found, err := s.claimed(ctx, tx, c.typed())
	if errors.Is(err, lms.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case !found.claimable():
		p, err := selectPerson(ctx, tx, found.Person)
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, p, "claim_refused")
	case found.Email == "":
		return nil
	}
	code, err := newCode()
	if err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, code)
	if err != nil {
		return err
	}
	if err := updateClaimFound(ctx, tx, tokenHash, found.Person, hash); err != nil {
		return err
	}
	return s.Mail.Post(ctx, tx, s.claimLetter(found.Email, c.Lang, code))
}

func (s *Service) claimLetter(to, lang, code string) mail.Letter {
	text := func(part string) string { return s.Words.Text(lang, "mail.claim_code."+part) }
	return mail.Letter{To: to, Lang: lang, Subject: text("subject"), Lines: []string{text("line")}, Code: code, After: []string{text("after")}}
}

// profile is what is on file under a MOPD ID.
type profile struct {
	Person   lms.PersonID // who the MOPD ID leads to today
	Born     lms.Date
	Families []string // every last name that the person held
	Email    string   // as it was handed over; "" if none
	Imported bool
	Claimed  bool // or somebody can sign in to it
}

func (p profile) claimable() bool { return p.Imported && !p.Claimed }

// fits tells whether what was typed is what is on file.
func (p profile) fits(c typedClaim) bool { return p.Born == c.Born && p.held(c.Family) }

func (p profile) held(family string) bool {
	return slices.ContainsFunc(p.Families, func(held string) bool { return sameName(held, family) })
}

// sameName compares names without case, accents, spaces and signs.
func sameName(a, b string) bool { return plain(a) == plain(b) && plain(a) != "" }

// claimed finds the profile that a claim fits.
//
// Errors: lms.ErrNotFound.
func (s *Service) claimed(ctx context.Context, tx pgx.Tx, c typedClaim) (profile, error) {
	p, err := selectProfile(ctx, tx, c.MOPDID)
	if err == nil && !p.fits(c) {
		return profile{}, lms.ErrNotFound
	}
	return p, err
}

// ClaimPage is how a claim stands, as far as who made it may know.
type ClaimPage struct{ Listed bool }

// PendingClaim is the claim of a page's token.
//
// Errors: ErrLinkOver.
func (s *Service) PendingClaim(ctx context.Context, token string, now time.Time) (ClaimPage, error) {
	c, err := selectClaim(ctx, s.DB, web.HashToken(token), now.Add(-linkLife))
	if errors.Is(err, lms.ErrNotFound) {
		return ClaimPage{}, ErrLinkOver.Because(err)
	}
	return ClaimPage{c.Listed}, err
}

// ProveClaim looks at the code that was mailed and gives the token of the page on which
// a password is chosen. A claim that fits nobody costs the same work and reads as a
// wrong code, and so does one for a profile at whose codes too many were tried in vain:
// only a registrar helps there.
//
// Errors: ErrWrongCode, lms.ErrUnavailable.
func (s *Service) ProveClaim(ctx context.Context, token, code string, now time.Time) (proved string, err error) {
	try, err := countClaimTry(ctx, s.DB, web.HashToken(token), codeTries, now.Add(-codeLife))
	if errors.Is(err, lms.ErrNotFound) {
		return "", ErrWrongCode.Because(err)
	}
	if err != nil {
		return "", err
	}
	tries := claimCodes(try.Person, web.HashToken(token))
	err = take(ctx, s.DB, now, tries)
	barred := errors.Is(err, ErrResetRequired)
	if err != nil && !barred {
		return "", err
	}
	real, hash := try.Person != 0 && !barred, try.Hash
	if !real {
		hash = s.hasher.decoy()
	}
	right, err := s.hasher.verify(ctx, hash, digits(code))
	if err != nil {
		return "", err
	}
	if !real || !right {
		return "", ErrWrongCode
	}
	proved = newToken()
	return proved, pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		moved, err := updateClaimProved(ctx, tx, web.HashToken(token), web.HashToken(proved), now)
		if err == nil && !moved {
			return ErrWrongCode
		}
		if err != nil {
			return err
		}
		return forgive(ctx, tx, tries)
	})
}

// AskRegistrar leaves word how somebody whose claim does not get through can be reached.
//
// Errors: ErrLinkOver, lms.ErrForm with fields contact or note, ErrTooManyTries.
func (s *Service) AskRegistrar(ctx context.Context, token, contact, note, from string, now time.Time) error {
	ask, err := readContact(contact, note, now)
	if err != nil {
		return err
	}
	c, err := selectClaim(ctx, s.DB, web.HashToken(token), now.Add(-linkLife))
	if errors.Is(err, lms.ErrNotFound) || err == nil && !c.Listed {
		return ErrLinkOver.Because(err)
	}
	if err != nil {
		return err
	}
	if err := take(ctx, s.DB, now, bucket{"contact of a claim", []string{strconv.Itoa(int(c.MOPDID)), networkOf(from)}, perContact}); err != nil {
		return err
	}
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		err := appendClaimAsk(ctx, tx, c.MOPDID, ask, contactsKept)
		if errors.Is(err, lms.ErrNotFound) {
			return ErrLinkOver.Because(err)
		}
		return err
	})
}

// Contact is how somebody says that a registrar can reach them.
type Contact struct {
	Contact string    `json:"contact"`
	Note    string    `json:"note"`
	At      time.Time `json:"at"`
}

// Errors: lms.ErrForm with fields contact or note.
func readContact(contact, note string, now time.Time) (Contact, error) {
	c := Contact{strings.TrimSpace(contact), strings.TrimSpace(note), now}
	form := lms.ErrForm
	if _, phone := phoneNumber(c.Contact); !phone && !isEmail(c.Contact) {
		form = form.WithField("contact", "contact_form")
	}
	if utf8.RuneCountInString(c.Note) > noteLength {
		form = form.WithField("note", "note_long")
	}
	if len(form.Fields) > 0 {
		return c, form
	}
	return c, nil
}
