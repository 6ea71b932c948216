//! Pages as files of the source's store.

use async_trait::async_trait;
use bytes::Bytes;
use insula_tenancy::job::Lease;
use insula_tenancy::{FileId, TenantTx, VectorStoreId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Source;
use super::outcome::{Kept, add_links};
use super::settle::SettleSource;
use super::store::{self, Known, Queued};
use crate::file::{self, NewFile, Purpose};
use crate::vector_store::file::{NewStoreFile, Status};
use crate::vector_store::{self, AttributeValue, Attributes};
use crate::worker::{Class, Failure, Job};
use crate::{Error, Result, Services};

/// Longest attribute.
const ATTRIBUTE: usize = 512;

/// What was found at an address.
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) filename: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

/// Attributes of a page's file: the source's, and where it is from. (An address too long for an attribute is left out:
/// half of one would be another.)
pub(super) fn attributes(of_source: &Attributes, url: &str) -> Attributes {
    let mut attributes = of_source.clone();
    if url.len() <= ATTRIBUTE {
        attributes.insert("url".into(), AttributeValue::Text(url.into()));
    }
    attributes
}

/// Makes a file of a document, unless the page has the same one already, and records the page with its links.
pub(super) async fn keep(
    services: &Services,
    lease: &Lease,
    source: &Source,
    queued: &Queued,
    document: Document,
    links: &[String],
) -> Result<Kept> {
    let sha256: [u8; 32] = Sha256::digest(&document.body).into();
    let changed = queued.file_id.is_none() || queued.sha256.as_deref() != Some(sha256.as_slice());
    let blob = if changed {
        let mut data = &document.body[..];
        let stored = services.blobs.put(lease.cx.tenant_id(), &mut data).await;
        Some(stored.map_err(Error::internal)?)
    } else {
        None
    };
    let unused = blob.as_ref().map(|blob| blob.name.clone());
    let kept = async {
        let mut tx = services.db.tenant(&lease.cx).await?;
        lease.payload(&mut tx).await?;
        if !store::is_queued(&mut tx, source.id, source.crawl, &queued.url).await? {
            return Ok(Kept::NotWanted);
        }
        let file_id = match blob {
            None => {
                confirm(&mut tx, source, queued).await?;
                None
            }
            Some(blob) => {
                let new = NewFile {
                    filename: document.filename,
                    purpose: Purpose::Assistants,
                    blob,
                    expires_after: None,
                };
                let file = file::create(&mut tx, &new).await?;
                replace(&mut tx, source, queued, file.id).await?;
                Some(file.id)
            }
        };
        add_links(&mut tx, source, queued, links).await?;
        let known = Known {
            file_id,
            sha256: Some(sha256),
            etag: document.etag,
            last_modified: document.last_modified,
        };
        store::set_stored(&mut tx, source.id, &queued.url, &known).await?;
        tx.commit().await?;
        Ok(Kept::Yes)
    };
    let kept = kept.await;
    // An unconfirmed commit may have happened: then the bytes must stay.
    let surely_unused = matches!(&kept, Ok(Kept::NotWanted))
        || matches!(&kept, Err(error) if !matches!(error, Error::Overloaded { .. } | Error::Internal(_)));
    if surely_unused
        && let Some(blob) = unused
        && let Err(error) = services.blobs.delete(&blob).await
    {
        tracing::warn!(%error, "an unrecorded blob could not be removed");
    }
    kept
}

/// Makes sure that the page's file is in the store as the source wants it: it may have been taken out, or have failed
/// for a reason of ours. Nothing is read again that is fine.
pub(super) async fn confirm(tx: &mut TenantTx, source: &Source, queued: &Queued) -> Result<()> {
    match queued.file_id {
        Some(file_id) => attach(tx, source, queued, file_id, None).await,
        None => Ok(()),
    }
}

/// Puts a new version into the store. The old one stays until the new one is searchable.
async fn replace(tx: &mut TenantTx, source: &Source, queued: &Queued, new: FileId) -> Result<()> {
    let store_id = source.settings.vector_store_id;
    // Of two older versions the one that can be found stays.
    let (mut stays, mut goes) = (queued.file_id, queued.previous_file_id);
    if !is_searchable(tx, store_id, stays).await? {
        (stays, goes) = (goes, stays);
    }
    if let Some(goes) = goes {
        drop_file(tx, store_id, goes).await?;
    }
    if !is_searchable(tx, store_id, stays).await?
        && let Some(nothing) = stays.take()
    {
        drop_file(tx, store_id, nothing).await?;
    }
    store::set_previous(tx, source.id, &queued.url, stays).await?;
    if stays.is_some() {
        SettleSource::plan(tx, source.id).await?;
    }
    attach(tx, source, queued, new, stays).await
}

async fn is_searchable(tx: &mut TenantTx, store_id: VectorStoreId, file_id: Option<FileId>) -> Result<bool> {
    let Some(file_id) = file_id else {
        return Ok(false);
    };
    match vector_store::file::get(tx, store_id, file_id).await {
        Ok(file) => Ok(file.status == Status::Completed),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn attach(
    tx: &mut TenantTx,
    source: &Source,
    queued: &Queued,
    file_id: FileId,
    replaces: Option<FileId>,
) -> Result<()> {
    let new = NewStoreFile {
        attributes: attributes(&source.settings.attributes, &queued.url),
        chunking: source.settings.chunking,
        replaces,
        ..NewStoreFile::new(file_id)
    };
    vector_store::file::attach(tx, source.settings.vector_store_id, new).await?;
    Ok(())
}

/// Takes a page's files out of the store.
pub(super) async fn drop_page(tx: &mut TenantTx, source: &Source, queued: &Queued) -> Result<()> {
    for file_id in [queued.file_id, queued.previous_file_id].into_iter().flatten() {
        drop_file(tx, source.settings.vector_store_id, file_id).await?;
    }
    store::forget_files(tx, source.id, &queued.url).await
}

/// Takes a file out of the store, and deletes it unless another store has it too.
pub(super) async fn drop_file(tx: &mut TenantTx, store_id: VectorStoreId, file_id: FileId) -> Result<()> {
    match vector_store::file::detach(tx, store_id, file_id).await {
        Ok(()) | Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    if store::is_attached(tx, file_id).await? {
        return Ok(());
    }
    match file::delete(tx, file_id).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes files of a source that was deleted out of its store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DropFiles {
    vector_store_id: Uuid,
    file_ids: Vec<Uuid>,
}

impl DropFiles {
    /// Files of one job: few enough for one transaction.
    pub(super) const AT_ONCE: usize = 25;

    pub(super) fn new(store_id: VectorStoreId, files: &[FileId]) -> Self {
        Self {
            vector_store_id: store_id.uuid(),
            file_ids: files.iter().map(|id| id.uuid()).collect(),
        }
    }
}

#[async_trait]
impl Job for DropFiles {
    const KIND: &'static str = "drop_source_files";
    const CLASS: Class = Class::Light;

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let mut tx = services.db.tenant(&lease.cx).await?;
        for file_id in &self.file_ids {
            drop_file(&mut tx, self.vector_store_id.into(), (*file_id).into()).await?;
        }
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
