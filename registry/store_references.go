package registry

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectOthers is what other people have under a reference, the oldest first, or would
// have by rows of an import that are foreseen. Who asks at the same time waits.
func selectOthers(ctx context.Context, tx pgx.Tx, who lms.PersonID, id ImportID, record string) ([]numbered, error) {
	if record == "" {
		return nil, nil
	}
	if err := pg.Exec(ctx, tx, "lock reference", `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, record); err != nil {
		return nil, err
	}
	return pg.Rows[numbered](ctx, tx, "select records of others", `SELECT * FROM (SELECT g.credit, c.sponsor, g.record
		FROM registry.credit_references g JOIN registry.credits c ON c.id = g.credit JOIN accounts.pub_identities i ON i.person = c.person
		WHERE g.record = $1 AND g.stands AND i.canonical <> $2
		UNION ALL SELECT 0, r.said ->> 'sponsor', $1 FROM registry.import_rows r JOIN registry.imports p ON p.id = r.import JOIN accounts.pub_mopd_ids m ON m.mopd_id = r.mopd_id
		WHERE r.import = $3 AND r.said ->> 'reference' = $1 AND r.said ->> 'reference' <> '' AND p.state IN ('reading', 'checking') AND r.look = p.look
			AND r.outcome IN ('credited', 'held', 'denied') AND m.person <> $2
		) o ORDER BY credit = 0, credit`, record, who, id)
}

// insertReference guards the reference of a credit, beside another credit or, for 0, alone.
func insertReference(ctx context.Context, tx pgx.Tx, id, beside lms.CreditID) error {
	return pg.Exec(ctx, tx, "insert reference", `INSERT INTO registry.credit_references AS r (credit, sponsor, record, together)
		SELECT id, lower(sponsor), record, coalesce((SELECT together FROM registry.credit_references WHERE credit = $2), nextval('registry.guard_groups')) FROM registry.credits WHERE id = $1 AND record <> ''
		ON CONFLICT (credit) DO UPDATE SET stands = true, together = CASE WHEN $2 = 0 THEN r.together ELSE excluded.together END`, id, beside)
}

// freeReference lets the reference of a credit be another person's.
func freeReference(ctx context.Context, tx pgx.Tx, id lms.CreditID) error {
	return pg.Exec(ctx, tx, "free reference", `UPDATE registry.credit_references SET stands = false WHERE credit = $1`, id)
}
