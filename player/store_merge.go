package player

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func updateAttemptsPerson(ctx context.Context, tx pgx.Tx, ids []lms.EnrollmentID, into lms.PersonID) ([]lms.AttemptID, error) {
	return pg.Values[lms.AttemptID](ctx, tx, "move attempts", `UPDATE player.attempts SET person = $2 WHERE enrollment = ANY($1) RETURNING id`, ids, into)
}

func updateGrantsPerson(ctx context.Context, tx pgx.Tx, ids []lms.EnrollmentID, into lms.PersonID) error {
	return pg.Exec(ctx, tx, "move grants", `UPDATE player.grants SET person = $2 WHERE enrollment = ANY($1)`, ids, into)
}

// moveSessions puts the sessions of attempts behind all of the other profile's. Times
// follow their session by themselves.
func moveSessions(ctx context.Context, tx pgx.Tx, attempts []lms.AttemptID, from, into lms.PersonID) error {
	const last = `(SELECT coalesce(max(epoch), 0) FROM player.leases WHERE person = $2)`
	if err := pg.Exec(ctx, tx, "move held commits", `UPDATE player.held_commits SET epoch = epoch + `+last+`, of_epoch = of_epoch + `+last+`
		WHERE attempt = ANY($1)`, attempts, into); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "move sessions", `UPDATE player.sessions SET person = $2, epoch = epoch + `+last+` WHERE attempt = ANY($1) AND person = $3`, attempts, into, from)
}

// raiseLease leaves no epoch of a person's sessions for another one to get.
func raiseLease(ctx context.Context, tx pgx.Tx, p lms.PersonID) error {
	return pg.Exec(ctx, tx, "raise lease", `INSERT INTO player.leases AS l (person, epoch, attempt, token_hash, session)
		SELECT person, epoch, attempt, NULL, 0 FROM player.sessions WHERE person = $1 ORDER BY epoch DESC LIMIT 1
		ON CONFLICT (person) DO UPDATE SET epoch = greatest(l.epoch, EXCLUDED.epoch)`, p)
}
