-- +goose Up
CREATE SCHEMA payments;

-- What somebody means to pay, at the price shown. One order is one hosted Checkout session: key is the
-- idempotency key with which it is asked for, kept before the call, so that asking again makes no second.
CREATE TABLE payments.orders (
    id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT orders_pkey PRIMARY KEY,
    payer          bigint NOT NULL CONSTRAINT orders_payer_fkey REFERENCES accounts.people,
    total          bigint NOT NULL CONSTRAINT orders_total_positive CHECK (total > 0),
    currency       text NOT NULL DEFAULT 'usd' CONSTRAINT orders_currency_known CHECK (currency = 'usd'),
    lang           text NOT NULL,
    state          text NOT NULL DEFAULT 'open' CONSTRAINT orders_state_known CHECK (state IN ('open', 'pending', 'paid', 'canceled')),
    key            uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT orders_key_key UNIQUE,
    expires_at     timestamptz NOT NULL,
    session        text CONSTRAINT orders_session_key UNIQUE,
    url            text NOT NULL DEFAULT '',
    payment_intent text CONSTRAINT orders_payment_intent_key UNIQUE,
    created_at     timestamptz NOT NULL,
    asked_at       timestamptz, -- when the return page asked how it stands
    paid_at        timestamptz,
    ended_at       timestamptz, -- when it was canceled
    why            text NOT NULL DEFAULT '' CONSTRAINT orders_why_known CHECK (why IN ('', 'by_payer', 'expired', 'not_paid')),
    CONSTRAINT orders_paid_at_set CHECK ((state = 'paid') = (paid_at IS NOT NULL)),
    CONSTRAINT orders_ended_at_set CHECK ((state = 'canceled') = (ended_at IS NOT NULL))
);
CREATE INDEX orders_payer ON payments.orders (payer);
CREATE INDEX orders_created_at ON payments.orders (created_at);

-- What an order is for, as it was shown: title, hours and price stand, whatever becomes of the course.
CREATE TABLE payments.lines (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lines_pkey PRIMARY KEY,
    "order"    bigint NOT NULL CONSTRAINT lines_order_fkey REFERENCES payments.orders,
    course     bigint NOT NULL CONSTRAINT lines_course_fkey REFERENCES courses.courses,
    version    bigint NOT NULL CONSTRAINT lines_version_fkey REFERENCES courses.versions,
    code       text NOT NULL,
    title      text NOT NULL,
    sponsor    text NOT NULL,
    quarters   integer NOT NULL CONSTRAINT lines_quarters_range CHECK (quarters BETWEEN 1 AND 400),
    quantity   integer NOT NULL DEFAULT 1 CONSTRAINT lines_quantity_positive CHECK (quantity > 0),
    unit_price bigint NOT NULL CONSTRAINT lines_unit_price_positive CHECK (unit_price > 0)
);
CREATE INDEX lines_order ON payments.lines ("order");
CREATE INDEX lines_course ON payments.lines (course);

