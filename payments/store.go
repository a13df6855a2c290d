package payments

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Whose an order is follows the profile under which somebody ordered.
const order = `SELECT o.id, (SELECT canonical FROM accounts.pub_identities i WHERE i.person = o.payer) AS payer, o.total, o.lang, o.state, o.key::text AS key,
		o.expires_at, coalesce(o.session, '') AS session, o.url, coalesce(o.payment_intent, '') AS payment_intent, o.created_at, o.asked_at, o.paid_at, o.ended_at, o.why,
		l.id AS line, l.course, l.version, l.code, l.title, l.sponsor, l.quarters AS hours, l.unit_price AS price, l.quantity,
		s.id AS seat_id, s.state AS seat_state, coalesce(s.enrollment, 0) AS enrollment
	FROM payments.orders o JOIN payments.lines l ON l."order" = o.id JOIN payments.seats s ON s.line = l.id`

func selectOrder(ctx context.Context, db pg.Querier, id OrderID) (Order, error) {
	return pg.Row[Order](ctx, db, "select order", order+` WHERE o.id = $1`, id)
}

// lockOrder is an order that nobody else changes until the transaction ends.
func lockOrder(ctx context.Context, tx pgx.Tx, id OrderID) (Order, error) {
	if _, err := pg.Value[OrderID](ctx, tx, "lock order", `SELECT id FROM payments.orders WHERE id = $1 FOR NO KEY UPDATE`, id); err != nil {
		return Order{}, err
	}
	return selectOrder(ctx, tx, id)
}

func selectOrdersOf(ctx context.Context, db pg.Querier, p lms.PersonID) ([]Order, error) {
	return pg.Rows[Order](ctx, db, "select orders", order+`
		WHERE o.payer IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY o.created_at DESC, o.id DESC`, p)
}

// selectUnsettled is the order for a course that somebody may still pay or has not
// settled.
func selectUnsettled(ctx context.Context, db pg.Querier, p lms.PersonID, c lms.CourseID) (Order, error) {
	return pg.Row[Order](ctx, db, "select unsettled order", order+`
		WHERE s.state = 'reserved' AND s.course = $2 AND s.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) ORDER BY o.id LIMIT 1`, p, c)
}

func selectOrderID(ctx context.Context, db pg.Querier, session string) (OrderID, error) {
	return pg.Value[OrderID](ctx, db, "select order of session", `SELECT id FROM payments.orders WHERE session = $1`, session)
}

func selectOrderIDByIntent(ctx context.Context, db pg.Querier, intent string) (OrderID, error) {
	return pg.Value[OrderID](ctx, db, "select order of payment intent", `SELECT id FROM payments.orders WHERE payment_intent = $1`, intent)
}

// selectLapsed is the open orders whose time to pay is over.
func selectLapsed(ctx context.Context, db pg.Querier, before time.Time) ([]OrderID, error) {
	return pg.Values[OrderID](ctx, db, "select lapsed orders", `SELECT id FROM payments.orders WHERE state = 'open' AND expires_at < $1 ORDER BY expires_at LIMIT 500`, before)
}

func insertOrder(ctx context.Context, tx pgx.Tx, p lms.PersonID, c lms.Course, lang string, now time.Time) (OrderID, error) {
	return pg.Value[OrderID](ctx, tx, "insert order", `WITH o AS (
			INSERT INTO payments.orders (payer, total, lang, expires_at, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id
		), l AS (
			INSERT INTO payments.lines ("order", course, version, code, title, sponsor, quarters, unit_price)
			SELECT id, $6, $7, $8, $9, $10, $11, $2 FROM o RETURNING id
		), s AS (
			INSERT INTO payments.seats (line, person, course, state) SELECT id, $1, $6, 'reserved' FROM l
		) SELECT id FROM o`, p, c.Fee, lang, now.Add(checkoutTime), now, c.ID, c.Version, c.Code, c.Title, c.Sponsor, c.Hours)
}

