-- +goose Up
-- What other features may know of people: how they are called now.
CREATE VIEW accounts.pub_people AS
    SELECT p.id AS person, n.given, n.family
    FROM accounts.people p
    JOIN LATERAL (SELECT given, family FROM accounts.names WHERE person = p.id ORDER BY recorded_at DESC LIMIT 1) n ON true;

-- Who may work on a course. One without authors is the administrators'.
CREATE TABLE courses.authors (
    course bigint NOT NULL CONSTRAINT authors_course_fkey REFERENCES courses.courses,
    person bigint NOT NULL CONSTRAINT authors_person_fkey REFERENCES accounts.people,
    since  timestamptz NOT NULL,
    CONSTRAINT authors_pkey PRIMARY KEY (course, person)
);
CREATE INDEX authors_person ON courses.authors (person);

-- The courses that are there belong to the person who is on record as the first to have saved them.
INSERT INTO courses.authors (course, person, since)
    SELECT DISTINCT ON (c.id) c.id, a.actor, a.at
    FROM courses.courses c JOIN accounts.audit a ON a.action = 'course.saved' AND a.object = 'course/' || c.id
    WHERE a.actor IS NOT NULL ORDER BY c.id, a.id;

-- A course that has an author never comes to be without one. The lock makes authors who remove each other
-- wait, so that the second sees what the first has done.
-- +goose StatementBegin
CREATE FUNCTION courses.keep_an_author() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM courses.courses WHERE id = OLD.course FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM courses.authors WHERE course = OLD.course) THEN
        RAISE EXCEPTION 'the last author of course %', OLD.course USING ERRCODE = 'restrict_violation', CONSTRAINT = 'authors_keep_one';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER authors_keep_one AFTER DELETE OR UPDATE ON courses.authors
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION courses.keep_an_author();
