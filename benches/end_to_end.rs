//! The whole run, from dumps on disk to a committed dataset, in this process.
//!
//! Dumps are generated once into the target folder. `PAYNORM_BENCH_SIZE` sets their size (1GB unless told), so that a
//! quick look can be had with 100MB.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use paynorm::config::{Config, Mode};
use paynorm::extract::chunks::ReadMore;
use paynorm::extract::decompress::DumpReader;
use paynorm::pipeline;

/// Generates dumps of a shape, unless they are there from an earlier run.
fn dumps(shape: &str, size: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dumps-{shape}-{size}"));
    if !folder.exists() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let generate = ["run", "--quiet", "--release", "--example", "generate", "--"];
        let status = Command::new(cargo).args(generate).arg(&folder).args(["--size", size, "--shape", shape]).status();
        assert!(status.is_ok_and(|status| status.success()), "the dumps could not be generated");
    }
    folder
}

/// The dumps in `folder`, compressed.
fn compressed(folder: &Path, format: &str) -> PathBuf {
    let to = folder.with_extension(format);
    if !to.exists() {
        for file in files(folder) {
            let at = to.join(file.strip_prefix(folder).expect("it is in there")).with_extension(format);
            std::fs::create_dir_all(at.parent().expect("it has one")).expect("it can be made");
            let (input, mut output) = (File::open(&file).expect("it is there"), File::create(at).expect("it is new"));
            let mut input = BufReader::new(input);
            match format {
                "gz" => {
                    let mut encoder = GzEncoder::new(output, Compression::default());
                    io::copy(&mut input, &mut encoder).expect("it compresses");
                    encoder.finish().expect("it is written");
                }
                _ => zstd::stream::copy_encode(input, &mut output, 3).expect("it compresses"),
            }
        }
    }
    to
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder was just made");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn bytes_in(folder: &Path) -> u64 {
    files(folder).iter().map(|file| file.metadata().expect("it exists").len()).sum()
}

fn config(dumps: &Path, threads: usize) -> Config {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lake");
    Config { mode: Mode::Replace, threads, ..Config::new(vec![dumps.to_owned()], out) }
}

fn run(config: &Config) {
    black_box(pipeline::run(config, &AtomicUsize::new(0)).expect("the dumps are good"));
}

fn size() -> String {
    std::env::var("PAYNORM_BENCH_SIZE").unwrap_or_else(|_| "1GB".to_owned())
}

fn end_to_end(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("end_to_end");
    group.sample_size(10);
    for shape in ["ndjson", "envelope", "single-array", "single-envelope", "mixed"] {
        let dumps = dumps(shape, &size());
        group.throughput(Throughput::Bytes(bytes_in(&dumps)));
        for threads in [1, 2] {
            let config = config(&dumps, threads);
            group.bench_function(format!("{shape}/{threads}-threads"), |bencher| bencher.iter(|| run(&config)));
        }
    }
    group.finish();
}

/// What it costs to look for records of one key where there are none.
fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("keys");
    group.sample_size(10);
    let config = config(&dumps("ndjson", &size()), 2);
    let kept = Config { keep_duplicates: true, ..config.clone() };
    group.bench_function("one row per key", |bencher| bencher.iter(|| run(&config)));
    group.bench_function("duplicates kept", |bencher| bencher.iter(|| run(&kept)));
    group.finish();
}

/// Compressed dumps, and what decompressing them alone takes on one thread.
fn compression(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compression");
    group.sample_size(10);
    for format in ["gz", "zst"] {
        let dumps = compressed(&dumps("ndjson", &size()), format);
        let config = config(&dumps, 2);
        group.bench_function(format!("{format}/2-threads"), |bencher| bencher.iter(|| run(&config)));
        group.bench_function(format!("{format}/decompression"), |bencher| {
            bencher.iter(|| files(&dumps).iter().for_each(|file| decompress(file)));
        });
    }
    group.finish();
}

fn decompress(file: &Path) {
    let mut reader = DumpReader::open(file, &Arc::default()).expect("it is there");
    let mut bytes = Vec::with_capacity(1 << 20);
    while reader.read_more(&mut bytes, 1 << 18).expect("it is whole") > 0 {
        black_box(&bytes);
        bytes.clear();
    }
}

criterion_group!(benches, end_to_end, keys, compression);
criterion_main!(benches);
