package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// listed are the people whom a query finds, by whatever they hold or held; $1 to $3 are
// its parts. A profile that was merged away leads to the one that stays.
const listed = `(SELECT DISTINCT coalesce(p.merged_into, p.id) AS person FROM accounts.people p WHERE p.id IN (
		SELECT person FROM accounts.names WHERE accounts.name_words(given, family) @@ accounts.fold(nullif($1, ''))::tsquery
		UNION SELECT person FROM accounts.mopd_ids WHERE id = $2::bigint
		UNION SELECT person FROM accounts.addresses WHERE lower(email) ~>=~ nullif($3, '') AND lower(email) ~<~ ($3 || chr(1114111))
		UNION SELECT person FROM accounts.logins WHERE lower(email) ~>=~ nullif($3, '') AND lower(email) ~<~ ($3 || chr(1114111))
	))`

func countListed(ctx context.Context, db pg.Querier, q query) (int, error) {
	return pg.Value[int](ctx, db, "count people", `SELECT count(*) FROM `+listed+` l`, q.names, q.number, q.address)
}

func selectFound(ctx context.Context, db pg.Querier, q query) ([]lms.PersonID, error) {
	return pg.Values[lms.PersonID](ctx, db, "find people", `SELECT person FROM `+listed+` l`, q.names, q.number, q.address)
}

// selectListed are some of the people whom a query finds, in the order of their names.
func selectListed(ctx context.Context, db pg.Querier, q query, limit, offset int) ([]Listed, error) {
	rows, err := pg.Rows[struct {
		personRow
		SignedInAt *time.Time
		Disabled   bool
	}](ctx, db, "select people", `WITH page AS (
			SELECT l.person, lower(n.family) AS family, lower(n.given) AS given FROM `+listed+` l
				JOIN LATERAL (SELECT given, family FROM accounts.names WHERE person = l.person ORDER BY recorded_at DESC LIMIT 1) n ON true
			ORDER BY 2, 3, 1 LIMIT $4 OFFSET $5
		) SELECT `+personColumns+`,
			(SELECT a.at FROM accounts.audit a WHERE a.subject = p.id AND a.action = 'signed_in' ORDER BY a.id DESC LIMIT 1) AS signed_in_at,
			EXISTS (SELECT FROM accounts.disablings d WHERE d.person = p.id) AS disabled
		FROM page JOIN `+personTables+` ON p.id = page.person
		ORDER BY page.family, page.given, page.person`, q.names, q.number, q.address, limit, offset)
	people := make([]Listed, len(rows))
	for i, row := range rows {
		people[i] = Listed{lms.Person(row.personRow), row.SignedInAt, row.Disabled}
	}
	return people, err
}

// selectSignedInAt is when a person signed in last, nil if they never did.
func selectSignedInAt(ctx context.Context, db pg.Querier, p lms.PersonID) (*time.Time, error) {
	return pg.Value[*time.Time](ctx, db, "select last sign-in", `SELECT
		(SELECT at FROM accounts.audit WHERE subject = $1 AND action = 'signed_in' ORDER BY id DESC LIMIT 1)`, p)
}

// selectWhoStays is the person that a profile belongs to today.
//
// Errors: lms.ErrNotFound.
func selectWhoStays(ctx context.Context, db pg.Querier, p lms.PersonID) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, db, "select who stays", `SELECT canonical FROM accounts.pub_identities WHERE person = $1`, p)
}

// selectNames are a person's names, also those of profiles that were merged into
// theirs, the one in use first.
func selectNames(ctx context.Context, db pg.Querier, p lms.PersonID) ([]Name, error) {
	return pg.Rows[Name](ctx, db, "select names", `SELECT given, family, recorded_at FROM accounts.names
		WHERE person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY person = $1 DESC, recorded_at DESC`, p)
}

// selectMOPDIDs are a person's numbers, also those of profiles that were merged into
// theirs, the one in use first.
func selectMOPDIDs(ctx context.Context, db pg.Querier, p lms.PersonID) ([]lms.MOPDID, error) {
	return pg.Values[lms.MOPDID](ctx, db, "select MOPD IDs", `SELECT id FROM accounts.mopd_ids
		WHERE person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY person = $1 DESC, recorded_at DESC, id`, p)
}

func updateBorn(ctx context.Context, tx pgx.Tx, p lms.PersonID, born lms.Date) error {
	return pg.Exec(ctx, tx, "update date of birth", `UPDATE accounts.people SET born = $2 WHERE id = $1`, p, born)
}

func insertRole(ctx context.Context, tx pgx.Tx, p lms.PersonID, r lms.Role) error {
	return pg.Exec(ctx, tx, "insert role", `INSERT INTO accounts.roles (person, role) VALUES ($1, $2)`, p, r)
}

func deleteRole(ctx context.Context, tx pgx.Tx, p lms.PersonID, r lms.Role) error {
	return pg.Exec(ctx, tx, "delete role", `DELETE FROM accounts.roles WHERE person = $1 AND role = $2`, p, r)
}

// countOtherHolders is how many people beside somebody have a role and may sign in.
func countOtherHolders(ctx context.Context, db pg.Querier, r lms.Role, than lms.PersonID) (int, error) {
	return pg.Value[int](ctx, db, "count holders of a role", `SELECT count(*) FROM accounts.roles r JOIN accounts.logins l ON l.person = r.person
		WHERE r.role = $1 AND r.person <> $2 AND NOT EXISTS (SELECT FROM accounts.disablings d WHERE d.person = r.person)`, r, than)
}

// selectProtected tells whether somebody can sign in to a profile with a factor that
// staff may use (Kind.Strong).
func selectProtected(ctx context.Context, db pg.Querier, p lms.PersonID) (bool, error) {
	return pg.Value[bool](ctx, db, "select protection", `SELECT EXISTS (SELECT FROM accounts.logins WHERE person = $1)
		AND EXISTS (SELECT FROM accounts.factors WHERE person = $1 AND confirmed_at IS NOT NULL AND kind IN ('authenticator', 'passkey'))`, p)
}
