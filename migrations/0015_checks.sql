-- +goose Up
-- What other features may know of enrollments with a fee.
CREATE INDEX enrollments_fee ON enrollments.enrollments (recorded_at) WHERE fee > 0;
CREATE VIEW enrollments.pub_fees AS
    SELECT id AS enrollment, person, course, state, fee, recorded_at FROM enrollments.enrollments WHERE fee > 0;

-- What Stripe takes for a charge: so many ten-thousandths of it, and so many cents, at most the cap. In force from a day on.
CREATE TABLE payments.fee_rates (
    method         text NOT NULL, -- of payment, as Stripe names it
    effective_from date NOT NULL,
    share          integer NOT NULL CONSTRAINT fee_rates_share_range CHECK (share BETWEEN 0 AND 10000), -- ten-thousandths
    fixed          bigint NOT NULL CONSTRAINT fee_rates_fixed_range CHECK (fixed >= 0), -- cents
    cap            bigint CONSTRAINT fee_rates_cap_positive CHECK (cap > 0), -- cents
    CONSTRAINT fee_rates_pkey PRIMARY KEY (method, effective_from)
);
INSERT INTO payments.fee_rates (method, effective_from, share, fixed, cap) VALUES
    ('card', '1990-01-01', 290, 30, NULL), ('link', '1990-01-01', 290, 30, NULL), ('us_bank_account', '1990-01-01', 80, 0, 500);
ALTER TABLE payments.charges ADD COLUMN method text NOT NULL DEFAULT '';
CREATE INDEX charges_created_at ON payments.charges (created_at);
CREATE INDEX charges_stray ON payments.charges (id) WHERE "order" IS NULL;

-- The accounts at Stripe that answered to the key; there should be one, ever.
CREATE TABLE payments.stripe_accounts (
    id            text CONSTRAINT stripe_accounts_pkey PRIMARY KEY,
    first_seen_at timestamptz NOT NULL
);

-- Until when Stripe was asked for events that no webhook told of.
CREATE TABLE payments.listed (
    one   boolean NOT NULL DEFAULT true CONSTRAINT listed_pkey PRIMARY KEY CONSTRAINT listed_one CHECK (one),
    until timestamptz NOT NULL
);

-- Through which day the books are closed. What belongs to a closed day is entered on an open one.
CREATE TABLE payments.books (
    one            boolean NOT NULL DEFAULT true CONSTRAINT books_pkey PRIMARY KEY CONSTRAINT books_one CHECK (one),
    closed_through date NOT NULL
);
INSERT INTO payments.books (closed_through) VALUES ('1990-01-01');
ALTER TABLE payments.entries ADD COLUMN belongs_on date; -- the closed day that an adjusting entry belongs to
CREATE INDEX entries_adjusting ON payments.entries (id) WHERE belongs_on IS NOT NULL;
CREATE INDEX entries_stray ON payments.entries (id) WHERE kind = 'charge' AND "order" IS NULL;
CREATE INDEX entries_unknown ON payments.entries (id) WHERE kind = 'unknown';
-- +goose StatementBegin
CREATE FUNCTION payments.period_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.effective_on <= (SELECT closed_through FROM payments.books FOR SHARE) THEN
        RAISE EXCEPTION 'the books are closed on %', NEW.effective_on USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_period_open';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER entries_period_open BEFORE INSERT ON payments.entries FOR EACH ROW EXECUTE FUNCTION payments.period_open();

CREATE INDEX events_listed ON payments.events (created_at) WHERE via = 'list';
CREATE INDEX events_received_at ON payments.events (received_at);
CREATE INDEX exceptions_open ON payments.exceptions (found_at) WHERE state = 'open';
CREATE INDEX exceptions_order ON payments.exceptions ("order");
