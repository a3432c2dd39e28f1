//! The parts of a run, each alone and on one thread, in memory: finding, reading and mapping records, and encoding rows; and
//! what libraries take for a typed parse of the same records, for amounts and for times, as the marks to be held against.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use bumpalo::Bump;
use chrono::DateTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paynorm::extract::chunks::{Buffers, Chunk, Chunks, Shapes, Sizes};
use paynorm::load::keys::Reading;
use paynorm::load::parquet_file::{Codec, Setup};
use paynorm::load::partition::Partitioning;
use paynorm::model::json::Reader;
use paynorm::model::money::{Unit, Written};
use paynorm::model::time::{WrittenTime, Zone};
use paynorm::normalize::{Origin, Rules, Scratch, normalize};
use paynorm::sources::record::Record;
use paynorm::sources::{self, Settings};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

/// One dump of a source in a shape, about 20 MB.
fn dump(source: &str, shape: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("part-{source}-{shape}"));
    if !folder.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let generate = ["run", "--quiet", "--release", "--example", "generate", "--"];
        let flags = ["--size", "20MB", "--order", "random", "--sources", source, "--shape", shape];
        let status = Command::new(cargo).args(generate).arg(&folder).args(flags).status();
        assert!(status.is_ok_and(|status| status.success()), "the dumps could not be generated");
    }
    let entries = std::fs::read_dir(folder.join(source)).expect("the folder was just made");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.sort();
    files.iter().flat_map(|file| std::fs::read(file).expect("it can be read")).collect()
}

fn chunks(dump: &[u8], buffers: &Buffers, mut each: impl FnMut(Chunk)) {
    let keys = sources::envelope_keys();
    let shapes = Shapes { envelope_keys: &keys, told: &sources::told };
    let sizes = Sizes { read: 64 << 10, chunk: 1 << 20, block: 1 << 20 };
    let mut chunks = Chunks::new(dump, shapes, buffers, sizes, None);
    while let Some(chunk) = chunks.next_chunk().expect("memory can be read") {
        each(chunk);
    }
}

fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for shape in ["ndjson", "array", "envelope", "single-array", "single-envelope", "concat"] {
        let dump = dump("paydata", shape);
        let buffers = Buffers::default();
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(shape, |bencher| {
            bencher.iter(|| chunks(&dump, &buffers, |chunk| buffers.give(black_box(chunk).bytes)));
        });
    }
}

fn map(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("normalize");
    let settings = vec![Settings::default(); sources::ALL.len()];
    let rules = Rules { settings, partitioning: Partitioning::default(), redactor: None };
    for source in sources::ALL {
        let dump = dump(source.name(), "ndjson");
        let mut all = Vec::new();
        chunks(&dump, &Buffers::default(), |chunk| all.push(chunk));
        let mut scratch = Scratch::default();
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(source.name(), |bencher| {
            bencher.iter(|| {
                for chunk in &all {
                    let origin = Origin { dump: 0, rank: 0, reading: Reading::Newer, source_file: "dump.ndjson" };
                    scratch.spare = black_box(normalize(chunk, origin, &rules, &mut scratch)).batch;
                }
            });
        });
    }
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let settings = vec![Settings::default(); sources::ALL.len()];
    let rules = Rules { settings, partitioning: Partitioning(Vec::new()), redactor: None };
    for source in sources::ALL {
        let dump = dump(source.name(), "ndjson");
        let mut batches = Vec::new();
        chunks(&dump, &Buffers::default(), |chunk| {
            let origin = Origin { dump: 0, rank: 0, reading: Reading::Newer, source_file: "dump.ndjson" };
            batches.push(normalize(&chunk, origin, &rules, &mut Scratch::default()).batch);
        });
        let slices: Vec<_> = batches.iter().map(|batch| batch.cells.all()).collect();
        let rows: usize = slices.iter().map(|slice| slice.rows).sum();
        let setup = Setup::new(Codec::Zstd, false).expect("the schema is valid");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(source.name(), |bencher| {
            bencher.iter(|| pool.install(|| black_box(setup.encode(&slices).expect("encodes"))));
        });
    }
}

