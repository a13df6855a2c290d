-- +goose Up
CREATE SCHEMA courses;

-- A course's identity lasts through revised versions and translations.
CREATE TABLE courses.courses (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT courses_pkey PRIMARY KEY,
    code        text NOT NULL CONSTRAINT courses_code_key UNIQUE CONSTRAINT courses_code_form CHECK (code ~ '^[A-Z0-9][A-Z0-9-]{1,30}$'),
    title       text NOT NULL CONSTRAINT courses_title_length CHECK (length(title) BETWEEN 1 AND 200),
    summary     text NOT NULL DEFAULT '' CONSTRAINT courses_summary_length CHECK (length(summary) <= 1000),
    sponsor     text NOT NULL CONSTRAINT courses_sponsor_length CHECK (length(sponsor) BETWEEN 1 AND 200),
    topics      text[] NOT NULL DEFAULT '{}',
    series      text NOT NULL DEFAULT '',
    fee_cents   bigint NOT NULL CONSTRAINT courses_fee_range CHECK (fee_cents BETWEEN 0 AND 100000),
    safe_sleep  boolean NOT NULL DEFAULT false,
    recorded_at timestamptz NOT NULL
);

-- The approval of a course's clock hours; valid_until is the first day after it, and
-- the first day itself when the approval is withdrawn. A correction is a new row of the
-- same number: the latest one says what holds.
CREATE TABLE courses.approvals (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT approvals_pkey PRIMARY KEY,
    course      bigint NOT NULL CONSTRAINT approvals_course_fkey REFERENCES courses.courses,
    number      text NOT NULL CONSTRAINT approvals_number_length CHECK (length(number) BETWEEN 1 AND 60),
    quarters    integer NOT NULL CONSTRAINT approvals_quarters_range CHECK (quarters BETWEEN 1 AND 400),
    valid_from  date NOT NULL,
    valid_until date CONSTRAINT approvals_valid_order CHECK (valid_until >= valid_from),
    approver    text NOT NULL CONSTRAINT approvals_approver_length CHECK (length(approver) BETWEEN 1 AND 200),
    recorded_at timestamptz NOT NULL
);
CREATE INDEX approvals_course ON courses.approvals (course, number, id DESC);

CREATE VIEW courses.current_approvals AS
    SELECT DISTINCT ON (course, number) id, course, number, quarters, valid_from, valid_until, approver
    FROM courses.approvals ORDER BY course, number, id DESC;

-- Content in the object store, under its hash. The row stands before the bytes, and
-- goes after them: whatever lies there can be found from here.
CREATE TABLE courses.blobs (
    sha256    bytea CONSTRAINT blobs_pkey PRIMARY KEY CONSTRAINT blobs_sha256_length CHECK (length(sha256) = 32),
    wanted_at timestamptz NOT NULL -- when a package with it was last published or uploaded
);

CREATE TABLE courses.versions (
    id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT versions_pkey PRIMARY KEY,
    course         bigint NOT NULL CONSTRAINT versions_course_fkey REFERENCES courses.courses,
    n              integer NOT NULL,
    state          text NOT NULL DEFAULT 'draft' CONSTRAINT versions_state_known CHECK (state IN ('draft', 'published', 'retired')),
    standard       text NOT NULL CONSTRAINT versions_standard_known CHECK (standard IN ('scorm12')),
    title          text NOT NULL,
    launch         text NOT NULL, -- address within the package: path, escaped, and query
    activity       text NOT NULL,
    launch_data    text NOT NULL DEFAULT '',
    mastery_score  text NOT NULL DEFAULT '',
    max_time       text NOT NULL DEFAULT '',
    time_limit     text NOT NULL DEFAULT '',
    package_sha256 bytea NOT NULL CONSTRAINT versions_package_fkey REFERENCES courses.blobs,
    package_name   text NOT NULL,
    package_size   bigint NOT NULL,
    content_size   bigint NOT NULL,
    file_count     integer NOT NULL,
    warnings       jsonb NOT NULL DEFAULT '[]',
    published_at   timestamptz,
    retired_at     timestamptz,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT versions_course_n_key UNIQUE (course, n)
);
CREATE INDEX versions_package ON courses.versions (package_sha256);
CREATE UNIQUE INDEX versions_one_published ON courses.versions (course) WHERE state = 'published';

CREATE TABLE courses.files (
    version      bigint NOT NULL CONSTRAINT files_version_fkey REFERENCES courses.versions ON DELETE CASCADE,
    path         text NOT NULL,
    sha256       bytea NOT NULL CONSTRAINT files_sha256_fkey REFERENCES courses.blobs,
    size         bigint NOT NULL,
    content_type text NOT NULL,
    CONSTRAINT files_pkey PRIMARY KEY (version, path)
);
CREATE INDEX files_sha256 ON courses.files (sha256);
CREATE INDEX files_any_case ON courses.files (version, lower(path));

-- A package on its way in; step and outcome are what the author's page shows.
CREATE TABLE courses.uploads (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT uploads_pkey PRIMARY KEY,
    course      bigint NOT NULL CONSTRAINT uploads_course_fkey REFERENCES courses.courses,
    person      bigint NOT NULL CONSTRAINT uploads_person_fkey REFERENCES accounts.people,
    filename    text NOT NULL,
    size        bigint NOT NULL CONSTRAINT uploads_size_positive CHECK (size > 0),
    chunks      integer NOT NULL CONSTRAINT uploads_chunks_positive CHECK (chunks > 0),
    received    integer[] NOT NULL DEFAULT '{}',
    state       text NOT NULL DEFAULT 'receiving' CONSTRAINT uploads_state_known CHECK (state IN ('receiving', 'processing', 'done', 'refused', 'cancelled')),
    step        text NOT NULL DEFAULT 'receive' CONSTRAINT uploads_step_known CHECK (step IN ('receive', 'check', 'read', 'store', 'ready')),
    refusal     text NOT NULL DEFAULT '',
    refusal_args jsonb NOT NULL DEFAULT '{}',
    version     bigint CONSTRAINT uploads_version_fkey REFERENCES courses.versions,
    run         integer NOT NULL DEFAULT 0, -- the latest run of its job, the one that may go on
    held_until  timestamptz,                -- until when no other run may begin; NULL: one may
    recorded_at timestamptz NOT NULL,
    touched_at  timestamptz NOT NULL
);
CREATE INDEX uploads_open ON courses.uploads (touched_at) WHERE state IN ('receiving', 'processing');
