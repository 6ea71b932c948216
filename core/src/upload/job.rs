//! Ending uploads whose time is over, as a job.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::UploadId;
use insula_tenancy::job::Lease;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Status, end, store};
use crate::worker::{Class, Failure, Job, enqueue_after};
use crate::{Result, Services};

/// Ends an upload that was not completed in time, and removes its parts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ExpireUpload {
    upload_id: Uuid,
}

impl ExpireUpload {
    pub(crate) fn new(id: UploadId) -> Self {
        Self { upload_id: id.uuid() }
    }
}

#[async_trait]
impl Job for ExpireUpload {
    const KIND: &'static str = "expire_upload";
    const MAX_ATTEMPTS: i32 = 10;
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        Some(self.upload_id.simple().to_string())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let id = UploadId::from(self.upload_id);
        let mut tx = services.db.tenant(&lease.cx).await?;
        store::lock(&mut tx, id).await?;
        let left = store::time_left(&mut tx, id).await?;
        // Before anything is enqueued: this job's unique key has to be free again.
        lease.complete(&mut tx).await?;
        match left {
            None => {}
            Some(left) if left > 0.0 => {
                enqueue_after(&mut tx, self, Duration::from_secs_f64(left)).await?;
            }
            Some(_) => end(&mut tx, id, Status::Expired).await?,
        }
        tx.commit().await?;
        Ok(())
    }
}
