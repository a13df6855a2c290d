package accounts

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
	"mopd/lms/sheet"
)

const (
	linesPerPage = 50
	looksPerPage = 25
	exportTime   = time.Hour // for all of an export, as long as a browser may take for it
)

// exportStep is how many lines of an export are in memory at once.
const exportStep = 1000

// AuditFilter says which lines of the audit trail are looked for. What is zero does not
// narrow.
type AuditFilter struct {
	Person   lms.PersonID // who did it, or whose record it is about
	Subject  lms.PersonID // whose record it is about
	ByOthers bool         // not what people did to their own record, nor the system
	Action   string
	From, To lms.Date // both in full
	Before   int64    // lines older than this one
}

// instants are when the days of a filter begin and end, nil where there is no such day.
func (f AuditFilter) instants() (since, until *time.Time) {
	if !f.From.IsZero() {
		since = new(f.From.Start())
	}
	if !f.To.IsZero() {
		until = new(f.To.End())
	}
	return since, until
}

// AuditLine is a line of the audit trail, with who they are that it names.
type AuditLine struct {
	ID                   int64
	At                   time.Time
	Action, Object, Note string
	Origin               string       // network address
	Actor                lms.PersonID // 0: the system
	ActorName            string
	ActorMOPDID          lms.MOPDID
	ActorRoles           []lms.Role
	Subject              lms.PersonID // 0: nobody
	SubjectName          string
	SubjectMOPDID        lms.MOPDID
}

// Trail are lines of the audit trail, the newest first. Older is the Before of the next
// page, 0 if this is the last one.
func (s *Service) Trail(ctx context.Context, f AuditFilter) (lines []AuditLine, older int64, err error) {
	return s.trail(ctx, f, linesPerPage)
}

// ReadTrail is Trail for a page. That the lines about one person were read is written
// down; asked says what for.
func (s *Service) ReadTrail(ctx context.Context, v lms.Viewer, f AuditFilter, asked, from string, now time.Time) (lines []AuditLine, older int64, err error) {
	if f.Person != 0 {
		err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
			return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "audit_read", Subject: f.Person, Note: asked, At: now, From: from})
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return s.Trail(ctx, f)
}

// Looks are the lines about a person's record that others caused.
func (s *Service) Looks(ctx context.Context, p lms.PersonID, before int64) (lines []AuditLine, older int64, err error) {
	return s.trail(ctx, AuditFilter{Subject: p, ByOthers: true, Before: before}, looksPerPage)
}

func (s *Service) trail(ctx context.Context, f AuditFilter, perPage int) (lines []AuditLine, older int64, err error) {
	if lines, err = selectAudit(ctx, s.DB, f, perPage+1); err != nil || len(lines) <= perPage {
		return lines, 0, err
	}
	lines = lines[:perPage]
	return lines, lines[perPage-1].ID, nil
}

// PersonBy finds the person who has a MOPD ID, or signs in with an e-mail address.
//
// Errors: lms.ErrNotFound.
func (s *Service) PersonBy(ctx context.Context, typed string) (lms.PersonID, error) {
	return selectPersonBy(ctx, s.DB, strings.TrimSpace(typed))
}

// actionWords is where the catalogs say what an action is.
const actionWords = "audit.action."

// Actions are the codes of all actions that the catalogs have words for.
func (s *Service) Actions() (codes []string) {
	for _, key := range s.Words.Under(actionWords) {
		codes = append(codes, strings.TrimPrefix(key, actionWords))
	}
	slices.Sort(codes)
	return codes
}

// ActionText is an action in words. One that has none, such as of an older version of
// this program, is its code.
func (s *Service) ActionText(lang, code string) string {
	if !s.Words.Has(actionWords + code) {
		return code
	}
	return s.Words.Text(lang, actionWords+code)
}

// ExportTrail is the audit trail as a table of comma-separated values (RFC 4180), read
// from the database as it is read here. That it was exported is written down; asked
// says what for.
func (s *Service) ExportTrail(ctx context.Context, v lms.Viewer, f AuditFilter, lang, asked, from string, now time.Time) (io.ReadCloser, error) {
	err := pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		return insertAudit(ctx, tx, lms.AuditEntry{Actor: v.ID, Action: "audit_exported", Note: asked, At: now, From: from})
	})
	if err != nil {
		return nil, err
	}
	// It is read after the request's own time is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTime)
	return sheet.Pages(s.auditHead(lang), func() (rows [][]string, last bool, err error) {
		lines, older, err := s.trail(ctx, f, exportStep)
		f.Before = older
		for _, l := range lines {
			rows = append(rows, s.auditRow(lang, l))
		}
		return rows, older == 0, err
	}, cancel)
}

func (s *Service) auditHead(lang string) (row []string) {
	for _, name := range []string{"when", "who", "who_id", "what", "code", "whose", "whose_id", "object", "note", "from"} {
		row = append(row, s.Words.Text(lang, "accounts.audit."+name))
	}
	return row
}

func (s *Service) auditRow(lang string, l AuditLine) []string {
	who := l.ActorName
	if l.Actor == 0 {
		who = s.Words.Text(lang, "accounts.audit.system")
	}
	return []string{
		l.At.In(lms.Central).Format(time.RFC3339),
		who, number(l.ActorMOPDID), s.ActionText(lang, l.Action), l.Action,
		l.SubjectName, number(l.SubjectMOPDID), l.Object, l.Note, l.Origin,
	}
}

func number(id lms.MOPDID) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprint(int(id))
}
