"""The same work in ClickHouse, inside this process by chDB: an INSERT per source into a partitioned file.

Decimals are read from their digits. Digits beyond the scale are cut, not rounded: amounts with the trace of a double
(only atpay's dumps have them) are read with 18 fraction digits and rounded to four.
"""

import os

import chdb

from unified import CLASSIFICATIONS, COLUMNS, KINDS, PAGES, STATES, command_line, sql_words

MONEY = "Nullable(Decimal(18, 4))"
INSTANT = "Nullable(DateTime64(6, 'UTC'))"
TEXT = "Nullable(String)"
TYPES = {
    "instant": INSTANT,
    "minutes": "Nullable(Int16)",
    "money": MONEY,
    "date": "Nullable(Date32)",
    "flag": "Nullable(Bool)",
    "offset": "Nullable(Int64)",
}
AMOUNT = f"Tuple(currency {TEXT}, value {MONEY})"

# The members of every source; those without a type are text.
MEMBERS = {
    "spacivox": {"amount": MONEY, **dict.fromkeys("id timestamp state reference campaign job team".split())},
    "onlinefundraising": {
        "amount": MONEY,
        **dict.fromkeys(
            "transactionGuid transactionTs createdTs transactionType paymentGuid paymentGatewayProvider "
            "paymentGatewayGuid paymentGatewaySubscriptionReferenceId paymentGatewayPaymentReferenceId "
            "paymentMethodAccountingCode chargeAttemptGuid paymentMethodGuid".split()
        ),
    },
    "twocloud": {
        "amount": "Nullable(Int64)",
        "completed": INSTANT,
        "anonymous": "Nullable(Bool)",
        **dict.fromkeys(
            "id created status error message user_id funding_source_id remote_id funding_source_provider "
            "campaign".split()
        ),
    },
    "atpay": {
        "timestamp": INSTANT,
        "amount": "Nullable(Decimal(38, 18))",
        "net_amount": "Nullable(Decimal(38, 18))",
        **dict.fromkeys("id date status offer_name email".split()),
    },
    "paydata": {
        "bookingDate": INSTANT,
        "valueDate": "Nullable(Date32)",
        "gross": AMOUNT,
        "net": AMOUNT,
        "fee": AMOUNT,
        "isBalanceRelevant": "Nullable(Bool)",
        "shopper": f"Tuple(name {TEXT}, email {TEXT}, username {TEXT}, identifier {TEXT})",
        "createdAt": INSTANT,
        "lastModifiedAt": INSTANT,
        **dict.fromkeys(
            "id paymentClassification transactionId orderNumber receiptNumber bookingText reportId fields".split()
        ),
    },
}


def instant(member):
    """A time with its offset, from its text."""
    return f"parseDateTime64BestEffort(assumeNotNull({member}), 6, 'UTC')"


def minutes(member, digits):
    """The offset that a time ends with: `Z`, or `+01:00` where `digits` is 6 characters, `+0100` where it is 5."""
    hours, rest = f"toInt16OrZero(substring({member}, -{digits}, 3))", f"toInt16OrZero(substring({member}, -2))"
    total = f"{hours} * 60 + if(substring({member}, -{digits}, 1) = '-', -{rest}, {rest})"
    return f"if(endsWith({member}, 'Z'), 0, {total})"


EXECUTED = "coalesce(transactionTs, createdTs)"
GROSS, NET = "round(amount, 4)", "round(net_amount, 4)"

