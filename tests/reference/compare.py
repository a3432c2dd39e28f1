"""Compares a lake with the reference's rows and rejects; exits 1 on any difference.

Knows the schema (names, order, types, nullability, field ids) and the layout of the lake by itself;
never computes a value. What surprises: the order of rows is that of the reference's file, so rows
must not be sorted between the two programs.

A dump with corrupt compression has no source and no bytes to count: these two members of its reject
are not compared.
"""

import argparse
import collections
import datetime
import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime.datetime(1970, 1, 1)
TEXT, INSTANT, MONEY = pa.string(), pa.timestamp("us", tz="UTC"), pa.decimal128(18, 4)

# Type of every column that is not text, and the columns that are never null.
TYPES = {
    "occurred_at": INSTANT,
    "utc_offset_minutes": pa.int16(),
    "gross_amount": MONEY,
    "net_amount": MONEY,
    "fee_amount": MONEY,
    "created_at": INSTANT,
    "updated_at": INSTANT,
    "completed_at": INSTANT,
    "booking_date": pa.date32(),
    "value_date": pa.date32(),
    "is_anonymous": pa.bool_(),
    "is_balance_relevant": pa.bool_(),
    "source_offset": pa.int64(),
}
REQUIRED = {
    "source",
    "transaction_id",
    "occurred_at",
    "amount_check",
    "classification",
    "state",
    "source_file",
    "source_offset",
}
COLUMNS = (
    "source transaction_id occurred_at utc_offset_minutes gross_amount net_amount fee_amount "
    "currency net_currency fee_currency amount_check classification state source_classification "
    "source_state failure_reason created_at updated_at completed_at booking_date value_date "
    "reference receipt_number description payment_id payment_method_id charge_attempt_id provider "
    "provider_transaction_id provider_account_id provider_payment_method_id accounting_code "
    "campaign_id job_id team_id report_id payer_id payer_name payer_email payer_username "
    "is_anonymous is_balance_relevant extra source_file source_offset"
).split()
KEY = ("source", "source_file", "source_offset")
REJECT_MEMBERS = (*KEY, "length", "reason", "field")


class Differences:
    """Counts every difference by kind and keeps the first ones."""

    def __init__(self):
        self.kinds = collections.Counter()
        self.first = []

    def add(self, kind, text):
        """Notes one difference."""
        self.kinds[kind] += 1
        if len(self.first) < 10:
            self.first.append(f"{kind}: {text}")


def lake_files(lake):
    """The data files, in the order of their paths, without what belongs to the tool itself."""
    return sorted(
        path for path in lake.rglob("*.parquet") if "_paynorm" not in path.relative_to(lake).parts
    )


def check_schema(path, file, differences):
    """Names, order, types, nullability and field ids are the contract's; no Arrow schema is embedded."""
    schema = file.schema_arrow
    if schema.names != COLUMNS:
        differences.add("schema", f"{path.name}: columns are {schema.names}")
        return
    if b"ARROW:schema" in (file.metadata.metadata or {}):
        differences.add("schema", f"{path.name}: has an embedded Arrow schema")
    for number, field in enumerate(schema, start=1):
        wanted = TYPES.get(field.name, TEXT)
        if field.type != wanted:
            differences.add("schema", f"{path.name}: {field.name} is {field.type}, not {wanted}")
        if field.nullable == (field.name in REQUIRED):
            differences.add("schema", f"{path.name}: {field.name} nullable is {field.nullable}")
        field_id = (field.metadata or {}).get(b"PARQUET:field_id", b"none").decode()
        if field_id != str(number):
            differences.add("schema", f"{path.name}: {field.name} has field id {field_id}")
        physical = file.schema.column(number - 1).physical_type
        if wanted in (INSTANT, MONEY) and physical != "INT64":
            differences.add("schema", f"{path.name}: {field.name} is stored as {physical}")


def printable(column):
    """A column's values as the reference prints them."""
    if column.type == INSTANT:
        return [micros_text(value) for value in column.cast(pa.int64()).to_pylist()]
    if column.type == MONEY:
        return [None if value is None else f"{value:.4f}" for value in column.to_pylist()]
    if column.type == pa.date32():
        return [None if value is None else value.isoformat() for value in column.to_pylist()]
    return column.to_pylist()


