"""The same work in Polars: a lazy query per source, streamed to partitions.

Numbers are read as doubles and cast to DECIMAL(18,4), for its JSON reader takes no decimals. What is not NDJSON is read
as lines of text and decoded by an expression: a page or an array on one line, as APIs send it.
"""

import os

from unified import CLASSIFICATIONS, COLUMNS, KINDS, PAGES, STATES, command_line

OPTIONS = command_line(__doc__.splitlines()[0]).parse_args()
# Read once, when the package is imported.
os.environ["POLARS_MAX_THREADS"] = str(OPTIONS.threads)

import polars as pl  # noqa: E402
from polars import col, lit, when  # noqa: E402

MONEY = pl.Decimal(18, 4)
INSTANT = pl.Datetime("us", "UTC")
TYPES = {
    "instant": INSTANT,
    "minutes": pl.Int16,
    "money": MONEY,
    "date": pl.Date,
    "flag": pl.Boolean,
    "offset": pl.Int64,
}
AMOUNT = pl.Struct({"currency": pl.String, "value": pl.Float64})

# The members of every source; those without a type are text.
MEMBERS = {
    "spacivox": {
        **dict.fromkeys("campaign job team state".split(), pl.Int64),
        **dict.fromkeys("id timestamp amount reference".split()),
    },
    "onlinefundraising": {
        "amount": pl.Float64,
        **dict.fromkeys(
            "transactionGuid transactionTs createdTs transactionType paymentGuid paymentGatewayProvider "
            "paymentGatewayGuid paymentGatewaySubscriptionReferenceId paymentGatewayPaymentReferenceId "
            "paymentMethodAccountingCode chargeAttemptGuid paymentMethodGuid".split()
        ),
    },
    "twocloud": {
        "amount": pl.Int64,
        "anonymous": pl.Boolean,
        **dict.fromkeys("id user_id funding_source_id campaign".split(), pl.UInt64),
        **dict.fromkeys("created completed status error message remote_id funding_source_provider".split()),
    },
    "atpay": {
        "timestamp": pl.Int64,
        "amount": pl.Float64,
        "net_amount": pl.Float64,
        **dict.fromkeys("id date status offer_name email".split()),
    },
    "paydata": {
        "gross": AMOUNT,
        "net": AMOUNT,
        "fee": AMOUNT,
        "isBalanceRelevant": pl.Boolean,
        # An object of free form is no text to the decoder: these are the members that the dumps have.
        "fields": pl.Struct({"uniqueId": pl.String, "reference2": pl.String}),
        "shopper": pl.Struct(dict.fromkeys("name email username identifier".split(), pl.String)),
        **dict.fromkeys(
            "id bookingDate valueDate paymentClassification transactionId orderNumber receiptNumber bookingText "
            "createdAt lastModifiedAt reportId".split()
        ),
    },
}


def words(member, mapping):
    """The unified word for the source's own; what the API does not list is unknown."""
    return col(member).replace_strict(mapping, default="unknown", return_dtype=pl.String)


def minutes(text, digits):
    """The offset that a time ends with: `Z`, or `+01:00` where `digits` is 6 characters, `+0100` where it is 5."""
    hours, rest = text.str.tail(digits).str.head(3), text.str.tail(2)
    sign = when(hours.str.starts_with("-")).then(-1).otherwise(1)
    offset = hours.cast(pl.Int16, strict=False) * 60 + sign * rest.cast(pl.Int16, strict=False)
    return when(text.str.ends_with("Z")).then(0).otherwise(offset)


def rfc3339(member):
    """A time with `Z` or an offset."""
    return col(member).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")


def spaced(member):
    """A time as in `2019-12-31 15:59:59 +0100`."""
    return member.str.to_datetime("%Y-%m-%d %H:%M:%S %z", time_unit="us", time_zone="UTC")


def local(member):
    """A time without an offset, or with `Z`, in UTC; null where there is only a date."""
    text = col(member).str.strip_suffix("Z")
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False).dt.replace_time_zone("UTC")


EXECUTED = pl.coalesce("transactionTs", "createdTs")
BOOKED = col("bookingDate").str.head(10).str.to_date("%Y-%m-%d")
NET_GIVEN = col("net_amount").is_not_null()


