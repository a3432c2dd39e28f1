-- Snowflake: a dataset of paynorm, 3 rows in 1 files, run RUN
-- Loaded, in one step. It needs a storage integration named paynorm that may read the bucket.
-- Not run by paynorm's tests; see docs/warehouses.md.
ALTER SESSION SET TIMEZONE = 'UTC';
CREATE STAGE IF NOT EXISTS finance.transactions_stage URL = 's3://bucket/lake/' STORAGE_INTEGRATION = paynorm;
CREATE TABLE IF NOT EXISTS finance.transactions (
    source VARCHAR NOT NULL COMMENT 'the source that the transaction was read from',
    transaction_id VARCHAR NOT NULL COMMENT 'the source''s own id; (source, transaction_id) is the key',
    occurred_at TIMESTAMP_TZ(6) NOT NULL COMMENT 'when the transaction took place; decides the partition',
    utc_offset_minutes SMALLINT COMMENT 'the UTC offset written for occurred_at; null when none was written',
    gross_amount NUMBER(18,4) COMMENT 'amount before fees, in major units',
    net_amount NUMBER(18,4) COMMENT 'amount after fees',
    fee_amount NUMBER(18,4) COMMENT 'what the transaction cost; positive is a cost, negative a fee returned',
    currency VARCHAR COMMENT 'ISO 4217 code of the gross amount, or of the first amount present',
    net_currency VARCHAR COMMENT 'ISO 4217 code of the net amount',
    fee_currency VARCHAR COMMENT 'ISO 4217 code of the fee',
    amount_check VARCHAR NOT NULL COMMENT 'balanced, unbalanced, derived, partial or mixed_currency',
    classification VARCHAR NOT NULL COMMENT 'what kind of transaction it is',
    state VARCHAR NOT NULL COMMENT 'pending, requires_action, succeeded, failed or unknown',
    source_classification VARCHAR COMMENT 'the source''s own word for the classification',
    source_state VARCHAR COMMENT 'the source''s own word or number for the state; null when it is implied',
    failure_reason VARCHAR COMMENT 'why the transaction failed, in the source''s words',
    created_at TIMESTAMP_TZ(6) COMMENT 'when the source created the record',
    updated_at TIMESTAMP_TZ(6) COMMENT 'when the source last changed the record',
    completed_at TIMESTAMP_TZ(6) COMMENT 'when the transaction was completed',
    booking_date DATE COMMENT 'the calendar date on which the provider booked it',
    value_date DATE COMMENT 'the calendar date from which the money counts',
    reference VARCHAR COMMENT 'the merchant''s own reference or order number',
    receipt_number VARCHAR COMMENT 'the number of the receipt',
    description VARCHAR COMMENT 'what the source says of the transaction',
    payment_id VARCHAR COMMENT 'the payment that the transaction belongs to',
    payment_method_id VARCHAR COMMENT 'the payer''s means of payment',
    charge_attempt_id VARCHAR COMMENT 'the attempt to charge that made the transaction',
    provider VARCHAR COMMENT 'the payment gateway',
    provider_transaction_id VARCHAR COMMENT 'the gateway''s id of the transaction',
    provider_account_id VARCHAR COMMENT 'the merchant''s account at the gateway',
    provider_payment_method_id VARCHAR COMMENT 'the gateway''s id of the means of payment',
    accounting_code VARCHAR COMMENT 'the merchant''s accounting code',
    campaign_id VARCHAR COMMENT 'the campaign',
    job_id VARCHAR COMMENT 'the job',
    team_id VARCHAR COMMENT 'the team',
    report_id VARCHAR COMMENT 'the provider''s report that lists the transaction',
    payer_id VARCHAR COMMENT 'the source''s id of the payer; personal data',
    payer_name VARCHAR COMMENT 'the payer''s name; personal data',
    payer_email VARCHAR COMMENT 'the payer''s e-mail address; personal data',
    payer_username VARCHAR COMMENT 'the payer''s user name; personal data',
    is_anonymous BOOLEAN COMMENT 'whether the payer asked not to be named',
    is_balance_relevant BOOLEAN COMMENT 'whether the transaction changes the balance',
    extra VARCHAR COMMENT 'a JSON object of every member that no column takes, text as in the source',
    source_file VARCHAR NOT NULL COMMENT 'path of the dump, relative to the base directory',
    source_offset BIGINT NOT NULL COMMENT 'byte offset of the record in the decompressed dump',
    PRIMARY KEY (source, transaction_id)
)
COMMENT = 'one row is one transaction of one source; unified schema, version 1';
BEGIN;
DELETE FROM finance.transactions;
COPY INTO finance.transactions FROM @finance.transactions_stage
PATTERN = '.*[.]parquet'
FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
FORCE = TRUE ON_ERROR = ABORT_STATEMENT;
COMMIT;
SELECT count(*) AS loaded, 3 AS expected FROM finance.transactions;
