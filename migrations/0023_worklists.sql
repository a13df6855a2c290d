-- +goose Up
-- A registrar who denies says what that takes: the hours alone, or the completion itself, which takes safe sleep away too.
-- What was denied before that was asked stays as it was.
ALTER TABLE registry.decisions
    ADD CONSTRAINT decisions_not_completed_denied CHECK (reason <> 'not_completed' OR status = 'denied' AND decided_by IS NOT NULL),
    ADD CONSTRAINT decisions_take_hours_or_completion CHECK (status <> 'denied' OR decided_by IS NULL OR reason <> 'registrar') NOT VALID;

-- What registrars have to look at is found without reading every decision.
CREATE INDEX decisions_held ON registry.decisions (credit) WHERE status = 'held';

-- Completions of safe sleep training that renew it, by the latest decision about each: what a list of everybody is read
-- from, since it may not look at every decision. Whoever writes a decision keeps it (insertDecision).
CREATE TABLE registry.renewals (
    credit    bigint CONSTRAINT renewals_pkey PRIMARY KEY CONSTRAINT renewals_credit_fkey REFERENCES registry.credits,
    person    bigint NOT NULL CONSTRAINT renewals_person_fkey REFERENCES accounts.people,
    earned_on date NOT NULL
);
INSERT INTO registry.renewals (credit, person, earned_on)
    SELECT c.id, c.person, c.earned_on FROM registry.credits c
        JOIN LATERAL (SELECT status, reason FROM registry.decisions WHERE credit = c.id ORDER BY recorded_at DESC, id DESC LIMIT 1) d ON true
    WHERE c.safe_sleep AND (d.status = 'credited' OR d.reason IN ('repeat_credit', 'younger_stands', 'merged'));
