//! Removing bytes, as a job.

use async_trait::async_trait;
use insula_tenancy::job::Lease;
use serde::{Deserialize, Serialize};

use crate::worker::{Class, Failure, Job};
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
        // The name starts with the tenant; a forged payload must not reach another tenant's bytes.
        if !self.blob.starts_with(&format!("{}/", lease.cx.tenant_id())) {
            return Err(Error::internal("a blob of another tenant was named").into());
        }
        services.blobs.delete(&self.blob).await.map_err(Error::internal)?;
        let mut tx = services.db.tenant(&lease.cx).await?;
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
