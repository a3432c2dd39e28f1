"""Does `compare.py` see what it has to see? `python3 -m unittest selftest_tools`; needs pyarrow and duckdb.

A lake is written from the reference's own rows, found equal, then spoilt in one way after another.
"""

import contextlib
import decimal
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import reference as ref
import selftest

try:
    import pyarrow as pa
    import pyarrow.parquet as pq

    import compare
except ImportError:
    pa = None

HERE = pathlib.Path(__file__).resolve().parent


def schema(**changes):
    """The contract's schema; `changes` gives a column another type."""
    return pa.schema(
        pa.field(
            name,
            changes.get(name, compare.TYPES.get(name, compare.TEXT)),
            nullable=name not in compare.REQUIRED,
            metadata={"PARQUET:field_id": str(number)},
        )
        for number, name in enumerate(ref.COLUMNS, start=1)
    )


def arrow_value(name, row):
    """A reference value as pyarrow takes it."""
    value = row[name]
    if value is None:
        return None
    if name.endswith("_amount"):
        return decimal.Decimal(value)
    if name.endswith("_date"):
        return ref.datetime.date.fromisoformat(value)
    return value


def write_lake(lake, rows, columns=None, **options):
    """One file for each cell of source and month, as the contract wants it."""
    columns = columns or schema()
    cells = {}
    for row in rows:
        cells.setdefault((row["source"], ref.micros_text(row["occurred_at"])[:7]), []).append(row)
    for (source, month), held in cells.items():
        folder = lake / f"feed={source}" / f"month={month}"
        folder.mkdir(parents=True, exist_ok=True)
        arrays = [pa.array([arrow_value(f.name, row) for row in held], f.type) for f in columns]
        pq.write_table(
            pa.Table.from_arrays(arrays, schema=columns),
            folder / "part-0.parquet",
            **{"store_schema": False, "store_decimal_as_integer": True, **options},
        )


