package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/mail"
	"mopd/lms/pg"
)

// ErrReminded is of a reminder that was sent.
var ErrReminded = lms.NewError(lms.Conflict, "reminded")

// remindAtOnce is how many people one job looks after.
const remindAtOnce = 200

// toRemind are the next people after one who may have to be reminded today.
func (s *Service) toRemind(ctx context.Context, after lms.PersonID, now time.Time) ([]lms.PersonID, error) {
	today := lms.DateOf(now)
	ends := func(kind reminderKind) lms.Date { return today.AddDays(remindersFor[kind][0]) }
	return selectToRemind(ctx, s.DB, after, today, ends(ofWindow), ends(ofSafeSleep), !yearEnd(today).After(ends(ofYear)), remindAtOnce)
}

// Remind sends somebody the reminders that are due, each once: it is written down in the
// transaction that posts it. Who was merged away, or has no account, gets none.
func (s *Service) Remind(ctx context.Context, p lms.PersonID, now time.Time) error {
	return pg.InTx(ctx, s.DB, func(tx pgx.Tx) error {
		// Most people get none today, which takes no lock to see.
		if n, err := s.notice(ctx, tx, p, now); err != nil || len(n.due) == 0 {
			return err
		}
		if err := pg.LockPerson(ctx, tx, p); err != nil {
			return err
		}
		to, err := selectReachable(ctx, tx, p)
		if errors.Is(err, lms.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := s.notice(ctx, tx, p, now)
		if err != nil {
			return err
		}
		for _, r := range n.due {
			if err := insertReminder(ctx, tx, p, r, now); err != nil {
				return guards.Explain(err)
			}
		}
		return s.sendNotice(ctx, tx, to, n)
	})
}

// notice is what somebody is to be reminded of today.
type notice struct {
	due       []reminder
	windows   []window
	standing  lms.YearStanding
	safeSleep lms.SafeSleep
}

func (s *Service) notice(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (n notice, err error) {
	if n.windows, err = selectWindows(ctx, tx, p); err != nil {
		return n, err
	}
	m := Now(now)
	r, err := s.Record(ctx, tx, p, m)
	if err != nil {
		return n, err
	}
	sent, err := selectReminders(ctx, tx, p)
	n.standing, n.safeSleep = r.Standing(m.Through.Year), r.SafeSleep
	n.due = remindersDue(m.Through, occasionsOf(m.Through, n.windows, n.standing, n.safeSleep), sent)
	return n, err
}

// sendNotice posts one letter for each kind of reminder, and a text message where one is wanted.
func (s *Service) sendNotice(ctx context.Context, tx pgx.Tx, to reachable, n notice) error {
	for _, kind := range []reminderKind{ofWindow, ofYear, ofSafeSleep} {
		i := slices.IndexFunc(n.due, func(r reminder) bool { return r.Kind == kind })
		if i < 0 {
			continue
		}
		soonest := n.due[i]
		if err := s.send(ctx, tx, s.reminderLetter(to, n, soonest)); err != nil {
			return err
		}
		if to.Phone == "" || !s.Mail.CanText() {
			continue
		}
		text := mail.Text{To: to.Phone, Body: s.Words.Text(to.Lang, fmt.Sprintf("text.remind.%s", kind), "Last", soonest.LastDay)}
		if err := s.Mail.PostText(ctx, tx, text); err != nil {
			return err
		}
	}
	return nil
}

// reminderLetter is the letter about the reminders of one kind, of which soonest is that
// of the earliest last day.
func (s *Service) reminderLetter(to reachable, n notice, soonest reminder) mail.Letter {
	text := func(part string, args ...any) string {
		return s.Words.Text(to.Lang, fmt.Sprintf("mail.remind.%s.%s", soonest.Kind, part), args...)
	}
	l := mail.Letter{To: to.Email, Lang: to.Lang, After: []string{text("after")}}
	path := "/courses"
	switch soonest.Kind {
	case ofWindow:
		path = "/my-courses"
		l.Subject = text("subject", "Last", soonest.LastDay)
		for _, w := range n.windows {
			if slices.ContainsFunc(n.due, func(r reminder) bool { return r.Enrollment == w.Enrollment }) {
				l.Lines = append(l.Lines, text("line", "Title", w.Title, "Last", w.LastDay))
			}
		}
		l.Lines = append(l.Lines, text("over"))
	case ofSafeSleep:
		l.Subject = text("subject", "Through", soonest.LastDay)
		l.Lines = []string{text("line", "On", n.safeSleep.DoneOn, "Through", soonest.LastDay), text("renew")}
	case ofYear:
		path = "/plan"
		l.Subject = text("subject", "Hours", missing(n.standing), "Last", soonest.LastDay)
		l.Lines = []string{text("line", "Year", n.standing.Year, "Counted", n.standing.Counted, "Required", n.standing.Required)}
		for _, owed := range n.standing.Owed {
			l.Lines = append(l.Lines, text("owed", "Year", owed.Year, "Hours", owed.Hours))
		}
		l.Lines = append(l.Lines, text("to_go", "Hours", missing(n.standing), "Last", soonest.LastDay))
	}
	l.Button = &mail.Button{Label: text("button"), URL: s.AppURL.Scheme + "://" + s.AppURL.Host + path}
	return l
}
