-- +goose Up
-- What other features may know of courses.
CREATE VIEW courses.pub_courses AS SELECT id AS course, code, title, safe_sleep FROM courses.courses;

-- A credit says itself which course it is of, whether that counts as safe sleep, and when it was attended, where that is known;
-- it may come from a record of elsewhere.
ALTER TABLE registry.credits
    ADD COLUMN course bigint CONSTRAINT credits_course_fkey REFERENCES courses.courses, -- NULL: of none here
    ADD COLUMN safe_sleep boolean NOT NULL DEFAULT false,
    ADD COLUMN session tstzrange CONSTRAINT credits_session_bounded CHECK (NOT isempty(session) AND NOT lower_inf(session) AND NOT upper_inf(session)),
    DROP CONSTRAINT credits_source_known,
    ADD CONSTRAINT credits_source_known CHECK (source IN ('enrollment', 'import'));

ALTER TABLE registry.credits DISABLE TRIGGER credits_append_only;
UPDATE registry.credits c SET course = e.course, safe_sleep = k.safe_sleep
    FROM enrollments.pub_completions e JOIN courses.pub_courses k ON k.course = e.course
    WHERE c.source = 'enrollment' AND c.reference = e.enrollment::text;
ALTER TABLE registry.credits ENABLE TRIGGER credits_append_only;
ALTER TABLE registry.credits ALTER COLUMN safe_sleep DROP DEFAULT;
