"""Loads datasets into six engines by what `paynorm load-script` prints, and compares what they see; exits 1 on a mismatch.

Each engine answers the same few calls: rows, totals, types, comments and whether a filter on the partition keys leaves
the other files closed. That is shown by a copy of the dataset in which every other file is broken: an engine that opens
one of them fails. pyarrow's own reading of each file, one by one, is what all are held against.
"""

import argparse
import collections
import datetime
import decimal
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys

import chdb.session
import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import sqlglot
from pyspark.sql import SparkSession

FAILURES = []
DOCS = pathlib.Path("docs").resolve()
# The last day of the samples, for the question that asks for the clock.
AS_OF = "2024-03-31"
LEVEL_KINDS = {"feed": "string", "month": "string", "year": "int16", "day": "date"}
# How each engine names the types of the schema, as it tells them itself.
TYPES = {
    "duckdb": ["VARCHAR", "DECIMAL(18,4)", "TIMESTAMP WITH TIME ZONE", "DATE", "BOOLEAN", "SMALLINT", "BIGINT"],
    "postgres": ["text", "numeric(18,4)", "timestamp with time zone", "date", "boolean", "smallint", "bigint"],
    "clickhouse": ["String", "Decimal(18, 4)", "DateTime64(6, 'UTC')", "Date32", "Bool", "Int16", "Int64"],
    "spark": ["string", "decimal(18,4)", "timestamp", "date", "boolean", "smallint", "bigint"],
    "polars": [
        "String", "Decimal(precision=18, scale=4)", "Datetime(time_unit='us', time_zone='UTC')", "Date", "Boolean",
        "Int16", "Int64",
    ],
    "pyarrow": ["string", "decimal128(18, 4)", "timestamp[us, tz=UTC]", "date32[day]", "bool", "int16", "int64"],
}
KINDS = ["string", "decimal(18,4)", "timestamp[us, UTC]", "date", "boolean", "int16", "int64"]
TOTALS = (
    "SELECT source, currency, count(*), sum(gross_amount), sum(fee_amount), sum(net_amount) FROM transactions "
    "GROUP BY source, currency"
)


def check(good, text):
    """Prints one result and remembers a bad one."""
    print(("ok   " if good else "FAIL ") + text, flush=True)
    if not good:
        FAILURES.append(text)


def run(arguments, **more):
    """What a command prints; a failure of it is a failure of ours."""
    done = subprocess.run(arguments, capture_output=True, text=True, **more)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} exits {done.returncode}: {done.stderr[-2000:]} {done.stdout[-500:]}")
    return done.stdout


def plain(value):
    """A value as every engine can tell it: times as microseconds, decimals with four digits, dates as text."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return (value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return f"{value:.4f}"
    return value


def plain_rows(rows):
    """Rows as a bag."""
    return collections.Counter(tuple(plain(value) for value in row) for row in rows)


class Schema:
    """The unified schema, as the program under test tells it."""

    def __init__(self, paynorm):
        self.columns = json.loads(run([paynorm, "schema", "--format", "json"]))["columns"]
        self.names = [column["name"] for column in self.columns]

    def types(self, engine, levels=()):
        """The types that an engine must see, by column."""
        names = dict(zip(KINDS, TYPES[engine], strict=True))
        seen = {column["name"]: names[column["type"]] for column in self.columns}
        if engine == "clickhouse":
            for column in self.columns:
                if column["nullable"]:
                    seen[column["name"]] = f"Nullable({seen[column['name']]})"
        return seen | {level: names[LEVEL_KINDS[level]] for level in levels}

    def comments(self):
        """What each column is said to be."""
        return {c["name"]: c["meaning"] + ("; personal data" if c["personal"] else "") for c in self.columns}


class DuckDb:
    """The library; the command is used by PostgreSQL's script and the questions."""

    name = "duckdb"
    in_place = True

    def __init__(self, work, schema):
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")

    def run(self, script):
        self.connection.execute(script)

    def rows(self, sql):
        return self.connection.execute(sql).fetchall()

    def types(self):
        return {row[0]: row[1] for row in self.rows("DESCRIBE transactions")}

    def comments(self):
        return dict(self.rows("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'transactions'"))

    def drop(self):
        self.run("DROP VIEW IF EXISTS transactions")


