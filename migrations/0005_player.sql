-- +goose Up
CREATE SCHEMA player;

-- One try at a course. A preview has no enrollment.
CREATE TABLE player.attempts (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT attempts_pkey PRIMARY KEY,
    person      bigint NOT NULL CONSTRAINT attempts_person_fkey REFERENCES accounts.people,
    enrollment  bigint CONSTRAINT attempts_enrollment_fkey REFERENCES enrollments.enrollments,
    version     bigint NOT NULL CONSTRAINT attempts_version_fkey REFERENCES courses.versions,
    mode        text NOT NULL CONSTRAINT attempts_mode_known CHECK (mode IN ('credit', 'review', 'preview')),
    n           integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT attempts_preview_alone CHECK ((mode = 'preview') = (enrollment IS NULL)),
    CONSTRAINT attempts_enrollment_mode_n_key UNIQUE (enrollment, mode, n)
);

-- Run-time data of one activity of an attempt: element -> value, as the content set it; finished tells
-- whether the last thing that the content said was that it is over.
CREATE TABLE player.activity_data (
    attempt  bigint NOT NULL CONSTRAINT activity_data_attempt_fkey REFERENCES player.attempts,
    activity text NOT NULL,
    data     jsonb NOT NULL DEFAULT '{}',
    finished boolean NOT NULL DEFAULT false,
    CONSTRAINT activity_data_pkey PRIMARY KEY (attempt, activity)
);

-- What a content origin may serve: one label, one person, one version.
CREATE TABLE player.grants (
    label       text CONSTRAINT grants_pkey PRIMARY KEY CONSTRAINT grants_label_form CHECK (label ~ '^[a-z][a-z0-9]{25}$'),
    person      bigint NOT NULL CONSTRAINT grants_person_fkey REFERENCES accounts.people,
    version     bigint NOT NULL CONSTRAINT grants_version_fkey REFERENCES courses.versions,
    mode        text NOT NULL,
    enrollment  bigint CONSTRAINT grants_enrollment_fkey REFERENCES enrollments.enrollments,
    expires_at  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT grants_enrollment_mode_version_key UNIQUE (enrollment, mode, version)
);

-- The one live player of a person. An epoch is never reused; a fenced lease has no token.
CREATE TABLE player.leases (
    person     bigint CONSTRAINT leases_pkey PRIMARY KEY CONSTRAINT leases_person_fkey REFERENCES accounts.people,
    epoch      bigint NOT NULL,
    attempt    bigint NOT NULL CONSTRAINT leases_attempt_fkey REFERENCES player.attempts,
    token_hash bytea CONSTRAINT leases_token_hash_key UNIQUE,
    session    bytea NOT NULL -- the application session that the launch came from
);

-- Every session that ever held the lease: its time, and the number of the last commit that it was acknowledged.
CREATE TABLE player.sessions (
    person    bigint NOT NULL CONSTRAINT sessions_person_fkey REFERENCES accounts.people,
    epoch     bigint NOT NULL,
    attempt   bigint NOT NULL CONSTRAINT sessions_attempt_fkey REFERENCES player.attempts,
    opened_at timestamptz NOT NULL,
    seen_at   timestamptz NOT NULL,
    seq       bigint NOT NULL DEFAULT 0,
    seat_ms   bigint NOT NULL DEFAULT 0 CONSTRAINT sessions_seat_positive CHECK (seat_ms >= 0),
    device    text NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (person, epoch)
);
CREATE INDEX sessions_attempt ON player.sessions (attempt);

-- Time that the content reported for one activity in one session (SCORM session_time), in hundredths of a second.
CREATE TABLE player.session_times (
    person       bigint NOT NULL,
    epoch        bigint NOT NULL,
    activity     text NOT NULL,
    centiseconds bigint NOT NULL CONSTRAINT session_times_positive CHECK (centiseconds >= 0),
    CONSTRAINT session_times_pkey PRIMARY KEY (person, epoch, activity),
    CONSTRAINT session_times_session_fkey FOREIGN KEY (person, epoch) REFERENCES player.sessions
);

-- What was confirmed before the first launch of a day (rules §7), with the wording that was read.
CREATE TABLE player.attestations (
    person      bigint NOT NULL CONSTRAINT attestations_person_fkey REFERENCES accounts.people,
    enrollment  bigint NOT NULL CONSTRAINT attestations_enrollment_fkey REFERENCES enrollments.enrollments,
    day         date NOT NULL,
    wording     text NOT NULL,
    lang        text NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT attestations_pkey PRIMARY KEY (person, enrollment, day)
);
CREATE TRIGGER attestations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON player.attestations
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- Who was told that a course earns again only from a day on, and chose to go on for no credit (rules §5).
CREATE TABLE player.no_credit_choices (
    person       bigint NOT NULL CONSTRAINT no_credit_choices_person_fkey REFERENCES accounts.people,
    enrollment   bigint NOT NULL CONSTRAINT no_credit_choices_enrollment_fkey REFERENCES enrollments.enrollments,
    earns_again  date NOT NULL,
    recorded_at  timestamptz NOT NULL,
    CONSTRAINT no_credit_choices_pkey PRIMARY KEY (person, enrollment, earns_again)
);
CREATE TRIGGER no_credit_choices_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON player.no_credit_choices
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- Changes that count for nothing yet, kept with their evidence for a registrar: they came too late, or they could not be read.
CREATE TABLE player.held_commits (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT held_commits_pkey PRIMARY KEY,
    attempt     bigint NOT NULL CONSTRAINT held_commits_attempt_fkey REFERENCES player.attempts,
    epoch       bigint NOT NULL,
    seq         bigint NOT NULL,
    activity    text NOT NULL,
    of_epoch    bigint NOT NULL, -- of the session in which the work was done
    finished    boolean NOT NULL,
    reason      text NOT NULL CONSTRAINT held_commits_reason_known CHECK (reason IN ('window_over', 'unreadable')),
    changes     jsonb NOT NULL,
    made_at     timestamptz, -- by the clock of the browser that kept it: evidence only
    recorded_at timestamptz NOT NULL
);
CREATE INDEX held_commits_attempt ON player.held_commits (attempt);
