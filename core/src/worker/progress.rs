//! How far a running job is.

use std::time::Duration;

use insula_tenancy::Error as TenancyError;
use insula_tenancy::job::{Lease, Progress};

use super::Failure;
use crate::Services;

/// Within a stage, progress is written no more often than this.
const EVERY: Duration = Duration::from_millis(500);

/// Tells whoever watches that the job is at `stage`, with `done` of `total` behind it (`total` 0 if that is not known).
/// Call it as often as there is something to tell: it opens a short transaction of its own for a new stage, and
/// otherwise twice a second at most.
///
/// # Errors
/// If the lease is lost or the job was cancelled: stop working. Nothing else is worth stopping for, and is logged.
pub(crate) async fn report(
    services: &Services,
    lease: &Lease,
    stage: &str,
    done: usize,
    total: usize,
) -> Result<(), Failure> {
    if !lease.is_news(stage, EVERY) {
        return Ok(());
    }
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let progress = Progress {
        stage,
        done: count(done),
        total: count(total),
    };
    match write(services, lease, progress).await {
        Err(lost @ TenancyError::LeaseLost) => Err(lost.into()),
        Err(error) => {
            tracing::warn!(%error, job = %lease.id, "could not report progress");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

async fn write(services: &Services, lease: &Lease, progress: Progress<'_>) -> Result<(), TenancyError> {
    let mut tx = services.db.tenant_in_passing(&lease.cx).await?;
    lease.progress(&mut tx, progress).await?;
    tx.commit().await
}
