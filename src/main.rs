//! The command: read the flags, run, print, choose the exit code; nothing else.

mod cli;
mod log;
mod processor;
mod progress;

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use clap::Parser;
use paynorm::config::Config;
use paynorm::inspect::{self, explain::explain, page, verify::verify};
use paynorm::load::manifest::Manifest;
use paynorm::pipeline::{self, Failure, maintain};
use paynorm::report::text::counted;
use serde::Serialize;

use cli::{Cli, Command, LogFormat, NormalizeArgs, PrintArgs};
use progress::Shown;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const QUARANTINED: u8 = 3;
const LOCKED: u8 = 4;

fn main() -> ExitCode {
    match processor::refusal() {
        None => command(),
        Some(refusal) => {
            // Nothing else can be trusted to run.
            let _ = std::io::stderr().write_all(refusal.as_bytes());
            ExitCode::from(FAILED)
        }
    }
}

/// Does what it was called for; not part of `main`, whose instructions all processors must know.
#[inline(never)]
fn command() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Normalize(args) => normalize(&args),
        Command::Check(args) => run(args.config(), &args.run.print, pipeline::check::check, |report| {
            (if report.records.quarantined > 0 { QUARANTINED } else { 0 }, report.to_string())
        }),
        Command::Replay(args) => run(args.config(), &args.print, maintain::replay, |report| {
            report.settings_changed.iter().for_each(warn);
            let code = if report.quarantined > 0 { QUARANTINED } else { 0 };
            let without_text = match report.without_text {
                0 => String::new(),
                number => format!(", {number} of them without a text to try"),
            };
            let text = format!(
                "passed: {} of {} in quarantine, which gave {} ({} older than what is there; {} replaced); left: \
                 {}{without_text}\n",
                report.passed,
                report.tried,
                counted(report.rows, "row"),
                report.dropped,
                counted(report.replaced, "row"),
                report.quarantined
            );
            (code, text)
        }),
        Command::Compact(args) => run(args.config(), &args.print, maintain::compact, |report| {
            let (before, now, rows) = (report.files_before, report.files_now, report.rows);
            (0, format!("{before} files before, {now} now, {} written again; {rows} rows\n", report.rewritten))
        }),
        Command::Sources { json } => show(cli::list_sources(json)),
        Command::Schema { format, dialect, table } => show(cli::show_schema(format, dialect, table)),
        Command::LoadScript(args) => script(&args.dataset, |manifest| args.text(manifest)),
        Command::Query(args) => script(&args.dataset, |manifest| args.text(manifest)),
        Command::Verify { dataset, json } => answer(verify(&dataset), json, |found| found.faults.is_empty()),
        Command::Report { dataset, open, out } => report(&dataset, open, out),
        Command::Explain(args) => match args.question() {
            Ok(question) => answer(explain(question), args.json, |found| !found.rows.is_empty()),
            Err(error) => complain(&error, USAGE),
        },
        Command::Completions { shell } => show(cli::completions(shell)),
        Command::Man { directory } => show(cli::write_pages(&directory)),
        Command::Config(args) => match args.shown() {
            Ok(text) => show(Ok(text)),
            Err(error) => complain(&error, USAGE),
        },
    };
    ExitCode::from(code)
}

fn normalize(args: &NormalizeArgs) -> u8 {
    run(args.config(), &args.print, pipeline::run, |report| {
        report.merge.iter().flat_map(|merge| &merge.settings_changed).for_each(warn);
        (if report.records.quarantined > 0 { QUARANTINED } else { 0 }, report.to_string())
    })
}

