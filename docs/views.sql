-- Questions as views over the table or view `transactions` of `paynorm load-script`, for DuckDB and PostgreSQL.
-- In PostgreSQL, once before:
--   CREATE DOMAIN hugeint AS numeric(38, 0);
--   CREATE OPERATOR // (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = div);

CREATE OR REPLACE VIEW fees AS
-- What providers took, by provider, month (UTC) and currency, of transactions that succeeded. An amount is in the
-- currency of its own column, so a fee in another currency than its payment has a line of its own. `fees` were taken
-- from transactions, those returned subtracted; `service_fees` are transactions of their own. `without_fee` counts
-- payments whose fee the source does not tell: their fee is not zero, but unknown. `fee_percent` is of the payments
-- whose fee is known, in the same currency.
SELECT
    provider,
    month,
    currency,
    sum(payments) AS payments,
    sum(without_fee) AS without_fee,
    sum(paid) AS paid,
    sum(fees) AS fees,
    sum(service_fees) AS service_fees,
    CASE WHEN sum(paid_with_fee) > 0 AND sum(fees_of_payments) >= 0 THEN
        CAST((CAST(sum(fees_of_payments) * 10000 AS HUGEINT) * 20000 + CAST(sum(paid_with_fee) * 10000 AS HUGEINT))
            // (CAST(sum(paid_with_fee) * 10000 AS HUGEINT) * 2) AS DECIMAL(36, 0)) * 0.01
    END AS fee_percent
FROM (
    SELECT
        coalesce(provider, source) AS provider,
        CAST(date_trunc('month', occurred_at AT TIME ZONE 'UTC') AS DATE) AS month,
        currency,
        CASE WHEN classification IN ('payment', 'donation') THEN 1 ELSE 0 END AS payments,
        CASE WHEN classification IN ('payment', 'donation') AND fee_amount IS NULL THEN 1 ELSE 0 END AS without_fee,
        CASE WHEN classification IN ('payment', 'donation') THEN gross_amount END AS paid,
        CASE WHEN classification IN ('service_fee', 'service_fee_refund')
            THEN -coalesce(gross_amount, net_amount) END AS service_fees,
        CASE WHEN classification IN ('payment', 'donation') AND fee_amount IS NOT NULL
            AND fee_currency IS NOT DISTINCT FROM currency THEN gross_amount END AS paid_with_fee,
        CASE WHEN classification IN ('payment', 'donation') AND gross_amount IS NOT NULL
            AND fee_currency IS NOT DISTINCT FROM currency THEN fee_amount END AS fees_of_payments,
        CAST(NULL AS DECIMAL(18, 4)) AS fees
    FROM transactions
    WHERE state = 'succeeded'
    UNION ALL
    SELECT
        coalesce(provider, source),
        CAST(date_trunc('month', occurred_at AT TIME ZONE 'UTC') AS DATE),
        fee_currency,
        0, 0, NULL, NULL, NULL, NULL,
        fee_amount
    FROM transactions
    WHERE state = 'succeeded' AND fee_amount IS NOT NULL
) AS amounts
GROUP BY provider, month, currency
HAVING sum(payments) > 0 OR sum(fees) IS NOT NULL OR sum(service_fees) IS NOT NULL
ORDER BY provider, month, currency;

CREATE OR REPLACE VIEW refunds AS
-- Refund rate by provider and currency, of transactions that succeeded. Money given back is negative in the data
-- (`gross_amount` is seen from the merchant) and positive here. A chargeback is money that a payer's bank took back; the
-- rate is of refunds alone, by amount and by number. A refund counts where it took place, not with the payment it undoes:
-- the sources link the two in different ways, or not at all.
SELECT
    provider,
    currency,
    payments,
    refunds,
    chargebacks,
    paid,
    refunded,
    charged_back,
    CASE WHEN paid > 0 AND refunded >= 0 THEN
        CAST((CAST(refunded * 10000 AS HUGEINT) * 20000 + CAST(paid * 10000 AS HUGEINT))
            // (CAST(paid * 10000 AS HUGEINT) * 2) AS DECIMAL(36, 0)) * 0.01
    END AS percent_of_amount,
    CASE WHEN payments > 0 THEN
        CAST((CAST(refunds AS HUGEINT) * 20000 + CAST(payments AS HUGEINT)) // (CAST(payments AS HUGEINT) * 2)
            AS DECIMAL(36, 0)) * 0.01
    END AS percent_of_number
FROM (
    SELECT
        coalesce(provider, source) AS provider,
        currency,
        sum(CASE WHEN classification IN ('payment', 'donation') THEN 1 ELSE 0 END) AS payments,
        sum(CASE WHEN classification = 'refund' THEN 1 ELSE 0 END) AS refunds,
        sum(CASE WHEN classification = 'chargeback' THEN 1 ELSE 0 END) AS chargebacks,
        coalesce(sum(CASE WHEN classification IN ('payment', 'donation') THEN gross_amount END), 0) AS paid,
        coalesce(-sum(CASE WHEN classification = 'refund' THEN gross_amount END), 0) AS refunded,
        coalesce(-sum(CASE WHEN classification = 'chargeback' THEN gross_amount END), 0) AS charged_back
    FROM transactions
    WHERE state = 'succeeded' AND classification IN ('payment', 'donation', 'refund', 'chargeback')
    GROUP BY coalesce(provider, source), currency
) AS sums
ORDER BY provider, currency;

CREATE OR REPLACE VIEW unbalanced AS
-- Transactions whose gross, fee and net are all there, in one currency, and do not fit together: what the provider says
-- of itself. `source_file` and `source_offset` lead to the record; `paynorm explain` shows it.
SELECT
    source,
    transaction_id,
    occurred_at AT TIME ZONE 'UTC' AS occurred_at_utc,
    classification,
    currency,
    gross_amount,
    fee_amount,
    net_amount,
    gross_amount - fee_amount - net_amount AS missing,
    source_file,
    source_offset
FROM transactions
WHERE amount_check = 'unbalanced'
ORDER BY source, occurred_at, transaction_id;

CREATE OR REPLACE VIEW pending AS
-- What is under way, or waits for the payer, more than 7 days after it took place. An older dump knows nothing newer: a
-- payment may have been settled since it was fetched.
SELECT
    source,
    transaction_id,
    occurred_at AT TIME ZONE 'UTC' AS occurred_at_utc,
    CAST(now() AT TIME ZONE 'UTC' AS DATE) - CAST(occurred_at AT TIME ZONE 'UTC' AS DATE) AS days,
    state,
    source_state,
    currency,
    gross_amount,
    source_file
FROM transactions
WHERE state IN ('pending', 'requires_action')
    AND occurred_at < now() - INTERVAL '7 days'
ORDER BY occurred_at, source, transaction_id;

CREATE OR REPLACE VIEW donors AS
-- What each person gave over all sources, by currency: payments and donations that succeeded, and what was given back. A
-- person is an e-mail address without regard to case; who has two addresses is two, and payments without an address,
-- or of payers who asked not to be named, are not here. Personal data: for those alone who may see it.
SELECT
    lower(trim(payer_email)) AS donor,
    currency,
    count(DISTINCT source) AS sources,
    string_agg(DISTINCT source, ', ' ORDER BY source) AS given_through,
    sum(CASE WHEN classification IN ('payment', 'donation') THEN 1 ELSE 0 END) AS gifts,
    coalesce(sum(CASE WHEN classification IN ('payment', 'donation') THEN gross_amount END), 0) AS given,
    coalesce(-sum(CASE WHEN classification IN ('refund', 'chargeback') THEN gross_amount END), 0) AS given_back,
    CAST(min(occurred_at AT TIME ZONE 'UTC') AS DATE) AS first_on,
    CAST(max(occurred_at AT TIME ZONE 'UTC') AS DATE) AS last_on
FROM transactions
WHERE state = 'succeeded'
    AND payer_email IS NOT NULL
    AND is_anonymous IS NOT TRUE
    AND classification IN ('payment', 'donation', 'refund', 'chargeback')
GROUP BY lower(trim(payer_email)), currency
ORDER BY sources DESC, donor, currency;