def paydata_amounts(table):
    """The amounts of paydata as columns `gross`, `net`, `fee`, each with its currency, `one`, `same` and `given`.

    `one` is the first currency there is, `same` says that no other has another. The missing third of two is computed;
    a fee with the other sign is turned.
    """
    names = ["gross", "net", "fee"]
    table = table.with_columns(
        *(col(name).struct.field("value").cast(MONEY).alias(name) for name in names),
        *(col(name).struct.field("currency").alias(f"{name}_in") for name in names),
    )
    gross, net, fee = map(col, names)
    one = pl.coalesce("gross_in", "net_in", "fee_in")
    same = pl.all_horizontal(col(f"{name}_in").fill_null(one) == one for name in names)
    given = pl.sum_horizontal(col(name).is_not_null().cast(pl.Int8) for name in names)
    table = table.with_columns(one=one, same=same, given=given)
    turned = when(gross + fee == net).then(-fee).otherwise(fee)
    settled = {
        "gross": pl.coalesce(gross, net + fee),
        "net": pl.coalesce(net, gross - fee),
        "fee": pl.coalesce(turned, gross - net),
    }
    return table.with_columns(
        when(col("same")).then(amount).otherwise(col(name)).alias(name) for name, amount in settled.items()
    )


# What every column is, of those that the source has.
MAPPING = {
    "spacivox": {
        "transaction_id": col("id"),
        "occurred_at": rfc3339("timestamp"),
        "utc_offset_minutes": minutes(col("timestamp"), 6),
        "gross_amount": col("amount"),
        "amount_check": lit("partial"),
        "classification": lit("payment"),
        "state": words("state", STATES["spacivox"]),
        "source_state": col("state"),
        "reference": col("reference"),
        "campaign_id": col("campaign"),
        "job_id": col("job"),
        "team_id": col("team"),
    },
    "onlinefundraising": {
        "transaction_id": col("transactionGuid"),
        "occurred_at": spaced(EXECUTED),
        "utc_offset_minutes": minutes(EXECUTED, 5),
        "gross_amount": when(col("transactionType") == "Refund").then(-col("amount").abs()).otherwise(col("amount")),
        "amount_check": lit("partial"),
        "classification": words("transactionType", CLASSIFICATIONS["onlinefundraising"]),
        "state": lit("succeeded"),
        "source_classification": col("transactionType"),
        "created_at": spaced(col("createdTs")),
        "payment_id": col("paymentGuid"),
        "payment_method_id": col("paymentMethodGuid"),
        "charge_attempt_id": col("chargeAttemptGuid"),
        "provider": col("paymentGatewayProvider"),
        "provider_transaction_id": col("paymentGatewayPaymentReferenceId"),
        "provider_account_id": col("paymentGatewayGuid"),
        "provider_payment_method_id": col("paymentGatewaySubscriptionReferenceId"),
        "accounting_code": col("paymentMethodAccountingCode"),
    },
    "twocloud": {
        "transaction_id": col("id"),
        "occurred_at": rfc3339("created"),
        "utc_offset_minutes": minutes(col("created"), 6),
        "gross_amount": col("amount").cast(MONEY) / 100,
        "currency": lit("USD"),
        "amount_check": lit("partial"),
        "classification": lit("payment"),
        "state": when(col("status").is_not_null())
        .then(words("status", STATES["twocloud"]))
        .when(col("completed").is_null())
        .then(lit("pending"))
        .otherwise(lit("succeeded")),
        "source_state": col("status"),
        "failure_reason": col("error"),
        "created_at": rfc3339("created"),
        "completed_at": rfc3339("completed"),
        "description": when(col("message") != "").then(col("message")),
        "payment_method_id": col("funding_source_id"),
        "provider": col("funding_source_provider"),
        "provider_payment_method_id": col("remote_id"),
        "campaign_id": col("campaign"),
        "payer_id": col("user_id"),
        "is_anonymous": col("anonymous"),
    },
    "atpay": {
        "transaction_id": col("id"),
        "occurred_at": pl.from_epoch("timestamp", "s").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        "gross_amount": col("amount"),
        "net_amount": col("net_amount"),
        "fee_amount": col("amount").cast(MONEY) - col("net_amount").cast(MONEY),
        "currency": lit("USD"),
        "net_currency": when(NET_GIVEN).then(lit("USD")),
        "fee_currency": when(NET_GIVEN).then(lit("USD")),
        "amount_check": when(NET_GIVEN).then(lit("derived")).otherwise(lit("partial")),
        "classification": lit("payment"),
        "state": words("status", STATES["atpay"]),
        "source_state": col("status"),
        "description": col("offer_name"),
        "payer_email": col("email"),
        "extra": pl.concat_str(lit('{"date":"'), col("date"), lit('"}')),
    },
    "paydata": {
        "transaction_id": pl.coalesce("id", "transactionId"),
        "occurred_at": pl.coalesce(local("bookingDate"), BOOKED.cast(INSTANT), local("createdAt")),
        "gross_amount": col("gross"),
        "net_amount": col("net"),
        "fee_amount": col("fee"),
        "currency": col("one"),
        "net_currency": when(col("net").is_not_null()).then(pl.coalesce("net_in", "one")),
        "fee_currency": when(col("fee").is_not_null()).then(pl.coalesce("fee_in", "one")),
        "amount_check": when(~col("same"))
        .then(lit("mixed_currency"))
        .when(col("given") == 2)
        .then(lit("derived"))
        .when(col("given") == 1)
        .then(lit("partial"))
        .when(col("gross") - col("fee") == col("net"))
        .then(lit("balanced"))
        .otherwise(lit("unbalanced")),
        "classification": words("paymentClassification", CLASSIFICATIONS["paydata"]),
        "state": lit("succeeded"),
        "source_classification": col("paymentClassification"),
        "created_at": local("createdAt"),
        "updated_at": local("lastModifiedAt"),
        "booking_date": BOOKED,
        "value_date": col("valueDate").str.to_date("%Y-%m-%d"),
        "reference": col("orderNumber"),
        "receipt_number": col("receiptNumber"),
        "description": col("bookingText"),
        "provider_transaction_id": col("transactionId"),
        "report_id": col("reportId"),
        "payer_id": col("shopper").struct.field("identifier"),
        "payer_name": col("shopper").struct.field("name"),
        "payer_email": col("shopper").struct.field("email"),
        "payer_username": col("shopper").struct.field("username"),
        "is_balance_relevant": col("isBalanceRelevant"),
        "extra": pl.concat_str(lit('{"fields":'), col("fields").struct.json_encode(), lit("}")),
    },
}


