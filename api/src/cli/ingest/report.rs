//! What came of it, for people and for scripts.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{DecimalBytes, HumanDuration};
use serde::Serialize;

use super::plan::{Action, Plan};
use super::remote::Store;

/// All files are searchable.
const DONE: u8 = 0;
/// Some files are not.
const SOME_FAILED: u8 = 1;
/// It could not be done, or not to its end: usage, connection, key.
const TROUBLE: u8 = 2;
/// As a shell has it for a process that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// A file that is not searchable, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct FailedFile {
    /// What it is called in the store.
    pub(super) path: String,
    /// The server's code of the reason, such as `unsupported_file`; `local` if the file did not get that far.
    pub(super) code: String,
    /// The reason.
    pub(super) message: String,
}

impl FailedFile {
    /// A file that cannot be read here.
    pub(super) fn unreadable(path: &Path, error: &impl std::fmt::Display) -> Self {
        Self {
            path: path.display().to_string(),
            code: "local".into(),
            message: error.to_string(),
        }
    }
}

/// What has been done.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// The vector store, once it is known.
    pub(super) store: Option<Store>,
    /// Files that became searchable.
    pub(super) ready: u64,
    /// Files that were searchable before, with the same bytes.
    pub(super) skipped: u64,
    /// Files that are not searchable.
    pub(super) failed: Vec<FailedFile>,
    /// Files that were removed from the store because they are gone.
    pub(super) deleted: u64,
    /// Bytes sent, of files that arrived.
    pub(super) bytes: u64,
    /// How long it took.
    pub(super) seconds: f64,
    /// Files that became searchable, by the second.
    pub(super) files_per_second: f64,
    /// Whether it was stopped before its end.
    pub(super) interrupted: bool,
    /// What ended it before its end.
    pub(super) error: Option<String>,
}

impl Report {
    /// Adds the time that it took.
    pub(super) fn after(mut self, elapsed: Duration) -> Self {
        self.seconds = elapsed.as_secs_f64();
        self.files_per_second = self.ready as f64 / self.seconds.max(1e-9);
        self
    }

    /// How the process is to end.
    pub(super) fn exit_code(&self) -> ExitCode {
        self.code().into()
    }

    fn code(&self) -> u8 {
        match self {
            Self { error: Some(_), .. } => TROUBLE,
            Self {
                interrupted: true, ..
            } => INTERRUPTED,
            Self { failed, .. } if !failed.is_empty() => SOME_FAILED,
            _ => DONE,
        }
    }

    /// Prints it: failures and trouble to standard error, the result to standard output.
    pub(super) fn print(&self, json: bool) {
        if !self.failed.is_empty() {
            eprintln!("\nnot searchable:\n{}", table(&self.failed));
        }
        if let Some(error) = &self.error {
            eprintln!("insula: {error}");
        }
        if self.interrupted || (self.error.is_some() && self.store.is_some()) {
            eprintln!("not finished; the same command again goes on from here");
        }
        if json {
            println!("{}", serde_json::json!(self));
        } else if self.store.is_some() {
            println!("{}", self.summary());
        }
    }

    fn summary(&self) -> String {
        let Self {
            ready,
            skipped,
            failed,
            deleted,
            ..
        } = self;
        let deleted = match deleted {
            0 => String::new(),
            deleted => format!(", {deleted} deleted"),
        };
        let store = self
            .store
            .as_ref()
            .map(|store| format!("  ({})", store.id))
            .unwrap_or_default();
        format!(
            "{ready} ready, {skipped} skipped, {failed} failed{deleted}: {} in {:.1} s, {:.1} files/s{store}",
            DecimalBytes(self.bytes),
            self.seconds,
            self.files_per_second,
            failed = failed.len(),
        )
    }
}

