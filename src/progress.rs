//! How far a run is, on standard error: a bar on a terminal, gone when the run is done; elsewhere, or in a log for
//! machines, a line now and then.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::log;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use paynorm::model::progress::{Progress, SoFar};
use paynorm::report::text::{counted, grouped, size};

/// How often a bar is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// Shows progress until it is dropped.
pub(crate) struct Shown {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Shown {
    /// Begins to show `progress`; where standard error is no terminal, by a line each time `interval` has passed.
    pub(crate) fn begin(progress: &Arc<Progress>, interval: Duration) -> Self {
        let (stop, stopped) = channel::<()>();
        let progress = Arc::clone(progress);
        let wait = move |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        let thread = match io::stderr().is_terminal() && !log::is_on() {
            true => std::thread::spawn(move || draw(&progress, wait)),
            false => std::thread::spawn(move || tell(&progress, interval, wait)),
        };
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.stop.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn draw(progress: &Progress, wait: impl Fn(Duration) -> bool) {
    let template = "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {msg}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let begin =
        |total| ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style.clone());
    let mut bar = None;
    let start = Instant::now();
    while wait(REDRAW) {
        let so_far = progress.so_far();
        if so_far.total > 0 {
            let bar = bar.get_or_insert_with(|| begin(so_far.total));
            bar.set_message(records(so_far, start));
            bar.set_position(so_far.read);
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn tell(progress: &Progress, interval: Duration, wait: impl Fn(Duration) -> bool) {
    let start = Instant::now();
    while wait(interval) {
        let so_far = progress.so_far();
        let SoFar { total, read, records: seen, quarantined } = so_far;
        if log::is_on() {
            tracing::info!(total, read, records = seen, quarantined, "progress");
        } else if so_far.total > 0 {
            let (read, total) = (size(so_far.read), size(so_far.total));
            // If nobody listens there is nobody to tell.
            let _ = writeln!(io::stderr(), "{read} of {total} read, {}", records(so_far, start));
        }
    }
}

fn records(so_far: SoFar, start: Instant) -> String {
    let per_second = u128::from(so_far.records) * 1000 / start.elapsed().as_millis().max(1);
    let per_second = grouped(u64::try_from(per_second).unwrap_or(u64::MAX));
    let quarantined = grouped(so_far.quarantined);
    format!("{} ({per_second}/s), {quarantined} in quarantine", counted(so_far.records, "record"))
}
