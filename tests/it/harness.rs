//! Runs the real binary in a temporary directory, and the library in memory, and reads back what came of it as text.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int16Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, TimeDelta};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use paynorm::extract::chunks::{Buffers, ByteCounts, Chunk, Chunks, Shapes, Sizes};
use paynorm::load::keys::Reading;
use paynorm::load::partition::Partitioning;
use paynorm::load::quarantine::{Raw, Rejected};
use paynorm::model::cells::array;
use paynorm::model::columns;
use paynorm::normalize::{Origin, Rules, Scratch, normalize};
use paynorm::sources::{self, Settings};
use proptest::prelude::ProptestConfig;
use serde_json::Value;
use tempfile::TempDir;

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Checks the exit code, showing what the program said when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// The binary, to be run in a directory where nothing is by accident.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_paynorm"));
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// A temporary directory with dumps in `in` and a dataset at `lake`.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path().join("in")).unwrap();
        place
    }

    /// A place with these dumps in `in`.
    pub(crate) fn with(dumps: &[(&str, &[u8])]) -> Self {
        let place = Self::new();
        for (name, content) in dumps {
            place.write(&format!("in/{name}"), content);
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.path().join("lake")
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Runs the binary here with `arguments`.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Run {
        self.run_with(arguments, &[])
    }

    /// As [`Place::run`], with something on standard input.
    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, arguments: &[S], input: &[u8]) -> Run {
        let mut command = command(self.path());
        let child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        // A program that refuses its flags does not read, which is no failure of ours.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Normalizes `in` into `lake`.
    pub(crate) fn normalize(&self, flags: &[&str]) -> Run {
        self.run(&[&["normalize", "in", "--out", "lake"], flags].concat())
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        rows(&self.lake())
    }

    pub(crate) fn rejects(&self) -> Vec<Value> {
        rejects(&self.lake())
    }

    pub(crate) fn manifest(&self) -> Value {
        parse(&fs::read_to_string(self.lake().join("_paynorm/manifest.json")).unwrap())
    }

    pub(crate) fn report(&self) -> Value {
        parse(&fs::read_to_string(self.lake().join("_paynorm/report.json")).unwrap())
    }

    /// The names of what lies here, hidden or not.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }
}

#[track_caller]
pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// One row, its values by column name in schema order; decimals and times as text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<(&'static str, Value)>);

impl Row {
    #[track_caller]
    pub(crate) fn get(&self, column: &str) -> &Value {
        &self.0.iter().find(|(name, _)| *name == column).unwrap_or_else(|| panic!("no column {column}")).1
    }

    #[track_caller]
    pub(crate) fn text(&self, column: &str) -> &str {
        self.get(column).as_str().unwrap_or_else(|| panic!("{column} is no text in {self}"))
    }

    pub(crate) fn id(&self) -> &str {
        self.text("transaction_id")
    }

    pub(crate) fn offset(&self) -> usize {
        usize::try_from(self.get("source_offset").as_u64().unwrap()).unwrap()
    }

    /// The row without where it was read.
    pub(crate) fn unplaced(&self) -> Self {
        let placed = |name: &str| name == "source_file" || name == "source_offset";
        Self(self.0.iter().filter(|(name, _)| !placed(name)).cloned().collect())
    }
}

/// The row as one line of JSON, columns in schema order.
impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<_> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        write!(f, "{{{}}}", members.join(","))
    }
}

/// Every data file of a dataset by its path in it, sorted.
pub(crate) fn data_files(lake: &Path) -> Vec<String> {
    files(lake).into_keys().filter(|path| path.ends_with(".parquet")).collect()
}

