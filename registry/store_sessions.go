package registry

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectAtOnce is somebody's other credits that stand or are held and were attended
// while a session was.
func selectAtOnce(ctx context.Context, tx pgx.Tx, who lms.PersonID, but lms.CreditID, s Session) ([]claimed, error) {
	return pg.Rows[claimed](ctx, tx, "select credits at once", credits+` WHERE c.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1)
		AND c.id <> $2 AND d.status IN ('credited', 'held') AND c.session && tstzrange($3, $4) ORDER BY c.earned_at, c.id`, who, but, s.Starts, s.Ends)
}

// selectRuled is somebody's credits that the rules alone deny or hold for some reasons, in
// the order of their completion.
func selectRuled(ctx context.Context, tx pgx.Tx, who lms.PersonID, reasons []string) ([]claimed, error) {
	return pg.Rows[claimed](ctx, tx, "select ruled credits", credits+` WHERE c.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1)
		AND d.status <> 'credited' AND d.decided_by IS NULL AND d.reason = ANY($2) ORDER BY c.earned_at, c.id`, who, reasons)
}

// selectOverlapping is what a credit was attended at once with.
func selectOverlapping(ctx context.Context, db pg.Querier, c claimed) ([]claimed, error) {
	return pg.Rows[claimed](ctx, db, "select overlapping credits", credits+` JOIN registry.credits o ON o.id = $2 AND o.session && c.session
		WHERE c.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) AND c.id <> o.id ORDER BY c.earned_at, c.id`, c.Person, c.ID)
}

func insertSession(ctx context.Context, tx pgx.Tx, id lms.CreditID, who lms.PersonID, s Session) error {
	return pg.Exec(ctx, tx, "insert session", `INSERT INTO registry.credit_sessions (credit, person, during) VALUES ($1, $2, tstzrange($3, $4))`, id, who, s.Starts, s.Ends)
}

// insertReleasedSession guards the session of a credit that a registrar has released,
// beside those that it overlaps: they become one group, of which no member keeps another
// out.
func insertReleasedSession(ctx context.Context, tx pgx.Tx, id lms.CreditID, who lms.PersonID) error {
	return pg.Exec(ctx, tx, "insert released session", `WITH beside AS (
			SELECT together FROM registry.credit_sessions WHERE person = $2 AND during && (SELECT session FROM registry.credits WHERE id = $1)
		), joined AS (
			UPDATE registry.credit_sessions SET together = (SELECT min(together) FROM beside) WHERE person = $2 AND together IN (SELECT together FROM beside)
		)
		INSERT INTO registry.credit_sessions (credit, person, during, together)
		SELECT id, $2, session, coalesce((SELECT min(together) FROM beside), nextval('registry.guard_groups')) FROM registry.credits WHERE id = $1 AND session IS NOT NULL`, id, who)
}

func deleteSession(ctx context.Context, tx pgx.Tx, id lms.CreditID) error {
	return pg.Exec(ctx, tx, "delete session", `DELETE FROM registry.credit_sessions WHERE credit = $1`, id)
}

// ownedSession is a guarded session with the credit that it is of.
type ownedSession struct {
	Session
	Credit   lms.CreditID
	Together int64        // the group of those that a registrar let stand beside each other
	Person   lms.PersonID // whose the credit is
	Title    string
}

func selectSessionsOf(ctx context.Context, tx pgx.Tx, people ...lms.PersonID) ([]ownedSession, error) {
	return pg.Rows[ownedSession](ctx, tx, "select sessions", `SELECT s.credit, s.together, c.person, c.title, lower(s.during) AS starts, upper(s.during) AS ends
		FROM registry.credit_sessions s JOIN registry.credits c ON c.id = s.credit WHERE s.person = ANY($1) ORDER BY s.during, s.credit`, people)
}

func updateSessionsPerson(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) error {
	return pg.Exec(ctx, tx, "move sessions", `UPDATE registry.credit_sessions SET person = $2 WHERE person = $1`, from, into)
}
