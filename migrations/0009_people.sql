-- +goose Up

-- Why something was done, or what exactly.
ALTER TABLE accounts.audit ADD COLUMN note text NOT NULL DEFAULT '';
CREATE INDEX audit_action ON accounts.audit (action, id DESC);
CREATE INDEX audit_signed_in ON accounts.audit (subject, id DESC) WHERE action = 'signed_in';

-- Two administrators who take each other's role at once: the second waits for the first, then sees what is left.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION accounts.keep_an_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('administrators', 0));
    IF NOT EXISTS (SELECT FROM accounts.roles WHERE role = 'administrator') THEN
        RAISE EXCEPTION 'the last administrator' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'roles_keep_an_administrator';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- What a person can be found by: parts of every name that they ever had, MOPD IDs, e-mail addresses. Each word is
-- looked for by its beginning. Triggers keep it.
CREATE TABLE accounts.directory (
    person    bigint CONSTRAINT directory_pkey PRIMARY KEY CONSTRAINT directory_person_fkey REFERENCES accounts.people,
    sort_name text NOT NULL,
    words     tsvector NOT NULL
);
CREATE INDEX directory_words ON accounts.directory USING gin (words);

-- "Núñez" and "nunez" are the same.
-- +goose StatementBegin
CREATE FUNCTION accounts.fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(regexp_replace(normalize($1, NFKD), '[\u0300-\u036f]', '', 'g'))
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION accounts.list_person(who bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO accounts.directory (person, sort_name, words)
    SELECT who, accounts.fold(family || ', ' || given), array_to_tsvector(ARRAY(
        SELECT regexp_split_to_table(accounts.fold(given || ' ' || family), '[][\s.,''’"()/-]+') FROM accounts.names WHERE person = who
        UNION SELECT id::text FROM accounts.mopd_ids WHERE person = who
        UNION SELECT accounts.fold(email) FROM accounts.addresses WHERE person = who
        UNION SELECT accounts.fold(email) FROM accounts.logins WHERE person = who
        EXCEPT SELECT ''))
    FROM accounts.names WHERE person = who ORDER BY recorded_at DESC LIMIT 1
    ON CONFLICT (person) DO UPDATE SET sort_name = EXCLUDED.sort_name, words = EXCLUDED.words
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION accounts.keep_directory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM accounts.list_person(OLD.person);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM accounts.list_person(NEW.person);
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER names_directory AFTER INSERT OR UPDATE OR DELETE ON accounts.names
    FOR EACH ROW EXECUTE FUNCTION accounts.keep_directory();
CREATE TRIGGER mopd_ids_directory AFTER INSERT OR UPDATE OR DELETE ON accounts.mopd_ids
    FOR EACH ROW EXECUTE FUNCTION accounts.keep_directory();
CREATE TRIGGER addresses_directory AFTER INSERT OR UPDATE OR DELETE ON accounts.addresses
    FOR EACH ROW EXECUTE FUNCTION accounts.keep_directory();
CREATE TRIGGER logins_directory AFTER INSERT OR UPDATE OF email OR DELETE ON accounts.logins
    FOR EACH ROW EXECUTE FUNCTION accounts.keep_directory();

SELECT accounts.list_person(id) FROM accounts.people;