class Postgres:
    """A server of its own, on a socket in a temporary directory, as a user without rights."""

    name = "postgres"
    in_place = False

    def __init__(self, work, schema):
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.work = work / "postgres"
        self.work.mkdir()
        self.prefix = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(self.work, user.pw_uid, user.pw_gid)
            self.prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        options = ["-A", "trust", "-U", "paynorm", "-E", "UTF8", "--locale=C", "--no-sync"]
        run([*self.prefix, self.bin / "initdb", "-D", self.work / "data", *options], cwd=self.work)
        settings = f"-k {self.work} -c listen_addresses= -c fsync=off -c timezone=Europe/Zurich"
        run([*self.prefix, self.bin / "pg_ctl", "-D", self.work / "data", "-w", "-l", self.work / "log", "-o", settings,
             "start"], cwd=self.work, stdin=subprocess.DEVNULL)

    def stop(self):
        run([*self.prefix, self.bin / "pg_ctl", "-D", self.work / "data", "-m", "immediate", "stop"], cwd=self.work)

    def psql(self, *arguments):
        return run([self.bin / "psql", "--no-psqlrc", "-q", "-h", self.work, "-U", "paynorm", "-d", "postgres",
                    "-v", "ON_ERROR_STOP=1", *arguments])

    def run(self, script):
        path = self.work / "script.sql"
        path.write_text(script)
        self.psql("--file", path)

    def rows(self, sql):
        """Rows by way of JSON, whose numbers are read as decimals."""
        text = self.psql("-At", "-c", f"SELECT row_to_json(t) FROM ({sql}) AS t")
        lines = [json.loads(line, parse_float=decimal.Decimal) for line in text.split("\n") if line]
        return [tuple(line.values()) for line in lines]

    def types(self):
        return dict(self.rows(
            "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute "
            "WHERE attrelid = 'transactions'::regclass AND attnum > 0"
        ))

    def comments(self):
        return dict(self.rows(
            "SELECT attname, col_description(attrelid, attnum) AS text FROM pg_attribute "
            "WHERE attrelid = 'transactions'::regclass AND attnum > 0"
        ))

    def drop(self):
        self.run("DROP TABLE IF EXISTS transactions")


class ClickHouse:
    """chDB, which is ClickHouse in the process."""

    name = "clickhouse"
    in_place = False

    def __init__(self, work, schema):
        self.session = chdb.session.Session(str(work / "clickhouse"))
        self.session.query("CREATE DATABASE IF NOT EXISTS paynorm ENGINE = Atomic")
        self.session.query("USE paynorm")

    def run(self, script):
        for statement in script.split(";\n"):
            if statement.strip():
                self.session.query(statement)

    def rows(self, sql):
        settings = "output_format_json_quote_decimals = 1, output_format_json_quote_64bit_integers = 0"
        text = self.session.query(f"{sql} SETTINGS {settings}", "JSONCompactEachRow").bytes().decode()
        return [tuple(json.loads(line)) for line in text.split("\n") if line]

    def types(self):
        return {row[0]: row[1] for row in self.rows("SELECT name, type FROM system.columns WHERE table = 'transactions'")}

    def comments(self):
        return dict(self.rows("SELECT name, comment FROM system.columns WHERE table = 'transactions'"))

    def drop(self):
        self.run("DROP TABLE IF EXISTS transactions SYNC")


class Spark:
    """Spark in this process' machine, two threads."""

    name = "spark"
    in_place = True

    def __init__(self, work, schema):
        settings = {
            "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC", "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1", "spark.sql.warehouse.dir": str(work / "spark"),
            "spark.sql.shuffle.partitions": "2", "spark.driver.memory": "1g", "spark.log.level": "OFF",
            "spark.ui.showConsoleProgress": "false",
        }
        builder = SparkSession.builder.master("local[2]")
        for key, value in settings.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()

    def stop(self):
        self.session.stop()

    def run(self, script):
        for statement in script.split(";\n"):
            if statement.strip():
                self.session.sql(statement).collect()

    def rows(self, sql):
        return [tuple(row) for row in self.session.sql(sql).collect()]

    def described(self):
        rows = self.session.sql("DESCRIBE TABLE transactions").collect()
        return rows[: next((i for i, row in enumerate(rows) if row[0].startswith("#")), len(rows))]

    def types(self):
        return {row[0]: row[1] for row in self.described()}

    def comments(self):
        return {row[0]: row[2] for row in self.described()}

    def drop(self):
        self.session.sql("DROP TABLE IF EXISTS transactions")


