//! Retrying and cancelling.

use insula_tenancy::{JobId, TenantContext, TenantTx};

use super::store::{self, Stored};
use super::{Filter, Job, get, not_found};
use crate::worker::{self, Kind};
use crate::{Error, Result, Services, file, vector_store};

/// Most jobs that one [`retry_dead`] looks at, so that it ends in seconds.
const RETRY_AT_ONCE: usize = 2_000;
/// Jobs that are read at once.
const READ_AT_ONCE: i64 = 200;

/// Cancels a job. One that waits is not started; one that runs is stopped by its worker, which cannot write any more from
/// here on. What it worked on says so at once. A job that has ended stays as it is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] for a kind that cannot be cancelled.
pub async fn cancel(tx: &mut TenantTx, id: JobId) -> Result<Job> {
    let stored = store::find_stored(tx, id).await?.ok_or_else(|| not_found(id))?;
    if !["ready", "running"].contains(&stored.state.as_str()) {
        return get(tx, id).await;
    }
    if !Kind::find(&stored.kind).is_some_and(|kind| kind.cancellable) {
        let message = format!("Jobs of the kind '{}' cannot be cancelled.", stored.kind);
        return Err(Error::Conflict(message));
    }
    store::mark(tx).await?;
    // The subject before the job: the order in which a worker's last transaction locks them.
    worker::cancelled(tx, &stored.kind, stored.payload.0).await?;
    if !store::cancel(tx, id).await? {
        store::undo(tx).await?;
    }
    get(tx, id).await
}

/// Sends a dead or cancelled job on its way again, with all its attempts. One that is under way stays as it is.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] if it succeeded, or what it worked on is gone or seen to otherwise.
pub async fn retry(tx: &mut TenantTx, id: JobId) -> Result<Job> {
    let stored = store::find_stored(tx, id).await?.ok_or_else(|| not_found(id))?;
    let succeeded = stored.state == "done";
    let again = !succeeded && start_again(tx, stored).await?;
    let job = get(tx, id).await?;
    if again || !job.status.is_over() {
        return Ok(job);
    }
    Err(Error::Conflict(if succeeded {
        "The job succeeded; there is nothing to try again.".into()
    } else {
        "What this job worked on is gone, or another job has seen to it.".into()
    }))
}

/// What became of [`retry_dead`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retried {
    /// Jobs that are on their way again.
    pub retried: usize,
    /// Jobs whose subject is gone or seen to otherwise; they stay dead.
    pub skipped: usize,
    /// Whether there are more than are looked at in one call.
    pub has_more: bool,
}

/// Retries the dead jobs that `filter` means, whatever status it names.
///
/// # Errors
/// [`Error::NotFound`] for a store or a file that does not exist; [`Error::Invalid`] for a kind that cannot be one.
pub async fn retry_dead(services: &Services, cx: &TenantContext, filter: &Filter) -> Result<Retried> {
    filter.check()?;
    let mut tx = services.db.tenant(cx).await?;
    if let Some(id) = filter.vector_store_id {
        vector_store::get(&mut tx, id)
            .await
            .map_err(in_field("vector_store_id"))?;
    }
    if let Some(id) = filter.file_id {
        file::get(&mut tx, id).await.map_err(in_field("file_id"))?;
    }
    tx.commit().await?;
    let (mut outcome, mut after) = (Retried::default(), None);
    while outcome.retried + outcome.skipped < RETRY_AT_ONCE {
        let mut tx = services.db.tenant(cx).await?;
        let dead = store::dead(&mut tx, filter, after, READ_AT_ONCE).await?;
        tx.commit().await?;
        let Some(last) = dead.last() else {
            return Ok(outcome);
        };
        after = Some(last.id);
        for stored in dead {
            // Each in a transaction of its own, so that no two of them wait for each other's locks.
            let mut tx = services.db.tenant(cx).await?;
            if start_again(&mut tx, stored).await? {
                outcome.retried += 1;
            } else {
                outcome.skipped += 1;
            }
            tx.commit().await?;
        }
    }
    outcome.has_more = true;
    Ok(outcome)
}

/// `false` if the job is not dead or cancelled any more, or makes no sense any more.
async fn start_again(tx: &mut TenantTx, stored: Stored) -> Result<bool> {
    store::mark(tx).await?;
    let again =
        worker::retried(tx, &stored.kind, stored.payload.0).await? && store::retry(tx, stored.id).await?;
    if !again {
        store::undo(tx).await?;
    }
    Ok(again)
}

fn in_field(name: &'static str) -> impl FnOnce(Error) -> Error {
    move |error| match error {
        Error::NotFound { message, code, .. } => Error::NotFound {
            message,
            code,
            param: Some(name.into()),
        },
        other => other,
    }
}
