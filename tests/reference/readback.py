"""Reads a lake with DuckDB and with pyarrow and compares what the two see; exits 1 on a mismatch.

Compares row counts, totals per source and currency, every row, and types, and shows that a filter on
`feed` and `month` opens only the matching files. It knows nothing of the dumps.
"""

import argparse
import collections
import pathlib
import re
import sys

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

DUCKDB_TYPES = {
    "occurred_at": "TIMESTAMP WITH TIME ZONE",
    "utc_offset_minutes": "SMALLINT",
    "gross_amount": "DECIMAL(18,4)",
    "net_amount": "DECIMAL(18,4)",
    "fee_amount": "DECIMAL(18,4)",
    "created_at": "TIMESTAMP WITH TIME ZONE",
    "updated_at": "TIMESTAMP WITH TIME ZONE",
    "completed_at": "TIMESTAMP WITH TIME ZONE",
    "booking_date": "DATE",
    "value_date": "DATE",
    "is_anonymous": "BOOLEAN",
    "is_balance_relevant": "BOOLEAN",
    "source_offset": "BIGINT",
}
PARTITIONS = pa.schema([("feed", pa.string()), ("month", pa.string())])
FAILURES = []


def check(good, text):
    """Prints one result and remembers a bad one."""
    print(("ok   " if good else "FAIL ") + text)
    if not good:
        FAILURES.append(text)


def data_files(lake):
    """All data files, in the order of their paths."""
    return sorted(
        path for path in lake.rglob("*.parquet") if "_paynorm" not in path.relative_to(lake).parts
    )


def open_duckdb(lake):
    """A connection with the lake as the view `lake`, its directory keys as text columns."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    glob = f"{lake}/feed=*/month=*/*.parquet".replace("'", "''")
    connection.execute(
        f"CREATE VIEW lake AS SELECT * FROM read_parquet('{glob}', hive_partitioning = true, "
        "hive_types = {'feed': VARCHAR, 'month': VARCHAR})"
    )
    return connection


def check_types(connection, names):
    """DuckDB sees the contract's types, and the directory keys besides."""
    seen = {row[0]: row[1] for row in connection.execute("DESCRIBE lake").fetchall()}
    wanted = {name: DUCKDB_TYPES.get(name, "VARCHAR") for name in [*names, "feed", "month"]}
    wrong = {name: seen.get(name) for name in wanted if seen.get(name) != wanted[name]}
    check(not wrong and seen.keys() == wanted.keys(), f"DuckDB types of {len(names)} columns {wrong or ''}")


def check_rows(connection, table):
    """Every value of every row, keyed by where the row comes from."""
    names = table.column_names
    listed = ", ".join(
        f'epoch_us("{name}")' if DUCKDB_TYPES.get(name, "").startswith("TIMESTAMP") else f'"{name}"'
        for name in names
    )
    duck = collections.Counter(connection.execute(f"SELECT {listed} FROM lake").fetchall())
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in table.columns
    ]
    arrow = collections.Counter(zip(*columns))
    check(duck == arrow, f"rows: DuckDB {sum(duck.values())}, pyarrow {sum(arrow.values())}, equal in all columns")
    check(sum(arrow.values()) > 0, "there are rows")


def check_totals(connection, table):
    """Sums of the three amounts per source and currency are equal to the last digit."""
    duck = {
        row[:2]: row[2:]
        for row in connection.execute(
            "SELECT source, currency, count(*), sum(gross_amount), sum(net_amount), sum(fee_amount) "
            "FROM lake GROUP BY ALL"
        ).fetchall()
    }
    arrow = {}
    amounts = ("gross_amount", "net_amount", "fee_amount")
    for row in table.select(["source", "currency", *amounts]).to_pylist():
        count, *sums = arrow.get((row["source"], row["currency"]), (0, None, None, None))
        sums = [add(total, row[name]) for total, name in zip(sums, amounts)]
        arrow[(row["source"], row["currency"])] = (count + 1, *sums)
    check(duck == arrow, f"totals of {len(arrow)} groups of source and currency")
    for (source, currency), (count, *sums) in sorted(arrow.items(), key=str):
        print(f"     {source} {currency}: {count} rows, gross {sums[0]}, net {sums[1]}, fee {sums[2]}")


def add(total, value):
    """SQL's sum: nothing plus nothing is nothing."""
    if value is None:
        return total
    return value if total is None else total + value


def check_pruning(connection, lake, files):
    """A filter on the directory keys opens the files of that directory and no others."""
    dataset = ds.dataset(
        [str(path) for path in files],
        format="parquet",
        partitioning=ds.partitioning(PARTITIONS, flavor="hive"),
        partition_base_dir=str(lake),
    )
    cells = collections.Counter(path.relative_to(lake).parts[:-1] for path in files)
    for (feed_part, month_part), count in sorted(cells.items()):
        feed, month = feed_part.removeprefix("feed="), month_part.removeprefix("month=")
        wanted = (ds.field("feed") == feed) & (ds.field("month") == month)
        fragments = len(list(dataset.get_fragments(filter=wanted)))
        scanned, rows = files_scanned(connection, feed, month)
        mine = [path for path in files if path.relative_to(lake).parts[:-1] == (feed_part, month_part)]
        held = sum(pq.ParquetFile(path).metadata.num_rows for path in mine)
        check(
            fragments == scanned == count and rows == held,
            f"{feed_part}/{month_part}: pyarrow {fragments}, DuckDB {scanned} of {len(files)} files, {rows} rows",
        )


def files_scanned(connection, feed, month):
    """How many files DuckDB opened for one cell, by its own account, and the rows it found."""
    query = f"SELECT sum(source_offset), count(*) FROM lake WHERE feed = '{feed}' AND month = '{month}'"
    plan = "\n".join(row[1] for row in connection.execute("EXPLAIN ANALYZE " + query).fetchall())
    rows = connection.execute(query).fetchone()[1]
    match = re.search(r"Scanning Files:\s*(\d+)/\d+", plan) or re.search(r"Total Files Read:\s*(\d+)", plan)
    return (int(match.group(1)) if match else None), rows


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description="read a lake with two engines")
    parser.add_argument("lake", type=pathlib.Path)
    lake = parser.parse_args(arguments).lake
    files = data_files(lake)
    if not files:
        check(False, "there are files")
        return 1
    # Without `partitioning=None` pyarrow would add the directory keys as columns.
    table = pa.concat_tables(pq.read_table(path, partitioning=None) for path in files)
    connection = open_duckdb(lake)
    check_types(connection, table.column_names)
    check_rows(connection, table)
    check_totals(connection, table)
    check_pruning(connection, lake, files)
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
