-- +goose Up

-- Who a person is today: a profile that was merged away points to the one that stays.
ALTER TABLE accounts.people ADD COLUMN merged_into bigint CONSTRAINT people_merged_into_fkey REFERENCES accounts.people;
CREATE INDEX people_merged_into ON accounts.people (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX people_born ON accounts.people (born);

-- That two profiles are one person's. Facts keep their person, and reads resolve (pub_identities).
CREATE TABLE accounts.merges (
    from_person bigint CONSTRAINT merges_pkey PRIMARY KEY CONSTRAINT merges_from_person_fkey REFERENCES accounts.people,
    into_person bigint NOT NULL CONSTRAINT merges_into_person_fkey REFERENCES accounts.people,
    recorded_at timestamptz NOT NULL,
    by_person   bigint NOT NULL CONSTRAINT merges_by_person_fkey REFERENCES accounts.people,
    reason      text NOT NULL CONSTRAINT merges_reason_length CHECK (length(reason) BETWEEN 1 AND 1000),
    CONSTRAINT merges_not_into_itself CHECK (from_person <> into_person)
);
CREATE TRIGGER merges_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts.merges
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- Nobody is merged into somebody who was merged away, so that merges never run in a circle. Merges of the same people
-- wait for each other here.
-- +goose StatementBegin
CREATE FUNCTION accounts.resolve_merge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts.people WHERE id IN (NEW.from_person, NEW.into_person) ORDER BY id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM accounts.people WHERE id = NEW.into_person AND merged_into IS NOT NULL) THEN
        RAISE EXCEPTION 'person % was merged away', NEW.into_person USING ERRCODE = 'restrict_violation', CONSTRAINT = 'merges_into_who_stays';
    END IF;
    UPDATE accounts.people SET merged_into = NEW.into_person WHERE id = NEW.from_person OR merged_into = NEW.from_person;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER merges_into_who_stays BEFORE INSERT ON accounts.merges FOR EACH ROW EXECUTE FUNCTION accounts.resolve_merge();

-- Every profile of a person, and the one that they are today.
CREATE VIEW accounts.pub_identities AS
    SELECT id AS person, id AS canonical FROM accounts.people WHERE merged_into IS NULL
    UNION ALL SELECT id, merged_into FROM accounts.people WHERE merged_into IS NOT NULL;

-- What an earlier registry handed over. Nobody can sign in to a profile before its person has claimed it.
CREATE TABLE accounts.profiles (
    person      bigint CONSTRAINT profiles_pkey PRIMARY KEY CONSTRAINT profiles_person_fkey REFERENCES accounts.people,
    email       text NOT NULL CONSTRAINT profiles_email_length CHECK (length(email) <= 254), -- '' if none was handed over
    said        jsonb NOT NULL, -- the row as it was handed over
    imported_at timestamptz NOT NULL,
    claimed_at  timestamptz
);

-- Tries to claim a profile, whether there is such a profile or not.
CREATE TABLE accounts.claims (
    token_hash bytea CONSTRAINT claims_pkey PRIMARY KEY,
    mopd_id    integer NOT NULL,
    family     text NOT NULL,
    born       date NOT NULL,
    lang       text NOT NULL CONSTRAINT claims_lang_known CHECK (lang IN ('en', 'es')),
    origin     text NOT NULL,
    listed     boolean NOT NULL, -- one of so many that a registrar was told
    person     bigint CONSTRAINT claims_person_fkey REFERENCES accounts.people, -- who was found, and to whom the code went
    code_hash  text,
    tries      integer NOT NULL DEFAULT 0,
    made_at    timestamptz NOT NULL,
    proved_at  timestamptz, -- when the code was given
    CONSTRAINT claims_code_of_somebody CHECK ((person IS NULL) = (code_hash IS NULL)),
    CONSTRAINT claims_proved_by_code CHECK (proved_at IS NULL OR person IS NOT NULL)
);
CREATE INDEX claims_mopd_id ON accounts.claims (mopd_id, made_at);
CREATE INDEX claims_made_at ON accounts.claims (made_at);

-- What waits for a registrar.
CREATE TABLE accounts.worklist (
    id        bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT worklist_pkey PRIMARY KEY,
    kind      text NOT NULL CONSTRAINT worklist_kind_known CHECK (kind IN ('claim', 'same_person', 'recovery', 'import')),
    person    bigint CONSTRAINT worklist_person_fkey REFERENCES accounts.people,
    other     bigint CONSTRAINT worklist_other_fkey REFERENCES accounts.people,
    details   jsonb NOT NULL DEFAULT '{}',
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    closed_by bigint CONSTRAINT worklist_closed_by_fkey REFERENCES accounts.people, -- NULL: it settled itself
    outcome   text,
    reason    text,
    CONSTRAINT worklist_closed_with_outcome CHECK ((closed_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT worklist_decided_with_reason CHECK (closed_by IS NULL OR length(reason) BETWEEN 1 AND 1000)
);
CREATE INDEX worklist_open ON accounts.worklist (opened_at, id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX worklist_one_open_claim ON accounts.worklist ((details ->> 'mopd_id')) WHERE kind = 'claim' AND closed_at IS NULL;
CREATE INDEX worklist_import ON accounts.worklist ((details ->> 'mopd_id')) WHERE kind = 'import';
CREATE UNIQUE INDEX worklist_one_open_recovery ON accounts.worklist (person) WHERE kind = 'recovery' AND closed_at IS NULL;

-- Accounts whose factors are lost, on their way back to their person.
CREATE TABLE accounts.recoveries (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT recoveries_pkey PRIMARY KEY,
    person      bigint NOT NULL CONSTRAINT recoveries_person_fkey REFERENCES accounts.people,
    asked_at    timestamptz NOT NULL,
    due_at      timestamptz, -- set when a registrar approves: the link goes out then, not before
    mailed_at   timestamptz,
    ended_at    timestamptz,
    outcome     text CONSTRAINT recoveries_outcome_known CHECK (outcome IN ('used', 'stopped', 'refused', 'lapsed')),
    CONSTRAINT recoveries_mailed_when_due CHECK (mailed_at IS NULL OR mailed_at >= due_at),
    CONSTRAINT recoveries_used_after_mail CHECK (outcome IS DISTINCT FROM 'used' OR mailed_at IS NOT NULL),
    CONSTRAINT recoveries_ended_with_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX recoveries_one_open ON accounts.recoveries (person) WHERE ended_at IS NULL;
CREATE INDEX recoveries_due ON accounts.recoveries (due_at) WHERE ended_at IS NULL AND mailed_at IS NULL;

-- The links by which the owner of an account stops a recovery that is not theirs.
CREATE TABLE accounts.recovery_stops (
    token_hash bytea CONSTRAINT recovery_stops_pkey PRIMARY KEY,
    recovery   bigint NOT NULL CONSTRAINT recovery_stops_recovery_fkey REFERENCES accounts.recoveries
);

-- Sessions of the player follow an open enrollment to the profile that stays.
ALTER TABLE player.session_times DROP CONSTRAINT session_times_session_fkey;
ALTER TABLE player.session_times ADD CONSTRAINT session_times_session_fkey FOREIGN KEY (person, epoch) REFERENCES player.sessions ON UPDATE CASCADE;