class Snippet:
    """A library of Python: what docs/warehouses.md says, run as it stands there on the directory `lake`."""

    in_place = True

    def __init__(self, work, schema):
        text = (DOCS / "warehouses.md").read_text()
        found = re.search(rf"### {self.title}\n.*?```python\n(.*?)```", text, re.DOTALL)
        self.code = found.group(1)

    def attach(self, lake):
        before = os.getcwd()
        os.chdir(lake.parent)
        try:
            names = {}
            exec(self.code, names)
            self.transactions = names["transactions"]
        finally:
            os.chdir(before)
        self.lake = lake


class Polars(Snippet):
    """Lazy frames."""

    name = "polars"
    title = "Polars"

    def types(self):
        return {name: str(kind) for name, kind in self.transactions.collect_schema().items()}

    def table(self, names, where=None):
        os.chdir(self.lake.parent)
        frame = self.transactions
        if where:
            frame = frame.filter(*[polars.col(level) == value for level, value in where.items()])
        return frame.select(names).collect().rows()

    def totals(self):
        os.chdir(self.lake.parent)
        sums = [polars.col(name).sum() for name in ("gross_amount", "fee_amount", "net_amount")]
        counts = [polars.col(name).count().alias(f"n_{name}") for name in ("gross_amount", "fee_amount", "net_amount")]
        frame = self.transactions.group_by("source", "currency").agg(polars.len(), *sums, *counts).collect()
        # A sum of nothing is zero here, and nothing in SQL.
        return [(*row[:3], *[s if n else None for s, n in zip(row[3:6], row[6:9])]) for row in frame.rows()]


class PyArrow(Snippet):
    """Datasets of Arrow."""

    name = "pyarrow"
    title = "pyarrow"

    def types(self):
        return {field.name: str(field.type) for field in self.transactions.schema}

    def table(self, names, where=None):
        os.chdir(self.lake.parent)
        condition = None
        for level, value in (where or {}).items():
            one = ds.field(level) == value
            condition = one if condition is None else condition & one
        return [tuple(row.values()) for row in self.transactions.to_table(columns=names, filter=condition).to_pylist()]

    def totals(self):
        os.chdir(self.lake.parent)
        names = ["source", "currency", "gross_amount", "fee_amount", "net_amount"]
        table = self.transactions.to_table(columns=names)
        grouped = table.group_by(["source", "currency"], use_threads=False).aggregate(
            [([], "count_all"), ("gross_amount", "sum"), ("fee_amount", "sum"), ("net_amount", "sum")]
        )
        order = ["source", "currency", "count_all", "gross_amount_sum", "fee_amount_sum", "net_amount_sum"]
        return [tuple(row[name] for name in order) for row in grouped.to_pylist()]


def data_files(lake):
    """All data files, in the order of their paths."""
    return sorted(path for path in lake.rglob("*.parquet") if "_paynorm" not in path.relative_to(lake).parts)


