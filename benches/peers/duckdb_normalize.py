"""The same work in DuckDB: a COPY per source, with an explicit type for every member.

Its JSON reader turns numbers into doubles and those into DECIMAL(18,4), rounded. What surprises: for pages of many
records `read_json`, which is made for it, takes several times as long as `read_text` with `from_json`; both are here.
"""

import json

import duckdb

from unified import CLASSIFICATIONS, COLUMNS, KINDS, PAGES, STATES, command_line, sql_words

MONEY = "DECIMAL(18,4)"
TYPES = {
    "instant": "TIMESTAMPTZ",
    "minutes": "SMALLINT",
    "money": MONEY,
    "date": "DATE",
    "flag": "BOOLEAN",
    "offset": "BIGINT",
}
AMOUNT = f"STRUCT(currency VARCHAR, value {MONEY})"

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
        "amount": "BIGINT",
        "completed": "TIMESTAMPTZ",
        "anonymous": "BOOLEAN",
        **dict.fromkeys(
            "id created status error message user_id funding_source_id remote_id funding_source_provider "
            "campaign".split()
        ),
    },
    "atpay": {
        "timestamp": "BIGINT",
        "date": "JSON",
        "amount": MONEY,
        "net_amount": MONEY,
        **dict.fromkeys("id status offer_name email".split()),
    },
    "paydata": {
        "bookingDate": "TIMESTAMPTZ",
        "valueDate": "DATE",
        "gross": AMOUNT,
        "net": AMOUNT,
        "fee": AMOUNT,
        "isBalanceRelevant": "BOOLEAN",
        "shopper": "STRUCT(name VARCHAR, email VARCHAR, username VARCHAR, identifier VARCHAR)",
        "createdAt": "TIMESTAMPTZ",
        "lastModifiedAt": "TIMESTAMPTZ",
        "fields": "JSON",
        **dict.fromkeys(
            "id paymentClassification transactionId orderNumber receiptNumber bookingText reportId".split()
        ),
    },
}


def rfc3339_minutes(member):
    """The offset of an RFC 3339 time, `Z` or like `+01:00`."""
    minutes = f"{member}[-5:-4]::SMALLINT * 60 + {member}[-2:]::SMALLINT"
    return f"CASE {member}[-6] WHEN '+' THEN {minutes} WHEN '-' THEN -({minutes}) ELSE 0 END"


CREATED = "strptime(createdTs, '%Y-%m-%d %H:%M:%S %z')"
EXECUTED = "coalesce(transactionTs, createdTs)"

# What every column is, of those that the source has.
MAPPING = {
    "spacivox": {
        "transaction_id": "id",
        "occurred_at": "timestamp::TIMESTAMPTZ",
        "utc_offset_minutes": rfc3339_minutes("timestamp"),
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
        "occurred_at": f"strptime({EXECUTED}, '%Y-%m-%d %H:%M:%S %z')",
        "utc_offset_minutes": f"{EXECUTED}[-5:-3]::SMALLINT * 60 + ({EXECUTED}[-5] || {EXECUTED}[-2:])::SMALLINT",
        "gross_amount": "CASE transactionType WHEN 'Refund' THEN -abs(amount) ELSE amount END",
        "amount_check": "'partial'",
        "classification": sql_words("transactionType", CLASSIFICATIONS["onlinefundraising"]),
        "state": "'succeeded'",
        "source_classification": "transactionType",
        "created_at": CREATED,
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
        "occurred_at": "created::TIMESTAMPTZ",
        "utc_offset_minutes": rfc3339_minutes("created"),
        "gross_amount": "amount::DECIMAL(16,0) * 0.01::DECIMAL(2,2)",
        "currency": "'USD'",
        "amount_check": "'partial'",
        "classification": "'payment'",
        "state": "CASE WHEN status IS NOT NULL THEN "
        + sql_words("status", STATES["twocloud"])
        + " WHEN completed IS NULL THEN 'pending' ELSE 'succeeded' END",
        "source_state": "status",
        "failure_reason": "error",
        "created_at": "created::TIMESTAMPTZ",
        "completed_at": "completed",
        "description": "nullif(message, '')",
        "payment_method_id": "funding_source_id",
        "provider": "funding_source_provider",
        "provider_payment_method_id": "remote_id",
        "campaign_id": "campaign",
        "payer_id": "user_id",
        "is_anonymous": "anonymous",
    },
    "atpay": {
        "transaction_id": "id",
        "occurred_at": "to_timestamp(timestamp)",
        "gross_amount": "amount",
        "net_amount": "net_amount",
        "fee_amount": "amount - net_amount",
        "currency": "'USD'",
        "net_currency": "CASE WHEN net_amount IS NOT NULL THEN 'USD' END",
        "fee_currency": "CASE WHEN net_amount IS NOT NULL THEN 'USD' END",
        "amount_check": "CASE WHEN net_amount IS NOT NULL THEN 'derived' ELSE 'partial' END",
        "classification": "'payment'",
        "state": sql_words("status", STATES["atpay"]),
        "source_state": "status",
        "description": "offer_name",
        "payer_email": "email",
        "extra": """'{"date":' || date || '}'""",
    },
    "paydata": {
        "transaction_id": "coalesce(id, transactionId)",
        "occurred_at": "coalesce(bookingDate, createdAt)",
        "gross_amount": "gross_amount",
        "net_amount": "net_amount",
        "fee_amount": "fee_amount",
        "currency": "one",
        "net_currency": "CASE WHEN net_amount IS NOT NULL THEN coalesce(net.currency, one) END",
        "fee_currency": "CASE WHEN fee_amount IS NOT NULL THEN coalesce(fee.currency, one) END",
        "amount_check": "CASE WHEN NOT same THEN 'mixed_currency' WHEN given = 2 THEN 'derived' "
        "WHEN given = 1 THEN 'partial' WHEN gross_amount - fee_amount = net_amount THEN 'balanced' "
        "ELSE 'unbalanced' END",
        "classification": sql_words("paymentClassification", CLASSIFICATIONS["paydata"]),
        "state": "'succeeded'",
        "source_classification": "paymentClassification",
        "created_at": "createdAt",
        "updated_at": "lastModifiedAt",
        "booking_date": "bookingDate::DATE",
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
        "extra": """'{"fields":' || coalesce(fields, 'null') || '}'""",
    },
}

