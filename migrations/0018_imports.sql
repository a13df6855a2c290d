-- +goose Up
-- Files of records from elsewhere. What will become of each row is worked out first, and imported only when somebody says so.
CREATE TABLE registry.imports (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT imports_pkey PRIMARY KEY,
    name        text NOT NULL CONSTRAINT imports_name_length CHECK (length(name) BETWEEN 1 AND 200),
    state       text NOT NULL CONSTRAINT imports_state_known CHECK (state IN ('reading', 'ready', 'importing', 'imported', 'dropped', 'undoing', 'undone')),
    tells       boolean NOT NULL DEFAULT false, -- people get a mail about it
    made_by     bigint CONSTRAINT imports_made_by_fkey REFERENCES accounts.people, -- NULL: by command
    made_at     timestamptz NOT NULL,
    ordered_by  bigint CONSTRAINT imports_ordered_by_fkey REFERENCES accounts.people,
    undone_by   bigint CONSTRAINT imports_undone_by_fkey REFERENCES accounts.people,
    undone_note text NOT NULL DEFAULT '',
    CONSTRAINT imports_undoing_says_why CHECK (state NOT IN ('undoing', 'undone') OR undone_by IS NOT NULL AND undone_note <> '')
);

CREATE TABLE registry.import_rows (
    import      bigint CONSTRAINT import_rows_import_fkey REFERENCES registry.imports,
    line        integer,
    mopd_id     integer NOT NULL, -- 0: none could be read
    said        jsonb NOT NULL,
    outcome     text NOT NULL CONSTRAINT import_rows_outcome_known CHECK (outcome IN ('', 'unreadable', 'failed', 'waiting', 'credited', 'held', 'denied', 'same', 'dismissed')),
    why         text NOT NULL DEFAULT '',
    credit      bigint CONSTRAINT import_rows_credit_fkey REFERENCES registry.credits,
    done        boolean NOT NULL DEFAULT false, -- what the outcome says has happened
    undone      boolean NOT NULL DEFAULT false,
    resolved_by bigint CONSTRAINT import_rows_resolved_by_fkey REFERENCES accounts.people,
    note        text NOT NULL DEFAULT '',
    CONSTRAINT import_rows_pkey PRIMARY KEY (import, line),
    CONSTRAINT import_rows_resolved_says_why CHECK (resolved_by IS NULL OR note <> '')
);
CREATE INDEX import_rows_mopd_id ON registry.import_rows (import, mopd_id);
CREATE INDEX import_rows_left ON registry.import_rows (import, line) WHERE NOT done;
CREATE INDEX import_rows_waiting ON registry.import_rows (import, line) WHERE done AND outcome = 'waiting';

-- The guard of rules §3: no two credits that stand by the rules alone were attended at once.
CREATE TABLE registry.credit_sessions (
    credit bigint CONSTRAINT credit_sessions_pkey PRIMARY KEY CONSTRAINT credit_sessions_credit_fkey REFERENCES registry.credits,
    person bigint NOT NULL CONSTRAINT credit_sessions_person_fkey REFERENCES accounts.people,
    during tstzrange NOT NULL CONSTRAINT credit_sessions_during_half_open CHECK (lower_inc(during) AND NOT upper_inc(during) AND NOT upper_inf(during)),
    CONSTRAINT credit_sessions_one_at_a_time EXCLUDE USING gist (person WITH =, during WITH &&)
);

-- By what an earlier registry knows a record; '' if it does not say.
ALTER TABLE registry.credits ADD COLUMN record text NOT NULL DEFAULT '';

-- What is recorded later than a report was printed is known later: insertDecision.
CREATE INDEX prints_person ON registry.prints (person);
