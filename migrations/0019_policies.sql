-- +goose Up
-- A change of rule says who made it, why, and which change of its kind was the latest that its maker had seen: of two
-- made at once, one wins. Of changes for the same day the latest counts, so that one can be corrected.
ALTER TABLE registry.policies
    DROP CONSTRAINT policies_kind_known,
    ADD CONSTRAINT policies_kind_known CHECK (kind IN ('annual_hours', 'proration', 'window', 'repeat_credit', 'safe_sleep')),
    ADD CONSTRAINT policies_value_known CHECK (CASE kind
        WHEN 'annual_hours' THEN value ~ '^[1-9][0-9]?$'
        WHEN 'proration' THEN value IN ('by_month', 'none')
        WHEN 'window' THEN value IN ('from_registration', 'from_first_launch', 'calendar_year_end')
        WHEN 'repeat_credit' THEN value IN ('twelve_months', 'calendar_year')
        WHEN 'safe_sleep' THEN value ~ '^[1-9]$'
        ELSE false END),
    DROP CONSTRAINT policies_kind_from_key,
    ADD CONSTRAINT policies_kind_id_key UNIQUE (kind, id),
    ADD COLUMN follows bigint CONSTRAINT policies_follows_key UNIQUE, -- NULL: the first of its kind
    ADD CONSTRAINT policies_follows_fkey FOREIGN KEY (kind, follows) REFERENCES registry.policies (kind, id),
    ADD COLUMN recorded_by bigint CONSTRAINT policies_recorded_by_fkey REFERENCES accounts.people,
    ADD COLUMN note text NOT NULL DEFAULT '',
    ADD CONSTRAINT policies_say_why CHECK (recorded_by IS NULL OR note <> '');

ALTER TABLE registry.policies DISABLE TRIGGER policies_append_only;
UPDATE registry.policies p SET follows = before.id
    FROM (SELECT id AS policy, lag(id) OVER (PARTITION BY kind ORDER BY id) AS id FROM registry.policies) before
    WHERE before.policy = p.id;
ALTER TABLE registry.policies ENABLE TRIGGER policies_append_only;
CREATE UNIQUE INDEX policies_one_first ON registry.policies (kind) WHERE follows IS NULL;

INSERT INTO registry.policies (kind, value, effective_from, recorded_at) VALUES ('safe_sleep', '3', '1990-01-01', '2026-01-01T06:00:00Z');

-- A change that a registrar looks at before it is made, with whom it would affect.
CREATE TABLE registry.policy_drafts (
    id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT policy_drafts_pkey PRIMARY KEY,
    kind           text NOT NULL,
    value          text NOT NULL,
    effective_from date NOT NULL,
    note           text NOT NULL CONSTRAINT policy_drafts_say_why CHECK (length(note) BETWEEN 1 AND 1000),
    follows        bigint NOT NULL,
    made_by        bigint NOT NULL CONSTRAINT policy_drafts_made_by_fkey REFERENCES accounts.people,
    made_at        timestamptz NOT NULL,
    effects        jsonb, -- NULL while they are computed
    CONSTRAINT policy_drafts_follows_fkey FOREIGN KEY (kind, follows) REFERENCES registry.policies (kind, id)
);