# paydata's amounts: `one` is the first currency there is, `same` says that no other has another. The missing third of
# two is computed; a fee with the other sign is turned.
SETTLED = """
SELECT *,
    CASE WHEN same THEN coalesce(gross.value, net.value + fee.value) ELSE gross.value END AS gross_amount,
    CASE WHEN same THEN coalesce(net.value, gross.value - fee.value) ELSE net.value END AS net_amount,
    CASE WHEN NOT same THEN fee.value
        WHEN gross.value + fee.value = net.value THEN -fee.value
        ELSE coalesce(fee.value, gross.value - net.value) END AS fee_amount
FROM (
    SELECT *, coalesce(gross.currency, net.currency, fee.currency) AS one,
        coalesce(gross.currency, one) = one AND coalesce(net.currency, one) = one
            AND coalesce(fee.currency, one) = one AS same,
        (gross.value IS NOT NULL)::INT + (net.value IS NOT NULL)::INT + (fee.value IS NOT NULL)::INT AS given
    FROM ({})
)"""


def records(dumps, source, shape, pages):
    """The records of a source with typed members; a page's list is unnested, a bare array is read as it is."""
    members = {name: type or "VARCHAR" for name, type in MEMBERS[source].items()}
    files, page = f"'{dumps}/{source}/*'", PAGES.get(source)
    if shape == "ndjson" or page is None:
        form = "newline_delimited" if shape == "ndjson" else "array"
        return f"SELECT * FROM read_json({files}, format = '{form}', columns = {members}, filename = true)"
    if pages == "read_json":
        struct = ", ".join(f"{name} {type}" for name, type in members.items())
        columns = {page: f"STRUCT({struct})[]"}
        table = f"read_json({files}, columns = {columns}, filename = true)"
        return f"SELECT record.*, filename FROM (SELECT unnest({page}) AS record, filename FROM {table})"
    record = f"unnest(from_json(content, '{json.dumps({page: [members]})}').{page}) AS record"
    return f"SELECT record.*, filename FROM (SELECT {record}, filename FROM read_text({files}))"


def rows(dumps, source, shape, pages):
    """The records as rows of the unified schema, with the month to partition by."""
    table = records(dumps, source, shape, pages)
    if source == "paydata":
        table = SETTLED.format(table)
    mapping = MAPPING[source] | {"source": f"'{source}'", "source_file": f"filename[{len(str(dumps)) + 2}:]"}
    columns = [f"({mapping.get(name, 'NULL')})::{TYPES.get(KINDS.get(name), 'VARCHAR')} AS {name}" for name in COLUMNS]
    return f"SELECT {', '.join(columns)}, '{source}' AS feed, strftime(occurred_at, '%Y-%m') AS month FROM ({table})"


def main():
    parser = command_line(__doc__.splitlines()[0])
    parser.add_argument("--pages", choices=["read_text", "read_json"], default="read_text", help="how pages are read")
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute(f"SET threads = {options.threads}; SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    for source in MAPPING:
        connection.execute(
            f"COPY ({rows(options.dumps, source, options.shape, options.pages)}) TO '{options.out}' "
            "(FORMAT parquet, COMPRESSION zstd, WRITE_BLOOM_FILTER false, PARTITION_BY (feed, month), APPEND)"
        )


if __name__ == "__main__":
    main()
