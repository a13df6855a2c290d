package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

func selectFactors(ctx context.Context, db pg.Querier, p lms.PersonID) ([]Factor, error) {
	return pg.Rows[Factor](ctx, db, "select factors", `SELECT id, kind, label, coalesce(phone, '') AS phone, made_at, used_at, confirmed_at IS NOT NULL AS confirmed
		FROM accounts.factors WHERE person = $1 ORDER BY coalesce(used_at, confirmed_at) DESC NULLS LAST, id`, p)
}

func selectSecret(ctx context.Context, db pg.Querier, id int64) ([]byte, error) {
	return pg.Value[[]byte](ctx, db, "select secret", `SELECT secret FROM accounts.factors WHERE id = $1 AND kind = 'authenticator'`, id)
}

type sealedSecret struct {
	ID     int64
	Secret []byte
}

// selectSecrets are the next sealed secrets after a factor.
func selectSecrets(ctx context.Context, db pg.Querier, after int64) ([]sealedSecret, error) {
	return pg.Rows[sealedSecret](ctx, db, "select secrets", `SELECT id, secret FROM accounts.factors
		WHERE kind = 'authenticator' AND secret <> '' AND id > $1 ORDER BY id LIMIT 500`, after)
}

// replaceSecret replaces a sealed secret that is still the same.
func replaceSecret(ctx context.Context, db pg.Execer, id int64, old, sealed []byte) error {
	return pg.Exec(ctx, db, "replace secret", `UPDATE accounts.factors SET secret = $3 WHERE id = $1 AND secret = $2`, id, old, sealed)
}

// insertAuthenticator makes one that is not confirmed and whose secret is still to be
// sealed under its id.
func insertAuthenticator(ctx context.Context, tx pgx.Tx, p lms.PersonID, label string, now time.Time) (int64, error) {
	return pg.Value[int64](ctx, tx, "insert authenticator", `INSERT INTO accounts.factors (person, kind, label, secret, made_at)
		VALUES ($1, 'authenticator', $2, '', $3) RETURNING id`, p, label, now)
}

func updateSecret(ctx context.Context, tx pgx.Tx, id int64, sealed []byte) error {
	return pg.Exec(ctx, tx, "update secret", `UPDATE accounts.factors SET secret = $2 WHERE id = $1`, id, sealed)
}

func insertPhone(ctx context.Context, tx pgx.Tx, p lms.PersonID, phone, label string, now time.Time) (int64, error) {
	return pg.Value[int64](ctx, tx, "insert phone", `INSERT INTO accounts.factors (person, kind, label, phone, made_at)
		VALUES ($1, 'text', $2, $3, $4) RETURNING id`, p, label, phone, now)
}

func insertEmailFactor(ctx context.Context, tx pgx.Tx, p lms.PersonID, now time.Time) (int64, error) {
	return pg.Value[int64](ctx, tx, "insert e-mail factor", `INSERT INTO accounts.factors (person, kind, label, made_at, confirmed_at)
		VALUES ($1, 'email', '', $2, $2) RETURNING id`, p, now)
}

func insertPasskey(ctx context.Context, tx pgx.Tx, p lms.PersonID, c *webauthn.Credential, label string, now time.Time) (int64, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("passkey: %w", err)
	}
	return pg.Value[int64](ctx, tx, "insert passkey", `INSERT INTO accounts.factors (person, kind, label, credential, credential_id, made_at, confirmed_at)
		VALUES ($1, 'passkey', $2, $3, $4, $5, $5) RETURNING id`, p, label, b, c.ID, now)
}

func selectCredentials(ctx context.Context, db pg.Querier, p lms.PersonID) ([]webauthn.Credential, error) {
	return pg.Values[webauthn.Credential](ctx, db, "select passkeys", `SELECT credential FROM accounts.factors WHERE person = $1 AND kind = 'passkey' ORDER BY id`, p)
}

// updateCredential keeps what a passkey said of itself when it was used.
func updateCredential(ctx context.Context, tx pgx.Tx, p lms.PersonID, c *webauthn.Credential, now time.Time) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("passkey: %w", err)
	}
	return pg.Exec(ctx, tx, "update passkey", `UPDATE accounts.factors SET credential = $3, used_at = $4 WHERE person = $1 AND credential_id = $2`, p, c.ID, b, now)
}

func confirmFactor(ctx context.Context, tx pgx.Tx, id int64, now time.Time) error {
	return pg.Exec(ctx, tx, "confirm factor", `UPDATE accounts.factors SET confirmed_at = $2 WHERE id = $1`, id, now)
}

// useStep uses a time step up: of many who try, one succeeds, and an older step never
// does.
func useStep(ctx context.Context, tx pgx.Tx, id, step int64, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "use time step", `UPDATE accounts.factors SET last_step = $2, used_at = $3 WHERE id = $1 AND last_step < $2`, id, step, now)
}

