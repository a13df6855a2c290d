package registry

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"mopd/lms"
	"mopd/lms/pg"
)

// Employments are what was said of a person's work, under every profile of theirs.
func (s *Service) Employments(ctx context.Context, tx pgx.Tx, p lms.PersonID) ([]lms.Employment, error) {
	return selectEmployments(ctx, tx, p)
}

// CountCredits is how many credits a person has on record, whatever was decided of them.
func (s *Service) CountCredits(ctx context.Context, tx pgx.Tx, p lms.PersonID) (int, error) {
	return countCredits(ctx, tx, p)
}

// CountWaiting is how many credits and rows of imports wait for a registrar.
func (s *Service) CountWaiting(ctx context.Context) (int, error) {
	work, err := s.Work(ctx)
	return work.Total(), err
}

// Work is how much on record waits for a registrar.
func (s *Service) Work(ctx context.Context) (lms.RecordsWaiting, error) {
	return selectRecordsWaiting(ctx, s.DB)
}

// HeldByMerge are the titles of the credits that would be held, were two profiles one
// person's: of a course that both completed within a year, the later credit; of sessions
// that both attended at once, both; of a record that came for both, one.
func (s *Service) HeldByMerge(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) (titles []string, err error) {
	blocks, err := selectBlocksOf(ctx, tx, from, into)
	if err != nil {
		return nil, err
	}
	for _, b := range collisions(blocks) {
		titles = append(titles, b.Title)
	}
	sessions, err := selectSessionsOf(ctx, tx, from, into)
	if err != nil {
		return nil, err
	}
	for _, a := range atOnce(sessions) {
		titles = append(titles, a.Title)
	}
	twice, err := selectDoubles(ctx, tx, from, into)
	for _, t := range twice {
		titles = append(titles, t.Title)
	}
	return titles, err
}

// Merge makes the blocks of one profile the other's, in the caller's transaction, which
// has the locks of both. Credits keep their person; where two of them stand in each
// other's way, the later one is held for a registrar.
func (s *Service) Merge(ctx context.Context, tx pgx.Tx, from, into lms.PersonID, now time.Time) error {
	blocks, err := selectBlocksOf(ctx, tx, from, into)
	if err != nil {
		return err
	}
	for _, b := range collisions(blocks) {
		if err := s.hold(ctx, tx, b.Credit, b.Person, reasonMerged, now); err != nil {
			return err
		}
	}
	sessions, err := selectSessionsOf(ctx, tx, from, into)
	if err != nil {
		return err
	}
	for _, a := range atOnce(sessions) {
		if err := s.hold(ctx, tx, a.Credit, a.Person, reasonAtOnce, now); err != nil {
			return err
		}
	}
	twice, err := selectDoubles(ctx, tx, from, into)
	if err != nil {
		return err
	}
	for _, t := range twice {
		if err := s.hold(ctx, tx, t.ID, from, reasonMerged, now); err != nil {
			return err
		}
	}
	if err := updateSessionsPerson(ctx, tx, from, into); err != nil {
		return err
	}
	return updateBlocksPerson(ctx, tx, from, into)
}

// hold takes a credit out of force until a registrar decides.
func (s *Service) hold(ctx context.Context, tx pgx.Tx, id lms.CreditID, p lms.PersonID, reason string, now time.Time) error {
	policy, err := selectPolicyOf(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := s.release(ctx, tx, id); err != nil {
		return err
	}
	if err := insertDecision(ctx, tx, id, decision{Status: lms.Held, Reason: reason, Policy: policy}, now); err != nil {
		return err
	}
	return s.Audit.Audit(ctx, tx, lms.AuditEntry{Action: "credit_held", Subject: p, Object: creditObject(id), At: now})
}

// selectDoubles is what came from elsewhere for both of two profiles.
func selectDoubles(ctx context.Context, tx pgx.Tx, from, into lms.PersonID) ([]there, error) {
	goes, err := selectThere(ctx, tx, from)
	if err != nil || len(goes) == 0 {
		return nil, err
	}
	stays, err := selectThere(ctx, tx, into)
	return doubles(goes, stays), err
}

// lockWho locks who a person is today, also when that changes while it waits.
func lockWho(ctx context.Context, tx pgx.Tx, p lms.PersonID) (lms.PersonID, error) {
	for {
		who, err := selectWho(ctx, tx, p)
		if err != nil {
			return 0, err
		}
		if err := pg.LockPerson(ctx, tx, who); err != nil {
			return 0, err
		}
		again, err := selectWho(ctx, tx, p)
		if err != nil {
			return 0, err
		}
		if again == who {
			return who, nil
		}
	}
}
