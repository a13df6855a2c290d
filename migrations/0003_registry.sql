-- +goose Up
CREATE SCHEMA registry;
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Rules that may change with time (rules, opening): a change is a new row.
CREATE TABLE registry.policies (
    id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT policies_pkey PRIMARY KEY,
    kind           text NOT NULL CONSTRAINT policies_kind_known CHECK (kind IN ('annual_hours', 'window', 'repeat_credit')),
    value          text NOT NULL,
    effective_from date NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT policies_kind_from_key UNIQUE (kind, effective_from)
);
INSERT INTO registry.policies (kind, value, effective_from, recorded_at) VALUES
    ('annual_hours', '12', '1990-01-01', '2026-01-01T06:00:00Z'),
    ('window', 'from_registration', '1990-01-01', '2026-01-01T06:00:00Z'),
    ('repeat_credit', 'twelve_months', '1990-01-01', '2026-01-01T06:00:00Z');

-- What was claimed. What stands is the latest decision's word.
CREATE TABLE registry.credits (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT credits_pkey PRIMARY KEY,
    source      text NOT NULL CONSTRAINT credits_source_known CHECK (source IN ('enrollment')),
    reference   text NOT NULL,
    person      bigint NOT NULL CONSTRAINT credits_person_fkey REFERENCES accounts.people,
    title       text NOT NULL,
    sponsor     text NOT NULL,
    quarters    integer NOT NULL CONSTRAINT credits_quarters_range CHECK (quarters BETWEEN 0 AND 400),
    earned_on   date NOT NULL,
    earned_at   timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT credits_source_reference_key UNIQUE (source, reference)
);
CREATE INDEX credits_person ON registry.credits (person);

CREATE TABLE registry.decisions (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT decisions_pkey PRIMARY KEY,
    credit      bigint NOT NULL CONSTRAINT decisions_credit_fkey REFERENCES registry.credits,
    status      text NOT NULL CONSTRAINT decisions_status_known CHECK (status IN ('credited', 'denied', 'held')),
    quarters    integer NOT NULL CONSTRAINT decisions_quarters_range CHECK (quarters BETWEEN 0 AND 400),
    reason      text NOT NULL DEFAULT '',
    reason_args jsonb NOT NULL DEFAULT '{}',
    policy      bigint NOT NULL CONSTRAINT decisions_policy_fkey REFERENCES registry.policies,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT decisions_only_credited_count CHECK (status = 'credited' OR quarters = 0)
);
CREATE INDEX decisions_credit ON registry.decisions (credit, recorded_at DESC, id DESC);

-- The guard of rules §5: days in which a standing credit keeps the same course from earning again.
CREATE TABLE registry.credit_blocks (
    credit bigint CONSTRAINT credit_blocks_pkey PRIMARY KEY CONSTRAINT credit_blocks_credit_fkey REFERENCES registry.credits,
    person bigint NOT NULL CONSTRAINT credit_blocks_person_fkey REFERENCES accounts.people,
    course bigint NOT NULL CONSTRAINT credit_blocks_course_fkey REFERENCES courses.courses,
    during daterange NOT NULL CONSTRAINT credit_blocks_during_bounded CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    CONSTRAINT credit_blocks_once_a_year EXCLUDE USING gist (person WITH =, course WITH =, during WITH &&)
);

CREATE TRIGGER policies_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.policies
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
CREATE TRIGGER credits_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.credits
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
CREATE TRIGGER decisions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.decisions
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
