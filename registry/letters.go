package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
)

// tell mails a person what was decided about their credit, and where its hours count.
// Who cannot be reached is not told; the decision stands all the same.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, who lms.PersonID, c claimed, d decision, now time.Time) error {
	p, err := s.People.Person(ctx, tx, who)
	if err != nil || p.Email == "" {
		return err
	}
	m := Now(now)
	f, err := selectFacts(ctx, tx, who, m)
	if err != nil {
		return err
	}
	e, r, err := effectOf(f, m, c, d)
	if err != nil {
		return err
	}
	return s.send(ctx, tx, s.decisionLetter(p, c, d, r.Of(c.ID), e))
}

// send posts a letter. Who cannot be reached by mail is not: what it tells of has happened
// all the same.
func (s *Service) send(ctx context.Context, tx pgx.Tx, l mail.Letter) error {
	err := s.Mail.Post(ctx, tx, l)
	if errors.Is(err, mail.ErrAddress) {
		return nil
	}
	return err
}

// decisionLetter says what was decided, why, where the hours count, and how safe sleep
// training stands where the decision changes that.
func (s *Service) decisionLetter(p lms.Person, c claimed, d decision, parts []Part, e Effect) mail.Letter {
	text := func(part string, args ...any) string {
		return s.Words.Text(p.Lang, "mail.credit."+part, append(args, "Title", c.Title, "Hours", d.Hours, "On", c.EarnedOn)...)
	}
	becomes := string(d.Status)
	if d.Reason == reasonNotCompleted {
		becomes = d.Reason
	}
	l := mail.Letter{
		To: p.Email, Lang: p.Lang, Subject: text("subject"), Lines: []string{text(becomes)},
		Button: &mail.Button{Label: text("button"), URL: s.AppURL.Scheme + "://" + s.AppURL.Host + fmt.Sprintf("/report?year=%d", c.EarnedOn.Year)},
	}
	if len(parts) > 0 {
		l.Lines = append(l.Lines, text("where", "Parts", s.partsText(p.Lang, parts, c.EarnedOn.Year)))
	}
	if d.By != 0 && e.SafeSleep() {
		l.Lines = append(l.Lines, s.Words.Text(p.Lang, "safe_sleep."+string(e.After.State), "On", e.After.DoneOn, "Through", e.After.Through))
	}
	switch {
	case d.By != 0:
		l.Lines = append(l.Lines, text("note", "Note", d.Note))
	case d.Reason == reasonRepeat:
		l.Lines = append(l.Lines, text("repeat", "From", d.From))
	case d.Reason == reasonYoungerStands:
		l.Lines = append(l.Lines, text("younger"))
	case d.Reason == reasonAtOnce:
		l.Lines = append(l.Lines, text("at_once"))
	}
	if d.Reason != "" && d.Status != lms.Credited || d.Hours < c.Claimed && d.Status == lms.Credited && d.By != 0 {
		l.After = []string{text("appeal")}
	}
	return l
}

// partsText is where hours earned in a year count: "1.0 h make up 2025, 0.5 h count for 2026".
func (s *Service) partsText(lang string, parts []Part, year int) string {
	said := make([]string, len(parts))
	for i, p := range parts {
		key := "mail.credit.part_counts"
		if p.Year < year {
			key = "mail.credit.part_makes_up"
		}
		said[i] = s.Words.Text(lang, key, "Hours", p.Hours, "Year", p.Year)
	}
	return strings.Join(said, ", ")
}

// tellOfImport mails somebody what came onto their record.
func (s *Service) tellOfImport(ctx context.Context, tx pgx.Tx, imp Import, taken []Row) error {
	count := map[Outcome]int{}
	var credit lms.CreditID
	for _, row := range taken {
		count[row.Outcome]++
		if row.Outcome != RowWaiting { // which names what is there already, of another person perhaps
			credit = max(credit, row.Credit)
		}
	}
	if count[RowCredited]+count[RowHeld]+count[RowDenied] == 0 || !imp.Tells {
		return nil
	}
	c, err := selectClaimed(ctx, tx, credit)
	if err != nil {
		return err
	}
	return s.importLetter(ctx, tx, c.Person, func(text func(part string, args ...any) string) (lines, after []string) {
		lines = []string{text("intro")}
		for _, o := range []Outcome{RowCredited, RowHeld, RowDenied} {
			if count[o] > 0 {
				lines = append(lines, text(string(o), "Count", count[o]))
			}
		}
		return lines, nil
	})
}

// tellUndone mails somebody how many of their records were taken back, and why.
func (s *Service) tellUndone(ctx context.Context, tx pgx.Tx, imp Import, who lms.PersonID, taken int) error {
	if !imp.Tells {
		return nil
	}
	return s.importLetter(ctx, tx, who, func(text func(part string, args ...any) string) (lines, after []string) {
		return []string{text("undone", "Count", taken), text("undone_note", "Note", imp.UndoneNote)}, []string{text("appeal")}
	})
}

func (s *Service) importLetter(ctx context.Context, tx pgx.Tx, who lms.PersonID, say func(text func(part string, args ...any) string) (lines, after []string)) error {
	p, err := s.People.Person(ctx, tx, who)
	if err != nil || p.Email == "" {
		return err
	}
	text := func(part string, args ...any) string { return s.Words.Text(p.Lang, "mail.import."+part, args...) }
	l := mail.Letter{To: p.Email, Lang: p.Lang, Subject: text("subject"), Button: &mail.Button{Label: text("button"), URL: s.AppURL.JoinPath("report").String()}}
	l.Lines, l.After = say(text)
	return s.send(ctx, tx, l)
}
