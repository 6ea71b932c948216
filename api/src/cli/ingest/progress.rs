//! How far it is: two bars where a person looks on, a line every few seconds elsewhere. Always on standard error.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::plan::Plan;
use super::report::{FailedFile, Line, Rate, Report};

const LINE_EVERY: Duration = Duration::from_secs(5);
const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// What has been done so far. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    started: Instant,
    /// Counts bytes.
    sent: ProgressBar,
    /// Counts files.
    read: ProgressBar,
    bars: MultiProgress,
    files_sent: AtomicU64,
    ready: AtomicU64,
    deleted: AtomicU64,
    failed: Mutex<Vec<FailedFile>>,
}

impl Progress {
    /// Of a plan.
    pub(super) fn of(plan: &Plan) -> anyhow::Result<Self> {
        let files = plan.steps.len() as u64 - plan.skipped();
        // Draws nothing where standard error is no terminal.
        let bars = MultiProgress::new();
        let bar =
            |length, template| anyhow::Ok(bars.add(ProgressBar::new(length).with_style(style(template)?)));
        let sent = bar(
            plan.upload_bytes(),
            "  sent   {bar:20} {msg}, {decimal_bytes}/{decimal_total_bytes} {speed}",
        )?;
        let read = bar(files, "  ready  {bar:20} {pos}/{len} files, {rate} {msg}")?;
        for bar in [&sent, &read] {
            bar.enable_steady_tick(REDRAW_EVERY);
        }
        let progress = Self(Arc::new(Counts {
            started: Instant::now(),
            sent,
            read,
            bars,
            files_sent: AtomicU64::new(0),
            ready: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
            failed: Mutex::default(),
        }));
        progress.show_files_sent();
        Ok(progress)
    }

    /// Counts bytes that are about to be sent.
    pub(super) fn transfer(&self) -> Transfer {
        Transfer {
            progress: self.clone(),
            bytes: AtomicU64::new(0),
            arrived: AtomicBool::new(false),
        }
    }

    /// A file is in the store, to be read.
    pub(super) fn sent(&self) {
        self.0.files_sent.fetch_add(1, Relaxed);
        self.show_files_sent();
    }

    fn show_files_sent(&self) {
        let files = self.0.read.length().unwrap_or(0);
        self.0
            .sent
            .set_message(format!("{}/{files} files", self.0.files_sent.load(Relaxed)));
    }

    /// A file is searchable.
    pub(super) fn ready(&self) {
        self.0.ready.fetch_add(1, Relaxed);
        self.0.read.inc(1);
    }

    /// A file is not searchable and will not be.
    pub(super) fn failed(&self, file: FailedFile) {
        let mut failed = self.0.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.push(file);
        self.0.read.set_message(format!("({} failed)", failed.len()));
        self.0.read.inc(1);
    }

    /// A file was removed from the store.
    pub(super) fn deleted(&self) {
        self.0.deleted.fetch_add(1, Relaxed);
    }

    /// Takes the bars away and adds everything to a report.
    pub(super) fn finish(&self, report: &mut Report) {
        // A bar that is finished stands at its end.
        report.bytes = self.0.sent.position();
        self.0.sent.finish_and_clear();
        self.0.read.finish_and_clear();
        // A terminal that is gone is nothing to fail for.
        let _ = self.0.bars.clear();
        report.ready = self.0.ready.load(Relaxed);
        report.deleted = self.0.deleted.load(Relaxed);
        let mut failed = self.0.failed.lock().unwrap_or_else(PoisonError::into_inner);
        report.failed.append(&mut failed);
        report.failed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    }

    /// Tells how far it is, where there are no bars.
    pub(super) fn line(&self) -> String {
        let files = self.0.read.length().unwrap_or(0);
        let failed = self.0.failed.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        let line = Line {
            sent: (self.0.files_sent.load(Relaxed), files),
            bytes: (self.0.sent.position(), self.0.sent.length().unwrap_or(0)),
            ready: self.0.ready.load(Relaxed),
            failed,
            elapsed: self.0.started.elapsed(),
        };
        line.to_string()
    }
}

/// Bytes under way: counted as they go, and taken back unless they arrive.
#[derive(Debug)]
pub(super) struct Transfer {
    progress: Progress,
    bytes: AtomicU64,
    arrived: AtomicBool,
}

impl Transfer {
    /// Some have been sent.
    pub(super) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.progress.0.sent.inc(bytes);
    }

    /// All of them have arrived.
    pub(super) fn arrived(&self) {
        self.arrived.store(true, Relaxed);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.arrived.load(Relaxed) {
            self.progress.0.sent.dec(self.bytes.load(Relaxed));
        }
    }
}

/// A bar for what is done before anything is sent.
pub(super) fn checking(files: u64) -> anyhow::Result<ProgressBar> {
    Ok(ProgressBar::new(files).with_style(style("  read   {bar:20} {pos}/{len} files, {rate}")?))
}

/// Rates are means since the beginning: files differ so much that the last few seconds tell nothing.
fn style(template: &str) -> anyhow::Result<ProgressStyle> {
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        // A bar that cannot be drawn is nothing to fail for.
        let _ = match Rate::of(state) {
            Some(Rate { per_second, left }) => write!(out, "{per_second:.1}/s, {} left", HumanDuration(left)),
            None => Ok(()),
        };
    };
    let speed = |state: &ProgressState, out: &mut dyn Write| {
        let _ = match Rate::of(state) {
            Some(Rate { per_second, .. }) => write!(out, "{}/s", DecimalBytes(per_second as u64)),
            None => Ok(()),
        };
    };
    let style = ProgressStyle::with_template(template)?;
    Ok(style
        .progress_chars("━╸─")
        .with_key("rate", rate)
        .with_key("speed", speed))
}

impl Rate {
    fn of(state: &ProgressState) -> Option<Self> {
        Self::new(state.pos(), state.len()?, state.elapsed())
    }
}

/// Says a line every few seconds while `work` goes on, unless somebody watches bars.
pub(super) async fn narrate<T>(line: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    let watched = std::io::stderr().is_terminal();
    let narration = async {
        loop {
            if !watched {
                eprintln!("{}", line());
            }
            tokio::time::sleep(LINE_EVERY).await;
        }
    };
    tokio::select! {
        result = work => result,
        never = narration => never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_do_not_arrive_are_taken_back() {
        let progress = Progress::of(&Plan::default()).unwrap();
        let lost = progress.transfer();
        lost.add(100);
        drop(lost);
        let transfer = progress.transfer();
        transfer.add(7);
        transfer.arrived();
        drop(transfer);
        let mut report = Report::default();
        progress.finish(&mut report);
        assert_eq!(report.bytes, 7);
    }
}
