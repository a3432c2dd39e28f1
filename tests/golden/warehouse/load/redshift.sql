-- Redshift: a dataset of paynorm, 3 rows in 1 files, run RUN
-- Loaded, in one step. The role of the cluster must be able to read the bucket, which is in its region.
-- Not run by paynorm's tests; see docs/warehouses.md.
CREATE TABLE IF NOT EXISTS finance.transactions (
    source VARCHAR(65535) NOT NULL,
    transaction_id VARCHAR(65535) NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    utc_offset_minutes SMALLINT,
    gross_amount DECIMAL(18,4),
    net_amount DECIMAL(18,4),
    fee_amount DECIMAL(18,4),
    currency VARCHAR(65535),
    net_currency VARCHAR(65535),
    fee_currency VARCHAR(65535),
    amount_check VARCHAR(65535) NOT NULL,
    classification VARCHAR(65535) NOT NULL,
    state VARCHAR(65535) NOT NULL,
    source_classification VARCHAR(65535),
    source_state VARCHAR(65535),
    failure_reason VARCHAR(65535),
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    booking_date DATE,
    value_date DATE,
    reference VARCHAR(65535),
    receipt_number VARCHAR(65535),
    description VARCHAR(65535),
    payment_id VARCHAR(65535),
    payment_method_id VARCHAR(65535),
    charge_attempt_id VARCHAR(65535),
    provider VARCHAR(65535),
    provider_transaction_id VARCHAR(65535),
    provider_account_id VARCHAR(65535),
    provider_payment_method_id VARCHAR(65535),
    accounting_code VARCHAR(65535),
    campaign_id VARCHAR(65535),
    job_id VARCHAR(65535),
    team_id VARCHAR(65535),
    report_id VARCHAR(65535),
    payer_id VARCHAR(65535),
    payer_name VARCHAR(65535),
    payer_email VARCHAR(65535),
    payer_username VARCHAR(65535),
    is_anonymous BOOLEAN,
    is_balance_relevant BOOLEAN,
    extra VARCHAR(65535),
    source_file VARCHAR(65535) NOT NULL,
    source_offset BIGINT NOT NULL,
    PRIMARY KEY (source, transaction_id)
)
DISTSTYLE AUTO
SORTKEY (occurred_at);

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

BEGIN;
DELETE FROM finance.transactions;
COPY finance.transactions FROM 's3://bucket/lake/feed='
IAM_ROLE default
FORMAT AS PARQUET;
COMMIT;
SELECT count(*) AS loaded, 3 AS expected FROM finance.transactions;
