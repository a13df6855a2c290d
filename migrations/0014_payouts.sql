-- +goose Up
-- What Stripe pays out to the bank, as it last told, with what its balance transactions sum to.
CREATE TABLE payments.payouts (
    id             text CONSTRAINT payouts_pkey PRIMARY KEY,
    amount         bigint NOT NULL,
    status         text NOT NULL,
    automatic      boolean NOT NULL,
    failure        text NOT NULL DEFAULT '',
    arrives_on     date NOT NULL, -- a day of the calendar, as Stripe writes it
    created_at     timestamptz NOT NULL,
    lines          integer NOT NULL DEFAULT 0,
    lines_sum      bigint NOT NULL DEFAULT 0,
    reconciled_at  timestamptz, -- when its lines were last read, all of them
    seen_at        timestamptz NOT NULL
);
CREATE INDEX payouts_arrives_on ON payments.payouts (arrives_on);
