-- +goose Up
-- Work has an end, and what was said of it may be replaced: the newest version of a chain counts.
ALTER TABLE registry.employments
    ADD COLUMN left_on date, -- last day of work; NULL: it goes on
    ADD COLUMN replaces bigint CONSTRAINT employments_replaces_fkey REFERENCES registry.employments CONSTRAINT employments_replaces_key UNIQUE,
    ADD COLUMN recorded_by bigint CONSTRAINT employments_recorded_by_fkey REFERENCES accounts.people,
    ADD CONSTRAINT employments_left_after_hired CHECK (left_on >= hired_on),
    DROP CONSTRAINT employments_source_known,
    ADD CONSTRAINT employments_source_known CHECK (source IN ('sign_up', 'import', 'registrar'));

ALTER TABLE registry.policies
    DROP CONSTRAINT policies_kind_known,
    ADD CONSTRAINT policies_kind_known CHECK (kind IN ('annual_hours', 'window', 'repeat_credit', 'proration'));
INSERT INTO registry.policies (kind, value, effective_from, recorded_at) VALUES ('proration', 'by_month', '1990-01-01', '2026-01-01T06:00:00Z');

-- What other features may know of accounts: when they were made.
CREATE VIEW accounts.pub_accounts AS SELECT id AS person, recorded_at AS made_at FROM accounts.people;

-- The profiles that were known at an instant to be one person's.
CREATE FUNCTION accounts.pub_profiles_at(who bigint, known timestamptz) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE profiles (person) AS (
        SELECT who UNION SELECT m.from_person FROM accounts.merges m JOIN profiles p ON m.into_person = p.person WHERE m.recorded_at <= known
    ) SELECT person FROM profiles
$$;
CREATE INDEX merges_into_person ON accounts.merges (into_person);

-- What a registrar decided says who and why.
ALTER TABLE registry.decisions
    ADD COLUMN decided_by bigint CONSTRAINT decisions_decided_by_fkey REFERENCES accounts.people,
    ADD COLUMN note text NOT NULL DEFAULT '',
    ADD CONSTRAINT decisions_say_why CHECK (decided_by IS NULL OR note <> '');

-- Somebody asks a registrar to look at what was decided. The next decision of a registrar answers.
CREATE TABLE registry.reviews (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reviews_pkey PRIMARY KEY,
    credit      bigint NOT NULL CONSTRAINT reviews_credit_fkey REFERENCES registry.credits,
    asked_by    bigint NOT NULL CONSTRAINT reviews_asked_by_fkey REFERENCES accounts.people,
    text        text NOT NULL CONSTRAINT reviews_text_length CHECK (length(text) BETWEEN 1 AND 2000),
    asked_at    timestamptz NOT NULL,
    answered_by bigint CONSTRAINT reviews_answered_by_fkey REFERENCES registry.decisions
);
CREATE UNIQUE INDEX reviews_one_open ON registry.reviews (credit) WHERE answered_by IS NULL;

-- Reports that were made to be printed: by the code on it, anyone who holds one checks that it is genuine. What it says
-- follows from its moment.
CREATE TABLE registry.prints (
    code      text CONSTRAINT prints_pkey PRIMARY KEY CONSTRAINT prints_code_shape CHECK (code ~ '^[0-9A-HJKMNP-TV-Z]{12}$'),
    person    bigint NOT NULL CONSTRAINT prints_person_fkey REFERENCES accounts.people,
    year      integer NOT NULL,
    through   date NOT NULL,
    known     timestamptz NOT NULL,
    made_by   bigint NOT NULL CONSTRAINT prints_made_by_fkey REFERENCES accounts.people,
    made_at   timestamptz NOT NULL
);
CREATE TRIGGER prints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.prints
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
ALTER TABLE registry.employments ADD COLUMN note text NOT NULL DEFAULT '',
    ADD CONSTRAINT employments_say_why CHECK (recorded_by IS NULL OR note <> '');
