-- +goose Up
ALTER TABLE accounts.people ADD COLUMN born date CONSTRAINT people_born_sane CHECK (born >= '1900-01-01');

-- How long the numbers are is a setting; the earlier registry's had six digits.
ALTER TABLE accounts.mopd_ids DROP CONSTRAINT mopd_ids_six_digits;
ALTER TABLE accounts.mopd_ids ADD CONSTRAINT mopd_ids_from_100000 CHECK (id BETWEEN 100000 AND 999999999);

ALTER TABLE accounts.roles DROP CONSTRAINT roles_role_known;
ALTER TABLE accounts.roles ADD CONSTRAINT roles_role_known
    CHECK (role IN ('director', 'trainer', 'author', 'finance', 'registrar', 'inspector', 'help_desk', 'administrator'));

-- Once there is an administrator there always is one: nobody else could make the next. Of two transactions that remove the last
-- two, the second waits until the first has ended, and sees what is left; so it is with factors, below.
-- +goose StatementBegin
CREATE FUNCTION accounts.keep_an_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('administrators', 0));
    IF NOT EXISTS (SELECT FROM accounts.roles WHERE role = 'administrator') THEN
        RAISE EXCEPTION 'the last administrator' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'roles_keep_an_administrator';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER roles_keep_an_administrator AFTER DELETE OR UPDATE ON accounts.roles
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.role = 'administrator') EXECUTE FUNCTION accounts.keep_an_administrator();

-- Every address that a person ever confirmed or that a registry handed over: who lost an account is told at each.
CREATE TABLE accounts.addresses (
    person      bigint NOT NULL CONSTRAINT addresses_person_fkey REFERENCES accounts.people,
    email       text NOT NULL CONSTRAINT addresses_email_length CHECK (length(email) BETWEEN 3 AND 254),
    recorded_at timestamptz NOT NULL,
    CONSTRAINT addresses_pkey PRIMARY KEY (person, email)
);
INSERT INTO accounts.addresses SELECT l.person, l.email, p.recorded_at FROM accounts.logins l JOIN accounts.people p ON p.id = l.person;

-- Sessions get stages: everybody signs in anew.
DELETE FROM accounts.sessions;
ALTER TABLE accounts.sessions
    ADD COLUMN id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT sessions_id_key UNIQUE,
    ADD COLUMN stage        text NOT NULL CONSTRAINT sessions_stage_known CHECK (stage IN ('identified', 'enrolling', 'signed_in')),
    ADD COLUMN proved_at    timestamptz,
    ADD COLUMN new_password text, -- the hash that a reset puts in force when the second factor is given
    ADD COLUMN challenge    jsonb, -- of a passkey, for one answer
    ADD COLUMN replaces     boolean NOT NULL DEFAULT false, -- the factor set up here takes the place of every other
    ADD COLUMN origin       text NOT NULL,
    ADD COLUMN agent        text NOT NULL;

-- The second factors of a person. One that is not confirmed is still being set up.
CREATE TABLE accounts.factors (
    id            bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT factors_pkey PRIMARY KEY,
    person        bigint NOT NULL CONSTRAINT factors_person_fkey REFERENCES accounts.people,
    kind          text NOT NULL CONSTRAINT factors_kind_known CHECK (kind IN ('authenticator', 'passkey', 'email', 'text')),
    secret        bytea,  -- of an authenticator app, sealed
    last_step     bigint NOT NULL DEFAULT 0, -- the last time step whose code was used (RFC 6238 §5.2)
    credential    jsonb,  -- of a passkey
    credential_id bytea CONSTRAINT factors_credential_key UNIQUE,
    label         text NOT NULL, -- where it was set up, such as "Chrome, Windows"
    phone         text CONSTRAINT factors_phone_form CHECK (phone ~ '^\+[1-9][0-9]{7,14}$'), -- E.164
    made_at       timestamptz NOT NULL,
    confirmed_at  timestamptz,
    used_at       timestamptz,
    CONSTRAINT factors_complete CHECK (CASE kind
        WHEN 'authenticator' THEN secret IS NOT NULL
        WHEN 'passkey' THEN credential IS NOT NULL AND credential_id IS NOT NULL
        WHEN 'text' THEN phone IS NOT NULL
        ELSE true END)
);
CREATE INDEX factors_person ON accounts.factors (person);
CREATE UNIQUE INDEX factors_one_email ON accounts.factors (person) WHERE kind = 'email';
CREATE UNIQUE INDEX factors_one_being_set_up ON accounts.factors (person, kind) WHERE confirmed_at IS NULL;

