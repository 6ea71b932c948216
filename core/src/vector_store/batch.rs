//! Files that were attached together, followed as one thing.

use chrono::{DateTime, Utc};
use insula_tenancy::{BatchId, FileId, TenantTx, VectorStoreId};
use serde_json::json;

use super::attach::{Named, attach_all};
use super::file::{NewStoreFile, Status, StoreFile};
use super::{FileCounts, batch_store, ending, file_store, lock, not_found};
use crate::page::{Listing, Page, unknown_cursor};
use crate::webhook::{self, EventType};
use crate::{Error, Result};

/// Most files of one batch.
const MOST_FILES: usize = 2000;

/// Files that were attached to a store together. A file belongs to the batch that had it read last: attaching it again
/// takes it out of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// The store.
    pub vector_store_id: VectorStoreId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its files by state.
    pub file_counts: FileCounts,
    /// Whether it was cancelled before all its files were read.
    pub cancelled: bool,
}

impl Batch {
    /// How far it has come: in progress while any of its files is; failed, or cancelled, if all of them are.
    pub fn status(&self) -> Status {
        let counts = self.file_counts;
        if counts.in_progress > 0 {
            Status::InProgress
        } else if self.cancelled || counts.cancelled > 0 && counts.cancelled == counts.total() {
            Status::Cancelled
        } else if counts.failed > 0 && counts.failed == counts.total() {
            Status::Failed
        } else {
            Status::Completed
        }
    }
}

/// Attaches files to a store as a batch. Those that are in the store as they are wanted count as completed at once.
///
/// # Errors
/// [`Error::NotFound`] for an unknown store or, naming its place, file; [`Error::Invalid`] for values out of range.
pub async fn create(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    files: &[NewStoreFile],
    named: Named,
) -> Result<Batch> {
    if files.is_empty() || files.len() > MOST_FILES {
        let param = if named == Named::Files {
            "files"
        } else {
            "file_ids"
        };
        return Err(Error::invalid(param, format!("Name 1 to {MOST_FILES} files.")));
    }
    if !lock(tx, store_id).await? {
        return Err(not_found(store_id));
    }
    let id = batch_store::insert(tx, store_id).await?;
    attach_all(tx, store_id, Some(id), files, named).await?;
    settle(tx, store_id, vec![id]).await?;
    get(tx, store_id, id).await
}

/// The batch of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, store_id: VectorStoreId, id: BatchId) -> Result<Batch> {
    batch_store::find(tx, store_id, id)
        .await?
        .ok_or_else(|| Error::not_found("file batch in this vector store", id))
}

/// Gives up the files of a batch that are still in progress. What has been read stays. A batch that is finished is left
/// as it is.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn cancel(tx: &mut TenantTx, store_id: VectorStoreId, id: BatchId) -> Result<Batch> {
    lock(tx, store_id).await?;
    let batch = get(tx, store_id, id).await?;
    if batch.status() != Status::InProgress {
        return Ok(batch);
    }
    batch_store::set_cancelled(tx, store_id, id).await?;
    let files = file_store::in_progress_of(tx, store_id, id).await?;
    ending::cancel(tx, store_id, &files).await?;
    get(tx, store_id, id).await
}

/// A part of the files of a batch.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is not a file of this batch.
pub async fn files(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    id: BatchId,
    status: Option<Status>,
    page: Page,
) -> Result<Listing<StoreFile>> {
    get(tx, store_id, id).await?;
    for (param, file_id) in page.cursors() {
        if !file_store::is_in_batch(tx, store_id, id, file_id.into()).await? {
            return Err(unknown_cursor(param, "a file of this batch"));
        }
    }
    file_store::list(tx, store_id, Some(id), status, page).await
}

/// Finishes the batch of a file, if it has one and this was the last of it. The caller holds the store's lock.
pub(super) async fn settle_of(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    let batch = file_store::batch_of(tx, store_id, file_id).await?;
    settle(tx, store_id, batch.into_iter().collect()).await
}

/// Finishes those of the batches that have no file in progress any more. The caller holds the store's lock, so of two
/// files that end at once one is the last.
pub(super) async fn settle(tx: &mut TenantTx, store_id: VectorStoreId, ids: Vec<BatchId>) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    for id in batch_store::set_finished(tx, store_id, &ids).await? {
        finished(tx, store_id, id).await?;
    }
    Ok(())
}

/// What follows when a batch is at its end; called once for each, in the transaction that ends it.
async fn finished(tx: &mut TenantTx, store_id: VectorStoreId, id: BatchId) -> Result<()> {
    let batch = get(tx, store_id, id).await?;
    tracing::info!(batch = %id, status = batch.status().as_str(), files = batch.file_counts.total(), "file batch finished");
    let kind = match batch.status() {
        Status::Completed => EventType::FileBatchCompleted,
        Status::Cancelled => EventType::FileBatchCancelled,
        Status::Failed => EventType::FileBatchFailed,
        Status::InProgress => return Ok(()),
    };
    let data = json!({"vector_store_id": store_id, "file_batch_id": id});
    webhook::emit(tx, kind, data).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_the_files() {
        let batch = |in_progress, completed, failed, cancelled, was_cancelled| Batch {
            id: BatchId::generate(),
            vector_store_id: VectorStoreId::generate(),
            created_at: DateTime::UNIX_EPOCH,
            file_counts: FileCounts {
                in_progress,
                completed,
                failed,
                cancelled,
            },
            cancelled: was_cancelled,
        };
        for (batch, status) in [
            (batch(1, 5, 1, 0, false), Status::InProgress),
            (batch(0, 5, 1, 0, false), Status::Completed),
            (batch(0, 0, 2, 0, false), Status::Failed),
            (batch(0, 5, 0, 2, true), Status::Cancelled),
            (batch(0, 5, 0, 2, false), Status::Completed),
            (batch(0, 0, 0, 2, false), Status::Cancelled),
            (batch(0, 0, 0, 0, false), Status::Completed),
        ] {
            assert_eq!(batch.status(), status, "{batch:?}");
        }
    }
}
