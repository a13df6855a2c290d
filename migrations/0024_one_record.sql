-- +goose Up
-- Guards that stand beside each other by a registrar's decision have one group; others each have their own.
CREATE SEQUENCE registry.guard_groups;

-- The guard of rules §3 keeps also sessions that a registrar let count though they overlap: what overlaps one of them is
-- refused. Those that were released before it kept them are one group for each person.
ALTER TABLE registry.credit_sessions
    ADD COLUMN together bigint NOT NULL DEFAULT nextval('registry.guard_groups'),
    DROP CONSTRAINT credit_sessions_one_at_a_time;
WITH latest AS (
    SELECT DISTINCT ON (credit) credit, status FROM registry.decisions ORDER BY credit, recorded_at DESC, id DESC
), missing AS (
    SELECT c.id, i.canonical AS person, c.session FROM latest l JOIN registry.credits c ON c.id = l.credit JOIN accounts.pub_identities i ON i.person = c.person
    WHERE l.status = 'credited' AND c.session IS NOT NULL AND NOT EXISTS (SELECT FROM registry.credit_sessions s WHERE s.credit = c.id)
), groups AS (
    SELECT person, nextval('registry.guard_groups') AS together FROM (SELECT DISTINCT person FROM missing) p
), joined AS (
    UPDATE registry.credit_sessions s SET together = g.together FROM groups g WHERE s.person = g.person
)
INSERT INTO registry.credit_sessions (credit, person, during, together) SELECT m.id, m.person, m.session, g.together FROM missing m JOIN groups g USING (person);
ALTER TABLE registry.credit_sessions
    ADD CONSTRAINT credit_sessions_one_at_a_time EXCLUDE USING gist (person WITH =, during WITH &&, together WITH <>) DEFERRABLE INITIALLY IMMEDIATE;

-- What a sponsor knows by one reference is one person's, unless a registrar says that it is two people's.
CREATE TABLE registry.credit_references (
    credit   bigint CONSTRAINT credit_references_pkey PRIMARY KEY CONSTRAINT credit_references_credit_fkey REFERENCES registry.credits,
    sponsor  text NOT NULL, -- in lower case
    record   text NOT NULL CONSTRAINT credit_references_record_said CHECK (record <> ''),
    together bigint NOT NULL DEFAULT nextval('registry.guard_groups'),
    stands   boolean NOT NULL DEFAULT true, -- not once a registrar denied the record or its import was undone
    CONSTRAINT credit_references_one_person EXCLUDE USING gist (record WITH =, sponsor WITH =, together WITH <>) WHERE (stands)
);
WITH latest AS (
    SELECT DISTINCT ON (credit) credit, status, reason, decided_by FROM registry.decisions ORDER BY credit, recorded_at DESC, id DESC
), known AS (
    SELECT c.id, lower(c.sponsor) AS sponsor, c.record FROM latest l JOIN registry.credits c ON c.id = l.credit
    WHERE c.source = 'import' AND c.record <> '' AND l.reason <> 'undone' AND NOT (l.status = 'denied' AND l.decided_by IS NOT NULL)
), groups AS (
    SELECT sponsor, record, nextval('registry.guard_groups') AS together FROM (SELECT DISTINCT sponsor, record FROM known) k
)
INSERT INTO registry.credit_references (credit, sponsor, record, together) SELECT k.id, k.sponsor, k.record, g.together FROM known k JOIN groups g USING (sponsor, record);

-- Where a row of the same file that is only foreseen has a reference.
CREATE INDEX import_rows_reference ON registry.import_rows (import, (said ->> 'reference')) WHERE said ->> 'reference' <> '';

-- Rows are foreseen again when somebody orders an import, and what was shown is kept, to be compared.
ALTER TABLE registry.imports
    ADD COLUMN look integer NOT NULL DEFAULT 0, -- how often an order had it foreseen again
    DROP CONSTRAINT imports_state_known,
    ADD CONSTRAINT imports_state_known CHECK (state IN ('reading', 'ready', 'checking', 'importing', 'imported', 'dropped', 'undoing', 'undone'));
ALTER TABLE registry.import_rows
    ADD COLUMN look integer NOT NULL DEFAULT 0, -- the last in which it was foreseen
    ADD COLUMN shown text NOT NULL DEFAULT '',  -- the outcome that was foreseen before; '' before the first order
    ADD COLUMN shown_why text NOT NULL DEFAULT '';

-- A record without session, reference and course that somebody says again is the same record: it is one credit, whatever was
-- decided about it. One of which something was corrected after an undoing is another.
CREATE UNIQUE INDEX credits_same_record ON registry.credits (person, earned_on, lower(title), quarters, safe_sleep)
    WHERE source = 'import' AND session IS NULL AND record = '' AND course IS NULL;
