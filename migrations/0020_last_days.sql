-- +goose Up
-- Whether somebody wants reminders by text message too, beside the mail: the newest row counts.
CREATE TABLE accounts.reminder_choices (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reminder_choices_pkey PRIMARY KEY,
    person      bigint NOT NULL CONSTRAINT reminder_choices_person_fkey REFERENCES accounts.people,
    by_text     boolean NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX reminder_choices_person ON accounts.reminder_choices (person, id);
CREATE TRIGGER reminder_choices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts.reminder_choices
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- What other features may know of accounts: where a person is reached, in which language, and the number of their phone
-- where they chose to get text messages; '' otherwise.
CREATE VIEW accounts.pub_reachable AS
    SELECT p.id AS person, l.email, p.lang, coalesce((
        SELECT f.phone FROM accounts.factors f
        WHERE f.person = p.id AND f.kind = 'text' AND f.confirmed_at IS NOT NULL
            AND (SELECT c.by_text FROM accounts.reminder_choices c WHERE c.person = p.id ORDER BY c.id DESC LIMIT 1)
        ORDER BY f.id DESC LIMIT 1), '') AS phone
    FROM accounts.people p JOIN accounts.logins l ON l.person = p.id
    WHERE p.merged_into IS NULL;

-- What other features may know of enrollments: until when those that are open can be completed.
CREATE INDEX enrollments_open_last_day ON enrollments.enrollments (last_day) WHERE state IN ('ready', 'active');
CREATE VIEW enrollments.pub_windows AS
    SELECT id AS enrollment, person, title, last_day FROM enrollments.enrollments WHERE state IN ('ready', 'active');

CREATE INDEX credits_safe_sleep ON registry.credits (person) WHERE safe_sleep;

-- That somebody was reminded of a last day so many days before it. Each reminder is sent once.
CREATE TABLE registry.reminders (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT reminders_pkey PRIMARY KEY,
    person     bigint NOT NULL CONSTRAINT reminders_person_fkey REFERENCES accounts.people,
    kind       text NOT NULL CONSTRAINT reminders_kind_known CHECK (kind IN ('window', 'year', 'safe_sleep')),
    enrollment bigint CONSTRAINT reminders_enrollment_fkey REFERENCES enrollments.enrollments, -- whose window ends
    last_day   date NOT NULL, -- of the window, of the year, on which safe sleep is valid
    days       integer NOT NULL CONSTRAINT reminders_days_positive CHECK (days > 0), -- before the last day, from which on it is due
    sent_at    timestamptz NOT NULL,
    CONSTRAINT reminders_of_an_enrollment CHECK ((kind = 'window') = (enrollment IS NOT NULL)),
    CONSTRAINT reminders_once UNIQUE NULLS NOT DISTINCT (person, kind, enrollment, last_day, days)
);
CREATE TRIGGER reminders_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.reminders
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- A registrar gives somebody more time for a course: each extension goes on from the last day that its maker had seen, so
-- that of two made at once one wins.
CREATE TABLE enrollments.extensions (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT extensions_pkey PRIMARY KEY,
    enrollment  bigint NOT NULL CONSTRAINT extensions_enrollment_fkey REFERENCES enrollments.enrollments,
    was         date NOT NULL,
    last_day    date NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by bigint NOT NULL CONSTRAINT extensions_recorded_by_fkey REFERENCES accounts.people,
    note        text NOT NULL CONSTRAINT extensions_say_why CHECK (length(note) BETWEEN 1 AND 1000),
    CONSTRAINT extensions_was_key UNIQUE (enrollment, was),
    CONSTRAINT extensions_later CHECK (last_day > was),
    CONSTRAINT extensions_within_a_year CHECK (last_day BETWEEN (recorded_at AT TIME ZONE 'America/Chicago')::date
        AND ((recorded_at AT TIME ZONE 'America/Chicago')::date + interval '12 months')::date)
);
CREATE TRIGGER extensions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON enrollments.extensions
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- The last day is that of the policy, or of the newest extension if that is later.
ALTER TABLE enrollments.enrollments
    ADD COLUMN extended_to date,
    DROP CONSTRAINT enrollments_window,
    ADD CONSTRAINT enrollments_window CHECK (last_day = greatest(extended_to, CASE window_rule
        WHEN 'from_registration' THEN (registered_on + interval '12 months')::date
        WHEN 'from_first_launch' THEN (CASE
            WHEN first_launched IS NULL OR first_launched > (registered_on + interval '12 months')::date
            THEN registered_on + interval '12 months' ELSE first_launched + interval '12 months' END)::date
        WHEN 'calendar_year_end' THEN make_date(extract(year FROM registered_on)::int, 12, 31)
        END));