class Suite:
    """What all engines are asked."""

    def __init__(self, arguments):
        self.paynorm = str(pathlib.Path(arguments.paynorm).resolve())
        self.generate = str(pathlib.Path(arguments.generate).resolve())
        self.work = pathlib.Path(arguments.work).resolve()
        self.update = arguments.update
        self.schema = Schema(self.paynorm)
        self.engines = [kind(self.work, self.schema) for kind in (DuckDb, Postgres, ClickHouse, Spark, Polars, PyArrow)]

    def normalize(self, name, inputs, *flags):
        """A dataset at NAME/lake."""
        lake = self.work / name / "lake"
        lake.parent.mkdir(parents=True)
        done = subprocess.run([self.paynorm, "normalize", *inputs, "--out", lake, "--quiet", *flags], check=False)
        assert done.returncode in (0, 3), done.returncode
        return lake

    def script(self, lake, engine):
        return run([self.paynorm, "load-script", lake, "--dialect", engine.name])

    def take_in(self, engine, lake):
        """Loads or attaches a dataset."""
        if isinstance(engine, Snippet):
            engine.attach(lake)
        else:
            engine.run(self.script(lake, engine))

    def rows(self, engine):
        """All rows, plain."""
        if isinstance(engine, Snippet):
            return plain_rows(engine.table(self.schema.names))
        return plain_rows(engine.rows(self.as_plain_sql(engine)))

    def as_plain_sql(self, engine):
        """All columns; the engine itself makes values plain that would lose something on their way."""
        cast = {
            "duckdb": {"timestamp[us, UTC]": "epoch_us({0})"},
            "spark": {"timestamp[us, UTC]": "unix_micros({0})"},
            "postgres": {"timestamp[us, UTC]": "(extract(epoch FROM {0}) * 1000000)::bigint", "decimal(18,4)": "{0}::text",
                         "date": "to_char({0}, 'YYYY-MM-DD')"},
            "clickhouse": {"timestamp[us, UTC]": "toUnixTimestamp64Micro({0})", "decimal(18,4)": "toDecimalString({0}, 4)",
                           "date": "toString({0})"},
        }[engine.name]
        parts = [f"{cast.get(c['type'], '{0}').format(c['name'])} AS {c['name']}_" for c in self.schema.columns]
        return f"SELECT {', '.join(parts)} FROM transactions"

    def totals(self, engine):
        """Number and sums by source and currency, exactly."""
        if isinstance(engine, Snippet):
            rows = engine.totals()
        elif engine.name == "postgres":
            rows = engine.rows(re.sub(r"sum\((\w+)\)", r"sum(\1)::text AS \1", TOTALS))
        elif engine.name == "clickhouse":
            # Sums of nothing are nothing only where the column may be null, as here.
            rows = engine.rows(re.sub(r"sum\((\w+)\)", r"toDecimalString(sum(\1), 4)", TOTALS))
        else:
            rows = engine.rows(TOTALS)
        return {row[:2]: tuple(plain(value) for value in row[2:]) for row in rows}

    def truth(self, lake):
        """What pyarrow reads from each file by itself, without partitions; as a table."""
        return pa.concat_tables(pq.read_table(path, partitioning=None) for path in data_files(lake))

    def compare(self, name, lake, levels, whole):
        """Takes a dataset in, in every engine, and compares rows, totals, types and comments."""
        print(f"-- {name}: {lake}")
        table = self.truth(lake)
        expected = plain_rows(zip(*[column.to_pylist() for column in table.columns])) if whole else None
        wanted = truth_totals(table)
        for engine in self.engines:
            engine.drop() if hasattr(engine, "drop") else None
            self.take_in(engine, lake)
            totals = self.totals(engine)
            count = sum(row[0] for row in totals.values())
            good = totals == wanted and count == table.num_rows > 0
            check(good, f"{engine.name}: {count} rows, totals of {len(totals)} groups{'' if good else differing(totals, wanted)}")
            if whole:
                rows = self.rows(engine)
                good = rows == expected
                check(good, f"{engine.name}: every value of {sum(rows.values())} rows{'' if good else differing(rows, expected)}")
            seen = engine.types()
            should = self.schema.types(engine.name, levels if engine.in_place else ())
            if isinstance(engine, Snippet):
                # What it makes of a year or a day is its own choice.
                seen, should = [{k: v for k, v in of.items() if k not in ("year", "day")} for of in (seen, should)]
            wrong = {key: (seen.get(key), should.get(key)) for key in seen | should if seen.get(key) != should.get(key)}
            check(not wrong, f"{engine.name}: types of {len(seen)} columns {wrong or ''}")
            if hasattr(engine, "comments"):
                told = {key: value for key, value in engine.comments().items() if key not in LEVEL_KINDS}
                check(told == self.schema.comments(), f"{engine.name}: comments of {len(told)} columns")
        return wanted

    def prune(self, lake, levels):
        """A filter on the partition keys opens no other file: all others are broken, for the first and the last partition."""
        files = data_files(lake)
        parts = [tuple(path.relative_to(lake).parts[:-1]) for path in files]
        for part in (parts[0], parts[-1]):
            where = dict(text.split("=", 1) for text in part)
            held = sum(pq.ParquetFile(path).metadata.num_rows for path, of in zip(files, parts) if of == part)
            # Libraries read the first file to learn the schema; it alone stays.
            broken = self.work / f"broken-{len(list(self.work.glob('broken-*')))}" / "lake"
            shutil.copytree(lake, broken)
            opened_anyway = 0
            for path, of in zip(data_files(broken), parts):
                if of != part and path != data_files(broken)[0]:
                    path.write_bytes(b"this is no Parquet file" * 100)
                elif of != part:
                    opened_anyway = 1
            for engine in self.engines:
                if not engine.in_place:
                    continue
                counts = self.count_broken(engine, broken, where)
                good = counts == (held, None)
                what = f"{'/'.join(part)}: {held} rows though {len(files) - parts.count(part) - opened_anyway} of {len(files)} files are broken"
                check(good, f"{engine.name}: {what}{'' if good else f' {counts}'}")

    def count_broken(self, engine, lake, where):
        """Rows of one partition of a broken dataset, and of all, which must fail."""
        counts = []
        for condition in (where, None):
            try:
                if isinstance(engine, Snippet):
                    engine.attach(lake)
                    counts.append(len(engine.table(["transaction_id"], condition)))
                else:
                    engine.drop()
                    engine.run(re.sub(r"SELECT count.*?;\n", "", self.script(lake, engine)))
                    clause = " AND ".join(f"{level} = '{value}'" for level, value in (condition or {"1": "1"}).items())
                    counts.append(engine.rows(f"SELECT count(DISTINCT transaction_id) FROM transactions WHERE {clause}")[0][0])
            except Exception as error:
                counts.append(None if condition is None else str(error)[:300])
        return tuple(counts)

    def prune_loaded(self, lake):
        """Where rows are loaded, what the engine says of a question about one source and one month."""
        sql = (
            "SELECT count(*) FROM transactions WHERE source = 'atpay' AND occurred_at >= '2023-03-01 00:00:00+00' "
            "AND occurred_at < '2023-04-01 00:00:00+00'"
        )
        for engine in self.engines:
            if engine.name == "postgres":
                self.take_in(engine, lake)
                engine.run("ANALYZE transactions;")
                plan = engine.psql("-At", "-c", f"EXPLAIN (ANALYZE, COSTS OFF) {sql}")
                good = "transactions_by_time" in plan and "Seq Scan" not in plan
                check(good, f"postgres: an index leads to a source and a month {'' if good else plan}")
            if engine.name == "clickhouse":
                engine.drop()
                self.take_in(engine, lake)
                sql_here = sql.replace("+00'", "'")
                plan = engine.session.query(f"EXPLAIN indexes = 1 {sql_here}", "TSVRaw").bytes().decode()
                parts = [(int(a), int(b)) for a, b in re.findall(r"Granules: (\d+)/(\d+)", plan)]
                good = parts and parts[-1][0] < parts[0][1]
                check(good, f"clickhouse: granules read and held {parts} {'' if good else plan}")

    def tables(self, lake):
        """The tables of `schema --format ddl` take the rows, where they run, and are SQL to a parser everywhere."""
        engines = {engine.name: engine for engine in self.engines}
        for name in ("duckdb", "postgres", "clickhouse", "spark"):
            engine = engines[name]
            engine.drop()
            engine.run(run([self.paynorm, "schema", "--format", "ddl", "--dialect", name]))
            seen, should = engine.types(), self.schema.types(name)
            check(seen == should, f"{name}: the table has {len(seen)} columns of the right types")
            told = engine.comments()
            check(told == self.schema.comments(), f"{name}: the table has comments on {len(told)} columns")
            if name == "duckdb":
                pattern = f"{lake}/**/*.parquet"
                insert = f"INSERT INTO transactions SELECT * FROM read_parquet('{pattern}', hive_partitioning = false)"
                engine.run(insert)
                check(self.totals(engine) == truth_totals(self.truth(lake)), "duckdb: the table takes the rows")
                try:
                    engine.run(insert)
                    check(False, "duckdb: the key is enforced")
                except duckdb.ConstraintException:
                    check(True, "duckdb: the key is enforced")
                engine.run("DROP TABLE transactions")
            else:
                engine.drop()
        dialects = ["bigquery", "clickhouse", "databricks", "duckdb", "postgres", "redshift", "snowflake", "spark", "trino"]
        for dialect in dialects:
            text = run([self.paynorm, "schema", "--format", "ddl", "--dialect", dialect])
            parsed = [one for one in sqlglot.parse(text, dialect=dialect) if one is not None]
            commands = [type(one).__name__ for one in parsed if isinstance(one, sqlglot.exp.Command)]
            check(parsed and not commands, f"{dialect}: a parser reads the table's {len(parsed)} statements {commands or ''}")

        # The parser knows neither of the two that are left as text.
        for dialect, bucket, left in (
            ("bigquery", "gs://bucket/lake", ["CREATE OR REPLACE EXTERNAL"]), ("databricks", "s3://bucket/lake", []),
            ("redshift", "s3://bucket/lake", []), ("snowflake", "s3://bucket/lake", []), ("trino", "s3://bucket/lake", ["CALL"]),
        ):
            text = run([self.paynorm, "load-script", lake, "--dialect", dialect, "--table", "a.b", "--location", bucket])
            parsed = [one for one in sqlglot.parse(text, dialect=dialect) if one is not None]
            texts = [one.sql(comments=False) for one in parsed if isinstance(one, sqlglot.exp.Command)]
            good = len(texts) == len(left) and all(map(str.startswith, texts, left))
            check(good, f"{dialect}: a parser reads the load script's {len(parsed)} statements, but for {len(left)} {'' if good else texts}")

    def dbt(self, lake):
        """dbt takes the source file, and its tests pass; with a key that repeats or an unknown word they do not."""
        project = self.work / "dbt"
        (project / "models").mkdir(parents=True)
        source = run([self.paynorm, "schema", "--format", "dbt", "--table", "main.transactions"])
        (project / "models" / "paynorm.yml").write_text(source)
        (project / "dbt_project.yml").write_text('name: check\nversion: "1.0"\nprofile: check\nmodel-paths: [models]\n')
        (project / "profiles.yml").write_text(
            "check:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: check.db, threads: 1}\n"
        )
        environment = os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        for what, spoil, good in (
            ("as it is", None, True),
            ("with a key twice", "INSERT INTO transactions SELECT * FROM transactions LIMIT 1", False),
            ("with an unknown state", "UPDATE transactions SET state = 'done'", False),
        ):
            (project / "check.db").unlink(missing_ok=True)
            connection = duckdb.connect(project / "check.db")
            connection.execute(self.script(lake, self.engines[0]))
            if spoil:
                connection.execute("CREATE TABLE copied AS FROM transactions; DROP VIEW transactions")
                connection.execute(f"ALTER TABLE copied RENAME TO transactions; {spoil}")
            connection.close()
            done = subprocess.run(["dbt", "--no-version-check", "--no-use-colors", "test", "--profiles-dir", "."],
                                  cwd=project, env=environment, capture_output=True, text=True)
            ended = re.search(r"Done\. (.*)", done.stdout)
            says = ended.group(1) if ended else done.stdout[-500:]
            check(ended and (done.returncode == 0) == good, f"dbt {what}: {says}")

    def failing_load(self, lake):
        """A load into PostgreSQL that breaks off, or falls short of rows, leaves what was there."""
        postgres = next(engine for engine in self.engines if engine.name == "postgres")
        postgres.drop()
        postgres.run(self.script(lake, postgres))
        before = self.totals(postgres)
        script = self.script(lake, postgres)
        for name, broken in (
            ("too few rows", re.sub(r"<> (\d+) THEN", lambda m: f"<> {int(m.group(1)) + 1} THEN", script)),
            ("no DuckDB", script.replace("duckdb -init", "no-such-duckdb -init")),
            ("no such files", script.replace("*.parquet", "*.none")),
        ):
            try:
                postgres.run(broken)
                check(False, f"postgres: a load with {name} fails")
            except RuntimeError:
                check(self.totals(postgres) == before, f"postgres: a load with {name} fails and changes nothing")
        (self.work / "nul-in").mkdir()
        record = {"id": "a\0b", "timestamp": 1422566591, "offer_name": "o", "amount": 2, "status": "Successful"}
        (self.work / "nul-in" / "nul.json").write_text(json.dumps([record]))
        try:
            postgres.run(self.script(self.normalize("nul", [self.work / "nul-in"]), postgres))
            check(False, "postgres: a text with U+0000 fails the load")
        except RuntimeError as error:
            good = "U+0000" in str(error) and self.totals(postgres) == before
            check(good, "postgres: a text with U+0000 fails the load, which says so and changes nothing")
        postgres.run(script)
        check(self.totals(postgres) == before, "postgres: the same load again gives the same rows")

    def questions(self, lake):
        """Each question by DuckDB's command, as in docs/questions.md; the views in DuckDB and PostgreSQL say the same."""
        path = DOCS / "questions.md"
        text = path.read_text()
        os.chdir(lake.parent)
        for name in re.findall(r"\n## `(\w+)`", text):
            flags = ["--as-of", AS_OF] if name == "pending" else []
            sql = run([self.paynorm, "query", "lake", name, *flags])
            shown = run(["duckdb", "-init", "/dev/null", "-markdown", "-c", sql])
            start = text.index("<!-- output -->\n", text.index(f"\n## `{name}`\n")) + len("<!-- output -->\n")
            end = text.index("<!-- end -->", start)
            if self.update:
                text = f"{text[:start]}\n{shown}\n{text[end:]}"
                path.write_text(text)
                continue
            check(text[start:end] == f"\n{shown}\n", f"docs/questions.md shows what `{name}` prints")
            floats = [row for row in duckdb.connect().execute(sql).description if str(row[1]) in ("DOUBLE", "FLOAT")]
            check(not floats, f"{name}: no column is a binary float")
        os.chdir(self.work)
        self.views(lake)

    def views(self, lake):
        views = (DOCS / "views.sql").read_text()
        engines = {engine.name: engine for engine in self.engines}
        answers = {}
        for name in ("duckdb", "postgres"):
            engine = engines[name]
            engine.drop()
            self.take_in(engine, lake)
            if name == "postgres":
                engine.run("\n".join(line.removeprefix("--   ") for line in views.split("\n") if line.startswith("--   ")))
            engine.run(views)
            for view in re.findall(r"CREATE OR REPLACE VIEW (\w+)", views):
                columns = [row[0] for row in duckdb_columns(engines["duckdb"], view)]
                texts = ", ".join(f"CAST({column} AS VARCHAR) AS {column}" for column in columns)
                rows = engine.rows(f"SELECT {texts} FROM {view}")
                answers.setdefault(view, []).append(collections.Counter(plain_numbers(row) for row in rows))
        for view, (one, other) in answers.items():
            good = one == other and sum(one.values()) > 0
            check(good, f"view {view}: DuckDB and PostgreSQL give the same {sum(one.values())} rows{'' if good else differing(one, other)}")
        engines["postgres"].run("DROP TABLE transactions CASCADE")


