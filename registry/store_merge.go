package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectWho is who a person is today: themselves, or who they were merged into.
func selectWho(ctx context.Context, tx pgx.Tx, p lms.PersonID) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, tx, "select identity", `SELECT canonical FROM accounts.pub_identities WHERE person = $1`, p)
}

func selectEmployments(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Employment, error) {
	return pg.Rows[lms.Employment](ctx, tx, "select employments", `SELECT person, employer, hired_on, source FROM registry.employments
		WHERE person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY recorded_at, id`, p)
}

func countCredits(ctx context.Context, tx pgx.Tx, p lms.PersonID) (int, error) {
	return pg.Value[int](ctx, tx, "count credits", `SELECT count(*) FROM registry.credits
		WHERE person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1)`, p)
}

// ownedBlock is a block with the credit that raised it.
type ownedBlock struct {
	lms.Block
	Credit   lms.CreditID
	Person   lms.PersonID // whose the credit is
	Title    string
	EarnedAt time.Time
}

func selectBlocksOf(ctx context.Context, tx pgx.Tx, people ...lms.PersonID) ([]ownedBlock, error) {
	rows, err := tx.Query(ctx, `SELECT b.credit, c.person, b.course, c.title, c.earned_at, lower(b.during), upper(b.during)
		FROM registry.credit_blocks b JOIN registry.credits c ON c.id = b.credit WHERE b.person = ANY($1) ORDER BY c.earned_at, c.id`, people)
	if err != nil {
		return nil, fmt.Errorf("select blocks: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (b ownedBlock, err error) {
		err = row.Scan(&b.Credit, &b.Person, &b.Course, &b.Title, &b.EarnedAt, &b.During.From, &b.During.Until)
		return b, err
	})
}

func selectPolicyOf(ctx context.Context, tx pgx.Tx, id lms.CreditID) (lms.PolicyID, error) {
	return pg.Value[lms.PolicyID](ctx, tx, "select policy of credit", `SELECT policy FROM registry.decisions WHERE credit = $1 ORDER BY recorded_at DESC, id DESC LIMIT 1`, id)
}

func deleteBlock(ctx context.Context, tx pgx.Tx, id lms.CreditID) error {
	return pg.Exec(ctx, tx, "delete block", `DELETE FROM registry.credit_blocks WHERE credit = $1`, id)
}

func updateBlocksPerson(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) error {
	return pg.Exec(ctx, tx, "move blocks", `UPDATE registry.credit_blocks SET person = $2 WHERE person = $1`, from, into)
}