func touchFactor(ctx context.Context, tx pgx.Tx, id int64, now time.Time) error {
	return pg.Exec(ctx, tx, "touch factor", `UPDATE accounts.factors SET used_at = $2 WHERE id = $1`, id, now)
}

func deleteUnconfirmed(ctx context.Context, tx pgx.Tx, p lms.PersonID, kind Kind) error {
	return pg.Exec(ctx, tx, "delete unconfirmed factor", `DELETE FROM accounts.factors WHERE person = $1 AND kind = $2 AND confirmed_at IS NULL`, p, kind)
}

func deleteFactor(ctx context.Context, tx pgx.Tx, p lms.PersonID, id int64) error {
	return pg.Exec(ctx, tx, "delete factor", `DELETE FROM accounts.factors WHERE person = $1 AND id = $2`, p, id)
}

// deleteReplaced removes every factor but one, and the recovery codes, where the
// session was opened to replace them.
func deleteReplaced(ctx context.Context, tx pgx.Tx, p lms.PersonID, session lms.SessionID, keep int64) error {
	const replacing = `EXISTS (SELECT FROM accounts.sessions WHERE id = $2 AND person = $1 AND replaces)`
	if err := pg.Exec(ctx, tx, "delete replaced factors", `DELETE FROM accounts.factors WHERE person = $1 AND id <> $3 AND `+replacing, p, session, keep); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "delete replaced recovery codes", `DELETE FROM accounts.recovery_codes WHERE person = $1 AND `+replacing, p, session)
}

func selectRecoveryCodes(ctx context.Context, db pg.Querier, p lms.PersonID) ([]string, error) {
	return pg.Values[string](ctx, db, "select recovery codes", `SELECT hash FROM accounts.recovery_codes WHERE person = $1 AND used_at IS NULL`, p)
}

func countRecoveryCodes(ctx context.Context, db pg.Querier, p lms.PersonID) (int, error) {
	return pg.Value[int](ctx, db, "count recovery codes", `SELECT count(*) FROM accounts.recovery_codes WHERE person = $1 AND used_at IS NULL`, p)
}

func replaceRecoveryCodes(ctx context.Context, tx pgx.Tx, p lms.PersonID, hashes []string, now time.Time) error {
	if err := pg.Exec(ctx, tx, "delete recovery codes", `DELETE FROM accounts.recovery_codes WHERE person = $1`, p); err != nil {
		return err
	}
	return pg.Exec(ctx, tx, "insert recovery codes", `INSERT INTO accounts.recovery_codes (person, hash, made_at) SELECT $1, unnest($2::text[]), $3`, p, hashes, now)
}

func useRecoveryCode(ctx context.Context, tx pgx.Tx, p lms.PersonID, hash string, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "use recovery code", `UPDATE accounts.recovery_codes SET used_at = $3 WHERE person = $1 AND hash = $2 AND used_at IS NULL`, p, hash, now)
}

func upsertCode(ctx context.Context, tx pgx.Tx, v lms.Viewer, purpose, hash string, now time.Time) error {
	return pg.Exec(ctx, tx, "upsert code", `INSERT INTO accounts.codes (person, session, purpose, hash, made_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (person, session, purpose) DO UPDATE SET hash = EXCLUDED.hash, tries = 0, made_at = EXCLUDED.made_at`, v.ID, v.Session, purpose, hash, now)
}

// countCodeTry counts a try at a code and gives its hash.
//
// Errors: lms.ErrNotFound where there is no code that can still be tried.
func countCodeTry(ctx context.Context, db pg.Querier, v lms.Viewer, purpose string, most int, madeAfter time.Time) (string, error) {
	return pg.Value[string](ctx, db, "count try at code", `UPDATE accounts.codes SET tries = tries + 1
		WHERE person = $1 AND session = $2 AND purpose = $3 AND tries < $4 AND made_at > $5 RETURNING hash`, v.ID, v.Session, purpose, most, madeAfter)
}

func deleteCode(ctx context.Context, tx pgx.Tx, v lms.Viewer, purpose, hash string) (bool, error) {
	return pg.Changed(ctx, tx, "delete code", `DELETE FROM accounts.codes WHERE person = $1 AND session = $2 AND purpose = $3 AND hash = $4`, v.ID, v.Session, purpose, hash)
}

func insertReminderChoice(ctx context.Context, db pg.Execer, p lms.PersonID, byText bool, now time.Time) error {
	return pg.Exec(ctx, db, "insert reminder choice", `INSERT INTO accounts.reminder_choices (person, by_text, recorded_at) VALUES ($1, $2, $3)`, p, byText, now)
}

// selectReminderChoice is the choice made last; who made none gets no text messages.
func selectReminderChoice(ctx context.Context, db pg.Querier, p lms.PersonID) (bool, error) {
	return pg.Value[bool](ctx, db, "select reminder choice", `SELECT coalesce((SELECT by_text FROM accounts.reminder_choices WHERE person = $1 ORDER BY id DESC LIMIT 1), false)`, p)
}