/// Declares what a typed parse takes of a record: the text of every member that the source documents.
macro_rules! typed {
    ($($name:ident $rename:literal { $($member:ident)+ })+) => {
        $(
            #[derive(Deserialize)]
            #[serde(rename_all = $rename)]
            #[allow(dead_code, reason = "it is parsed and not used")]
            struct $name<'a> {
                $(#[serde(borrow)] $member: Option<&'a RawValue>,)+
            }
        )+
    };
}

typed! {
    Spacivox "snake_case" { amount campaign id job reference state team timestamp }
    Onlinefundraising "camelCase" {
        transaction_guid created_ts payment_guid amount payment_gateway_provider payment_gateway_guid
        payment_gateway_subscription_reference_id payment_gateway_payment_reference_id transaction_ts transaction_type
        payment_method_accounting_code charge_attempt_guid payment_method_guid
    }
    Twocloud "snake_case" {
        id remote_id amount message created completed user_id funding_source_id funding_source_provider anonymous
        campaign status error
    }
    Atpay "snake_case" { id date timestamp offer_name email amount net_amount status }
    Paydata "camelCase" {
        id booking_date value_date gross net fee is_balance_relevant payment_classification transaction_id order_number
        receipt_number booking_text shopper created_at last_modified_at report_id fields
    }
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for &source in sources::ALL {
        let dump = dump(source.name(), "ndjson");
        let text = std::str::from_utf8(&dump).expect("it was generated as text");
        let records: Vec<&str> = text.lines().collect();
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(source.name(), |bencher| {
            bencher.iter(|| {
                let (mut reader, made) = (Reader::default(), Bump::new());
                let mut record = Record::new(source, &made);
                for text in &records {
                    record.read(&mut reader, text, text.len()).expect("it is valid");
                    black_box(&record);
                }
            });
        });
    }
}

fn typed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("serde_json");
    for source in sources::ALL {
        let dump = dump(source.name(), "ndjson");
        let text = std::str::from_utf8(&dump).expect("it was generated as text");
        let records: Vec<&str> = text.lines().collect();
        macro_rules! parse {
            ($name:ident) => {
                |record| {
                    black_box(serde_json::from_str::<$name<'_>>(record).expect("it is valid"));
                }
            };
        }
        let parse: fn(&str) = match source.name() {
            "spacivox" => parse!(Spacivox),
            "onlinefundraising" => parse!(Onlinefundraising),
            "twocloud" => parse!(Twocloud),
            "atpay" => parse!(Atpay),
            _ => parse!(Paydata),
        };
        group.throughput(Throughput::Bytes(dump.len() as u64));
        group.bench_function(source.name(), |bencher| bencher.iter(|| records.iter().copied().for_each(parse)));
    }
}

/// A thousand amounts and times, and beside them what libraries read them with.
fn numbers(criterion: &mut Criterion) {
    fn bench<T>(criterion: &mut Criterion, name: &str, texts: &[String], read: impl Fn(&str) -> T) {
        let mut group = criterion.benchmark_group("numbers");
        group.throughput(Throughput::Elements(texts.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| texts.iter().for_each(|text| _ = black_box(read(text))));
        });
    }
    let amounts: Vec<_> = (0..1000).map(|number| format!("{}.{:02}", number * 37 % 2000, number % 100)).collect();
    bench(criterion, "amount", &amounts, |text| Written::Number(text).amount(Unit::Major));
    bench(criterion, "amount by rust_decimal", &amounts, str::parse::<Decimal>);
    let time = |number| format!("20{:02}-{:02}-28T12:{:02}:56Z", number % 30, number % 12 + 1, number % 60);
    let times: Vec<_> = (0..1000).map(time).collect();
    bench(criterion, "time", &times, |text| WrittenTime::parse(text, Zone::Utc));
    bench(criterion, "time by chrono", &times, DateTime::parse_from_rfc3339);
}

criterion_group!(benches, scan, read, map, encode, numbers, typed);
criterion_main!(benches);
