-- BigQuery: a dataset of paynorm, 3 rows in 1 files, run RUN
-- Attached as finance.transactions_files and loaded into finance.transactions, in one step. Not run by paynorm's tests; see docs/warehouses.md.
CREATE OR REPLACE EXTERNAL TABLE finance.transactions_files
WITH PARTITION COLUMNS (feed STRING, month STRING)
OPTIONS (format = 'PARQUET', uris = ['gs://bucket/lake/feed=*'], hive_partition_uri_prefix = 'gs://bucket/lake');
CREATE TABLE IF NOT EXISTS finance.transactions (
    source STRING NOT NULL OPTIONS (description = 'the source that the transaction was read from'),
    transaction_id STRING NOT NULL OPTIONS (description = 'the source\'s own id; (source, transaction_id) is the key'),
    occurred_at TIMESTAMP NOT NULL OPTIONS (description = 'when the transaction took place; decides the partition'),
    utc_offset_minutes INT64 OPTIONS (description = 'the UTC offset written for occurred_at; null when none was written'),
    gross_amount NUMERIC(18,4) OPTIONS (description = 'amount before fees, in major units'),
    net_amount NUMERIC(18,4) OPTIONS (description = 'amount after fees'),
    fee_amount NUMERIC(18,4) OPTIONS (description = 'what the transaction cost; positive is a cost, negative a fee returned'),
    currency STRING OPTIONS (description = 'ISO 4217 code of the gross amount, or of the first amount present'),
    net_currency STRING OPTIONS (description = 'ISO 4217 code of the net amount'),
    fee_currency STRING OPTIONS (description = 'ISO 4217 code of the fee'),
    amount_check STRING NOT NULL OPTIONS (description = 'balanced, unbalanced, derived, partial or mixed_currency'),
    classification STRING NOT NULL OPTIONS (description = 'what kind of transaction it is'),
    state STRING NOT NULL OPTIONS (description = 'pending, requires_action, succeeded, failed or unknown'),
    source_classification STRING OPTIONS (description = 'the source\'s own word for the classification'),
    source_state STRING OPTIONS (description = 'the source\'s own word or number for the state; null when it is implied'),
    failure_reason STRING OPTIONS (description = 'why the transaction failed, in the source\'s words'),
    created_at TIMESTAMP OPTIONS (description = 'when the source created the record'),
    updated_at TIMESTAMP OPTIONS (description = 'when the source last changed the record'),
    completed_at TIMESTAMP OPTIONS (description = 'when the transaction was completed'),
    booking_date DATE OPTIONS (description = 'the calendar date on which the provider booked it'),
    value_date DATE OPTIONS (description = 'the calendar date from which the money counts'),
    reference STRING OPTIONS (description = 'the merchant\'s own reference or order number'),
    receipt_number STRING OPTIONS (description = 'the number of the receipt'),
    description STRING OPTIONS (description = 'what the source says of the transaction'),
    payment_id STRING OPTIONS (description = 'the payment that the transaction belongs to'),
    payment_method_id STRING OPTIONS (description = 'the payer\'s means of payment'),
    charge_attempt_id STRING OPTIONS (description = 'the attempt to charge that made the transaction'),
    provider STRING OPTIONS (description = 'the payment gateway'),
    provider_transaction_id STRING OPTIONS (description = 'the gateway\'s id of the transaction'),
    provider_account_id STRING OPTIONS (description = 'the merchant\'s account at the gateway'),
    provider_payment_method_id STRING OPTIONS (description = 'the gateway\'s id of the means of payment'),
    accounting_code STRING OPTIONS (description = 'the merchant\'s accounting code'),
    campaign_id STRING OPTIONS (description = 'the campaign'),
    job_id STRING OPTIONS (description = 'the job'),
    team_id STRING OPTIONS (description = 'the team'),
    report_id STRING OPTIONS (description = 'the provider\'s report that lists the transaction'),
    payer_id STRING OPTIONS (description = 'the source\'s id of the payer; personal data'),
    payer_name STRING OPTIONS (description = 'the payer\'s name; personal data'),
    payer_email STRING OPTIONS (description = 'the payer\'s e-mail address; personal data'),
    payer_username STRING OPTIONS (description = 'the payer\'s user name; personal data'),
    is_anonymous BOOL OPTIONS (description = 'whether the payer asked not to be named'),
    is_balance_relevant BOOL OPTIONS (description = 'whether the transaction changes the balance'),
    extra STRING OPTIONS (description = 'a JSON object of every member that no column takes, text as in the source'),
    source_file STRING NOT NULL OPTIONS (description = 'path of the dump, relative to the base directory'),
    source_offset INT64 NOT NULL OPTIONS (description = 'byte offset of the record in the decompressed dump'),
    PRIMARY KEY (source, transaction_id) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(occurred_at, MONTH)
CLUSTER BY source, transaction_id
OPTIONS (description = 'one row is one transaction of one source; unified schema, version 1');
BEGIN TRANSACTION;
DELETE FROM finance.transactions WHERE true;
INSERT INTO finance.transactions (
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
FROM finance.transactions_files;
COMMIT TRANSACTION;
SELECT count(*) AS loaded, 3 AS expected FROM finance.transactions;