/// Every file of a dataset, `_paynorm` included, with its content.
pub(crate) fn files(lake: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![lake.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(lake).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// A digest of every file of a dataset, as text to compare.
pub(crate) fn digests(lake: &Path) -> Vec<String> {
    let digest = |(name, content): (String, Vec<u8>)| format!("{name} {}", blake3::hash(&content).to_hex());
    files(lake).into_iter().map(digest).collect()
}

/// All rows of a dataset, file by file, read through the parquet crate and checked to be of the unified schema.
pub(crate) fn rows(lake: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for name in data_files(lake) {
        let file = File::open(lake.join(&name)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let fields = |schema: &arrow::datatypes::Schema| -> Vec<_> {
            let field = |f: &std::sync::Arc<arrow::datatypes::Field>| {
                format!("{} {} {} {:?}", f.name(), f.data_type(), f.is_nullable(), f.metadata())
            };
            schema.fields().iter().map(field).collect()
        };
        assert_eq!(fields(reader.schema()), fields(&columns::schema()), "{name}");
        for batch in reader.build().unwrap() {
            rows.extend(rows_of(batch.unwrap().columns()));
        }
    }
    rows
}

fn rows_of(columns: &[ArrayRef]) -> Vec<Row> {
    let count = columns.first().map_or(0, Array::len);
    let names = columns::COLUMNS.iter().map(|column| column.name);
    let row = |at: usize| Row(names.clone().zip(columns).map(|(name, column)| (name, value(column, at))).collect());
    (0..count).map(row).collect()
}

fn value(column: &ArrayRef, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(at).into(),
        DataType::Decimal128(18, 4) => column.as_primitive::<Decimal128Type>().value_as_string(at).into(),
        DataType::Timestamp(..) => time(column.as_primitive::<TimestampMicrosecondType>().value(at)).into(),
        DataType::Date32 => {
            let days = i64::from(column.as_primitive::<Date32Type>().value(at));
            (NaiveDate::default() + TimeDelta::days(days)).to_string().into()
        }
        DataType::Boolean => column.as_boolean().value(at).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(at).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(at).into(),
        other => panic!("no column is of type {other}"),
    }
}

/// Microseconds since 1970 as text.
pub(crate) fn time(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The quarantine of a dataset, line by line.
pub(crate) fn rejects(lake: &Path) -> Vec<Value> {
    quarantine_lines(lake).iter().map(|line| parse(line)).collect()
}

/// The quarantine of a dataset as text.
pub(crate) fn quarantine_lines(lake: &Path) -> Vec<String> {
    let text = fs::read_to_string(lake.join("_paynorm/quarantine.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The folder of sample dumps.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// The sample dumps of every source: the folder's name and the path.
pub(crate) fn sample_files() -> Vec<(String, PathBuf)> {
    let listed = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let folders = listed(&samples()).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<_> = folders
        .flat_map(|folder| {
            let source = folder.file_name().unwrap().to_str().unwrap().to_owned();
            listed(&folder).into_iter().map(move |path| (source.clone(), path))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Sizes at which nothing is ever cut.
pub(crate) const WHOLE: Sizes = Sizes { read: 1 << 20, chunk: 1 << 30, block: 1 << 40 };

/// The chunks of a dump in memory, and how its bytes were counted.
pub(crate) fn chunks(dump: &[u8], sizes: Sizes) -> (Vec<Chunk>, ByteCounts) {
    let keys = sources::envelope_keys();
    let buffers = Buffers::default();
    let mut chunks = Chunks::new(dump, Shapes { envelope_keys: &keys, told: &sources::told }, &buffers, sizes, None);
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        all.push(chunk);
    }
    (all, chunks.byte_counts())
}

/// What the library makes of a dump in memory.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Rows by offset.
    pub(crate) rows: Vec<Row>,
    pub(crate) rejects: Vec<Rejected>,
    pub(crate) seen: u64,
}

/// Normalizes a dump in memory, as the pipeline would, and checks that its bytes are accounted for.
pub(crate) fn outcome(dump: &[u8]) -> Outcome {
    let (chunks, counts) = chunks(dump, WHOLE);
    assert!(counts.balance(), "{counts:?}: {}", String::from_utf8_lossy(dump));
    assert_eq!(counts.read, dump.len() as u64);
    let settings = vec![Settings::default(); sources::ALL.len()];
    let rules = Rules { settings, partitioning: Partitioning::default(), redactor: None };
    let mut outcome = Outcome::default();
    for chunk in &chunks {
        let normalized = normalize(
            chunk,
            Origin { dump: 0, rank: 0, reading: Reading::Newer, source_file: "dump" },
            &rules,
            &mut Scratch::default(),
        );
        let slices = [normalized.batch.cells.all()];
        let columns: Vec<ArrayRef> =
            (0..columns::COLUMNS.len()).map(|number| array(&slices, number).unwrap()).collect();
        outcome.rows.extend(rows_of(&columns));
        outcome.rejects.extend(normalized.rejects);
        outcome.seen += normalized.seen;
    }
    outcome.rows.sort_by_key(Row::offset);
    assert_eq!(outcome.seen, (outcome.rows.len() + outcome.rejects.len()) as u64, "a record is a row or a reject");
    outcome
}

/// A reject on one line: where, how long, why and which member.
pub(crate) fn reject_line(rejected: &Rejected) -> String {
    let (code, field) = (rejected.reject.reason.code(), rejected.reject.field.as_deref().unwrap_or("-"));
    let raw = match &rejected.raw {
        Raw::Bytes(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Raw::Digest(_) => "digest".to_owned(),
        Raw::Absent => "absent".to_owned(),
    };
    format!("{}+{} {code} {field} {raw}", rejected.offset, rejected.length)
}

/// So many cases of a property, times the environment's `TEST_EFFORT`.
pub(crate) fn cases(number: u32) -> ProptestConfig {
    let effort = std::env::var("TEST_EFFORT").map_or(1, |effort| effort.parse().expect("TEST_EFFORT is a number"));
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number * effort) }
}

/// A dump as one gzip member.
pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap()
}

/// A dump as one zstd frame with a checksum.
pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap()
}

/// A good record of atpay on one line, with something more before its closing brace.
pub(crate) fn good_with(id: &str, more: &str) -> String {
    format!(
        r#"{{"id":"{id}","timestamp":1422566591,"offer_name":"o","amount":2,"net_amount":1,"status":"Successful"{more}}}"#
    )
}

/// A good record of atpay on one line.
pub(crate) fn good(id: &str) -> String {
    good_with(id, "")
}
