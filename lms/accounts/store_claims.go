package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// selectTries are the claims of a MOPD ID since an instant, the oldest first.
func selectTries(ctx context.Context, tx pgx.Tx, id lms.MOPDID, madeAfter time.Time) ([]claimTry, error) {
	return pg.Rows[claimTry](ctx, tx, "select claims", `SELECT family, born, lang, origin AS "from", made_at AS at FROM accounts.claims
		WHERE mopd_id = $1 AND made_at > $2 ORDER BY made_at`, id, madeAfter)
}

func insertClaim(ctx context.Context, tx pgx.Tx, tokenHash []byte, c typedClaim, listed bool, now time.Time) error {
	return pg.Exec(ctx, tx, "insert claim", `INSERT INTO accounts.claims (token_hash, mopd_id, family, born, lang, origin, listed, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tokenHash, c.MOPDID, c.Family, c.Born, c.Lang, c.From, listed, now)
}

type claimRow struct {
	MOPDID lms.MOPDID `db:"mopd_id"`
	Family string
	Born   lms.Date
	Lang   string
	Listed bool
	Person lms.PersonID // 0 while nobody was found
}

func (c claimRow) typed() typedClaim {
	return typedClaim{MOPDID: c.MOPDID, Family: c.Family, Born: c.Born, Lang: c.Lang}
}

func selectClaim(ctx context.Context, db pg.Querier, tokenHash []byte, madeAfter time.Time) (claimRow, error) {
	return pg.Row[claimRow](ctx, db, "select claim", `SELECT mopd_id, family, born, lang, listed, coalesce(person, 0) AS person FROM accounts.claims
		WHERE token_hash = $1 AND made_at > $2`, tokenHash, madeAfter)
}

func selectProvedClaim(ctx context.Context, db pg.Querier, tokenHash []byte, provedAfter time.Time) (claimRow, error) {
	return pg.Row[claimRow](ctx, db, "select proved claim", `SELECT mopd_id, family, born, lang, listed, coalesce(person, 0) AS person FROM accounts.claims
		WHERE token_hash = $1 AND proved_at > $2`, tokenHash, provedAfter)
}

func updateClaimFound(ctx context.Context, tx pgx.Tx, tokenHash []byte, p lms.PersonID, codeHash string) error {
	return pg.Exec(ctx, tx, "update claim", `UPDATE accounts.claims SET person = $2, code_hash = $3 WHERE token_hash = $1`, tokenHash, p, codeHash)
}

// codeTry is what a try at a claim's code is about: zero if the claim fits nobody.
type codeTry struct {
	Person lms.PersonID
	Hash   string
}

// countClaimTry counts a try at a claim's code.
//
// Errors: lms.ErrNotFound where nothing can be tried any more.
func countClaimTry(ctx context.Context, db pg.Querier, tokenHash []byte, most int, madeAfter time.Time) (codeTry, error) {
	return pg.Row[codeTry](ctx, db, "count try at claim", `UPDATE accounts.claims SET tries = tries + 1
		WHERE token_hash = $1 AND tries < $2 AND made_at > $3 AND proved_at IS NULL RETURNING coalesce(person, 0) AS person, coalesce(code_hash, '') AS hash`, tokenHash, most, madeAfter)
}

// updateClaimProved moves a claim to a new token: who only knows the old one gets no
// further.
func updateClaimProved(ctx context.Context, db pg.Execer, tokenHash, next []byte, now time.Time) (bool, error) {
	return pg.Changed(ctx, db, "prove claim", `UPDATE accounts.claims SET token_hash = $2, proved_at = $3 WHERE token_hash = $1 AND proved_at IS NULL`, tokenHash, next, now)
}

func deleteClaim(ctx context.Context, tx pgx.Tx, tokenHash []byte) (bool, error) {
	return pg.Changed(ctx, tx, "delete claim", `DELETE FROM accounts.claims WHERE token_hash = $1`, tokenHash)
}

func deleteOldClaims(ctx context.Context, db pg.Execer, madeBy time.Time) error {
	return pg.Exec(ctx, db, "delete old claims", `DELETE FROM accounts.claims WHERE made_at <= $1`, madeBy)
}

func selectProfile(ctx context.Context, db pg.Querier, id lms.MOPDID) (profile, error) {
	return pg.Row[profile](ctx, db, "select profile", `SELECT p.id AS person, p.born,
			ARRAY(SELECT DISTINCT n.family FROM accounts.names n JOIN accounts.pub_identities o ON o.person = n.person WHERE o.canonical = p.id ORDER BY n.family) AS families,
			coalesce((SELECT f.email FROM accounts.profiles f JOIN accounts.pub_identities o ON o.person = f.person WHERE o.canonical = p.id ORDER BY f.email = '', f.person <> p.id LIMIT 1), '') AS email,
			EXISTS (SELECT FROM accounts.profiles f JOIN accounts.pub_identities o ON o.person = f.person WHERE o.canonical = p.id) AS imported,
			EXISTS (SELECT FROM accounts.logins l WHERE l.person = p.id)
				OR EXISTS (SELECT FROM accounts.profiles f JOIN accounts.pub_identities o ON o.person = f.person WHERE o.canonical = p.id AND f.claimed_at IS NOT NULL) AS claimed
		FROM accounts.mopd_ids i JOIN accounts.pub_identities m ON m.person = i.person JOIN accounts.people p ON p.id = m.canonical
		WHERE i.id = $1`, id)
}

// updateProfilesClaimed marks a person's profiles claimed; false if none was waiting.
func updateProfilesClaimed(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "claim profile", `UPDATE accounts.profiles SET claimed_at = $2
		WHERE claimed_at IS NULL AND person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1)`, p, now)
}

// selectNumbers are all MOPD IDs that lead to a person, the newest of their own first.
func selectNumbers(ctx context.Context, db pg.Querier, p lms.PersonID) ([]lms.MOPDID, error) {
	return pg.Values[lms.MOPDID](ctx, db, "select MOPD IDs", `SELECT i.id FROM accounts.mopd_ids i JOIN accounts.pub_identities o ON o.person = i.person
		WHERE o.canonical = $1 ORDER BY i.person <> $1, i.recorded_at DESC, i.id`, p)
}

// claimTry is what was typed, as a registrar sees it.
type claimTry struct {
	Family string    `json:"family"`
	Born   lms.Date  `json:"born"`
	Lang   string    `json:"lang"`
	From   string    `json:"from"`
	At     time.Time `json:"at"`
}

// upsertClaimItem lets a registrar see a claim that does not get through: one item for
// a MOPD ID, with every try, the last one last.
func upsertClaimItem(ctx context.Context, tx pgx.Tx, id lms.MOPDID, tries []claimTry, now time.Time) error {
	return pg.Exec(ctx, tx, "upsert worklist item", `INSERT INTO accounts.worklist AS w (kind, details, opened_at)
		VALUES ('claim', jsonb_build_object('mopd_id', $1::integer, 'asks', '[]'::jsonb, 'tries', $2::jsonb), $4)
		ON CONFLICT ((details ->> 'mopd_id')) WHERE kind = 'claim' AND closed_at IS NULL
		DO UPDATE SET details = jsonb_set(w.details, '{tries}', w.details -> 'tries' || $3::jsonb)`,
		id, tries, tries[len(tries)-1], now)
}

// appendClaimAsk adds how somebody can be reached, and keeps the last ones.
//
// Errors: lms.ErrNotFound once a registrar has decided.
func appendClaimAsk(ctx context.Context, tx pgx.Tx, id lms.MOPDID, ask Contact, kept int) error {
	open, err := pg.Changed(ctx, tx, "update worklist item", `UPDATE accounts.worklist
		SET details = jsonb_set(details, '{asks}', jsonb_path_query_array(details -> 'asks' || $2::jsonb, '$[last - $n to last]', jsonb_build_object('n', $3::integer - 1)))
		WHERE kind = 'claim' AND closed_at IS NULL AND details ->> 'mopd_id' = $1::integer::text`, id, ask, kept)
	if err == nil && !open {
		return lms.ErrNotFound
	}
	return err
}

// settleClaimItem closes what a registrar was told of a claim that got through.
func settleClaimItem(ctx context.Context, tx pgx.Tx, id lms.MOPDID, now time.Time) error {
	return pg.Exec(ctx, tx, "settle worklist item", `UPDATE accounts.worklist SET closed_at = $2, outcome = 'claimed'
		WHERE kind = 'claim' AND closed_at IS NULL AND details ->> 'mopd_id' = $1::integer::text`, id, now)
}
