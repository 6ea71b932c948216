//! Cleaning up after each tenant, once a day, as a job: bytes that nobody knows (a server was killed between storing
//! them and writing them down), and rows that have served their time.

mod store;

use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use insula_tenancy::TenantTx;
use insula_tenancy::job::Lease;
use serde::{Deserialize, Serialize};

use crate::batch::ENDED_BATCH_LINES;
use crate::blob::ABANDONED_AFTER;
use crate::conversation::OLD_CONVERSATIONS;
use crate::request_log::OLD_REQUEST_LOGS;
use crate::response::OLD_RESPONSES;
use crate::search_analytics::OLD_SEARCHES;
use crate::worker::{Class, Failure, Job, enqueue_after};
use crate::{Error, Result, Services, job};

const EVERY: Duration = Duration::from_secs(24 * 3600);
/// Rows or names that are handled at once, so that no transaction is long.
const BATCH: usize = 500;

/// Cleans up after the tenant whose job it is.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Housekeeping {}

/// Sees to it that a job waits, from the first thing on that a tenant makes.
pub(crate) async fn ensure(tx: &mut TenantTx) -> Result<()> {
    // Asked first, because an insert wakes all workers, also one that inserts nothing.
    if !store::is_planned(tx, Housekeeping::KIND).await? {
        enqueue_after(tx, &Housekeeping {}, EVERY).await?;
    }
    Ok(())
}

#[async_trait]
impl Job for Housekeeping {
    const KIND: &'static str = "housekeeping";
    const MAX_ATTEMPTS: i32 = 10;
    const PRIORITY: i32 = -20;
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        Some("tenant".into())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        remove_orphans(services, lease).await?;
        services.blobs.sweep_unfinished().await.map_err(Error::internal)?;
        for delete in [
            store::OLD_IDEMPOTENCY_KEYS,
            store::ENDED_UPLOADS,
            store::STAGED_EMBEDDINGS,
            OLD_REQUEST_LOGS,
            OLD_SEARCHES,
            OLD_RESPONSES,
            OLD_CONVERSATIONS,
            ENDED_BATCH_LINES,
        ] {
            in_batches(services, lease, delete).await?;
        }
        forget_jobs(services, lease).await?;
        forget_usage(services, lease).await?;
        let mut tx = services.db.tenant(&lease.cx).await?;
        let goes_on = store::has_anything(&mut tx).await?;
        lease.complete(&mut tx).await?;
        if goes_on {
            enqueue_after(&mut tx, self, EVERY).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn buried(&self, tx: &mut TenantTx, _why: &crate::ingest::ParseError) -> Result<()> {
        // Not now is not never. The next thing that is made plans it again.
        tracing::warn!(tenant = %tx.tenant_id(), "housekeeping was given up for now");
        Ok(())
    }
}

/// Removes blobs that no row names. Only old ones: a blob is stored before its row is committed.
async fn remove_orphans(services: &Services, lease: &Lease) -> Result<()> {
    let blobs = &services.blobs;
    let mut batches = blobs
        .list(lease.cx.tenant_id(), ABANDONED_AFTER)
        .try_chunks(BATCH);
    while let Some(names) = batches
        .try_next()
        .await
        .map_err(|error| Error::internal(error.1))?
    {
        let mut tx = services.db.tenant(&lease.cx).await?;
        let orphans = store::unknown_blobs(&mut tx, &names).await?;
        tx.commit().await?;
        for orphan in orphans {
            tracing::info!(blob = %orphan, "removing bytes that no file has");
            blobs.delete(&orphan).await.map_err(Error::internal)?;
        }
    }
    Ok(())
}

async fn forget_jobs(services: &Services, lease: &Lease) -> Result<()> {
    loop {
        let mut tx = services.db.tenant(&lease.cx).await?;
        let forgotten = job::forget_old(&mut tx).await?;
        tx.commit().await?;
        if forgotten == 0 {
            return Ok(());
        }
    }
}

/// Removes metered calls that are older than the tenant keeps them.
async fn forget_usage(services: &Services, lease: &Lease) -> Result<()> {
    loop {
        let mut tx = services.db.tenant(&lease.cx).await?;
        let forgotten = insula_tenancy::usage::sweep(&mut tx, BATCH as i64).await?;
        tx.commit().await?;
        if forgotten == 0 {
            return Ok(());
        }
    }
}

async fn in_batches(services: &Services, lease: &Lease, delete: &'static str) -> Result<()> {
    loop {
        let mut tx = services.db.tenant(&lease.cx).await?;
        let deleted = store::delete_some(&mut tx, delete, BATCH).await?;
        tx.commit().await?;
        if deleted < BATCH {
            return Ok(());
        }
    }
}
