//! The end of replaced versions.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::job::Lease;
use insula_tenancy::{SourceId, TenantTx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{files, store};
use crate::worker::{Class, Failure, Job, enqueue_after};
use crate::{Result, Services};

/// How soon a replaced version is looked after, and again while its successor is being read.
const PAUSE: Duration = Duration::from_secs(5);

/// Takes out the old versions of pages whose new ones are searchable. Where the new one could not be read, the old one
/// stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SettleSource {
    source_id: Uuid,
}

impl SettleSource {
    /// Has it done soon, once for all pages of a source.
    pub(super) async fn plan(tx: &mut TenantTx, source_id: SourceId) -> Result<()> {
        let source_id = source_id.uuid();
        enqueue_after(tx, &Self { source_id }, PAUSE).await
    }
}

#[async_trait]
impl Job for SettleSource {
    const KIND: &'static str = "settle_source";
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        Some(self.source_id.simple().to_string())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let id = SourceId::from(self.source_id);
        let mut tx = services.db.tenant(&lease.cx).await?;
        if let Some(source) = store::find(&mut tx, id).await? {
            for replaced in store::replaced(&mut tx, id).await? {
                files::drop_file(&mut tx, source.settings.vector_store_id, replaced).await?;
                store::forget_previous(&mut tx, id, replaced).await?;
            }
        }
        lease.complete(&mut tx).await?;
        if store::is_unsettled(&mut tx, id).await? {
            enqueue_after(&mut tx, self, PAUSE).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
