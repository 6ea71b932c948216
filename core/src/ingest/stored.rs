//! The bytes of a document, as parsers ask for them.

use async_trait::async_trait;
use tokio::io::AsyncRead;

use super::DocumentSource;
use crate::blob::BlobStore;

/// A document in the blob store.
pub(super) struct StoredDocument<'a> {
    pub(super) blobs: &'a dyn BlobStore,
    pub(super) name: &'a str,
}

#[async_trait]
impl DocumentSource for StoredDocument<'_> {
    async fn open(&self) -> std::io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)> {
        self.blobs.open(self.name).await
    }
}
