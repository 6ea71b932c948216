//! Removing tenants, in the background of a worker. Which rows go and what the receipt says is `insula_tenancy::erasure`'s; here
//! the bytes go too, before the rows that name them. Nothing is kept of how far it is: whoever takes over walks from the beginning,
//! past what is empty already.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use insula_tenancy::{TenantId, access, erasure};
use tokio_util::sync::CancellationToken;

use crate::{Error, Result, Services};

/// How often is looked for what came late of tenants that were removed within the last day.
const LATE: Duration = Duration::from_secs(600);

/// Removes tenants whose removal was asked for, and notes the end of accesses whose time is over, until `shutdown`.
pub(crate) async fn run(services: &Services, every: Duration, shutdown: &CancellationToken) {
    let mut looked_for_late: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let late = looked_for_late.is_none_or(|at| at.elapsed() >= LATE);
        if late {
            looked_for_late = Some(Instant::now());
        }
        let removed = tokio::select! {
            removed = remove_all(services, late) => removed,
            // Each step is whole by itself.
            () = shutdown.cancelled() => return,
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "a tenant is not removed yet");
        }
        if let Err(error) = access::end_expired(&services.db).await {
            tracing::warn!(%error, "the end of an access is not noted yet");
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Removes the tenants whose removal was asked for; and, if `late`, what came of those that were removed of late.
///
/// # Errors
/// When the database or the blobs are away. What was removed is on record; another call goes on.
pub async fn remove_all(services: &Services, late: bool) -> Result<()> {
    for tenant in erasure::pending(&services.db, late).await? {
        remove(services, tenant).await?;
    }
    Ok(())
}

/// Removes all that a tenant has, until a walk finds nothing more: what was under way when it was suspended may still write.
async fn remove(services: &Services, tenant: TenantId) -> Result<()> {
    loop {
        let blobs = remove_blobs(services, tenant).await?;
        let people = erasure::clear_people(&services.db, tenant).await?;
        let rows = erasure::clear(&services.db, tenant).await?;
        if blobs == 0 && people == 0 && rows == 0 {
            erasure::complete(&services.db, tenant).await?;
            return Ok(());
        }
        tracing::info!(%tenant, blobs, people, rows, "removing a tenant");
    }
}

async fn remove_blobs(services: &Services, tenant: TenantId) -> Result<usize> {
    let mut names = services.blobs.list(tenant, Duration::ZERO);
    let mut removed = 0;
    while let Some(name) = names.try_next().await.map_err(Error::internal)? {
        services.blobs.delete(&name).await.map_err(Error::internal)?;
        removed += 1;
    }
    Ok(removed)
}
