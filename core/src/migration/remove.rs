//! Removing the vectors that a migration leaves behind, as a job.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::TenantTx;
use insula_tenancy::job::{Lease, Subject};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Migration, Status, store, vectors};
use crate::vector_store::{self, lock};
use crate::worker::{self, Class, Failure, Job};
use crate::{Result, Services};

/// Vectors that are removed between two transactions, each of which holds up ingestion.
const BATCH: i64 = 2_000;
/// A search reads its store's model first and the vectors later; no request may take longer than this in between.
const LONGEST_READ: Duration = Duration::from_secs(15 * 60);

/// Removes the vectors of the model that a migration's store does not use, once the migration cannot go the other way.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RemoveVectors {
    /// The store.
    pub(crate) vector_store_id: Uuid,
    /// The migration.
    pub(crate) migration_id: Uuid,
}

/// Enqueues the removal for when no search can still be reading the vectors.
pub(super) async fn enqueue(tx: &mut TenantTx, migration: &Migration) -> Result<()> {
    let delay = store::still_read_for(tx, migration.id, LONGEST_READ).await?;
    enqueue_after(tx, migration, delay).await
}

/// Enqueues the removal for later.
pub(super) async fn enqueue_after(tx: &mut TenantTx, migration: &Migration, delay: Duration) -> Result<()> {
    let job = RemoveVectors {
        vector_store_id: migration.vector_store_id.uuid(),
        migration_id: migration.id.uuid(),
    };
    worker::enqueue_after(tx, &job, delay).await
}

// No unique key: the removal that is planned for the end of the way back must not stand in the way of an earlier one.
#[async_trait]
impl Job for RemoveVectors {
    const KIND: &'static str = "remove_vectors";
    const MAX_ATTEMPTS: i32 = 10;
    const PRIORITY: i32 = -20;
    const CLASS: Class = Class::Light;

    fn subject(&self) -> Subject {
        Subject {
            vector_store_id: Some(self.vector_store_id.into()),
            file_id: None,
        }
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        loop {
            let mut tx = services.db.tenant(&lease.cx).await?;
            let left = self.remove_some(&mut tx).await?;
            if left != Left::More {
                lease.complete(&mut tx).await?;
            }
            if let Left::NotBefore(delay) = left {
                worker::enqueue_after(&mut tx, self, delay).await?;
            }
            tx.commit().await?;
            if left != Left::More {
                return Ok(());
            }
        }
    }
}

/// What is left to do after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    More,
    /// The vectors are kept for so long.
    NotBefore(Duration),
}

impl RemoveVectors {
    async fn remove_some(self, tx: &mut TenantTx) -> Result<Left> {
        let store_id = self.vector_store_id.into();
        if !lock(tx, store_id).await? {
            return Ok(Left::Nothing);
        }
        let Some(migration) = store::find(tx, store_id, self.migration_id.into()).await? else {
            return Ok(Left::Nothing);
        };
        let unused = match migration.status {
            Status::Completed => {
                if let Some(delay) = store::kept_for(tx, migration.id).await? {
                    return Ok(Left::NotBefore(delay));
                }
                store::give_up_rollback(tx, migration.id).await?;
                migration.from()
            }
            Status::Cancelled | Status::Failed | Status::RolledBack => migration.to(),
            // It will see to its vectors when it is over.
            _ => return Ok(Left::Nothing),
        };
        let current = vector_store::locate(tx, store_id).await?.embedding_model_id;
        // A later migration may have taken these vectors up; it then sees to them.
        let taken_up = current == unused.model_id || store::needs(tx, store_id, unused.model_id).await?;
        if !taken_up && vectors::remove(tx, store_id, unused, BATCH).await? == BATCH {
            return Ok(Left::More);
        }
        store::note_cleaned(tx, migration.id).await?;
        Ok(Left::Nothing)
    }
}
