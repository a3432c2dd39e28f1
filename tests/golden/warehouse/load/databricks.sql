-- Databricks: a dataset of paynorm, 3 rows in 1 files, run RUN
-- Loaded, in one step. Not run by paynorm's tests; see docs/warehouses.md.
CREATE TABLE IF NOT EXISTS finance.transactions (
    source STRING NOT NULL COMMENT 'the source that the transaction was read from',
    transaction_id STRING NOT NULL COMMENT 'the source\'s own id; (source, transaction_id) is the key',
    occurred_at TIMESTAMP NOT NULL COMMENT 'when the transaction took place; decides the partition',
    utc_offset_minutes SMALLINT COMMENT 'the UTC offset written for occurred_at; null when none was written',
    gross_amount DECIMAL(18,4) COMMENT 'amount before fees, in major units',
    net_amount DECIMAL(18,4) COMMENT 'amount after fees',
    fee_amount DECIMAL(18,4) COMMENT 'what the transaction cost; positive is a cost, negative a fee returned',
    currency STRING COMMENT 'ISO 4217 code of the gross amount, or of the first amount present',
    net_currency STRING COMMENT 'ISO 4217 code of the net amount',
    fee_currency STRING COMMENT 'ISO 4217 code of the fee',
    amount_check STRING NOT NULL COMMENT 'balanced, unbalanced, derived, partial or mixed_currency',
    classification STRING NOT NULL COMMENT 'what kind of transaction it is',
    state STRING NOT NULL COMMENT 'pending, requires_action, succeeded, failed or unknown',
    source_classification STRING COMMENT 'the source\'s own word for the classification',
    source_state STRING COMMENT 'the source\'s own word or number for the state; null when it is implied',
    failure_reason STRING COMMENT 'why the transaction failed, in the source\'s words',
    created_at TIMESTAMP COMMENT 'when the source created the record',
    updated_at TIMESTAMP COMMENT 'when the source last changed the record',
    completed_at TIMESTAMP COMMENT 'when the transaction was completed',
    booking_date DATE COMMENT 'the calendar date on which the provider booked it',
    value_date DATE COMMENT 'the calendar date from which the money counts',
    reference STRING COMMENT 'the merchant\'s own reference or order number',
    receipt_number STRING COMMENT 'the number of the receipt',
    description STRING COMMENT 'what the source says of the transaction',
    payment_id STRING COMMENT 'the payment that the transaction belongs to',
    payment_method_id STRING COMMENT 'the payer\'s means of payment',
    charge_attempt_id STRING COMMENT 'the attempt to charge that made the transaction',
    provider STRING COMMENT 'the payment gateway',
    provider_transaction_id STRING COMMENT 'the gateway\'s id of the transaction',
    provider_account_id STRING COMMENT 'the merchant\'s account at the gateway',
    provider_payment_method_id STRING COMMENT 'the gateway\'s id of the means of payment',
    accounting_code STRING COMMENT 'the merchant\'s accounting code',
    campaign_id STRING COMMENT 'the campaign',
    job_id STRING COMMENT 'the job',
    team_id STRING COMMENT 'the team',
    report_id STRING COMMENT 'the provider\'s report that lists the transaction',
    payer_id STRING COMMENT 'the source\'s id of the payer; personal data',
    payer_name STRING COMMENT 'the payer\'s name; personal data',
    payer_email STRING COMMENT 'the payer\'s e-mail address; personal data',
    payer_username STRING COMMENT 'the payer\'s user name; personal data',
    is_anonymous BOOLEAN COMMENT 'whether the payer asked not to be named',
    is_balance_relevant BOOLEAN COMMENT 'whether the transaction changes the balance',
    extra STRING COMMENT 'a JSON object of every member that no column takes, text as in the source',
    source_file STRING NOT NULL COMMENT 'path of the dump, relative to the base directory',
    source_offset BIGINT NOT NULL COMMENT 'byte offset of the record in the decompressed dump',
    PRIMARY KEY (source, transaction_id)
)
USING DELTA
CLUSTER BY (source, occurred_at)
COMMENT 'one row is one transaction of one source; unified schema, version 1';
INSERT OVERWRITE finance.transactions (
    source, transaction_id, occurred_at, utc_offset_minutes, gross_amount, net_amount, fee_amount,
    currency, net_currency, fee_currency, amount_check, classification, state, source_classification,
    source_state, failure_reason, created_at, updated_at, completed_at, booking_date, value_date,
    reference, receipt_number, description, payment_id, payment_method_id, charge_attempt_id, provider,
    provider_transaction_id, provider_account_id, provider_payment_method_id, accounting_code,
    campaign_id, job_id, team_id, report_id, payer_id, payer_name, payer_email, payer_username,
    is_anonymous, is_balance_relevant, extra, source_file, source_offset)
SELECT
    source, transaction_id, occurred_at, utc_offset_minutes, gross_amount, net_amount, fee_amount,
    currency, net_currency, fee_currency, amount_check, classification, state, source_classification,
    source_state, failure_reason, created_at, updated_at, completed_at, booking_date, value_date,
    reference, receipt_number, description, payment_id, payment_method_id, charge_attempt_id, provider,
    provider_transaction_id, provider_account_id, provider_payment_method_id, accounting_code,
    campaign_id, job_id, team_id, report_id, payer_id, payer_name, payer_email, payer_username,
    is_anonymous, is_balance_relevant, extra, source_file, source_offset
FROM read_files('s3://bucket/lake/feed=*/month=*/*.parquet', format => 'parquet');
SELECT count(*) AS loaded, 3 AS expected FROM finance.transactions;
