CREATE TABLE transactions (
    source VARCHAR NOT NULL,
    transaction_id VARCHAR NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    utc_offset_minutes SMALLINT,
    gross_amount DECIMAL(18,4),
    net_amount DECIMAL(18,4),
    fee_amount DECIMAL(18,4),
    currency VARCHAR,
    net_currency VARCHAR,
    fee_currency VARCHAR,
    amount_check VARCHAR NOT NULL,
    classification VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    source_classification VARCHAR,
    source_state VARCHAR,
    failure_reason VARCHAR,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    booking_date DATE,
    value_date DATE,
    reference VARCHAR,
    receipt_number VARCHAR,
    description VARCHAR,
    payment_id VARCHAR,
    payment_method_id VARCHAR,
    charge_attempt_id VARCHAR,
    provider VARCHAR,
    provider_transaction_id VARCHAR,
    provider_account_id VARCHAR,
    provider_payment_method_id VARCHAR,
    accounting_code VARCHAR,
    campaign_id VARCHAR,
    job_id VARCHAR,
    team_id VARCHAR,
    report_id VARCHAR,
    payer_id VARCHAR,
    payer_name VARCHAR,
    payer_email VARCHAR,
    payer_username VARCHAR,
    is_anonymous BOOLEAN,
    is_balance_relevant BOOLEAN,
    extra VARCHAR,
    source_file VARCHAR NOT NULL,
    source_offset BIGINT NOT NULL,
    PRIMARY KEY (source, transaction_id)
);

COMMENT ON TABLE transactions IS 'one row is one transaction of one source; unified schema, version 1';
COMMENT ON COLUMN transactions.source IS 'the source that the transaction was read from';
COMMENT ON COLUMN transactions.transaction_id IS 'the source''s own id; (source, transaction_id) is the key';
COMMENT ON COLUMN transactions.occurred_at IS 'when the transaction took place; decides the partition';
COMMENT ON COLUMN transactions.utc_offset_minutes IS 'the UTC offset written for occurred_at; null when none was written';
COMMENT ON COLUMN transactions.gross_amount IS 'amount before fees, in major units';
COMMENT ON COLUMN transactions.net_amount IS 'amount after fees';
COMMENT ON COLUMN transactions.fee_amount IS 'what the transaction cost; positive is a cost, negative a fee returned';
COMMENT ON COLUMN transactions.currency IS 'ISO 4217 code of the gross amount, or of the first amount present';
COMMENT ON COLUMN transactions.net_currency IS 'ISO 4217 code of the net amount';
COMMENT ON COLUMN transactions.fee_currency IS 'ISO 4217 code of the fee';
COMMENT ON COLUMN transactions.amount_check IS 'balanced, unbalanced, derived, partial or mixed_currency';
COMMENT ON COLUMN transactions.classification IS 'what kind of transaction it is';
COMMENT ON COLUMN transactions.state IS 'pending, requires_action, succeeded, failed or unknown';
COMMENT ON COLUMN transactions.source_classification IS 'the source''s own word for the classification';
COMMENT ON COLUMN transactions.source_state IS 'the source''s own word or number for the state; null when it is implied';
COMMENT ON COLUMN transactions.failure_reason IS 'why the transaction failed, in the source''s words';
COMMENT ON COLUMN transactions.created_at IS 'when the source created the record';
COMMENT ON COLUMN transactions.updated_at IS 'when the source last changed the record';
COMMENT ON COLUMN transactions.completed_at IS 'when the transaction was completed';
COMMENT ON COLUMN transactions.booking_date IS 'the calendar date on which the provider booked it';
COMMENT ON COLUMN transactions.value_date IS 'the calendar date from which the money counts';
COMMENT ON COLUMN transactions.reference IS 'the merchant''s own reference or order number';
COMMENT ON COLUMN transactions.receipt_number IS 'the number of the receipt';
COMMENT ON COLUMN transactions.description IS 'what the source says of the transaction';
COMMENT ON COLUMN transactions.payment_id IS 'the payment that the transaction belongs to';
COMMENT ON COLUMN transactions.payment_method_id IS 'the payer''s means of payment';
COMMENT ON COLUMN transactions.charge_attempt_id IS 'the attempt to charge that made the transaction';
COMMENT ON COLUMN transactions.provider IS 'the payment gateway';
COMMENT ON COLUMN transactions.provider_transaction_id IS 'the gateway''s id of the transaction';
COMMENT ON COLUMN transactions.provider_account_id IS 'the merchant''s account at the gateway';
COMMENT ON COLUMN transactions.provider_payment_method_id IS 'the gateway''s id of the means of payment';
COMMENT ON COLUMN transactions.accounting_code IS 'the merchant''s accounting code';
COMMENT ON COLUMN transactions.campaign_id IS 'the campaign';
COMMENT ON COLUMN transactions.job_id IS 'the job';
COMMENT ON COLUMN transactions.team_id IS 'the team';
COMMENT ON COLUMN transactions.report_id IS 'the provider''s report that lists the transaction';
COMMENT ON COLUMN transactions.payer_id IS 'the source''s id of the payer; personal data';
COMMENT ON COLUMN transactions.payer_name IS 'the payer''s name; personal data';
COMMENT ON COLUMN transactions.payer_email IS 'the payer''s e-mail address; personal data';
COMMENT ON COLUMN transactions.payer_username IS 'the payer''s user name; personal data';
COMMENT ON COLUMN transactions.is_anonymous IS 'whether the payer asked not to be named';
COMMENT ON COLUMN transactions.is_balance_relevant IS 'whether the transaction changes the balance';
COMMENT ON COLUMN transactions.extra IS 'a JSON object of every member that no column takes, text as in the source';
COMMENT ON COLUMN transactions.source_file IS 'path of the dump, relative to the base directory';
COMMENT ON COLUMN transactions.source_offset IS 'byte offset of the record in the decompressed dump';
