"""Compares what the peers wrote with what paynorm wrote; exits 1 where rows, totals or values differ.

Every output is summed up by DuckDB: rows of each month, totals of each amount, and for each column the sum of the
hashes of id and value, which is the same whatever the order. Two columns are not compared, for no peer can fill them.
Amounts of peers that read them as doubles may be off by half of the last digit for each row; the difference is told.
Before anything is compared, the comparison must find what was spoiled on purpose.

Prints the number of rows of each output on stdout, all talk on stderr.
"""

import copy
import pathlib
import sys
from decimal import Decimal

import duckdb

from unified import COLUMNS, KINDS

NOT_COMPARED = {"extra", "source_offset"}
AMOUNTS = [name for name, kind in KINDS.items() if kind == "money"]
THROUGH_DOUBLES = {"duckdb", "duckdb-read-json", "polars"}


def facts(folder):
    """What an output holds, by source: rows by month, the totals of the amounts, and the hashes of the columns."""
    table = f"read_parquet('{folder}/feed=*/month=*/*.parquet', hive_partitioning = true)"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    types = dict(connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM {table})").fetchall())
    months = connection.execute(f"SELECT feed, month, count(*) FROM {table} GROUP BY ALL ORDER BY ALL").fetchall()
    hashes = ", ".join(f"sum(hash(transaction_id, {name}))" for name in COLUMNS)
    totals = ", ".join(f"coalesce(sum({name}), 0)" for name in AMOUNTS)
    sources = connection.execute(f"SELECT feed, {totals}, {hashes} FROM {table} GROUP BY feed").fetchall()
    return {
        "types": {name: types.get(name) for name in COLUMNS},
        "rows": {(feed, str(month)): rows for feed, month, rows in months},
        "totals": {(row[0], name): total for row in sources for name, total in zip(AMOUNTS, row[1:])},
        "hashes": {(row[0], name): sum for row in sources for name, sum in zip(COLUMNS, row[1 + len(AMOUNTS) :])},
    }


def differing(ours, theirs):
    """Keys whose values are not the same, or that only one has."""
    return sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))


def faults(ours, theirs, through_doubles):
    """Why an output is not the same as ours; nothing when it is."""
    found = [f"type of {name}: {theirs['types'][name]}" for name in differing(ours["types"], theirs["types"])]
    found += [f"rows of {feed} in {month}" for feed, month in differing(ours["rows"], theirs["rows"])]
    for source, name in differing(ours["totals"], theirs["totals"]):
        rows = sum(count for (feed, _), count in ours["rows"].items() if feed == source)
        off = theirs["totals"].get((source, name), Decimal("Infinity")) - ours["totals"].get((source, name), 0)
        if not through_doubles or abs(off) > rows * Decimal("0.00005"):
            found.append(f"total of {name} of {source}: off by {off}")
    for source, name in differing(ours["hashes"], theirs["hashes"]):
        if name not in NOT_COMPARED and not (through_doubles and name in AMOUNTS):
            found.append(f"values of {name} of {source}")
    return found


def prove(ours):
    """The comparison finds nothing where nothing differs, and one thing where one was spoiled."""
    assert not faults(ours, ours, False), "the same is not the same"
    for part, change in [("rows", -1), ("totals", Decimal("0.0001")), ("hashes", 1)]:
        spoiled = copy.deepcopy(ours)
        spoiled[part][next(iter(ours[part]))] += change
        assert len(faults(ours, spoiled, False)) == 1, f"spoiled {part} were not found"


def main():
    folders = [pathlib.Path(name) for name in sys.argv[1:]]
    ours, bad = facts(folders[0]), False
    prove(ours)
    print(sum(ours["rows"].values()))
    for folder in folders[1:]:
        theirs, doubles = facts(folder), folder.name in THROUGH_DOUBLES
        found = faults(ours, theirs, doubles)
        for fault in found[:10]:
            print(f"{folder.name}: {fault}", file=sys.stderr)
        if doubles:
            off = sum(abs(theirs["totals"].get(key, 0) - total) for key, total in ours["totals"].items())
            print(f"{folder.name} read amounts as doubles: its totals are off by {off}", file=sys.stderr)
        bad = bad or bool(found)
        print(sum(theirs["rows"].values()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
