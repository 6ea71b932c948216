//! Following one job as it goes.

use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use insula_tenancy::{JobId, JobWatch, Notifications, TenantContext, recheck};

use super::{Job, Status, get};
use crate::{Result, Services};

/// How often a job is looked at without a notification: should one have been lost, and for the key behind the watch.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The same while it is queued: its place changes when others are done, which is not said.
const LOOK_AT_QUEUED_EVERY: Duration = Duration::from_secs(2);

/// A job as it is now, and then whenever it has changed, until it is over or the caller's key is. An error ends the
/// stream. No transaction is open while it waits.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound); when the database is away.
pub async fn watch(
    services: &Services,
    cx: TenantContext,
    notifications: &Notifications,
    id: JobId,
) -> Result<impl Stream<Item = Result<Job>> + Send + use<>> {
    let mut watch = Watch {
        services: services.clone(),
        cx,
        id,
        // Before the first look, so that nothing is missed between the two.
        changes: notifications.watch_job(id),
        told: None,
    };
    let first = watch.look().await?;
    watch.told = Some(first.clone());
    let rest = stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        let next = watch.next().await?;
        let goes_on = next.is_ok().then_some(watch);
        Some((next, goes_on))
    });
    Ok(stream::once(async { Ok(first) }).chain(rest))
}

struct Watch {
    services: Services,
    cx: TenantContext,
    id: JobId,
    changes: JobWatch,
    told: Option<Job>,
}

impl Watch {
    /// The job when it is another than was told; `None` once it is over.
    async fn next(&mut self) -> Option<Result<Job>> {
        loop {
            let patience = match self.told.as_ref()?.status {
                over if over.is_over() => return None,
                Status::Queued => LOOK_AT_QUEUED_EVERY,
                _ => LOOK_EVERY,
            };
            self.changes.changed_or(patience).await;
            match self.look().await {
                Ok(job) if self.told.as_ref() == Some(&job) => {}
                Ok(job) => {
                    self.told = Some(job.clone());
                    return Some(Ok(job));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    async fn look(&self) -> Result<Job> {
        let mut tx = self.services.db.tenant(&self.cx).await?;
        recheck(&mut tx, &self.cx).await?;
        let job = get(&mut tx, self.id).await?;
        tx.commit().await?;
        Ok(job)
    }
}