def duckdb_columns(engine, view):
    """The columns of a view."""
    return engine.rows(f"DESCRIBE {view}")


def plain_numbers(row):
    """Texts of numbers without zeros at the end, which engines print differently; times without them too."""
    strip = lambda text: text.rstrip("0").rstrip(".") if text and re.fullmatch(r".*\.\d+", text) else text
    return tuple(strip(text) for text in row)


def truth_totals(table):
    """Sums by source and currency, added up one by one."""
    totals = {}
    names = ["source", "currency", "gross_amount", "fee_amount", "net_amount"]
    for source, currency, *amounts in zip(*[table.column(name).to_pylist() for name in names]):
        count, *sums = totals.get((source, currency), (0, None, None, None))
        sums = [s if a is None else a if s is None else s + a for s, a in zip(sums, amounts)]
        totals[(source, currency)] = (count + 1, *sums)
    return {key: tuple(plain(value) for value in row) for key, row in totals.items()}


def differing(one, other):
    """The first few differences."""
    if isinstance(one, collections.Counter):
        return f": only here {list((one - other).items())[:2]}, only there {list((other - one).items())[:2]}"
    return f": {[(key, one.get(key), other.get(key)) for key in one | other if one.get(key) != other.get(key)][:3]}"


HOSTILE_TEXTS = [
    "", " ", "\\", "\\.", "\\N", "a\n\\.\nb", "tab\there", "cr\r\nlf", "'", '"', '""', ",", ";--", "%", "NULL", "null",
    "\\n", "\\\\", "x'; DROP TABLE transactions; --", "$$", "ü💶\u2028", "\u0001\u001f", "e\u0301", " lead and trail ",
]


