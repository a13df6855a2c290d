-- +goose Up

-- The last sessions that ended: whoever still has the cookie of one learns why.
CREATE TABLE accounts.ended_sessions (
    token_hash bytea CONSTRAINT ended_sessions_pkey PRIMARY KEY,
    why        text NOT NULL CONSTRAINT ended_sessions_why_known
        CHECK (why IN ('idle', 'age', 'elsewhere', 'password', 'roles', 'administrator', 'disabled', 'recovered', 'merged')),
    ended_at   timestamptz NOT NULL
);
CREATE INDEX ended_sessions_ended_at ON accounts.ended_sessions (ended_at);

-- Accounts to which nobody may sign in, as long as the row is there. The audit trail keeps who did it and undid it, and why.
CREATE TABLE accounts.disablings (
    person      bigint CONSTRAINT disablings_pkey PRIMARY KEY CONSTRAINT disablings_login_fkey REFERENCES accounts.logins,
    by_person   bigint NOT NULL CONSTRAINT disablings_by_person_fkey REFERENCES accounts.people,
    reason      text NOT NULL CONSTRAINT disablings_say_why CHECK (length(reason) BETWEEN 1 AND 500),
    recorded_at timestamptz NOT NULL,
    CONSTRAINT disablings_not_oneself CHECK (by_person <> person)
);

-- A disabled account has no session. Who opens one waits for who disables the account, and the other way round.
-- +goose StatementBegin
CREATE FUNCTION accounts.open_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts.logins WHERE person = NEW.person FOR UPDATE;
    IF EXISTS (SELECT FROM accounts.disablings WHERE person = NEW.person) THEN
        RAISE EXCEPTION 'the account of person % is disabled', NEW.person USING ERRCODE = 'restrict_violation', CONSTRAINT = 'sessions_not_disabled';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER sessions_not_disabled BEFORE INSERT ON accounts.sessions FOR EACH ROW EXECUTE FUNCTION accounts.open_session();

-- An administrator who cannot sign in, or may not, is none to count on.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION accounts.keep_an_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'disablings' AND NOT EXISTS (SELECT FROM accounts.roles WHERE person = NEW.person AND role = 'administrator') THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('administrators', 0));
    IF NOT EXISTS (SELECT FROM accounts.roles r JOIN accounts.logins l ON l.person = r.person
            WHERE r.role = 'administrator' AND NOT EXISTS (SELECT FROM accounts.disablings d WHERE d.person = r.person)) THEN
        RAISE EXCEPTION 'the last administrator' USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER disablings_keep_an_administrator AFTER INSERT ON accounts.disablings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION accounts.keep_an_administrator();

-- Who may not sign in is not reminded of what they cannot do.
CREATE OR REPLACE VIEW accounts.pub_reachable AS
    SELECT p.id AS person, l.email, p.lang, coalesce((
        SELECT f.phone FROM accounts.factors f
        WHERE f.person = p.id AND f.kind = 'text' AND f.confirmed_at IS NOT NULL
            AND (SELECT c.by_text FROM accounts.reminder_choices c WHERE c.person = p.id ORDER BY c.id DESC LIMIT 1)
        ORDER BY f.id DESC LIMIT 1), '') AS phone
    FROM accounts.people p JOIN accounts.logins l ON l.person = p.id
    WHERE p.merged_into IS NULL AND NOT EXISTS (SELECT FROM accounts.disablings d WHERE d.person = p.id);
