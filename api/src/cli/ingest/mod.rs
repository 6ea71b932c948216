//! `insula ingest`: brings folders into a vector store and keeps them there as they are on disk. A client of the API like
//! any other.
//!
//! What was done before is read from the store itself, from the attributes of its files: nothing is kept on this side, and
//! stopping at any moment costs nothing but what was under way.

mod client;
mod disk;
mod error;
mod plan;
mod progress;
mod remote;
mod report;
mod run;
mod server;
mod upload;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use futures::{StreamExt, stream};
use insula_tenancy::VectorStoreId;
use tokio_util::sync::CancellationToken;

use self::client::Api;
use self::disk::{Found, LocalFile};
use self::error::ApiError;
use self::plan::Plan;
use self::progress::{Progress, narrate};
use self::remote::{Order, Store, StoreFile};
use self::report::{DryRun, FailedFile, Report};
use self::run::Run;
use self::server::ServerArgs;

/// `insula ingest`
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 all files are searchable, 1 some are not, 2 it could not be done, 130 interrupted."
)]
pub(super) struct IngestArgs {
    /// Files, and folders with everything below them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The vector store, by name or id; one that is not there yet is made
    #[arg(long, value_name = "NAME")]
    store: String,
    /// Folder that files are named from. Absent: the one that each PATH is in
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// Take hidden files too, and those that .gitignore or .ignore names
    #[arg(long)]
    all: bool,
    /// Remove files of the store that came from below the PATHs and are gone from there
    #[arg(long)]
    delete: bool,
    /// Only tell what would be done
    #[arg(long)]
    dry_run: bool,
    /// Files sent at once
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    parallel: u8,
    /// Files of more than four parts are sent in parts of this many bytes
    #[arg(long, default_value_t = 64 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..=64 << 20))]
    part_size: u64,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Ingests, and tells how it went.
pub(super) async fn run(args: IngestArgs) -> ExitCode {
    let started = Instant::now();
    let stop = crate::signals::on_stop_signal();
    let mut report = Report::default();
    let done = args.ingest(&stop, &mut report).await;
    report.interrupted = stop.is_cancelled();
    if let Err(error) = &done {
        report.error = Some(format!("{error:#}"));
    }
    let report = report.after(started.elapsed());
    if report.error.is_some() || !args.dry_run {
        report.print(args.json);
    }
    report.exit_code()
}

impl IngestArgs {
    async fn ingest(&self, stop: &CancellationToken, report: &mut Report) -> Result<()> {
        let api = self.server.api()?;
        report.store = find_store(&api, &self.store).await?;
        let mut found = self.find().await?;
        report.failed.append(&mut found.failed);
        let read = tokio::select! {
            read = self.read(found.files) => read?,
            () = stop.cancelled() => return Ok(()),
        };
        let (local, unreadable): (Vec<_>, Vec<_>) = read.into_iter().partition(|file| file.is_ok());
        report
            .failed
            .extend(unreadable.into_iter().filter_map(Result::err));
        let local = local.into_iter().filter_map(Result::ok).collect();
        let stored = match &report.store {
            Some(store) => files_of(&api, store).await.map_err(explain)?,
            None => Vec::new(),
        };
        let deletes = if self.delete { found.roots.as_slice() } else { &[] };
        let plan = Plan::new(local, stored, deletes, is_gone);
        report.skipped = plan.skipped();
        if self.dry_run {
            DryRun::new(report.store.as_ref(), &plan, &report.failed).print(self.json);
            return Ok(());
        }
        let store = match &report.store {
            Some(store) => store.clone(),
            None => api.create_store(&self.store).await.map_err(explain)?,
        };
        report.store = Some(store.clone());
        let progress = Progress::of(&plan)?;
        let run = Run {
            api: &api,
            store: &store,
            progress: &progress,
            stop,
            parallel: usize::from(self.parallel),
            part_size: self.part_size,
        };
        let done = narrate(|| progress.line(), run.carry_out(plan)).await;
        progress.finish(report);
        done.map_err(explain)
    }

    async fn find(&self) -> Result<Found> {
        let (paths, base, all) = (self.paths.clone(), self.base.clone(), self.all);
        let found = tokio::task::spawn_blocking(move || disk::find(&paths, base.as_deref(), all)).await?;
        let found = found?;
        if found.files.is_empty() {
            eprintln!("insula: no files found");
        }
        Ok(found)
    }

    /// Reads all files, to know what they hold.
    async fn read(&self, files: Vec<LocalFile>) -> Result<Vec<Result<LocalFile, FailedFile>>> {
        let bar = progress::checking(files.len() as u64)?;
        let reading = stream::iter(files)
            .map(|file| tokio::task::spawn_blocking(|| file.read()))
            .buffered(usize::from(self.parallel))
            .inspect(|_| bar.inc(1))
            .collect::<Vec<_>>();
        let line = || format!("read {}/{} files", bar.position(), bar.length().unwrap_or(0));
        let read = narrate(line, reading).await;
        bar.finish_and_clear();
        Ok(read.into_iter().collect::<Result<_, _>>()?)
    }
}

/// The store that is meant, if it is there.
async fn find_store(api: &Api, name: &str) -> Result<Option<Store>> {
    if name.parse::<VectorStoreId>().is_ok() {
        return Ok(Some(api.store(name).await.map_err(explain)?));
    }
    let mut named = api.stores_named(name).await.map_err(explain)?;
    if named.len() > 1 {
        let ids: Vec<&str> = named.iter().map(|store| store.id.as_str()).collect();
        bail!(
            "{} vector stores are called '{name}'; name one by its id: {}",
            ids.len(),
            ids.join(", ")
        );
    }
    Ok(named.pop())
}

/// Everything that is in a store.
async fn files_of(api: &Api, store: &Store) -> Result<Vec<StoreFile>, ApiError> {
    let mut files: Vec<StoreFile> = Vec::new();
    loop {
        let after = files.last().map(|file| file.id.clone());
        let page = api.files(store, None, Order::Asc, after.as_deref()).await?;
        files.extend(page.data);
        if !page.has_more {
            return Ok(files);
        }
    }
}

fn is_gone(path: &Path) -> bool {
    matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

/// Adds what can be done about it.
fn explain(error: ApiError) -> anyhow::Error {
    let advice = match error.status() {
        Some(401) => "the server refused the key; check INSULA_API_KEY or --key-file",
        Some(403) => "the key may not do this",
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(advice)
}
