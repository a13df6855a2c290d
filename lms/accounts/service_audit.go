package accounts

import (
	"bytes"
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
	e := &export{ctx: ctx, cancel: cancel, s: s, filter: f, lang: lang}
	e.table, err = sheet.NewWriter(&e.ready, e.head()...)
	return e, err
}

// export is the table as it is being read.
type export struct {
	ctx    context.Context
	cancel context.CancelFunc
	s      *Service
	filter AuditFilter
	lang   string
	ready  bytes.Buffer
	table  *sheet.Writer // writes to ready
	done   bool
}

// Read reads on from the database whenever everything is given away. It fails rather
// than ends where lines are missing.
func (e *export) Read(p []byte) (int, error) {
	for e.ready.Len() == 0 {
		if e.done {
			return 0, io.EOF
		}
		if err := e.readOn(); err != nil {
			return 0, err
		}
	}
	return e.ready.Read(p)
}

// Close lets go of the database.
func (e *export) Close() error {
	e.cancel()
	return nil
}

func (e *export) readOn() error {
	lines, older, err := e.s.trail(e.ctx, e.filter, exportStep)
	if err != nil {
		return err
	}
	e.filter.Before, e.done = older, older == 0
	rows := make([][]string, len(lines))
	for i, l := range lines {
		rows[i] = e.row(l)
	}
	return e.table.Write(rows...)
}

func (e *export) head() (row []string) {
	for _, name := range []string{"when", "who", "who_id", "what", "code", "whose", "whose_id", "object", "note", "from"} {
		row = append(row, e.s.Words.Text(e.lang, "accounts.audit."+name))
	}
	return row
}

func (e *export) row(l AuditLine) []string {
	who := l.ActorName
	if l.Actor == 0 {
		who = e.s.Words.Text(e.lang, "accounts.audit.system")
	}
	return []string{
		l.At.In(lms.Central).Format(time.RFC3339),
		who, number(l.ActorMOPDID), e.s.ActionText(e.lang, l.Action), l.Action,
		l.SubjectName, number(l.SubjectMOPDID), l.Object, l.Note, l.Origin,
	}
}

func number(id lms.MOPDID) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprint(int(id))
}
