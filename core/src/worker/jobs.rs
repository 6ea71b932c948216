//! The kinds of jobs there are.

use insula_tenancy::job::{Lease, NewJob, Retry};
use insula_tenancy::{FileId, VectorStoreId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::ingest::{self, Failure, ParseError, ParseErrorCode};
use crate::{Error, Result, Services};

/// All kinds, as stored.
pub(super) const KINDS: &[&str] = &[IngestFile::KIND, DeleteBlob::KIND];

/// Reads a file into a vector store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct IngestFile {
    /// The store.
    pub vector_store_id: Uuid,
    /// The file.
    pub file_id: Uuid,
}

impl IngestFile {
    const KIND: &'static str = "ingest_file";

    /// The job to enqueue. Waits only once per store and file.
    ///
    /// # Errors
    /// Never in practice: the payload is two ids.
    pub fn job(self) -> Result<NewJob<'static>> {
        Ok(NewJob {
            kind: Self::KIND,
            payload: serde_json::to_value(self).map_err(Error::internal)?,
            unique_key: Some(format!(
                "{}:{}",
                self.vector_store_id.simple(),
                self.file_id.simple()
            )),
            priority: 0,
            max_attempts: 5,
        })
    }

    fn ids(self) -> (VectorStoreId, FileId) {
        (self.vector_store_id.into(), self.file_id.into())
    }
}

/// Removes the bytes of a deleted file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteBlob {
    /// The blob's name.
    pub blob: String,
}

impl DeleteBlob {
    const KIND: &'static str = "delete_blob";

    /// The job to enqueue.
    ///
    /// # Errors
    /// Never in practice: the payload is a name.
    pub fn job(self) -> Result<NewJob<'static>> {
        let payload = serde_json::to_value(self).map_err(Error::internal)?;
        Ok(NewJob {
            kind: Self::KIND,
            payload,
            unique_key: None,
            priority: -10,
            max_attempts: 10,
        })
    }
}

pub(super) async fn dispatch(services: &Services, lease: &Lease) -> Result<(), Failure> {
    if lease.exhausted {
        return Err(Failure::Ours(Error::internal("the worker died at every attempt")));
    }
    let payload = payload(services, lease).await?;
    match lease.kind.as_str() {
        IngestFile::KIND => {
            let (store_id, file_id) = parse::<IngestFile>(payload)?.ids();
            ingest::run(services, lease, store_id, file_id).await
        }
        DeleteBlob::KIND => {
            let job = parse::<DeleteBlob>(payload)?;
            // The name starts with the tenant; a forged payload must not reach another tenant's bytes.
            if !job.blob.starts_with(&format!("{}/", lease.cx.tenant_id())) {
                return Err(Error::internal("a blob of another tenant was named").into());
            }
            services.blobs.delete(&job.blob).await.map_err(Error::internal)?;
            let mut tx = services.db.tenant(&lease.cx).await?;
            lease.complete(&mut tx).await?;
            tx.commit().await?;
            Ok(())
        }
        other => Err(Error::internal(format!("no worker knows the job kind '{other}'")).into()),
    }
}

/// Puts the failure on record: on the job, and on the file if it will not be tried again.
pub(super) async fn record_failure(services: &Services, lease: &Lease, failure: Failure) -> Result<()> {
    let (retry, for_file, reason) = match failure {
        Failure::Document(error) => (Retry::Never, Some(error.clone()), error.message),
        Failure::Ours(error) => {
            let reason = match &error {
                Error::Internal(source) => source.to_string(),
                other => other.to_string(),
            };
            tracing::error!(%reason, job = %lease.id, kind = %lease.kind, attempt = lease.attempt, "job failed");
            let over = lease.exhausted || lease.is_last_attempt();
            let for_file = over.then(|| ParseError {
                code: ParseErrorCode::ServerError,
                message: "The file could not be processed after several attempts. The operator can see why."
                    .into(),
            });
            (
                if lease.exhausted {
                    Retry::Never
                } else {
                    Retry::Later
                },
                for_file,
                reason,
            )
        }
    };
    let payload = payload(services, lease).await?;
    let mut tx = services.db.tenant(&lease.cx).await?;
    if let Some(error) = for_file
        && lease.kind == IngestFile::KIND
        && let Ok(job) = serde_json::from_value::<IngestFile>(payload)
    {
        let (store_id, file_id) = job.ids();
        ingest::fail(&mut tx, store_id, file_id, &error).await?;
    }
    lease.fail(&mut tx, &reason, retry).await?;
    tx.commit().await?;
    Ok(())
}

async fn payload(services: &Services, lease: &Lease) -> Result<Value> {
    let mut tx = services.db.tenant(&lease.cx).await?;
    let payload = lease.payload(&mut tx).await?;
    tx.commit().await?;
    Ok(payload)
}

fn parse<T: serde::de::DeserializeOwned>(payload: Value) -> Result<T> {
    serde_json::from_value(payload).map_err(Error::internal)
}
