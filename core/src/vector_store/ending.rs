//! How the reading of a file ends, and what follows. Whoever changes the state of a file of a store does it here, holding
//! the store's lock, so that batches and replacements follow.

use insula_tenancy::{FileId, TenantTx, VectorStoreId};
use serde_json::json;

use super::file_store::{self, Ended};
use super::{batch, locate, lock, remove_chunks};
use crate::ingest::{IngestFile, ParseError};
use crate::webhook::{self, EventType};
use crate::{Result, worker};

/// What follows when a file can be searched: what it replaces leaves the store, webhooks are told, and its batch may be
/// at its end. To be called in the transaction that sets it completed, which holds the store's lock.
pub(crate) async fn completed(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    take_places(tx, store_id, file_id).await?;
    tell(tx, EventType::FileCompleted, store_id, file_id).await?;
    batch::settle_of(tx, store_id, file_id).await
}

/// Removes what a completed file replaces.
pub(super) async fn take_places(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    let older = file_store::older_versions(tx, store_id, file_id).await?;
    remove(tx, store_id, &older).await
}

async fn tell(tx: &mut TenantTx, event: EventType, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    webhook::emit(
        tx,
        event,
        json!({"vector_store_id": store_id, "file_id": file_id}),
    )
    .await
}

/// Records that a file cannot be read. If it was read before, searches go on with that: it is completed as it was, with
/// the error beside it. Otherwise it is failed. A file that it was to replace stays.
pub(crate) async fn mark_failed(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    error: &ParseError,
) -> Result<()> {
    if lock(tx, store_id).await? {
        let ended = file_store::set_unread(tx, store_id, &[file_id], "failed", Some(error)).await?;
        if ended.iter().any(|ended| ended.status == "failed") {
            tell(tx, EventType::FileFailed, store_id, file_id).await?;
        }
        settle(tx, store_id, ended).await?;
    }
    Ok(())
}

/// Records that a file that is in progress will not be read after all; its job is the caller's to cancel. One that was
/// read before is completed as it was.
pub(crate) async fn mark_cancelled(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<()> {
    if lock(tx, store_id).await? {
        give_up(tx, store_id, &[file_id]).await?;
    }
    Ok(())
}

/// Records that a file that failed or was cancelled is being read after all, and its batch goes on with it. `false` if it
/// did not, or is gone.
pub(crate) async fn mark_in_progress(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
) -> Result<bool> {
    Ok(lock(tx, store_id).await?
        && !locate(tx, store_id).await?.expired
        && file_store::set_in_progress(tx, store_id, file_id).await?)
}

/// Gives files up that are in progress, and cancels their jobs. The caller holds the store's lock.
pub(super) async fn cancel(tx: &mut TenantTx, store_id: VectorStoreId, file_ids: &[FileId]) -> Result<()> {
    cancel_reading(tx, store_id, file_ids).await?;
    give_up(tx, store_id, file_ids).await
}

async fn give_up(tx: &mut TenantTx, store_id: VectorStoreId, file_ids: &[FileId]) -> Result<()> {
    let ended = file_store::set_unread(tx, store_id, file_ids, "cancelled", None).await?;
    settle(tx, store_id, ended).await
}

/// Empties a file of a store that has expired, and gives it up. The caller holds the store's lock.
pub(super) async fn expire(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    cancel_reading(tx, store_id, &[file_id]).await?;
    remove_chunks(tx, store_id, file_id).await?;
    let ended = file_store::set_expired(tx, store_id, file_id).await?;
    settle(tx, store_id, ended).await
}

async fn settle(tx: &mut TenantTx, store_id: VectorStoreId, ended: Vec<Ended>) -> Result<()> {
    let batches = ended.into_iter().filter_map(|ended| ended.batch_id);
    batch::settle(tx, store_id, batches.collect()).await
}

/// Takes files out of a store with their passages, and stops whatever reads them. Those that were to replace one of them
/// replace what it was to replace. The caller holds the store's lock.
pub(super) async fn remove(tx: &mut TenantTx, store_id: VectorStoreId, file_ids: &[FileId]) -> Result<()> {
    if file_ids.is_empty() {
        return Ok(());
    }
    cancel_reading(tx, store_id, file_ids).await?;
    for file_id in file_store::with_chunks(tx, store_id, file_ids).await? {
        remove_chunks(tx, store_id, file_id).await?;
    }
    let mut batches = Vec::new();
    for file_id in file_ids {
        let newer = file_store::newer_version(tx, store_id, *file_id).await?;
        let Some(gone) = file_store::delete(tx, store_id, *file_id).await? else {
            continue;
        };
        if let (Some(newer), Some(older)) = (newer, gone.replaces) {
            file_store::set_replaces(tx, store_id, newer, older).await?;
        }
        batches.extend(gone.batch_id);
    }
    batch::settle(tx, store_id, batches).await
}

async fn cancel_reading(tx: &mut TenantTx, store_id: VectorStoreId, file_ids: &[FileId]) -> Result<()> {
    let jobs: Vec<IngestFile> = file_ids
        .iter()
        .map(|file_id| IngestFile::new(store_id, *file_id))
        .collect();
    worker::cancel(tx, &jobs).await
}
