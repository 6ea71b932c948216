//! Calls that nobody waits for: a file of them, a line each, is answered in a file within a day.
//!
//! A batch is worked off by a job, in slices of seconds, some lines at once, each called exactly as over HTTP and on behalf of
//! the key that made the batch. A line that is done is a row with its answer and with what it is charged, written in one
//! statement: whoever goes on after a crash repeats no line that is there, and charges none twice. In between, when a
//! provider has answered and the row is not there yet, the line is repeated and charged once, for the answer that is kept.

mod check;
mod endpoint;
mod finish;
mod input;
mod job;
mod lines;
mod slice;
mod store;

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, KeyId, PriceFactor, RequestBatchId, TenantTx};
use serde::{Deserialize, Serialize};

pub use endpoint::{Answered, Call, Callable, Endpoints, Wait};
pub(crate) use job::RunBatch;
pub(crate) use lines::ENDED_BATCH_LINES;

use crate::file::Purpose;
use crate::page::{Listing, Page, unknown_cursor};
use crate::vector_store::{Metadata, check_metadata};
use crate::{Error, Result, file, housekeeping, worker};

/// Most lines of a batch.
pub const MOST_LINES: i32 = 50_000;

/// How batches are worked off here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// Lines of one batch that are called at once.
    pub lines_at_once: usize,
    /// What the cost of their calls is multiplied by.
    pub price_factor: PriceFactor,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            lines_at_once: 8,
            price_factor: PriceFactor::WHOLE,
        }
    }
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its input is being read through.
    Validating,
    /// Its lines are being called.
    InProgress,
    /// Its files are being written.
    Finalizing,
    /// Every line was answered.
    Completed,
    /// Its input is wrong, or it could not be worked off.
    Failed,
    /// Its time was over before all lines were called.
    Expired,
    /// It is being given up; lines that are under way come to their end.
    Cancelling,
    /// It was given up.
    Cancelled,
}

impl Status {
    const ALL: [Self; 8] = [
        Self::Validating,
        Self::InProgress,
        Self::Finalizing,
        Self::Completed,
        Self::Failed,
        Self::Expired,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::InProgress => "in_progress",
            Self::Finalizing => "finalizing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    fn read(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == name);
        found.ok_or_else(|| Error::internal(format!("a batch is '{name}'")))
    }
}

/// When a batch came to where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Times {
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its time is over.
    pub expires_at: DateTime<Utc>,
    /// When its first line could be called.
    pub in_progress_at: Option<DateTime<Utc>>,
    /// When its files began to be written.
    pub finalizing_at: Option<DateTime<Utc>>,
    /// When it was completed.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it failed.
    pub failed_at: Option<DateTime<Utc>>,
    /// When it was found to have expired.
    pub expired_at: Option<DateTime<Utc>>,
    /// When somebody asked to give it up.
    pub cancelling_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub cancelled_at: Option<DateTime<Utc>>,
}

/// What is wrong with a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchError {
    /// A machine-readable reason.
    pub code: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// JSON path of the field, seen from the line.
    pub param: Option<String>,
    /// The line of the input, from 1; `None` for the batch as a whole.
    pub line: Option<i64>,
}

/// Calls that are made in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: RequestBatchId,
    /// What its lines call.
    pub endpoint: Callable,
    /// The file with the lines.
    pub input_file_id: FileId,
    /// The tenant's own notes.
    pub metadata: Option<Metadata>,
    /// How far it is.
    pub status: Status,
    /// What is wrong with it.
    pub errors: Vec<BatchError>,
    /// Lines; none before they are counted.
    pub total: i32,
    /// Lines that were answered with a success.
    pub completed: i32,
    /// Lines that were answered with an error.
    pub failed: i32,
    /// The file with the answers of the former.
    pub output_file_id: Option<FileId>,
    /// The file with the answers of the latter, and with what was not called.
    pub error_file_id: Option<FileId>,
    /// When it came to where it is.
    pub times: Times,
    key_id: KeyId,
    output_expires_after: Option<Duration>,
    resume: input::Place,
    /// When it was looked at, by the database's clock.
    now: DateTime<Utc>,
}

/// A batch to be made.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// The key that asks for it.
    pub key_id: KeyId,
    /// The file with the lines, of purpose `batch`.
    pub input_file_id: FileId,
    /// What the lines call.
    pub endpoint: Callable,
    /// The tenant's own notes.
    pub metadata: Option<Metadata>,
    /// How long the files with the answers live; `None`: for ever.
    pub output_expires_after: Option<Duration>,
}

/// Makes a batch, which is worked off in the background.
///
/// # Errors
/// [`Error::NotFound`] for an unknown file; [`Error::Invalid`] for one with another purpose, or metadata out of bounds.
pub async fn create(tx: &mut TenantTx, new: &NewBatch) -> Result<Batch> {
    if let Some(metadata) = &new.metadata {
        check_metadata(metadata)?;
    }
    let input = file::get(tx, new.input_file_id).await;
    let input = input.map_err(|error| error.about("input_file_id"))?;
    if input.purpose != Purpose::Batch {
        return Err(Error::invalid(
            "input_file_id",
            format!(
                "The file '{}' has the purpose '{}'; upload it with the purpose 'batch'.",
                input.id,
                input.purpose.as_str()
            ),
        ));
    }
    let id = store::insert(tx, new).await?;
    worker::enqueue(tx, &RunBatch::new(id)).await?;
    housekeeping::ensure(tx).await?;
    get(tx, id).await
}

/// The batch of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: RequestBatchId) -> Result<Batch> {
    store::find(tx, id)
        .await?
        .ok_or_else(|| Error::not_found("batch", id))
}

/// A part of the tenant's batches.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a batch of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Batch>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your batches"));
        }
    }
    store::list(tx, page).await
}

/// Gives up a batch. Lines that are under way come to their end, and what was answered is kept. One that is being given up, or
/// was, stays as it is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for one that has come to another end, or all but.
pub async fn cancel(tx: &mut TenantTx, id: RequestBatchId) -> Result<Batch> {
    let cancelled = store::set_cancelling(tx, id).await?;
    let batch = get(tx, id).await?;
    if cancelled {
        // It may be waiting for its limit's next minute.
        RunBatch::new(id).hasten(tx).await?;
        return Ok(batch);
    }
    match batch.status {
        Status::Cancelling | Status::Cancelled => Ok(batch),
        status => Err(Error::Invalid {
            message: format!(
                "The batch cannot be cancelled: its status is '{}'.",
                status.as_str()
            ),
            param: None,
            code: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_name_of_its_own() {
        for status in Status::ALL {
            assert_eq!(Status::read(status.as_str()).unwrap(), status);
        }
        assert!(Status::read("lost").is_err());
    }
}