def micros_text(micros):
    """ISO 8601 in UTC with six digits."""
    if micros is None:
        return None
    instant = EPOCH + datetime.timedelta(microseconds=micros)
    return instant.isoformat(timespec="microseconds") + "Z"


def file_rows(file):
    """The file's rows as dicts of printable values."""
    table = file.read()
    columns = [printable(table.column(name).combine_chunks()) for name in table.column_names]
    return [dict(zip(table.column_names, values)) for values in zip(*columns)]


def check_partition(path, lake, rows, differences):
    """The directories are `feed` and `month`, and say what the rows in them say."""
    directories = path.relative_to(lake).parts[:-1]
    for row in rows:
        month = (row["occurred_at"] or "")[:7]
        if directories != (f"feed={row['source']}", f"month={month}"):
            differences.add("partition", f"{path.relative_to(lake)} holds {key_of(row)} of {month}")


def key_of(row):
    """Where the row comes from."""
    return tuple(row.get(name) for name in KEY)


def compare_rows(expected, lake, differences):
    """Every file against the reference: schema, partition, order, values; then what is missing."""
    places = {key_of(row): place for place, row in enumerate(expected)}
    if len(places) != len(expected):
        differences.add("reference", "has two rows with one key")
    seen = collections.Counter()
    for path in lake_files(lake):
        file = pq.ParquetFile(path)
        check_schema(path, file, differences)
        rows = file_rows(file)
        check_partition(path, lake, rows, differences)
        last = -1
        for row in rows:
            key = key_of(row)
            seen[key] += 1
            if key not in places:
                differences.add("row too many", f"{key} in {path.relative_to(lake)}")
                continue
            if places[key] <= last:
                differences.add("order", f"{key} in {path.relative_to(lake)} stands too late")
            last = max(last, places[key])
            compare_row(key, expected[places[key]], row, differences)
    for key in places:
        if seen[key] != 1:
            differences.add("row missing" if seen[key] == 0 else "row twice", str(key))
    return sum(seen.values())


def compare_row(key, expected, found, differences):
    """Column by column; text and types must be equal."""
    for name in COLUMNS:
        wanted, got = expected[name], found.get(name)
        if type(wanted) is not type(got) or wanted != got:
            differences.add(f"column {name}", f"{key}: expected {wanted!r}, found {got!r}")


def reject_key(entry):
    """The compared members of a reject."""
    if entry["reason"] == "corrupt_compression":
        entry = entry | {"source": "any", "length": "any"}
    return tuple(entry.get(name) for name in REJECT_MEMBERS)


def compare_rejects(expected, found, differences):
    """The same rejects, each as often."""
    wanted = collections.Counter(map(reject_key, expected))
    got = collections.Counter(map(reject_key, found))
    for key, count in (wanted - got).items():
        differences.add("reject missing", f"{key} ({count})")
    for key, count in (got - wanted).items():
        differences.add("reject too many", f"{key} ({count})")


def read_lines(path):
    """JSON lines; only a line feed ends a line."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line.strip()]


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description="compare a lake with the reference")
    parser.add_argument("lake", type=pathlib.Path)
    parser.add_argument("rows", type=pathlib.Path)
    parser.add_argument("rejects", type=pathlib.Path)
    parser.add_argument("--allow-empty", action="store_true")
    parser.add_argument("--ignore-reject-field", action="store_true")
    options = parser.parse_args(arguments)
    expected, rejects = read_lines(options.rows), read_lines(options.rejects)
    quarantine = options.lake / "_paynorm" / "quarantine.jsonl"
    found_rejects = read_lines(quarantine) if quarantine.exists() else []
    if options.ignore_reject_field:
        for entry in (*rejects, *found_rejects):
            entry["field"] = "any"
    differences = Differences()
    found = compare_rows(expected, options.lake, differences)
    compare_rejects(rejects, found_rejects, differences)
    if not expected and not found and not options.allow_empty:
        differences.add("empty", "no rows expected and none found (--allow-empty accepts that)")
    print(f"rows: {len(expected)} expected, {found} found")
    print(f"rejects: {len(rejects)} expected, {len(found_rejects)} found")
    print(f"differences: {sum(differences.kinds.values())} {dict(differences.kinds)}")
    for line in differences.first:
        print("  " + line)
    return 1 if differences.kinds else 0


if __name__ == "__main__":
    sys.exit(main())
