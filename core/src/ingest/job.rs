//! Ingestion as a job.

use async_trait::async_trait;
use insula_tenancy::job::{Lease, Subject};
use insula_tenancy::{FileId, TenantTx, VectorStoreId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ParseError, run};
use crate::vector_store::file::{mark_cancelled, mark_failed, mark_in_progress};
use crate::worker::{Failure, Job};
use crate::{Result, Services};

/// Reads a file into a vector store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct IngestFile {
    /// The store.
    pub(crate) vector_store_id: Uuid,
    /// The file.
    pub(crate) file_id: Uuid,
}

impl IngestFile {
    pub(crate) fn new(store_id: VectorStoreId, file_id: FileId) -> Self {
        Self {
            vector_store_id: store_id.uuid(),
            file_id: file_id.uuid(),
        }
    }

    fn ids(self) -> (VectorStoreId, FileId) {
        (self.vector_store_id.into(), self.file_id.into())
    }
}

#[async_trait]
impl Job for IngestFile {
    const KIND: &'static str = "ingest_file";
    const CANCELLABLE: bool = true;

    fn unique_key(&self) -> Option<String> {
        Some(format!(
            "{}:{}",
            self.vector_store_id.simple(),
            self.file_id.simple()
        ))
    }

    fn subject(&self) -> Subject {
        let (store_id, file_id) = self.ids();
        Subject {
            vector_store_id: Some(store_id),
            file_id: Some(file_id),
        }
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let (store_id, file_id) = self.ids();
        run(services, lease, store_id, file_id).await
    }

    async fn buried(&self, tx: &mut TenantTx, why: &ParseError) -> Result<()> {
        let (store_id, file_id) = self.ids();
        mark_failed(tx, store_id, file_id, why).await
    }
    async fn cancelled(&self, tx: &mut TenantTx) -> Result<()> {
        let (store_id, file_id) = self.ids();
        mark_cancelled(tx, store_id, file_id).await
    }

    async fn retried(&self, tx: &mut TenantTx) -> Result<bool> {
        let (store_id, file_id) = self.ids();
        mark_in_progress(tx, store_id, file_id).await
    }
}
