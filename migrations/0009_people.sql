-- +goose Up

-- Why something was done, or what exactly.
ALTER TABLE accounts.audit ADD COLUMN note text NOT NULL DEFAULT '';
CREATE INDEX audit_action ON accounts.audit (action, id DESC);
CREATE INDEX audit_signed_in ON accounts.audit (subject, id DESC) WHERE action = 'signed_in';

-- People are looked for by the beginnings of the parts of every name that they ever had, or of an address, or by a
-- MOPD ID. "Núñez" and "nunez" are the same.
-- +goose StatementBegin
CREATE FUNCTION accounts.fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(regexp_replace(normalize($1, NFKD), '[\u0300-\u036f]', '', 'g'))
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION accounts.name_words(given text, family text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(array_remove(regexp_split_to_array(accounts.fold(given || ' ' || family), '[][\s.,''’"()/-]+'), ''))
$$;
-- +goose StatementEnd
CREATE INDEX names_words ON accounts.names USING gin (accounts.name_words(given, family));
CREATE INDEX addresses_beginning ON accounts.addresses (lower(email) text_pattern_ops);
CREATE INDEX logins_email_beginning ON accounts.logins (lower(email) text_pattern_ops);