# What every column is, of those that the source has.
MAPPING = {
    "spacivox": {
        "transaction_id": "id",
        "occurred_at": instant("timestamp"),
        "utc_offset_minutes": minutes("timestamp", 6),
        "gross_amount": "amount",
        "amount_check": "'partial'",
        "classification": "'payment'",
        "state": sql_words("state", STATES["spacivox"]),
        "source_state": "state",
        "reference": "reference",
        "campaign_id": "campaign",
        "job_id": "job",
        "team_id": "team",
    },
    "onlinefundraising": {
        "transaction_id": "transactionGuid",
        "occurred_at": instant(EXECUTED),
        "utc_offset_minutes": minutes(EXECUTED, 5),
        "gross_amount": "if(transactionType = 'Refund', -abs(amount), amount)",
        "amount_check": "'partial'",
        "classification": sql_words("transactionType", CLASSIFICATIONS["onlinefundraising"]),
        "state": "'succeeded'",
        "source_classification": "transactionType",
        "created_at": instant("createdTs"),
        "payment_id": "paymentGuid",
        "payment_method_id": "paymentMethodGuid",
        "charge_attempt_id": "chargeAttemptGuid",
        "provider": "paymentGatewayProvider",
        "provider_transaction_id": "paymentGatewayPaymentReferenceId",
        "provider_account_id": "paymentGatewayGuid",
        "provider_payment_method_id": "paymentGatewaySubscriptionReferenceId",
        "accounting_code": "paymentMethodAccountingCode",
    },
    "twocloud": {
        "transaction_id": "id",
        "occurred_at": instant("created"),
        "utc_offset_minutes": minutes("created", 6),
        "gross_amount": "toDecimal64(amount, 4) / 100",
        "currency": "'USD'",
        "amount_check": "'partial'",
        "classification": "'payment'",
        "state": "multiIf(status IS NOT NULL, "
        + sql_words("status", STATES["twocloud"])
        + ", completed IS NULL, 'pending', 'succeeded')",
        "source_state": "status",
        "failure_reason": "error",
        "created_at": instant("created"),
        "completed_at": "completed",
        "description": "nullIf(message, '')",
        "payment_method_id": "funding_source_id",
        "provider": "funding_source_provider",
        "provider_payment_method_id": "remote_id",
        "campaign_id": "campaign",
        "payer_id": "user_id",
        "is_anonymous": "anonymous",
    },
    "atpay": {
        "transaction_id": "id",
        "occurred_at": "toDateTime64(timestamp, 6, 'UTC')",
        "gross_amount": GROSS,
        "net_amount": NET,
        "fee_amount": f"{GROSS} - {NET}",
        "currency": "'USD'",
        "net_currency": "if(net_amount IS NOT NULL, 'USD', NULL)",
        "fee_currency": "if(net_amount IS NOT NULL, 'USD', NULL)",
        "amount_check": "if(net_amount IS NOT NULL, 'derived', 'partial')",
        "classification": "'payment'",
        "state": sql_words("status", STATES["atpay"]),
        "source_state": "status",
        "description": "offer_name",
        "payer_email": "email",
        "extra": """concat('{"date":"', date, '"}')""",
    },
    "paydata": {
        "transaction_id": "coalesce(id, transactionId)",
        "occurred_at": "coalesce(bookingDate, createdAt)",
        "gross_amount": "gross_amount",
        "net_amount": "net_amount",
        "fee_amount": "fee_amount",
        "currency": "one",
        "net_currency": "if(net_amount IS NOT NULL, coalesce(net.currency, one), NULL)",
        "fee_currency": "if(fee_amount IS NOT NULL, coalesce(fee.currency, one), NULL)",
        "amount_check": "multiIf(NOT same, 'mixed_currency', given = 2, 'derived', given = 1, 'partial', "
        "gross_amount - fee_amount = net_amount, 'balanced', 'unbalanced')",
        "classification": sql_words("paymentClassification", CLASSIFICATIONS["paydata"]),
        "state": "'succeeded'",
        "source_classification": "paymentClassification",
        "created_at": "createdAt",
        "updated_at": "lastModifiedAt",
        "booking_date": "toDate32(bookingDate)",
        "value_date": "valueDate",
        "reference": "orderNumber",
        "receipt_number": "receiptNumber",
        "description": "bookingText",
        "provider_transaction_id": "transactionId",
        "report_id": "reportId",
        "payer_id": "shopper.identifier",
        "payer_name": "shopper.name",
        "payer_email": "shopper.email",
        "payer_username": "shopper.username",
        "is_balance_relevant": "isBalanceRelevant",
        "extra": """concat('{"fields":', coalesce(fields, 'null'), '}')""",
    },
}

# paydata's amounts: `one` is the first currency there is, `same` says that no other has another. The missing third of
# two is computed; a fee with the other sign is turned.
SETTLED = """
SELECT *,
    if(same, coalesce(gross.value, net.value + fee.value), gross.value) AS gross_amount,
    if(same, coalesce(net.value, gross.value - fee.value), net.value) AS net_amount,
    multiIf(NOT same, fee.value, gross.value + fee.value = net.value, -fee.value,
        coalesce(fee.value, gross.value - net.value)) AS fee_amount
FROM (
    SELECT *, coalesce(gross.currency, net.currency, fee.currency) AS one,
        coalesce(gross.currency, one) = one AND coalesce(net.currency, one) = one
            AND coalesce(fee.currency, one) = one AS same,
        (gross.value IS NOT NULL) + (net.value IS NOT NULL) + (fee.value IS NOT NULL) AS given
    FROM ({})
)"""


def records(dumps, source, shape):
    """The records of a source with typed members, and the path of their dump; JSONEachRow takes bare arrays too."""
    members = {name: type or TEXT for name, type in MEMBERS[source].items()}
    structure = ", ".join(f"{name} {type}" for name, type in members.items())
    select, join, page = "*", "", PAGES.get(source)
    if shape == "envelope" and page:
        structure = f"{page} Array(Tuple({structure}))"
        select = ", ".join(f"record.{name} AS {name}" for name in members)
        join = f"ARRAY JOIN {page} AS record"
    structure = structure.replace("'", "\\'")
    return f"SELECT {select}, _path FROM file('{dumps}/{source}/*', 'JSONEachRow', '{structure}') {join}"


def rows(dumps, source, shape):
    """The records as rows of the unified schema."""
    table = records(dumps, source, shape)
    if source == "paydata":
        table = SETTLED.format(table)
    mapping = MAPPING[source] | {"source": f"'{source}'", "source_file": f"substring(_path, {len(str(dumps)) + 2})"}
    columns = [f"CAST({mapping.get(name, 'NULL')} AS {TYPES.get(KINDS.get(name), TEXT)}) AS {name}" for name in COLUMNS]
    return f"SELECT {', '.join(columns)} FROM ({table})"


def main():
    options = command_line(__doc__.splitlines()[0]).parse_args()
    connection = chdb.connect(":memory:")
    settings = {
        "max_threads": options.threads,
        "date_time_input_format": "'best_effort'",
        # Names in an expression are the input's, not the column's of the same name that is just being made.
        "prefer_column_name_to_alias": 1,
        "output_format_parquet_compression_method": "'zstd'",
        "output_format_parquet_write_bloom_filter": 0,
    }
    for name, value in settings.items():
        connection.query(f"SET {name} = {value}")
    for source in MAPPING:
        path = os.path.abspath(options.out / f"feed={source}" / "month={_partition_id}" / "data.parquet")
        connection.query(
            f"INSERT INTO FUNCTION file('{path}', 'Parquet') PARTITION BY formatDateTime(occurred_at, '%Y-%m') "
            + rows(options.dumps, source, options.shape)
        )


if __name__ == "__main__":
    main()
