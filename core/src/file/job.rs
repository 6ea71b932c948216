//! Removing files and bytes, as jobs.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::job::Lease;
use insula_tenancy::{FileId, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{remove, store};
use crate::worker::{Class, Failure, Job, enqueue_after};
use crate::{Error, Result, Services};

/// Removes the bytes of a deleted file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeleteBlob {
    /// The blob's name.
    pub(crate) blob: String,
}

#[async_trait]
impl Job for DeleteBlob {
    const KIND: &'static str = "delete_blob";
    const MAX_ATTEMPTS: i32 = 10;
    const PRIORITY: i32 = -10;
    const CLASS: Class = Class::Light;

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        delete_blobs(services, lease, std::slice::from_ref(&self.blob)).await
    }
}

/// Removes bytes that no row knows any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeleteBlobs {
    /// The blobs' names.
    pub(crate) blobs: Vec<String>,
}

#[async_trait]
impl Job for DeleteBlobs {
    const KIND: &'static str = "delete_blobs";
    const MAX_ATTEMPTS: i32 = 10;
    const PRIORITY: i32 = -10;
    const CLASS: Class = Class::Light;

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        delete_blobs(services, lease, &self.blobs).await
    }
}

async fn delete_blobs(services: &Services, lease: &Lease, blobs: &[String]) -> Result<(), Failure> {
    for blob in blobs {
        check_owner(blob, lease.cx.tenant_id())?;
        services.blobs.delete(blob).await.map_err(Error::internal)?;
    }
    let mut tx = services.db.tenant(&lease.cx).await?;
    lease.complete(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// The name starts with the tenant; a forged payload must not reach another tenant's bytes.
fn check_owner(blob: &str, tenant: TenantId) -> Result<()> {
    if blob.starts_with(&format!("{tenant}/")) {
        Ok(())
    } else {
        Err(Error::internal("a blob of another tenant was named"))
    }
}

/// Deletes a file when its time is over.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ExpireFile {
    file_id: Uuid,
}

impl ExpireFile {
    pub(crate) fn new(id: FileId) -> Self {
        Self { file_id: id.uuid() }
    }
}

#[async_trait]
impl Job for ExpireFile {
    const KIND: &'static str = "expire_file";
    const MAX_ATTEMPTS: i32 = 10;
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        Some(self.file_id.simple().to_string())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let mut tx = services.db.tenant(&lease.cx).await?;
        let found = store::find_with_time_left(&mut tx, self.file_id.into()).await?;
        // Before anything is enqueued: this job's unique key has to be free again.
        lease.complete(&mut tx).await?;
        match found {
            None | Some((_, None)) => {}
            Some((_, Some(left))) if left > 0.0 => {
                enqueue_after(&mut tx, self, Duration::from_secs_f64(left)).await?;
            }
            Some((file, Some(_))) => remove(&mut tx, file).await?,
        }
        tx.commit().await?;
        Ok(())
    }
}
