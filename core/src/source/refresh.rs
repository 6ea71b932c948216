//! The next crawl of a source that is read on a schedule.

use async_trait::async_trait;
use insula_tenancy::SourceId;
use insula_tenancy::job::Lease;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SourceStatus, begin, store};
use crate::worker::{Class, Failure, Job};
use crate::{Result, Services};

/// Begins the crawl that follows `crawl`. Waits in the queue for its time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RefreshSource {
    source_id: Uuid,
    crawl: i32,
}

impl RefreshSource {
    pub(super) fn new(source_id: SourceId, crawl: i32) -> Self {
        Self {
            source_id: source_id.uuid(),
            crawl,
        }
    }
}

#[async_trait]
impl Job for RefreshSource {
    const KIND: &'static str = "refresh_source";
    const CLASS: Class = Class::Light;

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let id = SourceId::from(self.source_id);
        let mut tx = services.db.tenant(&lease.cx).await?;
        store::lock(&mut tx, id).await?;
        // Somebody may have asked for a crawl meanwhile; the schedule goes on from that one.
        if let Some(source) = store::find(&mut tx, id).await?
            && source.crawl == self.crawl
            && matches!(source.status, SourceStatus::Idle | SourceStatus::Failed)
        {
            begin(&mut tx, id, self.crawl + 1).await?;
        }
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