def hostile_dump(directory):
    """Texts that a format of texts may get wrong, in every text that a record of spacivox or atpay has."""
    directory.mkdir()
    records = [
        {"id": f"{number}{text}", "timestamp": 1422566591 + number, "offer_name": text, "email": text, "amount": 2,
         "net_amount": "-0.0001" if number % 2 else "99999999999999.9999", "status": "Successful",
         text or "empty": text}
        for number, text in enumerate(HOSTILE_TEXTS)
    ]
    # The first and the last time of the schema, and the microsecond before 1970.
    for time in ("0001-01-01 00:00:00 UTC", "9999-12-31 23:59:59.999999 UTC", "1969-12-31 23:59:59.999999 UTC"):
        records.append({"id": time, "date": time, "offer_name": "old", "amount": "0", "status": "Failed"})
    (directory / "hostile.json").write_text(json.dumps(records))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description="load datasets into six engines and compare")
    for name in ("--paynorm", "--generate", "--work"):
        parser.add_argument(name, required=True)
    parser.add_argument("--update", action="store_true", help="write what the questions print into docs/questions.md")
    suite = Suite(parser.parse_args())
    samples = [str(path.resolve()) for path in sorted(pathlib.Path("samples").iterdir()) if path.is_dir()]
    os.chdir(suite.work)
    try:
        everything(suite, samples)
    finally:
        for engine in suite.engines:
            if hasattr(engine, "stop"):
                engine.stop()
    print(f"{len(FAILURES)} failures")
    return 1 if FAILURES else 0