// updateSession keeps the Checkout session that Stripe made for an order.
func updateSession(ctx context.Context, db pg.Execer, id OrderID, session, url string) error {
	return pg.Exec(ctx, db, "keep Checkout session", `UPDATE payments.orders SET session = $2, url = $3 WHERE id = $1 AND session IS NULL`, id, session, url)
}

// updateAsked notes that the return page asks Stripe, and tells whether it is the first.
func updateAsked(ctx context.Context, db pg.Execer, id OrderID, now time.Time) (first bool, err error) {
	return pg.Changed(ctx, db, "note that Stripe is asked", `UPDATE payments.orders SET asked_at = $2 WHERE id = $1 AND asked_at IS NULL`, id, now)
}

func updateOrder(ctx context.Context, tx pgx.Tx, o Order) error {
	return pg.Exec(ctx, tx, "update order", `UPDATE payments.orders SET state = $2, why = $3, paid_at = $4, ended_at = $5, payment_intent = nullif($6, '') WHERE id = $1`,
		o.ID, o.State, o.Why, o.PaidAt, o.EndedAt, o.PaymentIntent)
}

func updateSeat(ctx context.Context, tx pgx.Tx, s Seat, now time.Time) error {
	return pg.Exec(ctx, tx, "update seat", `UPDATE payments.seats SET state = $2, enrollment = nullif($3, 0),
			granted_at = CASE WHEN $2 IN ('granted', 'revoked') THEN coalesce(granted_at, $4) END,
			ended_at = CASE WHEN $2 IN ('revoked', 'released') THEN coalesce(ended_at, $4) END WHERE id = $1`,
		s.SeatID, s.SeatState, s.Enrollment, now)
}

// Event is a webhook event as it came.
type Event struct {
	ID         string
	Type       string
	APIVersion string
	Livemode   bool
	Object     string // id of what it is about
	CreatedAt  time.Time
	Payload    json.RawMessage
	Via        string // "webhook", or "list" when List Events found it
}

// insertEvent tells whether the event is new.
func insertEvent(ctx context.Context, tx pgx.Tx, e Event, now time.Time) (bool, error) {
	return pg.Changed(ctx, tx, "insert event", `INSERT INTO payments.events (id, type, api_version, livemode, object, created_at, received_at, payload, via)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`,
		e.ID, e.Type, e.APIVersion, e.Livemode, e.Object, e.CreatedAt, now, e.Payload, e.Via)
}

func selectEvent(ctx context.Context, db pg.Querier, id string) (Event, error) {
	return pg.Row[Event](ctx, db, "select event", `SELECT id, type, api_version, livemode, object, created_at, payload, via FROM payments.events WHERE id = $1`, id)
}

// selectMissed is the ids of those events of a list that are not kept.
func selectMissed(ctx context.Context, db pg.Querier, list []Event) ([]string, error) {
	ids := make([]string, len(list))
	for i, e := range list {
		ids[i] = e.ID
	}
	return pg.Values[string](ctx, db, "select missed events", `SELECT id FROM unnest($1::text[]) AS listed (id) WHERE NOT EXISTS (SELECT FROM payments.events e WHERE e.id = listed.id)`, ids)
}

func updateProcessed(ctx context.Context, db pg.Execer, id, outcome string, now time.Time) error {
	return pg.Exec(ctx, db, "note processed event", `UPDATE payments.events SET processed_at = $2, outcome = $3 WHERE id = $1 AND processed_at IS NULL`, id, now, outcome)
}

// selectUnprocessed is events that have waited too long for their job.
func selectUnprocessed(ctx context.Context, db pg.Querier, before time.Time) ([]string, error) {
	return pg.Values[string](ctx, db, "select unprocessed events", `SELECT id FROM payments.events WHERE processed_at IS NULL AND received_at < $1 ORDER BY received_at LIMIT 1000`, before)
}
