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
ORDER BY source, occurred_at, transaction_id
