//! Writes large, realistic dumps of five payment APIs, to measure `paynorm` with.
//!
//! The same flags give the same bytes on any machine: no clock, no float, no map order. It refuses to mix with what
//! is there (each source's folder must be new or empty) and to guess a flag. The surprising thing: the sources are
//! written at the same time, and that changes no byte, because no record knows what was written before it.

// Numbers are made small enough before they are cast.
#![allow(clippy::cast_possible_truncation)]

mod args;
mod files;
mod records;
mod rng;
mod spoil;
mod text;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};

use args::{Args, Volume};
use files::{Tally, write_source};

/// How many records of each source are drawn to tell their average size.
const SAMPLE: u64 = 2000;

fn main() -> ExitCode {
    let outcome = match args::parse(std::env::args().skip(1)) {
        Ok(Some(args)) => run(&args),
        Ok(None) => io::stdout().write_all(args::HELP.as_bytes()),
        Err(message) => {
            eprintln!("generate: {message}\nsee generate --help");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the dumps and says how much that was.
fn run(args: &Args) -> io::Result<()> {
    let mut plan = args.plan;
    plan.records = records_each(args);
    let tallies = thread::scope(|scope| {
        let write = |&source| scope.spawn(move || write_source(&args.dir, source, &plan, &args.layout));
        let writers: Vec<_> = args.sources.iter().map(write).collect();
        let join = |writer: ScopedJoinHandle<'_, _>| writer.join().expect("no writer panics");
        writers.into_iter().map(join).collect::<io::Result<Vec<_>>>()
    })?;
    let mut out = io::stdout().lock();
    let mut total = Tally::default();
    for (source, tally) in args.sources.iter().zip(&tallies) {
        print(&mut out, source.name(), tally)?;
        total.add(tally);
    }
    print(&mut out, "total", &total)
}

fn print(out: &mut impl Write, name: &str, tally: &Tally) -> io::Result<()> {
    let (files, records, bytes) = (tally.files, tally.records, tally.bytes);
    let (repeated, broken) = (tally.repeated, tally.broken);
    write!(out, "{name} files={files} records={records} bytes={bytes}")?;
    writeln!(out, " repeated={repeated} broken={broken}")
}

/// How many records each source gets.
fn records_each(args: &Args) -> u64 {
    let sources = args.sources.len() as u64;
    match args.volume {
        Volume::Records(records) => records.div_ceil(sources),
        Volume::Bytes(bytes) => {
            let mut plan = args.plan;
            plan.records = SAMPLE;
            let mut sample = Vec::new();
            for &source in &args.sources {
                for index in 0..SAMPLE {
                    plan.write(source, index, &mut sample);
                }
            }
            // A comma or a line break follows each record.
            let sampled = sample.len() as u64 + sources * SAMPLE;
            (u128::from(bytes) * u128::from(SAMPLE) / u128::from(sampled)).max(1) as u64
        }
    }
}
