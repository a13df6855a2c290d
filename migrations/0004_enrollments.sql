-- +goose Up
CREATE SCHEMA enrollments;

-- Title, sponsor and hours are as shown at registration: they stand, whatever becomes of the course.
CREATE TABLE enrollments.enrollments (
    id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT enrollments_pkey PRIMARY KEY,
    person         bigint NOT NULL CONSTRAINT enrollments_person_fkey REFERENCES accounts.people,
    course         bigint NOT NULL CONSTRAINT enrollments_course_fkey REFERENCES courses.courses,
    version        bigint NOT NULL CONSTRAINT enrollments_version_fkey REFERENCES courses.versions,
    title          text NOT NULL,
    sponsor        text NOT NULL,
    quarters       integer NOT NULL CONSTRAINT enrollments_quarters_range CHECK (quarters BETWEEN 1 AND 400),
    state          text NOT NULL CONSTRAINT enrollments_state_known CHECK (state IN ('ready', 'active', 'completed', 'expired')),
    registered_on  date NOT NULL,
    window_policy  bigint NOT NULL CONSTRAINT enrollments_window_policy_fkey REFERENCES registry.policies,
    window_rule    text NOT NULL CONSTRAINT enrollments_window_rule_known CHECK (window_rule IN ('from_registration', 'from_first_launch', 'calendar_year_end')),
    first_launched date,
    last_day       date NOT NULL,
    started_at     timestamptz,
    completed_at   timestamptz,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT enrollments_window CHECK (last_day = CASE window_rule
        WHEN 'from_registration' THEN (registered_on + interval '12 months')::date
        WHEN 'from_first_launch' THEN (CASE
            WHEN first_launched IS NULL OR first_launched > (registered_on + interval '12 months')::date
            THEN registered_on + interval '12 months' ELSE first_launched + interval '12 months' END)::date
        WHEN 'calendar_year_end' THEN make_date(extract(year FROM registered_on)::int, 12, 31)
        END),
    CONSTRAINT enrollments_completed_at_set CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT enrollments_completed_inside_window CHECK (completed_at IS NULL
        OR (completed_at AT TIME ZONE 'America/Chicago')::date <= last_day)
);
CREATE UNIQUE INDEX enrollments_one_active ON enrollments.enrollments (person) WHERE state = 'active';
CREATE UNIQUE INDEX enrollments_one_open ON enrollments.enrollments (person, course) WHERE state IN ('ready', 'active');
CREATE INDEX enrollments_person ON enrollments.enrollments (person);

-- What the registry posts from.
CREATE VIEW enrollments.pub_completions AS
    SELECT id AS enrollment, person, course, title, sponsor, quarters, completed_at
    FROM enrollments.enrollments WHERE state = 'completed';
