//! The log for machines: each event of a run as a JSON object on a line of standard error.

use tracing::level_filters::LevelFilter;

/// Begins the log; a quiet one has warnings and errors alone.
pub(crate) fn begin(quiet: bool) {
    let level = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
    let log = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_max_level(level)
        .with_writer(std::io::stderr)
        // If standard error is closed there is nobody to tell.
        .log_internal_errors(false);
    log.init();
}

/// Whether there is such a log, so that nothing else may be written to standard error.
pub(crate) fn is_on() -> bool {
    tracing::dispatcher::has_been_set()
}
