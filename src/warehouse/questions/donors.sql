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
ORDER BY sources DESC, donor, currency
