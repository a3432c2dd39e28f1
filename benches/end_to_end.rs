//! The whole run, from dumps on disk to a committed dataset, in this process.
//!
//! Dumps are generated once into the target folder. `PAYNORM_BENCH_SIZE` sets their size (1GB unless told), so that a
//! quick look can be had with 100MB.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicUsize;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paynorm::config::{Config, Mode};
use paynorm::pipeline;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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

fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("the folder was just made");
    let size = |entry: std::fs::DirEntry| match entry.metadata().expect("it exists") {
        metadata if metadata.is_dir() => bytes_in(&entry.path()),
        metadata => metadata.len(),
    };
    entries.map(|entry| size(entry.expect("it can be read"))).sum()
}

fn end_to_end(criterion: &mut Criterion) {
    let size = std::env::var("PAYNORM_BENCH_SIZE").unwrap_or_else(|_| "1GB".to_owned());
    let mut group = criterion.benchmark_group("end_to_end");
    group.sample_size(10);
    for shape in ["ndjson", "envelope", "single-array", "mixed"] {
        let dumps = dumps(shape, &size);
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lake");
        group.throughput(Throughput::Bytes(bytes_in(&dumps)));
        for threads in [1, 2] {
            let mut config = Config::new(vec![dumps.clone()], out.clone());
            config.mode = Mode::Replace;
            config.threads = threads;
            group.bench_function(format!("{shape}/{threads}-threads"), |bencher| {
                bencher.iter(|| black_box(pipeline::run(&config, &AtomicUsize::new(0)).expect("the dumps are good")));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
