-- +goose Up

-- Of two transactions that remove the last two of something, each saw what the other was about to remove: now the second
-- waits until the first has ended, and sees what is left.
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

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION accounts.keep_a_factor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts.logins WHERE person = OLD.person FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (SELECT FROM accounts.factors WHERE person = OLD.person AND confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the last factor of person %', OLD.person USING ERRCODE = 'restrict_violation', CONSTRAINT = 'factors_keep_one';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
