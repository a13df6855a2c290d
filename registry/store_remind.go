package registry

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// reachable is where somebody is reached.
type reachable struct {
	Email string
	Lang  string
	Phone string // "" if they want no text messages
}

// window is until when an open enrollment can be completed.
type window struct {
	Enrollment lms.EnrollmentID
	Title      string
	LastDay    lms.Date
}

// selectToRemind are the next people with an account after one who may have to be
// reminded today: whose window ends by a day, who completed safe sleep training whole
// years, whatever the policy, before a day until then, or everyone.
func selectToRemind(ctx context.Context, db pg.Querier, after lms.PersonID, today, windowsBy, safeSleepBy lms.Date, everyone bool, most int) ([]lms.PersonID, error) {
	return pg.Values[lms.PersonID](ctx, db, "select people to remind", `SELECT r.person FROM accounts.pub_reachable r
		WHERE r.person > $1 AND ($5
			OR EXISTS (SELECT FROM enrollments.pub_windows w WHERE w.person = r.person AND w.last_day BETWEEN $2 AND $3)
			OR EXISTS (SELECT FROM accounts.pub_identities i JOIN registry.credits c ON c.person = i.person WHERE i.canonical = r.person AND c.safe_sleep
				AND ((c.earned_on + make_interval(years => date_part('year', $2::date)::int - date_part('year', c.earned_on)::int))::date BETWEEN $2 AND $4
					OR (c.earned_on + make_interval(years => date_part('year', $4::date)::int - date_part('year', c.earned_on)::int))::date BETWEEN $2 AND $4)))
		ORDER BY r.person LIMIT $6`, after, today, windowsBy, safeSleepBy, everyone, most)
}

// selectReachable errors: lms.ErrNotFound of who has no account, or was merged away.
func selectReachable(ctx context.Context, db pg.Querier, p lms.PersonID) (reachable, error) {
	return pg.Row[reachable](ctx, db, "select where a person is reached", `SELECT email, lang, phone FROM accounts.pub_reachable WHERE person = $1`, p)
}

func selectWindows(ctx context.Context, db pg.Querier, p lms.PersonID) ([]window, error) {
	return pg.Rows[window](ctx, db, "select windows", `SELECT enrollment, title, last_day FROM enrollments.pub_windows WHERE person = $1 ORDER BY last_day, enrollment`, p)
}

// selectReminders are the reminders that somebody was sent, under any profile of theirs.
func selectReminders(ctx context.Context, db pg.Querier, p lms.PersonID) ([]reminder, error) {
	return pg.Rows[reminder](ctx, db, "select reminders", `SELECT kind, coalesce(enrollment, 0) AS enrollment, last_day, days FROM registry.reminders
		WHERE person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1)`, p)
}

func insertReminder(ctx context.Context, tx pgx.Tx, p lms.PersonID, r reminder, now time.Time) error {
	return pg.Exec(ctx, tx, "insert reminder", `INSERT INTO registry.reminders (person, kind, enrollment, last_day, days, sent_at)
		VALUES ($1, $2, nullif($3, 0), $4, $5, $6)`, p, r.Kind, r.Enrollment, r.LastDay, r.Days, now)
}