-- Who has a second factor never comes to be without one.
-- +goose StatementBegin
CREATE FUNCTION accounts.keep_a_factor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts.logins WHERE person = OLD.person FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (SELECT FROM accounts.factors WHERE person = OLD.person AND confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the last factor of person %', OLD.person USING ERRCODE = 'restrict_violation', CONSTRAINT = 'factors_keep_one';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER factors_keep_one AFTER DELETE ON accounts.factors
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.confirmed_at IS NOT NULL) EXECUTE FUNCTION accounts.keep_a_factor();

-- Codes for when every factor is lost; they come and go as a set under one salt.
CREATE TABLE accounts.recovery_codes (
    person  bigint NOT NULL CONSTRAINT recovery_codes_person_fkey REFERENCES accounts.people,
    hash    text NOT NULL,
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (person, hash)
);

-- The one code that was sent last, for each purpose, in the session that asked for it.
CREATE TABLE accounts.codes (
    person  bigint NOT NULL CONSTRAINT codes_person_fkey REFERENCES accounts.people,
    session bigint NOT NULL,
    purpose text NOT NULL CONSTRAINT codes_purpose_known CHECK (purpose IN ('email', 'text', 'phone', 'claim')),
    hash    text NOT NULL,
    tries   integer NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL,
    CONSTRAINT codes_pkey PRIMARY KEY (person, session, purpose)
);

-- Links that were mailed, each for one use.
CREATE TABLE accounts.links (
    token_hash bytea CONSTRAINT links_pkey PRIMARY KEY,
    purpose    text NOT NULL CONSTRAINT links_purpose_known CHECK (purpose IN ('sign_up', 'reset', 'email', 'claim', 'recover')),
    person     bigint CONSTRAINT links_person_fkey REFERENCES accounts.people,
    data       jsonb NOT NULL DEFAULT '{}',
    made_at    timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX links_person ON accounts.links (person);

-- Browsers in which a person signed in before: a stranger's guesses do not slow them down. A caregiver may
-- have the second factor remembered there for some time.
CREATE TABLE accounts.computers (
    token_hash       bytea NOT NULL,
    person           bigint NOT NULL CONSTRAINT computers_person_fkey REFERENCES accounts.people,
    remembered_until timestamptz,
    seen_at          timestamptz NOT NULL,
    CONSTRAINT computers_pkey PRIMARY KEY (token_hash, person)
);
CREATE INDEX computers_person ON accounts.computers (person);

CREATE INDEX audit_subject ON accounts.audit (subject, id DESC);
CREATE INDEX audit_actor ON accounts.audit (actor, id DESC);
CREATE INDEX audit_at ON accounts.audit (at);

-- A player belongs to a session, whose token may change.
ALTER TABLE player.leases DROP COLUMN session, ADD COLUMN session bigint NOT NULL DEFAULT 0;
ALTER TABLE player.leases ALTER COLUMN session DROP DEFAULT;

-- What people say of their work when they sign up or come from an earlier registry.
CREATE TABLE registry.employments (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT employments_pkey PRIMARY KEY,
    person      bigint NOT NULL CONSTRAINT employments_person_fkey REFERENCES accounts.people,
    employer    text NOT NULL CONSTRAINT employments_employer_length CHECK (length(employer) <= 200),
    hired_on    date,
    source      text NOT NULL CONSTRAINT employments_source_known CHECK (source IN ('sign_up', 'import')),
    recorded_at timestamptz NOT NULL
);
CREATE INDEX employments_person ON registry.employments (person);
CREATE TRIGGER employments_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry.employments
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
