-- PostgreSQL: a dataset of paynorm, 3 rows in 1 files, run RUN
-- Run: psql --no-psqlrc --file THIS_FILE; DuckDB's command `duckdb` writes what COPY reads.
\set ON_ERROR_STOP on
\encoding UTF8
\setenv PAYNORM_ROWS 'SET TimeZone = ''UTC''; CREATE MACRO t(v) AS CASE WHEN contains(v, chr(0)) THEN error(''a text holds U+0000, which PostgreSQL can''''t store'') ELSE replace(replace(replace(replace(v, ''\\'', ''\\\\''), chr(9), ''\\t''), chr(10), ''\\n''), chr(13), ''\\r'') END; COPY (SELECT t(source), t(transaction_id), occurred_at, utc_offset_minutes, gross_amount, net_amount, fee_amount, t(currency), t(net_currency), t(fee_currency), t(amount_check), t(classification), t(state), t(source_classification), t(source_state), t(failure_reason), created_at, updated_at, completed_at, booking_date, value_date, t(reference), t(receipt_number), t(description), t(payment_id), t(payment_method_id), t(charge_attempt_id), t(provider), t(provider_transaction_id), t(provider_account_id), t(provider_payment_method_id), t(accounting_code), t(campaign_id), t(job_id), t(team_id), t(report_id), t(payer_id), t(payer_name), t(payer_email), t(payer_username), is_anonymous, is_balance_relevant, t(extra), t(source_file), source_offset FROM read_parquet(''s3://bucket/lake/feed=*/month=*/*.parquet'', hive_partitioning = false)) TO ''/dev/stdout'' (FORMAT csv, HEADER false, DELIMITER E''\\t'', QUOTE '''', ESCAPE '''', NULLSTR ''\\N'')'
BEGIN;
CREATE TABLE IF NOT EXISTS finance.transactions (
    source text NOT NULL,
    transaction_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    utc_offset_minutes smallint,
    gross_amount numeric(18,4),
    net_amount numeric(18,4),
    fee_amount numeric(18,4),
    currency text,
    net_currency text,
    fee_currency text,
    amount_check text NOT NULL,
    classification text NOT NULL,
    state text NOT NULL,
    source_classification text,
    source_state text,
    failure_reason text,
    created_at timestamptz,
    updated_at timestamptz,
    completed_at timestamptz,
    booking_date date,
    value_date date,
    reference text,
    receipt_number text,
    description text,
    payment_id text,
    payment_method_id text,
    charge_attempt_id text,
    provider text,
    provider_transaction_id text,
    provider_account_id text,
    provider_payment_method_id text,
    accounting_code text,
    campaign_id text,
    job_id text,
    team_id text,
    report_id text,
    payer_id text,
    payer_name text,
    payer_email text,
    payer_username text,
    is_anonymous boolean,
    is_balance_relevant boolean,
    extra text,
    source_file text NOT NULL,
    source_offset bigint NOT NULL,
    PRIMARY KEY (source, transaction_id)
);
CREATE INDEX IF NOT EXISTS transactions_by_time ON finance.transactions (source, occurred_at);

COMMENT ON TABLE finance.transactions IS 'one row is one transaction of one source; unified schema, version 1';
COMMENT ON COLUMN finance.transactions.source IS 'the source that the transaction was read from';
COMMENT ON COLUMN finance.transactions.transaction_id IS 'the source''s own id; (source, transaction_id) is the key';
COMMENT ON COLUMN finance.transactions.occurred_at IS 'when the transaction took place; decides the partition';
COMMENT ON COLUMN finance.transactions.utc_offset_minutes IS 'the UTC offset written for occurred_at; null when none was written';
COMMENT ON COLUMN finance.transactions.gross_amount IS 'amount before fees, in major units';
COMMENT ON COLUMN finance.transactions.net_amount IS 'amount after fees';
COMMENT ON COLUMN finance.transactions.fee_amount IS 'what the transaction cost; positive is a cost, negative a fee returned';
COMMENT ON COLUMN finance.transactions.currency IS 'ISO 4217 code of the gross amount, or of the first amount present';
COMMENT ON COLUMN finance.transactions.net_currency IS 'ISO 4217 code of the net amount';
COMMENT ON COLUMN finance.transactions.fee_currency IS 'ISO 4217 code of the fee';
COMMENT ON COLUMN finance.transactions.amount_check IS 'balanced, unbalanced, derived, partial or mixed_currency';
COMMENT ON COLUMN finance.transactions.classification IS 'what kind of transaction it is';
COMMENT ON COLUMN finance.transactions.state IS 'pending, requires_action, succeeded, failed or unknown';
COMMENT ON COLUMN finance.transactions.source_classification IS 'the source''s own word for the classification';
COMMENT ON COLUMN finance.transactions.source_state IS 'the source''s own word or number for the state; null when it is implied';
COMMENT ON COLUMN finance.transactions.failure_reason IS 'why the transaction failed, in the source''s words';
COMMENT ON COLUMN finance.transactions.created_at IS 'when the source created the record';
COMMENT ON COLUMN finance.transactions.updated_at IS 'when the source last changed the record';
COMMENT ON COLUMN finance.transactions.completed_at IS 'when the transaction was completed';
COMMENT ON COLUMN finance.transactions.booking_date IS 'the calendar date on which the provider booked it';
COMMENT ON COLUMN finance.transactions.value_date IS 'the calendar date from which the money counts';
COMMENT ON COLUMN finance.transactions.reference IS 'the merchant''s own reference or order number';
COMMENT ON COLUMN finance.transactions.receipt_number IS 'the number of the receipt';
COMMENT ON COLUMN finance.transactions.description IS 'what the source says of the transaction';
COMMENT ON COLUMN finance.transactions.payment_id IS 'the payment that the transaction belongs to';
COMMENT ON COLUMN finance.transactions.payment_method_id IS 'the payer''s means of payment';
COMMENT ON COLUMN finance.transactions.charge_attempt_id IS 'the attempt to charge that made the transaction';
COMMENT ON COLUMN finance.transactions.provider IS 'the payment gateway';
COMMENT ON COLUMN finance.transactions.provider_transaction_id IS 'the gateway''s id of the transaction';
COMMENT ON COLUMN finance.transactions.provider_account_id IS 'the merchant''s account at the gateway';
COMMENT ON COLUMN finance.transactions.provider_payment_method_id IS 'the gateway''s id of the means of payment';
COMMENT ON COLUMN finance.transactions.accounting_code IS 'the merchant''s accounting code';
COMMENT ON COLUMN finance.transactions.campaign_id IS 'the campaign';
COMMENT ON COLUMN finance.transactions.job_id IS 'the job';
COMMENT ON COLUMN finance.transactions.team_id IS 'the team';
COMMENT ON COLUMN finance.transactions.report_id IS 'the provider''s report that lists the transaction';
COMMENT ON COLUMN finance.transactions.payer_id IS 'the source''s id of the payer; personal data';
COMMENT ON COLUMN finance.transactions.payer_name IS 'the payer''s name; personal data';
COMMENT ON COLUMN finance.transactions.payer_email IS 'the payer''s e-mail address; personal data';
COMMENT ON COLUMN finance.transactions.payer_username IS 'the payer''s user name; personal data';
COMMENT ON COLUMN finance.transactions.is_anonymous IS 'whether the payer asked not to be named';
COMMENT ON COLUMN finance.transactions.is_balance_relevant IS 'whether the transaction changes the balance';
COMMENT ON COLUMN finance.transactions.extra IS 'a JSON object of every member that no column takes, text as in the source';
COMMENT ON COLUMN finance.transactions.source_file IS 'path of the dump, relative to the base directory';
COMMENT ON COLUMN finance.transactions.source_offset IS 'byte offset of the record in the decompressed dump';

LOCK TABLE finance.transactions IN EXCLUSIVE MODE;
DELETE FROM finance.transactions;
\copy finance.transactions FROM PROGRAM 'duckdb -init /dev/null -c "$PAYNORM_ROWS"'
DO $$ BEGIN IF (SELECT count(*) FROM finance.transactions) <> 3 THEN
    RAISE EXCEPTION 'not the 3 rows of the dataset; nothing was loaded';
END IF; END $$;
COMMIT;