@unittest.skipUnless(pa, "no pyarrow")
class Compare(unittest.TestCase):
    """A good lake is equal; every fault makes it differ."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lake = pathlib.Path(folder.name) / "lake"
        self.rows, self.rejects = [], []
        dumps = {
            "a": [selftest.SPACIVOX | {"id": str(i)} for i in range(3)] + [selftest.SPACIVOX | {"amount": "x"}],
            "b": [selftest.PAYDATA, selftest.PAYDATA | {"bookingDate": "0001-01-01", "id": "y", "transactionId": "\0ü"}],
            "c": [selftest.ATPAY | {"amount": -0.5}],
            "d": [selftest.TWOCLOUD | {"created": "9999-12-31T23:59:59.999999Z"}],
        }
        for name, records in dumps.items():
            data = "\n".join(map(json.dumps, records)).encode()
            rows, rejects = ref.read_dump(data, name, ref.Settings({}, {"spacivox": "EUR"}))
            self.rows += rows
            self.rejects += rejects
        self.rejects.append(ref.reject_line(0, None, "corrupt_compression", None) | {"source_file": "e"})
        self.rows_path, self.rejects_path = self.lake.parent / "rows", self.lake.parent / "rejects"
        ref.write_lines(self.rows_path, map(ref.printable, self.rows))
        ref.write_lines(self.rejects_path, self.rejects)
        self.write(self.rows)
        self.quarantine(self.rejects)

    def write(self, rows, **options):
        """A fresh lake."""
        shutil.rmtree(self.lake, ignore_errors=True)
        write_lake(self.lake, rows, **options)
        self.quarantine(self.rejects)

    def quarantine(self, rejects):
        """The lake's quarantine, with members that nobody compares."""
        (self.lake / "_paynorm").mkdir(parents=True, exist_ok=True)
        lines = [entry | {"message": "m", "raw": "{}"} for entry in rejects]
        ref.write_lines(self.lake / "_paynorm" / "quarantine.jsonl", lines)

    def compare(self, *options):
        """Exit code and output of the comparer."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = compare.main([str(self.lake), str(self.rows_path), str(self.rejects_path), *options])
        return code, out.getvalue()

    def differs(self, kind):
        """The comparer fails and says why."""
        code, out = self.compare()
        self.assertEqual(code, 1)
        self.assertIn(kind, out)

    def test_equal(self):
        self.assertEqual(self.compare()[0], 0, self.compare()[1])

    def test_reading_back(self):
        done = subprocess.run(
            [sys.executable, HERE / "readback.py", self.lake], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_single_value_counts(self):
        row = dict(self.rows[3])
        for name in ref.COLUMNS:
            if name in compare.KEY:
                continue
            value = row[name]
            changed = {
                bool: lambda v: not v,
                int: lambda v: v + 1,
                str: lambda v: str(decimal.Decimal(v) + 1) if name.endswith("_amount") else v + "x",
                type(None): lambda _: {"utc_offset_minutes": 0, "completed_at": 0, "is_anonymous": False}.get(name, "x"),
            }[type(value)](value)
            if name.endswith("_date"):
                changed = "2020-02-02"
            rows = [*self.rows[:3], row | {name: changed}, *self.rows[4:]]
            self.write(rows)
            self.differs(f"column {name}")

    def test_missing_row(self):
        self.write(self.rows[1:])
        self.differs("row missing")

    def test_row_too_many(self):
        self.write([*self.rows, self.rows[0] | {"source_offset": 99_999}])
        self.differs("row too many")

    def test_row_twice(self):
        self.write([*self.rows, self.rows[0]])
        self.differs("row twice")

    def test_order(self):
        self.write([self.rows[1], self.rows[0], *self.rows[2:]])
        self.differs("order")

    def test_partition(self):
        (self.lake / "feed=atpay").rename(self.lake / "feed=other")
        self.differs("partition")

    def test_types(self):
        self.write(self.rows, columns=schema(gross_amount=pa.decimal128(18, 5)))
        self.differs("gross_amount is decimal128(18, 5)")
        self.write(self.rows, columns=schema(utc_offset_minutes=pa.int32()))
        self.differs("utc_offset_minutes is int32")

    def test_physical_types(self):
        self.write(self.rows, store_decimal_as_integer=False)
        self.differs("gross_amount is stored as FIXED_LEN_BYTE_ARRAY")

    def test_embedded_schema(self):
        self.write(self.rows, store_schema=True)
        self.differs("embedded Arrow schema")

    def test_field_ids(self):
        columns = schema()
        self.write(self.rows, columns=columns.set(3, columns.field(3).with_metadata({"PARQUET:field_id": "7"})))
        self.differs("utc_offset_minutes has field id 7")

    def test_nullability(self):
        columns = schema()
        self.write(self.rows, columns=columns.set(0, columns.field(0).with_nullable(True)))
        self.differs("source nullable is True")

    def test_column_order(self):
        columns = schema()
        self.write(self.rows, columns=pa.schema([columns.field(1), columns.field(0), *list(columns)[2:]]))
        self.differs("columns are")

    def test_rejects(self):
        for name, value in (("source", "x"), ("source_file", "x"), ("source_offset", 1), ("length", 1), ("reason", "x"), ("field", None)):
            self.quarantine([self.rejects[0] | {name: value}, self.rejects[1]])
            self.differs("reject missing")
        self.quarantine([*self.rejects, self.rejects[0]])
        self.differs("reject too many")
        self.quarantine(self.rejects[1:])
        self.differs("reject missing")

    def test_corrupt_dump_has_neither_source_nor_length(self):
        self.quarantine([self.rejects[0], self.rejects[1] | {"source": "atpay", "length": 17}])
        self.assertEqual(self.compare()[0], 0)

    def test_nothing_at_all(self):
        shutil.rmtree(self.lake)
        self.lake.mkdir()
        for path in (self.rows_path, self.rejects_path):
            path.write_text("")
        self.differs("empty")
        self.assertEqual(self.compare("--allow-empty")[0], 0)


if __name__ == "__main__":
    unittest.main()
