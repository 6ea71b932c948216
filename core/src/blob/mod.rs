//! Where the bytes of files are kept. A trait, because object storage comes later; local disk now.

mod local;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use insula_tenancy::TenantId;
use tokio::io::AsyncRead;

pub use local::LocalBlobs;

use crate::Error;

/// After this time nobody is still about to write down that a blob is his: an upload takes minutes, and its row is
/// committed right after its last byte.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Bytes that were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlob {
    /// The name to ask for them by. Unguessable, and starts with the tenant.
    pub name: String,
    /// How many there are.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// A place for the bytes of files.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Stores everything that `data` yields, durably: after `Ok` the bytes survive a power cut. After `Err`, or when the
    /// future is dropped, nothing is left of them.
    async fn put(
        &self,
        tenant: TenantId,
        data: &mut (dyn AsyncRead + Send + Unpin),
    ) -> io::Result<StoredBlob>;

    /// All bytes of a blob.
    async fn read(&self, name: &str) -> io::Result<Bytes>;

    /// A blob as a stream, with its length.
    async fn open(&self, name: &str) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)>;

    /// A blob as a file of this machine, for processes that read it themselves. It must not be changed, and is there as long as the
    /// blob is.
    async fn local(&self, name: &str) -> io::Result<PathBuf>;

    /// Removes a blob; one that is gone already is fine.
    async fn delete(&self, name: &str) -> io::Result<()>;

    /// Names of a tenant's blobs that were written longer ago than `age`, in no order.
    fn list(&self, tenant: TenantId, age: Duration) -> BoxStream<'_, io::Result<String>>;

    /// Removes what writers that were killed more than [`ABANDONED_AFTER`] ago left unfinished.
    async fn sweep_unfinished(&self) -> io::Result<()>;
}

/// Bytes in the blob store that no row knows yet: dropped, it removes them again.
pub struct Unclaimed {
    blobs: Arc<dyn BlobStore>,
    name: Option<String>,
}

impl Unclaimed {
    /// Watches over a blob that was just stored.
    pub fn new(blobs: &Arc<dyn BlobStore>, blob: &StoredBlob) -> Self {
        Self {
            blobs: Arc::clone(blobs),
            name: Some(blob.name.clone()),
        }
    }

    /// Keeps the bytes: a row knows them now, or may know them.
    pub fn claim(mut self) {
        self.name = None;
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        let blobs = Arc::clone(&self.blobs);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = blobs.delete(&name).await {
                    tracing::warn!(%error, "the bytes of an abandoned upload could not be removed");
                }
            });
        }
    }
}

/// Why bytes could not be stored or read: a full disk is the caller's business (he may come back), anything else is a
/// fault of ours.
pub fn storage_error(error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge | ReadOnlyFilesystem => {
            tracing::error!(%error, "no room for uploaded files");
            Error::Overloaded {
                message: "The server has no room left for files. Nothing was stored. Tell the operator of this server."
                    .into(),
                retry_after: Duration::from_secs(60),
            }
        }
        _ => Error::internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_and_other_faults_are_not() {
        let full = storage_error(io::ErrorKind::StorageFull.into());
        assert!(matches!(full, Error::Overloaded { .. }), "{full:?}");
        let fault = storage_error(io::Error::other("bad sector at /dev/vda"));
        assert!(matches!(fault, Error::Internal(_)), "{fault:?}");
    }
}