def everything(suite, samples):
    """All datasets."""
    levels = ("feed", "month")
    lake = suite.normalize("samples", samples)
    totals = suite.compare("samples", lake, levels, whole=True)
    for (source, currency), row in sorted(totals.items(), key=str):
        print(f"     {source} {currency}: {row[0]} rows, gross {row[1]}, fee {row[2]}, net {row[3]}")
    suite.prune(lake, levels)
    suite.questions(lake)
    suite.tables(lake)
    suite.failing_load(lake)
    suite.dbt(lake)
    for name, flags in (("none", ["none"]), ("year-day", ["year,day"]), ("month-feed", ["month,feed"])):
        some = suite.normalize(name, samples, "--partition-by", *flags)
        suite.compare(name, some, () if name == "none" else name.split("-"), whole=False)
    hostile_dump(suite.work / "hostile-in")
    hostile = suite.normalize("it's \"a\" $(touch x) `id` [z]; -- %20#", [suite.work / "hostile-in"])
    suite.compare("hostile", hostile, levels, whole=True)
    run([suite.generate, suite.work / "dumps", "--records", "40000", "--shape", "mixed", "--order", "random",
         "--duplicates", "30", "--unknown-words", "10"])
    generated = suite.normalize("generated", [suite.work / "dumps"])
    totals = suite.compare("generated", generated, levels, whole=False)
    for (source, currency), row in sorted(totals.items(), key=str):
        print(f"     {source} {currency}: {row[0]} rows, gross {row[1]}, fee {row[2]}, net {row[3]}")
    suite.prune(generated, levels)
    suite.prune_loaded(generated)


if __name__ == "__main__":
    sys.exit(main())
