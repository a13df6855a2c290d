-- +goose Up
CREATE SCHEMA accounts;

CREATE TABLE accounts.people (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT people_pkey PRIMARY KEY,
    lang        text NOT NULL DEFAULT 'en' CONSTRAINT people_lang_known CHECK (lang IN ('en', 'es')),
    recorded_at timestamptz NOT NULL
);

-- Several per person: after a merge the old one stays as an alias.
CREATE TABLE accounts.mopd_ids (
    id          integer CONSTRAINT mopd_ids_pkey PRIMARY KEY,
    person      bigint NOT NULL CONSTRAINT mopd_ids_person_fkey REFERENCES accounts.people,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT mopd_ids_six_digits CHECK (id BETWEEN 100000 AND 999999)
);
CREATE INDEX mopd_ids_person ON accounts.mopd_ids (person);

-- A new name is a new row: reports as known at an earlier instant keep the old one.
CREATE TABLE accounts.names (
    person      bigint NOT NULL CONSTRAINT names_person_fkey REFERENCES accounts.people,
    given       text NOT NULL CONSTRAINT names_given_length CHECK (length(given) BETWEEN 1 AND 100),
    family      text NOT NULL CONSTRAINT names_family_length CHECK (length(family) BETWEEN 1 AND 100),
    recorded_at timestamptz NOT NULL,
    CONSTRAINT names_pkey PRIMARY KEY (person, recorded_at)
);

CREATE TABLE accounts.logins (
    person        bigint CONSTRAINT logins_pkey PRIMARY KEY CONSTRAINT logins_person_fkey REFERENCES accounts.people,
    email         text NOT NULL CONSTRAINT logins_email_length CHECK (length(email) BETWEEN 3 AND 254),
    password_hash text NOT NULL
);
CREATE UNIQUE INDEX logins_email_key ON accounts.logins (lower(email));

CREATE TABLE accounts.roles (
    person bigint NOT NULL CONSTRAINT roles_person_fkey REFERENCES accounts.people,
    role   text NOT NULL CONSTRAINT roles_role_known CHECK (role IN ('author', 'finance', 'registrar', 'administrator')),
    CONSTRAINT roles_pkey PRIMARY KEY (person, role)
);

CREATE TABLE accounts.sessions (
    token_hash bytea CONSTRAINT sessions_pkey PRIMARY KEY,
    person     bigint NOT NULL CONSTRAINT sessions_person_fkey REFERENCES accounts.people,
    opened_at  timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL
);
CREATE INDEX sessions_person ON accounts.sessions (person);

CREATE TABLE accounts.audit (
    id      bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pkey PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   bigint CONSTRAINT audit_actor_fkey REFERENCES accounts.people,
    action  text NOT NULL,
    subject bigint CONSTRAINT audit_subject_fkey REFERENCES accounts.people,
    object  text NOT NULL,
    origin  text NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION accounts.append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts.audit
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
