-- ClickHouse: a dataset of paynorm, 3 rows in 1 files, run RUN
-- Loaded; the new table takes the place of the old one when it is full.
CREATE OR REPLACE TABLE finance.transactions (
    source String COMMENT 'the source that the transaction was read from',
    transaction_id String COMMENT 'the source\'s own id; (source, transaction_id) is the key',
    occurred_at DateTime64(6, 'UTC') COMMENT 'when the transaction took place; decides the partition',
    utc_offset_minutes Nullable(Int16) COMMENT 'the UTC offset written for occurred_at; null when none was written',
    gross_amount Nullable(Decimal(18,4)) COMMENT 'amount before fees, in major units',
    net_amount Nullable(Decimal(18,4)) COMMENT 'amount after fees',
    fee_amount Nullable(Decimal(18,4)) COMMENT 'what the transaction cost; positive is a cost, negative a fee returned',
    currency Nullable(String) COMMENT 'ISO 4217 code of the gross amount, or of the first amount present',
    net_currency Nullable(String) COMMENT 'ISO 4217 code of the net amount',
    fee_currency Nullable(String) COMMENT 'ISO 4217 code of the fee',
    amount_check String COMMENT 'balanced, unbalanced, derived, partial or mixed_currency',
    classification String COMMENT 'what kind of transaction it is',
    state String COMMENT 'pending, requires_action, succeeded, failed or unknown',
    source_classification Nullable(String) COMMENT 'the source\'s own word for the classification',
    source_state Nullable(String) COMMENT 'the source\'s own word or number for the state; null when it is implied',
    failure_reason Nullable(String) COMMENT 'why the transaction failed, in the source\'s words',
    created_at Nullable(DateTime64(6, 'UTC')) COMMENT 'when the source created the record',
    updated_at Nullable(DateTime64(6, 'UTC')) COMMENT 'when the source last changed the record',
    completed_at Nullable(DateTime64(6, 'UTC')) COMMENT 'when the transaction was completed',
    booking_date Nullable(Date32) COMMENT 'the calendar date on which the provider booked it',
    value_date Nullable(Date32) COMMENT 'the calendar date from which the money counts',
    reference Nullable(String) COMMENT 'the merchant\'s own reference or order number',
    receipt_number Nullable(String) COMMENT 'the number of the receipt',
    description Nullable(String) COMMENT 'what the source says of the transaction',
    payment_id Nullable(String) COMMENT 'the payment that the transaction belongs to',
    payment_method_id Nullable(String) COMMENT 'the payer\'s means of payment',
    charge_attempt_id Nullable(String) COMMENT 'the attempt to charge that made the transaction',
    provider Nullable(String) COMMENT 'the payment gateway',
    provider_transaction_id Nullable(String) COMMENT 'the gateway\'s id of the transaction',
    provider_account_id Nullable(String) COMMENT 'the merchant\'s account at the gateway',
    provider_payment_method_id Nullable(String) COMMENT 'the gateway\'s id of the means of payment',
    accounting_code Nullable(String) COMMENT 'the merchant\'s accounting code',
    campaign_id Nullable(String) COMMENT 'the campaign',
    job_id Nullable(String) COMMENT 'the job',
    team_id Nullable(String) COMMENT 'the team',
    report_id Nullable(String) COMMENT 'the provider\'s report that lists the transaction',
    payer_id Nullable(String) COMMENT 'the source\'s id of the payer; personal data',
    payer_name Nullable(String) COMMENT 'the payer\'s name; personal data',
    payer_email Nullable(String) COMMENT 'the payer\'s e-mail address; personal data',
    payer_username Nullable(String) COMMENT 'the payer\'s user name; personal data',
    is_anonymous Nullable(Bool) COMMENT 'whether the payer asked not to be named',
    is_balance_relevant Nullable(Bool) COMMENT 'whether the transaction changes the balance',
    extra Nullable(String) COMMENT 'a JSON object of every member that no column takes, text as in the source',
    source_file String COMMENT 'path of the dump, relative to the base directory',
    source_offset Int64 COMMENT 'byte offset of the record in the decompressed dump'
)
ENGINE = MergeTree
PARTITION BY toYear(occurred_at)
ORDER BY (source, occurred_at, transaction_id)
COMMENT 'one row is one transaction of one source; unified schema, version 1'
AS SELECT
    source, transaction_id, occurred_at, utc_offset_minutes, gross_amount, net_amount, fee_amount,
    currency, net_currency, fee_currency, amount_check, classification, state, source_classification,
    source_state, failure_reason, created_at, updated_at, completed_at, booking_date, value_date,
    reference, receipt_number, description, payment_id, payment_method_id, charge_attempt_id, provider,
    provider_transaction_id, provider_account_id, provider_payment_method_id, accounting_code,
    campaign_id, job_id, team_id, report_id, payer_id, payer_name, payer_email, payer_username,
    is_anonymous, is_balance_relevant, extra, source_file, source_offset
FROM s3('s3://bucket/lake/feed=*/month=*/*.parquet', 'Parquet');
SELECT count(*) AS loaded, 3 AS expected FROM finance.transactions;
