//! Background work as its tenant sees it: what there is, how far it is, why it failed; retrying and cancelling.

mod control;
mod store;
mod watch;

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, JobId, TenantTx, VectorStoreId};

pub use control::{Retried, cancel, retry, retry_dead};
pub use watch::watch;

use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result};

/// A piece of background work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does, for example `ingest_file`.
    pub kind: String,
    /// Where it stands.
    pub status: Status,
    /// What it is doing, or was doing when it ended badly.
    pub stage: Option<String>,
    /// How much of the stage is done, if the stage tells.
    pub progress: Option<Progress>,
    /// How many of the tenant's jobs are ahead of it; only while it is queued.
    pub position: Option<i64>,
    /// How often it was started.
    pub attempt: i32,
    /// How often it may be started.
    pub max_attempts: i32,
    /// Why its last attempt failed, in words for the tenant.
    pub error: Option<String>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When its present or last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it will be started, if it waits for a time.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The vector store that it works on.
    pub vector_store_id: Option<VectorStoreId>,
    /// The file that it works on.
    pub file_id: Option<FileId>,
}

/// How much of a stage is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// In the stage's own unit.
    pub done: i64,
    /// Of so many, if that is known.
    pub total: Option<i64>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits for a worker.
    Queued,
    /// Is being done.
    Running,
    /// Is done.
    Succeeded,
    /// Failed, and will not be tried again unless somebody asks for it.
    Dead,
    /// Given up on request.
    Cancelled,
    /// Waits for its time: it was planned for later, or failed and is tried again.
    Scheduled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Dead,
        Self::Cancelled,
        Self::Scheduled,
    ];

    /// The wire form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Scheduled => "scheduled",
        }
    }

    /// Whether nothing more happens by itself.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }
}

/// Which jobs are meant; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Where they stand.
    pub status: Option<Status>,
    /// What they do.
    pub kind: Option<String>,
    /// The vector store that they work on.
    pub vector_store_id: Option<VectorStoreId>,
    /// The file that they work on.
    pub file_id: Option<FileId>,
}

impl Filter {
    fn check(&self) -> Result<()> {
        let kind = self.kind.as_deref().unwrap_or_default();
        if kind.len() > 64 || kind.bytes().any(|b| !b.is_ascii_lowercase() && b != b'_') {
            return Err(Error::invalid(
                "kind",
                "A kind of job has lower-case letters and underscores only.",
            ));
        }
        Ok(())
    }
}

/// The job of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: JobId) -> Result<Job> {
    store::find(tx, id).await?.ok_or_else(|| not_found(id))
}

/// A part of the tenant's jobs.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a job of this tenant, or a kind that cannot be one.
pub async fn list(tx: &mut TenantTx, filter: &Filter, page: Page) -> Result<Listing<Job>> {
    filter.check()?;
    for (param, id) in page.cursors() {
        if !store::exists(tx, id.into()).await? {
            return Err(unknown_cursor(param, "one of your jobs"));
        }
    }
    store::list(tx, filter, page).await
}

/// Removes what succeeded or was cancelled more than a week ago, at most 10,000 jobs at once. How many it were.
/// Dead jobs stay until they are retried.
///
/// # Errors
/// When the database is away.
pub async fn forget_old(tx: &mut TenantTx) -> Result<u64> {
    store::forget_old(tx).await
}

fn not_found(id: JobId) -> Error {
    Error::not_found("job", id)
}
