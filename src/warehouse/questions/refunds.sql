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
ORDER BY provider, currency
