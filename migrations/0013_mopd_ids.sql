-- +goose Up
-- What other features may know of people: by which MOPD IDs they are known, the newest first.
CREATE VIEW accounts.pub_mopd_ids AS
    SELECT i.canonical AS person, m.id AS mopd_id FROM accounts.mopd_ids m JOIN accounts.pub_identities i ON i.person = m.person;
