//! The jobs of one class: how many run at once, and what becomes of each.

use std::sync::Arc;
use std::time::Duration;

use insula_tenancy::Notifications;
use insula_tenancy::job::{Lease, Leaser};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kinds;
use crate::Services;

/// A job that was changed is looked at after this long. Most changes are its own progress, and small jobs end sooner.
const LOOK_AFTER: Duration = Duration::from_millis(300);

/// What runs the jobs of some kinds.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) services: Services,
    pub(super) notifications: Notifications,
    pub(super) leaser: Leaser,
    pub(super) kinds: Vec<&'static str>,
    pub(super) poll_every: Duration,
    pub(super) tasks: TaskTracker,
    /// Cancelled when running jobs are to be handed back.
    pub(super) give_back: CancellationToken,
}

impl Lane {
    /// Starts jobs, `concurrency` at once at most, until `shutdown`.
    pub(super) async fn run(self, concurrency: usize, shutdown: CancellationToken) {
        let slots = Arc::new(Semaphore::new(concurrency));
        let freed = Arc::new(Notify::new());
        let mut queue = self.notifications.watch_queue();
        while !shutdown.is_cancelled() {
            let free = slots.available_permits();
            let leased = if free == 0 {
                Vec::new()
            } else {
                self.lease(free).await
            };
            let more = free > 0 && leased.len() == free;
            for lease in leased {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                let (lane, freed) = (self.clone(), Arc::clone(&freed));
                self.tasks.spawn(async move {
                    lane.carry_out(lease).await;
                    drop(slot);
                    // The tenant may have work that its cap held back.
                    freed.notify_one();
                });
            }
            if !more {
                tokio::select! {
                    () = queue.changed_or(self.poll_every) => {}
                    () = freed.notified() => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }

    async fn lease(&self, free: usize) -> Vec<Lease> {
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        self.leaser
            .lease(&self.kinds, limit)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "could not lease jobs");
                Vec::new()
            })
    }

    /// Runs one job to an end that is on record: done, failed, cancelled, or handed back.
    async fn carry_out(&self, lease: Lease) {
        let (services, job) = (self.services.clone(), lease.clone());
        // A task of its own, so that a panic is an error of the job and not of the worker.
        let mut running = tokio::spawn(async move { kinds::dispatch(&services, &job).await });
        let lost = self.keep_alive(&lease);
        tokio::pin!(lost);
        tokio::select! {
            ended = &mut running => {
                let failure = match ended {
                    Ok(Ok(())) => return,
                    Ok(Err(failure)) if failure.is_lost_lease() => return log_lost(&lease),
                    Ok(Err(failure)) => failure,
                    Err(panic) => crate::Error::internal(format!("the job panicked: {panic}")).into(),
                };
                if let Err(error) = kinds::record_failure(&self.services, &lease, failure).await {
                    tracing::warn!(%error, job = %lease.id, "could not record a failed job; its lease will run out");
                }
            }
            () = &mut lost => {
                running.abort();
                // Its slot is free once it has really stopped.
                let _ = (&mut running).await;
                log_lost(&lease);
            }
            () = self.give_back.cancelled() => {
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

    /// Extends the lease three times per lifetime, and looks at it when somebody changed the job; returns when it is lost.
    async fn keep_alive(&self, lease: &Lease) {
        let mut job = self.notifications.watch_job(lease.id);
        loop {
            if job.changed_or(self.leaser.lease_for / 3).await {
                tokio::time::sleep(LOOK_AFTER).await;
            }
            match self.leaser.heartbeat(lease).await {
                Ok(true) => {}
                Ok(false) => return,
                // The database is away. The lease may hold; if it does not, the fencing token keeps us from writing.
                Err(error) => tracing::warn!(%error, job = %lease.id, "heartbeat failed"),
            }
        }
    }
}

fn log_lost(lease: &Lease) {
    tracing::info!(job = %lease.id, kind = %lease.kind, "stopped: the job was cancelled, or another worker has it");
}
