package accounts

import (
	"context"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectAudit are lines of the audit trail, the newest first. Conditions that are not
// given must not cost anything, so each query is planned with its own values.
func selectAudit(ctx context.Context, db pg.Querier, f AuditFilter, limit int) ([]AuditLine, error) {
	since, until := f.instants()
	return pg.Rows[AuditLine](ctx, db, "select audit", `SELECT a.id, a.at, a.action, a.object, a.note, a.origin,
			coalesce(a.actor, 0) AS actor, coalesce(a.subject, 0) AS subject,
			coalesce((SELECT given || ' ' || family FROM accounts.names WHERE person = a.actor ORDER BY recorded_at DESC LIMIT 1), '') AS actor_name,
			coalesce((SELECT id FROM accounts.mopd_ids WHERE person = a.actor ORDER BY recorded_at DESC, id LIMIT 1), 0) AS actor_mopd_id,
			ARRAY(SELECT role FROM accounts.roles WHERE person = a.actor ORDER BY role) AS actor_roles,
			coalesce((SELECT given || ' ' || family FROM accounts.names WHERE person = a.subject ORDER BY recorded_at DESC LIMIT 1), '') AS subject_name,
			coalesce((SELECT id FROM accounts.mopd_ids WHERE person = a.subject ORDER BY recorded_at DESC, id LIMIT 1), 0) AS subject_mopd_id
		FROM (SELECT * FROM accounts.audit
			WHERE ($1::bigint = 0 OR subject = ANY(ARRAY(SELECT person FROM accounts.pub_identities WHERE canonical = $1))
					OR actor = ANY(ARRAY(SELECT person FROM accounts.pub_identities WHERE canonical = $1)))
				AND ($2::bigint = 0 OR subject = ANY(ARRAY(SELECT person FROM accounts.pub_identities WHERE canonical = $2))) AND (NOT $3 OR actor <> subject)
				AND ($4 = '' OR action = $4) AND ($5::timestamptz IS NULL OR at >= $5) AND ($6::timestamptz IS NULL OR at < $6)
				AND ($7::bigint = 0 OR id < $7)
			ORDER BY id DESC LIMIT $8) a
		ORDER BY a.id DESC`, pgx.QueryExecModeCacheDescribe,
		int64(f.Person), int64(f.Subject), f.ByOthers, f.Action, since, until, f.Before, limit)
}

// selectPersonBy finds whose MOPD ID, or whose e-mail address for signing in, it is.
//
// Errors: lms.ErrNotFound.
func selectPersonBy(ctx context.Context, db pg.Querier, typed string) (lms.PersonID, error) {
	return pg.Value[lms.PersonID](ctx, db, "select person by number or address", `SELECT canonical FROM accounts.pub_identities WHERE person IN (
		SELECT person FROM accounts.mopd_ids WHERE id::text = $1 UNION SELECT person FROM accounts.logins WHERE lower(email) = lower($1))`, typed)
}
