-- +goose Up

-- Tries at something secret, counted before the secret is looked at. The key is a hash: the table holds
-- no e-mail address and no network address.
CREATE TABLE accounts.throttles (
    key     bytea CONSTRAINT throttles_pkey PRIMARY KEY CONSTRAINT throttles_key_hashed CHECK (length(key) = 32),
    tries   integer NOT NULL, -- since the last success
    recent  integer NOT NULL, -- of them, those that make the next one wait
    last_at timestamptz NOT NULL,
    next_at timestamptz, -- when the next try may be made; NULL: never, a success elsewhere is needed
    CONSTRAINT throttles_recent_counted CHECK (recent BETWEEN 0 AND tries)
);
