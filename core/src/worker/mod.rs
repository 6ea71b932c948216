//! The background: leases jobs, runs them, keeps their leases alive, buries what cannot work.

mod job;
mod kinds;

use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::job::{Lease, Leaser};
use insula_tenancy::{Notifications, new_uuid};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use job::{Class, Failure, Job, enqueue, enqueue_after};

use crate::Services;

/// How much a worker does at once.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// Jobs at once in this process.
    pub concurrency: usize,
    /// Jobs at once of one tenant, over all workers.
    pub tenant_cap: i32,
    /// How long a job may go without a sign of life.
    pub lease_for: Duration,
    /// How often the queue is looked at when nothing wakes the worker.
    pub poll_every: Duration,
    /// How long running jobs may finish at shutdown before they are handed back.
    pub drain_for: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: 4,
            tenant_cap: 4,
            lease_for: Duration::from_secs(30),
            poll_every: Duration::from_secs(1),
            drain_for: Duration::from_secs(10),
        }
    }
}

/// Runs jobs until `shutdown`, then finishes or hands back what is running.
pub async fn run(
    services: Services,
    notifications: Notifications,
    settings: WorkerSettings,
    shutdown: CancellationToken,
) {
    let mut leaser = Leaser::new(
        services.db.clone(),
        format!("{}-{}", std::process::id(), new_uuid().simple()),
    );
    leaser.lease_for = settings.lease_for;
    leaser.tenant_cap = settings.tenant_cap;
    let worker = Worker { services, leaser };
    let slots = Arc::new(Semaphore::new(settings.concurrency));
    let tasks = TaskTracker::new();
    let give_back = CancellationToken::new();
    while !shutdown.is_cancelled() {
        let free = slots.available_permits();
        let leased = if free == 0 {
            Vec::new()
        } else {
            worker.lease(free).await
        };
        let found = !leased.is_empty();
        for lease in leased {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let (worker, give_back, notifications) =
                (worker.clone(), give_back.clone(), notifications.clone());
            tasks.spawn(async move {
                worker.carry_out(lease, give_back).await;
                drop(slot);
                // A slot is free, and the tenant may have work that its cap held back.
                notifications.wake_workers();
            });
        }
        if !found {
            tokio::select! {
                () = notifications.job_or(settings.poll_every) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
    tasks.close();
    if tokio::time::timeout(settings.drain_for, tasks.wait())
        .await
        .is_err()
    {
        give_back.cancel();
        tasks.wait().await;
    }
}

#[derive(Clone)]
struct Worker {
    services: Services,
    leaser: Leaser,
}

impl Worker {
    async fn lease(&self, free: usize) -> Vec<Lease> {
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        self.leaser
            .lease(kinds::KINDS, limit)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "could not lease jobs");
                Vec::new()
            })
    }

    /// Runs one job to an end that is on record: done, failed, or handed back.
    async fn carry_out(&self, lease: Lease, give_back: CancellationToken) {
        let (services, job) = (self.services.clone(), lease.clone());
        // A task of its own, so that a panic is an error of the job and not of the worker.
        let mut running = tokio::spawn(async move { kinds::dispatch(&services, &job).await });
        let lost = self.keep_alive(&lease);
        tokio::pin!(lost);
        tokio::select! {
            ended = &mut running => {
                let failure = match ended {
                    Ok(Ok(())) => return,
                    Ok(Err(failure)) => failure,
                    Err(panic) => crate::Error::internal(format!("the job panicked: {panic}")).into(),
                };
                if let Err(error) = kinds::record_failure(&self.services, &lease, failure).await {
                    tracing::warn!(%error, job = %lease.id, "could not record a failed job; its lease will run out");
                }
            }
            () = &mut lost => {
                running.abort();
                tracing::warn!(job = %lease.id, "lost the lease of a job; another worker has it");
            }
            () = give_back.cancelled() => {
                running.abort();
                // Only after the task is gone: it must not write after the job was handed back. (It could not: the
                // fencing token would have changed.)
                let _ = (&mut running).await;
                if let Err(error) = self.leaser.release(&lease).await {
                    tracing::warn!(%error, job = %lease.id, "could not hand a job back; its lease will run out");
                }
            }
        }
    }

    /// Extends the lease three times per lifetime; returns when it is lost.
    async fn keep_alive(&self, lease: &Lease) {
        loop {
            tokio::time::sleep(self.leaser.lease_for / 3).await;
            match self.leaser.heartbeat(lease).await {
                Ok(true) => {}
                Ok(false) => return,
                // The database is away. The lease may hold; if it does not, the fencing token keeps us from writing.
                Err(error) => tracing::warn!(%error, job = %lease.id, "heartbeat failed"),
            }
        }
    }
}
