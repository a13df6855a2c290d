package registry

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// claimed is a credit as it was claimed, with what stands of it.
type claimed struct {
	ID        lms.CreditID
	Person    lms.PersonID // who has it today
	Reference string       // of where it came from
	Course    lms.CourseID // 0 if it is of no course here
	Title     string
	Sponsor   string
	EarnedOn  lms.Date
	Claimed   lms.Hours
	Status    lms.CreditStatus
	Hours     lms.Hours
	Reason    string       // of the latest decision
	By        lms.PersonID // who made it; 0: the rules
	SafeSleep bool
	EarnedAt  time.Time
	Starts    *time.Time // of the session; nil if it is not known
	Ends      *time.Time
}

// Stands is the key of the words for what the latest decision makes of it.
func (c claimed) Stands() string { return standsText(c.Status, c.Reason) }

// session is when the credit was attended; nil if it is not known.
func (c claimed) session() *Session {
	if c.Starts == nil {
		return nil
	}
	return &Session{*c.Starts, *c.Ends}
}

const credits = `SELECT c.id, i.canonical AS person, c.reference, coalesce(c.course, 0) AS course, c.title, c.sponsor, c.earned_on, c.quarters AS claimed, d.status, d.quarters AS hours, d.reason, coalesce(d.decided_by, 0) AS by, c.safe_sleep, c.earned_at, lower(c.session) AS starts, upper(c.session) AS ends
		FROM registry.credits c JOIN accounts.pub_identities i ON i.person = c.person
		JOIN LATERAL (SELECT status, quarters, reason, decided_by FROM registry.decisions WHERE credit = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true`

func selectClaimed(ctx context.Context, db pg.Querier, id lms.CreditID) (claimed, error) {
	return pg.Row[claimed](ctx, db, "select credit", credits+` WHERE c.id = $1`, id)
}

// Decided is a decision about a credit, as its history shows it.
type Decided struct {
	At         time.Time
	Status     lms.CreditStatus
	Hours      lms.Hours
	Reason     string
	Note       string
	ByName     string // "" if nobody did
	PolicyFrom lms.Date
	Policy     string
}

func selectDecided(ctx context.Context, db pg.Querier, id lms.CreditID) ([]Decided, error) {
	return pg.Rows[Decided](ctx, db, "select decisions", `SELECT d.recorded_at AS at, d.status, d.quarters AS hours, d.reason, d.note, coalesce(p.given || ' ' || p.family, '') AS by_name,
			y.effective_from AS policy_from, y.value AS policy
		FROM registry.decisions d JOIN registry.policies y ON y.id = d.policy LEFT JOIN accounts.pub_people p ON p.person = d.decided_by
		WHERE d.credit = $1 ORDER BY d.recorded_at, d.id`, id)
}

// Review is what somebody asked a registrar to look at.
type Review struct {
	Text     string
	AskedAt  time.Time
	Answered bool
}

func selectReviews(ctx context.Context, db pg.Querier, id lms.CreditID) ([]Review, error) {
	return pg.Rows[Review](ctx, db, "select reviews", `SELECT text, asked_at, answered_by IS NOT NULL AS answered FROM registry.reviews WHERE credit = $1 ORDER BY id`, id)
}

func insertReview(ctx context.Context, tx pgx.Tx, id lms.CreditID, by lms.PersonID, text string, now time.Time) error {
	return pg.Exec(ctx, tx, "ask for review", `INSERT INTO registry.reviews (credit, asked_by, text, asked_at) VALUES ($1, $2, $3, $4)`, id, by, text, now)
}

// selectUnderReview is which of somebody's credits wait for an answer.
func selectUnderReview(ctx context.Context, db pg.Querier, p lms.PersonID) ([]lms.CreditID, error) {
	return pg.Values[lms.CreditID](ctx, db, "select reviews of person", `SELECT r.credit FROM registry.reviews r JOIN registry.credits c ON c.id = r.credit
		JOIN accounts.pub_identities i ON i.person = c.person WHERE i.canonical = $1 AND r.answered_by IS NULL`, p)
}

func updateReviews(ctx context.Context, tx pgx.Tx, id lms.CreditID) error {
	return pg.Exec(ctx, tx, "answer review", `UPDATE registry.reviews SET answered_by = (SELECT max(id) FROM registry.decisions WHERE credit = $1) WHERE credit = $1 AND answered_by IS NULL`, id)
}

// selectRivals are somebody's other credits that keep one from counting: of the same
// course on days that share a block, or the same record come twice.
func selectRivals(ctx context.Context, db pg.Querier, c claimed, during lms.DateRange) ([]claimed, error) {
	return pg.Rows[claimed](ctx, db, "select rivals", credits+` LEFT JOIN registry.credit_blocks b ON b.credit = c.id
		WHERE c.person IN (SELECT person FROM accounts.pub_identities WHERE canonical = $1) AND c.id <> $2
			AND (b.course = $3 AND b.during && daterange($4, $5) OR d.status <> 'denied' AND c.earned_on = $6 AND lower(c.title) = lower($7)) ORDER BY c.earned_at, c.id`,
		c.Person, c.ID, c.Course, during.From, during.Until, c.EarnedOn, c.Title)
}
