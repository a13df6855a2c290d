-- +goose Up

-- What a registrar decided that takes effect only after a waiting time, in which every address on file of the people
-- concerned can stop it.
ALTER TABLE accounts.worklist
    ADD COLUMN pending jsonb,
    ADD COLUMN due_at  timestamptz,
    ADD CONSTRAINT worklist_pending_until CHECK ((pending IS NULL) = (due_at IS NULL));
CREATE INDEX worklist_due ON accounts.worklist (due_at) WHERE closed_at IS NULL AND due_at IS NOT NULL;

-- The links that stop it, each for one use.
CREATE TABLE accounts.worklist_stops (
    token_hash bytea CONSTRAINT worklist_stops_pkey PRIMARY KEY,
    item       bigint NOT NULL CONSTRAINT worklist_stops_item_fkey REFERENCES accounts.worklist
);
CREATE INDEX worklist_stops_item ON accounts.worklist_stops (item);

-- An administrator who cannot sign in is none to count on.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION accounts.keep_an_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('administrators', 0));
    IF NOT EXISTS (SELECT FROM accounts.roles r JOIN accounts.logins l ON l.person = r.person WHERE r.role = 'administrator') THEN
        RAISE EXCEPTION 'the last administrator' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'roles_keep_an_administrator';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