def records(source):
    """The records of a source with typed members, and the path of their dump."""
    members = {name: type or pl.String for name, type in MEMBERS[source].items()}
    files, page = OPTIONS.dumps / source, PAGES.get(source)
    if OPTIONS.shape == "ndjson":
        return pl.scan_ndjson(files, schema=members, include_file_paths="path")
    decoded = pl.List(pl.Struct(members))
    record = col("line").str.json_decode(pl.Struct({page: decoded}) if page else decoded)
    record = record.struct.field(page) if page else record
    lines = pl.scan_lines(files, include_file_paths="path")
    return lines.select(record.alias("record"), "path").explode("record").unnest("record")


def rows(source):
    """The records as rows of the unified schema, with the feed and month to partition by."""
    table = records(source)
    if source == "paydata":
        table = paydata_amounts(table)
    path = col("path").str.slice(len(str(OPTIONS.dumps)) + 1)
    mapping = MAPPING[source] | {"source": lit(source), "source_file": path}
    typed = {name: mapping.get(name, lit(None)).cast(TYPES.get(KINDS.get(name), pl.String)) for name in COLUMNS}
    return table.select(**typed).with_columns(feed="source", month=col("occurred_at").dt.strftime("%Y-%m"))


def main():
    partitions = pl.PartitionBy(OPTIONS.out, key=["feed", "month"], include_key=False)
    for source in MAPPING:
        rows(source).sink_parquet(partitions, compression="zstd", maintain_order=False, mkdir=True)


if __name__ == "__main__":
    main()