-- The one entitlement to a course, whatever paid for it. Reserved while its order may still be paid;
-- granted with the payment, and redeemed by one enrollment.
CREATE TABLE payments.seats (
    id         bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT seats_pkey PRIMARY KEY,
    line       bigint CONSTRAINT seats_line_fkey REFERENCES payments.lines,
    person     bigint CONSTRAINT seats_person_fkey REFERENCES accounts.people,
    course     bigint NOT NULL CONSTRAINT seats_course_fkey REFERENCES courses.courses,
    state      text NOT NULL CONSTRAINT seats_state_known CHECK (state IN ('reserved', 'granted', 'revoked', 'released')),
    enrollment bigint CONSTRAINT seats_enrollment_fkey REFERENCES enrollments.enrollments CONSTRAINT seats_enrollment_key UNIQUE,
    granted_at timestamptz,
    ended_at   timestamptz,
    CONSTRAINT seats_enrollment_granted CHECK (enrollment IS NULL OR state IN ('granted', 'revoked')),
    CONSTRAINT seats_granted_at_set CHECK ((state IN ('granted', 'revoked')) = (granted_at IS NOT NULL)),
    CONSTRAINT seats_ended_at_set CHECK ((state IN ('revoked', 'released')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX seats_one_reserved ON payments.seats (person, course) WHERE state = 'reserved';
CREATE INDEX seats_line ON payments.seats (line);

-- Webhooks as they came, each once.
CREATE TABLE payments.events (
    id           text CONSTRAINT events_pkey PRIMARY KEY,
    type         text NOT NULL,
    api_version  text NOT NULL,
    livemode     boolean NOT NULL,
    object       text NOT NULL, -- id of what it is about
    created_at   timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    payload      jsonb NOT NULL,
    via          text NOT NULL CONSTRAINT events_via_known CHECK (via IN ('webhook', 'list')),
    processed_at timestamptz,
    outcome      text NOT NULL DEFAULT ''
);
CREATE INDEX events_unprocessed ON payments.events (received_at) WHERE processed_at IS NULL;

-- Charges as Stripe last told.
CREATE TABLE payments.charges (
    id                  text CONSTRAINT charges_pkey PRIMARY KEY,
    "order"             bigint CONSTRAINT charges_order_fkey REFERENCES payments.orders,
    payment_intent      text,
    amount              bigint NOT NULL,
    currency            text NOT NULL,
    balance_transaction text,
    created_at          timestamptz NOT NULL,
    metadata_order      text NOT NULL DEFAULT '',
    livemode            boolean NOT NULL,
    refunding           bigint NOT NULL DEFAULT 0, -- cents refunded or being refunded
    seen_at             timestamptz NOT NULL,
    CONSTRAINT charges_refund_within CHECK (refunding BETWEEN 0 AND amount)
);
CREATE INDEX charges_order ON payments.charges ("order");
CREATE INDEX charges_payment_intent ON payments.charges (payment_intent);

-- Stripe's own record of what moved its balance: what the ledger is made from.
CREATE TABLE payments.balance_transactions (
    id           text CONSTRAINT balance_transactions_pkey PRIMARY KEY,
    category     text NOT NULL,
    amount       bigint NOT NULL,
    fee          bigint NOT NULL,
    net          bigint NOT NULL,
    currency     text NOT NULL,
    source       text NOT NULL,
    payout       text,
    created_at   timestamptz NOT NULL,
    available_on timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    CONSTRAINT balance_transactions_net CHECK (net = amount - fee)
);
CREATE INDEX balance_transactions_source ON payments.balance_transactions (source);
CREATE INDEX balance_transactions_payout ON payments.balance_transactions (payout);

-- The ledger: double entry, in cents, debits above zero. Revenue and what is owed stand below zero.
CREATE TABLE payments.accounts (
    code   text CONSTRAINT accounts_pkey PRIMARY KEY,
    kind   text NOT NULL CONSTRAINT accounts_kind_known CHECK (kind IN ('asset', 'liability', 'revenue', 'expense')),
    course bigint CONSTRAINT accounts_course_fkey REFERENCES courses.courses,
    gl     text NOT NULL DEFAULT ''
);
INSERT INTO payments.accounts (code, kind) VALUES
    ('stripe', 'asset'), ('bank', 'asset'), ('suspense', 'asset'), ('unearned', 'liability'),
    ('fees', 'expense'), ('disputes', 'expense'), ('dispute_fees', 'expense');

CREATE TABLE payments.entries (
    id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT entries_pkey PRIMARY KEY,
    kind         text NOT NULL CONSTRAINT entries_kind_known CHECK (kind IN ('charge', 'earned', 'fee', 'refund', 'refund_failed', 'dispute', 'dispute_reversed',
        'payout', 'payout_failed', 'waiver', 'adjustment', 'unknown')),
    reference    text NOT NULL CONSTRAINT entries_reference_key UNIQUE,
    "order"      bigint CONSTRAINT entries_order_fkey REFERENCES payments.orders,
    effective_at timestamptz NOT NULL,
    effective_on date NOT NULL, -- in America/Chicago; of a payout the day on which it arrives
    recorded_at  timestamptz NOT NULL,
    note         text NOT NULL DEFAULT ''
);
CREATE INDEX entries_order ON payments.entries ("order");
CREATE INDEX entries_effective_on ON payments.entries (effective_on);

CREATE TABLE payments.entry_lines (
    entry   bigint NOT NULL CONSTRAINT entry_lines_entry_fkey REFERENCES payments.entries,
    account text NOT NULL CONSTRAINT entry_lines_account_fkey REFERENCES payments.accounts,
    amount  bigint NOT NULL CONSTRAINT entry_lines_amount_some CHECK (amount <> 0),
    CONSTRAINT entry_lines_pkey PRIMARY KEY (entry, account)
);
CREATE INDEX entry_lines_account ON payments.entry_lines (account);

-- Both triggers: an entry without lines must fail too.
-- +goose StatementBegin
CREATE FUNCTION payments.balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    which bigint;
    total numeric;
BEGIN
    IF TG_TABLE_NAME = 'entries' THEN which := NEW.id; ELSE which := NEW.entry; END IF;
    SELECT sum(amount) INTO total FROM payments.entry_lines WHERE entry = which;
    IF total IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'entry % does not balance: %', which, coalesce(total::text, 'no lines')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entries_balance';
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER entries_balance AFTER INSERT ON payments.entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments.balanced();
CREATE CONSTRAINT TRIGGER entries_balance AFTER INSERT ON payments.entry_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments.balanced();
CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.entries
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();
CREATE TRIGGER entry_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payments.entry_lines
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.append_only();

-- What somebody has to look at. One is never closed but by a person.
CREATE TABLE payments.exceptions (
    id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT exceptions_pkey PRIMARY KEY,
    kind        text NOT NULL,
    subject     text NOT NULL, -- id of what it is about
    details     jsonb NOT NULL DEFAULT '{}',
    "order"     bigint CONSTRAINT exceptions_order_fkey REFERENCES payments.orders,
    found_at    timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL, -- when it was last still so
    times       integer NOT NULL DEFAULT 1,
    state       text NOT NULL DEFAULT 'open' CONSTRAINT exceptions_state_known CHECK (state IN ('open', 'resolved')),
    owner       bigint CONSTRAINT exceptions_owner_fkey REFERENCES accounts.people,
    resolved_at timestamptz,
    resolved_by bigint CONSTRAINT exceptions_resolved_by_fkey REFERENCES accounts.people,
    CONSTRAINT exceptions_kind_subject_key UNIQUE (kind, subject),
    CONSTRAINT exceptions_resolved_by_somebody CHECK ((state = 'resolved') = (resolved_at IS NOT NULL AND resolved_by IS NOT NULL))
);
CREATE TABLE payments.exception_notes (
    id        bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT exception_notes_pkey PRIMARY KEY,
    exception bigint NOT NULL CONSTRAINT exception_notes_exception_fkey REFERENCES payments.exceptions,
    by        bigint NOT NULL CONSTRAINT exception_notes_by_fkey REFERENCES accounts.people,
    at        timestamptz NOT NULL,
    text      text NOT NULL
);

-- When a fee is given back without a decision, and from which amount on two people decide: data, in force from a day on.
CREATE TABLE payments.refund_policies (
    id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT refund_policies_pkey PRIMARY KEY,
    effective_from date NOT NULL CONSTRAINT refund_policies_effective_from_key UNIQUE,
    days           integer NOT NULL CONSTRAINT refund_policies_days_range CHECK (days BETWEEN 0 AND 400), -- after the payment, while never launched
    second_over    bigint NOT NULL CONSTRAINT refund_policies_second_over_range CHECK (second_over >= 0), -- cents; above it a second person decides
    recorded_at    timestamptz NOT NULL
);
INSERT INTO payments.refund_policies (effective_from, days, second_over, recorded_at) VALUES ('1990-01-01', 30, 2500, '2026-01-01T06:00:00Z');

-- key is the idempotency key with which Stripe is asked. Who asks never decides: two people where the amount is above the limit.
CREATE TABLE payments.refunds (
    id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT refunds_pkey PRIMARY KEY,
    "order"      bigint NOT NULL CONSTRAINT refunds_order_fkey REFERENCES payments.orders,
    charge       text NOT NULL CONSTRAINT refunds_charge_fkey REFERENCES payments.charges,
    amount       bigint NOT NULL CONSTRAINT refunds_amount_positive CHECK (amount > 0),
    reason       text NOT NULL,
    keep_access  boolean NOT NULL,
    state        text NOT NULL CONSTRAINT refunds_state_known CHECK (state IN ('requested', 'approved', 'pending', 'succeeded', 'failed', 'denied')),
    key          uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT refunds_key_key UNIQUE,
    stripe       text CONSTRAINT refunds_stripe_key UNIQUE,
    needs_second boolean NOT NULL,
    requested_by bigint CONSTRAINT refunds_requested_by_fkey REFERENCES accounts.people, -- NULL: made in Stripe's dashboard
    requested_at timestamptz NOT NULL,
    decided_by   bigint CONSTRAINT refunds_decided_by_fkey REFERENCES accounts.people,
    decided_at   timestamptz,
    why_denied   text NOT NULL DEFAULT '',
    sent_at      timestamptz,
    settled_at   timestamptz,
    failure      text NOT NULL DEFAULT '',
    CONSTRAINT refunds_two_people CHECK (decided_by IS NULL OR decided_by IS DISTINCT FROM requested_by),
    CONSTRAINT refunds_second_decided CHECK (NOT needs_second OR state = 'requested' OR decided_by IS NOT NULL)
);
CREATE INDEX refunds_order ON payments.refunds ("order");
CREATE INDEX refunds_charge ON payments.refunds (charge);

CREATE TABLE payments.disputes (
    id        text CONSTRAINT disputes_pkey PRIMARY KEY,
    charge    text NOT NULL,
    "order"   bigint CONSTRAINT disputes_order_fkey REFERENCES payments.orders,
    amount    bigint NOT NULL,
    status    text NOT NULL,
    reason    text NOT NULL,
    due_by    timestamptz,
    opened_at timestamptz NOT NULL,
    seen_at   timestamptz NOT NULL
);
CREATE INDEX disputes_order ON payments.disputes ("order");

-- What was shown at registration: what a course cost stands beside its hours.
ALTER TABLE enrollments.enrollments
    ADD COLUMN fee bigint NOT NULL DEFAULT 0 CONSTRAINT enrollments_fee_range CHECK (fee >= 0),
    DROP CONSTRAINT enrollments_state_known,
    ADD CONSTRAINT enrollments_state_known CHECK (state IN ('ready', 'active', 'completed', 'expired', 'revoked'));