/// Does `work` and prints its report; `tell` warns, and gives the exit code and the report as text.
fn run<T: Serialize>(
    config: anyhow::Result<Config>,
    print: &PrintArgs,
    work: impl FnOnce(&Config, &AtomicUsize) -> Result<T, Failure>,
    tell: impl FnOnce(&T) -> (u8, String),
) -> u8 {
    if print.log_format == LogFormat::Json {
        log::begin(print.quiet);
    }
    let config = match config {
        Ok(config) => config,
        Err(error) => return complain(&error, USAGE),
    };
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let value = usize::try_from(number).unwrap_or_default();
        if let Err(error) = signal_hook::flag::register_usize(number, Arc::clone(&signal), value) {
            return complain(&anyhow::Error::new(error).context("can't listen for signals"), FAILED);
        }
    }
    // Where the size of files is limited, a write fails; unless somebody listens, the system ends the run instead.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let start = Instant::now();
    let interval = Duration::from_millis(print.progress_interval);
    let shown = (!print.quiet).then(|| Shown::begin(&config.progress, interval));
    let done = work(&config, &signal);
    drop(shown);
    match done {
        Ok(report) => {
            let (code, text) = tell(&report);
            if !print.quiet {
                summarize(print, &report, &text, start);
            }
            code
        }
        Err(Failure::Usage(error)) => complain(&error, USAGE),
        Err(Failure::Failed(error)) => complain(&error, FAILED),
        Err(Failure::Locked) => {
            complain(&anyhow::anyhow!("another run works on {}", paynorm::model::paths::shown(&config.out)), LOCKED)
        }
        Err(Failure::Interrupted(number)) => {
            let code = u8::try_from(number).map_or(u8::MAX, |number| 128_u8.saturating_add(number));
            complain(&anyhow::anyhow!("interrupted; nothing visible has changed"), code)
        }
    }
}

/// Prints the summary. The dataset is committed: that nobody reads the summary changes nothing.
fn summarize(print: &PrintArgs, report: &impl Serialize, text: &str, start: Instant) {
    let seconds = start.elapsed().as_millis();
    let text = if print.json {
        let mut value = serde_json::to_value(report).unwrap_or_default();
        value["milliseconds"] = serde_json::json!(u64::try_from(seconds).unwrap_or(u64::MAX));
        format!("{value:#}\n")
    } else {
        format!("{text}in {}.{:03} s\n", seconds / 1000, seconds % 1000)
    };
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        warn(format!("the summary could not be printed: {error}"));
    }
}

/// Prints what was found in a dataset; the exit code tells whether it is `good`, be it read by anybody or not.
fn answer<T: Serialize + Display>(found: Result<T, inspect::Failure>, json: bool, good: impl Fn(&T) -> bool) -> u8 {
    let found = match found {
        Ok(found) => found,
        Err(failure) => return refuse(&failure),
    };
    let text = if json { serde_json::to_string_pretty(&found).map(|text| text + "\n") } else { Ok(found.to_string()) };
    let mut stdout = std::io::stdout().lock();
    let printed = text.map_err(Into::into).and_then(|text| stdout.write_all(text.as_bytes()));
    match printed.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&anyhow::Error::new(error).context("what was found could not be printed"), FAILED)
        }
        _ if good(&found) => 0,
        _ => FAILED,
    }
}

fn refuse(failure: &inspect::Failure) -> u8 {
    match failure {
        inspect::Failure::NoDataset(error) => complain(error, USAGE),
        inspect::Failure::Failed(error) => complain(error, FAILED),
    }
}

/// Prints statements for a dataset.
fn script(dataset: &Path, text: impl FnOnce(&Manifest) -> anyhow::Result<String>) -> u8 {
    match inspect::manifest(dataset).map(|manifest| text(&manifest)) {
        Ok(Ok(text)) => show(Ok(text)),
        Ok(Err(error)) => complain(&error, USAGE),
        Err(failure) => refuse(&failure),
    }
}

/// Finds the report of a dataset, or makes it again, prints its path and opens it.
fn report(dataset: &Path, open: bool, out: Option<PathBuf>) -> u8 {
    let found = match out {
        Some(out) => page::write(dataset, &out).map(|()| out),
        None => page::find(dataset),
    };
    let path = match found {
        Ok(path) => path,
        Err(failure) => return refuse(&failure),
    };
    let code = show(Ok(format!("{}\n", path.display())));
    if open && let Err(error) = opener::open(&path) {
        return complain(&anyhow::Error::new(error).context("the report can't be opened"), FAILED);
    }
    code
}

fn show(text: anyhow::Result<String>) -> u8 {
    let printed = text.and_then(|text| {
        let mut stdout = std::io::stdout().lock();
        Ok(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())?)
    });
    match printed {
        Ok(()) => 0,
        Err(error) => complain(&error, FAILED),
    }
}

fn complain(error: &anyhow::Error, code: u8) -> u8 {
    match log::is_on() {
        true => tracing::error!(exit_code = code, "{error:#}"),
        false => say(&format!("error: {error:#}")),
    }
    code
}

fn warn(warning: impl Display) {
    if log::is_on() { tracing::warn!("{warning}") } else { say(&format!("warning: {warning}")) }
}

/// Writes a line to standard error; if that is closed there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