/// A line for each file, in columns.
fn table(failed: &[FailedFile]) -> String {
    let width = |column: fn(&FailedFile) -> &str| {
        failed
            .iter()
            .map(|file| column(file).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (path, code) = (width(|file| &file.path).min(60), width(|file| &file.code));
    let line = |file: &FailedFile| format!("  {:<path$}  {:<code$}  {}", file.path, file.code, file.message);
    failed.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What would be done.
#[derive(Debug, Serialize)]
pub(super) struct DryRun<'a> {
    dry_run: bool,
    store: Option<&'a Store>,
    upload: Vec<&'a str>,
    replace: Vec<&'a str>,
    retry: Vec<&'a str>,
    in_progress: Vec<&'a str>,
    skipped: u64,
    delete: Vec<&'a str>,
    failed: &'a [FailedFile],
}

impl<'a> DryRun<'a> {
    /// Of a plan for a store, which is `None` where it would be made.
    pub(super) fn new(store: Option<&'a Store>, plan: &'a Plan, failed: &'a [FailedFile]) -> Self {
        let mut dry = Self {
            dry_run: true,
            store,
            upload: Vec::new(),
            replace: Vec::new(),
            retry: Vec::new(),
            in_progress: Vec::new(),
            skipped: plan.skipped(),
            delete: plan.gone.iter().map(|file| file.path.as_str()).collect(),
            failed,
        };
        for step in &plan.steps {
            let list = match &step.action {
                Action::Upload if step.superseded.is_empty() => &mut dry.upload,
                Action::Upload => &mut dry.replace,
                Action::Attach { .. } => &mut dry.retry,
                Action::Wait { .. } => &mut dry.in_progress,
                Action::Skip => continue,
            };
            list.push(&step.file.path);
        }
        dry
    }

    /// Prints it to standard output.
    pub(super) fn print(&self, json: bool) {
        if json {
            println!("{}", serde_json::json!(self));
            return;
        }
        for (verb, paths) in [
            ("upload", &self.upload),
            ("replace", &self.replace),
            ("retry", &self.retry),
            ("wait for", &self.in_progress),
            ("delete", &self.delete),
        ] {
            for path in paths {
                println!("would {verb:<8}  {path}");
            }
        }
        if !self.failed.is_empty() {
            eprintln!("\ncannot be ingested:\n{}", table(self.failed));
        }
        println!("nothing was done; {} files are there already", self.skipped);
    }
}

/// How far it is, in one line, for where no bar can be drawn.
pub(super) struct Line {
    /// Files that are in the store, searchable or not, of those that were to go there.
    pub(super) sent: (u64, u64),
    /// Bytes sent, of all.
    pub(super) bytes: (u64, u64),
    /// Files that became searchable.
    pub(super) ready: u64,
    /// Files that did not.
    pub(super) failed: u64,
    /// Since the first was sent.
    pub(super) elapsed: Duration,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((sent, files), (bytes, all)) = (self.sent, self.bytes);
        write!(
            f,
            "sent {sent}/{files} files, {}/{}",
            DecimalBytes(bytes),
            DecimalBytes(all)
        )?;
        if let Some(rate) = Rate::new(bytes, all, self.elapsed) {
            write!(f, ", {}/s", DecimalBytes(rate.per_second as u64))?;
        }
        write!(f, "; ready {}/{files}, {} failed", self.ready, self.failed)?;
        if let Some(Rate { per_second, left }) = Rate::new(self.ready + self.failed, files, self.elapsed) {
            write!(f, ", {per_second:.1} files/s, {} left", HumanDuration(left))?;
        }
        Ok(())
    }
}

/// How fast something goes that has begun and not ended.
#[derive(Debug, PartialEq)]
pub(super) struct Rate {
    /// The mean.
    pub(super) per_second: f64,
    /// What it will take at that, in whole seconds.
    pub(super) left: Duration,
}

impl Rate {
    /// Of `done` out of `all`. `None` before the first and after the last.
    pub(super) fn new(done: u64, all: u64, elapsed: Duration) -> Option<Self> {
        let per_second = done as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = all.checked_sub(done).filter(|left| *left > 0 && done > 0)? as f64 / per_second;
        Some(Self {
            per_second,
            left: Duration::try_from_secs_f64(left.ceil()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(path: &str) -> FailedFile {
        FailedFile {
            path: path.into(),
            code: "unsupported_file".into(),
            message: "This kind of file cannot be read.".into(),
        }
    }

    #[test]
    fn exit_codes_tell_trouble_from_failed_files() {
        let code = |report: Report| report.code();
        assert_eq!(code(Report::default()), 0);
        let some = Report {
            failed: vec![failed("a")],
            ..Report::default()
        };
        assert_eq!(code(some), 1);
        let stopped = Report {
            interrupted: true,
            failed: vec![failed("a")],
            ..Report::default()
        };
        assert_eq!(code(stopped), 130);
        let trouble = Report {
            error: Some("no".into()),
            interrupted: true,
            ..Report::default()
        };
        assert_eq!(code(trouble), 2);
    }

    #[test]
    fn the_table_has_columns() {
        let lines = table(&[failed("a.bin"), failed("docs/long-name.bin")]);
        let columns: Vec<usize> = lines.lines().map(|line| line.find("This").unwrap()).collect();
        assert_eq!(columns[0], columns[1], "{lines}");
    }

    #[test]
    fn a_line_tells_rate_and_time_left() {
        let line = Line {
            sent: (40, 100),
            bytes: (4_000_000, 10_000_000),
            ready: 19,
            failed: 1,
            elapsed: Duration::from_secs(10),
        };
        assert_eq!(
            line.to_string(),
            "sent 40/100 files, 4.00 MB/10.00 MB, 400.00 kB/s; ready 19/100, 1 failed, 2.0 files/s, 40 seconds left"
        );
        let fresh = Line {
            sent: (0, 5),
            bytes: (0, 9),
            ready: 0,
            failed: 0,
            elapsed: Duration::ZERO,
        };
        assert_eq!(fresh.to_string(), "sent 0/5 files, 0 B/9 B; ready 0/5, 0 failed");
    }
}
