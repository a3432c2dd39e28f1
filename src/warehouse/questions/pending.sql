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
ORDER BY occurred_at, source, transaction_id
