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
ORDER BY provider, month, currency
