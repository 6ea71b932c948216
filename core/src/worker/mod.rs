//! The background: leases jobs, runs them, keeps their leases alive, buries what cannot work.

mod job;
mod kinds;
mod lane;
mod progress;

use std::time::Duration;

use insula_tenancy::job::Leaser;
use insula_tenancy::{Notifications, new_uuid};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use job::{Class, Failure, Job, cancel, enqueue, enqueue_after, enqueue_many};
pub(crate) use kinds::{Kind, cancelled, retried};
use lane::Lane;
pub(crate) use progress::report;

use crate::{Services, erasure};

/// How much a worker does at once.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// Jobs at once in this process that are bound by the processor or the model: reading and embedding.
    pub concurrency: usize,
    /// Jobs at once in this process besides those, that mostly wait: deliveries, deletions, sweeps.
    pub light_concurrency: usize,
    /// Batches of calls at once in this process, besides those.
    pub batch_concurrency: usize,
    /// Jobs at once of one tenant, over all workers; of each of the three sorts.
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
            light_concurrency: 8,
            batch_concurrency: 2,
            tenant_cap: 4,
            lease_for: Duration::from_secs(30),
            poll_every: Duration::from_secs(1),
            drain_for: Duration::from_secs(10),
        }
    }
}

/// Runs jobs until `shutdown`, then finishes or hands back what is running. The queue is looked at at once, so that jobs
/// whose worker died are taken over as soon as their leases have run out.
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
    let tasks = TaskTracker::new();
    let give_back = CancellationToken::new();
    let lane = |class, concurrency| {
        let lane = Lane {
            services: services.clone(),
            notifications: notifications.clone(),
            leaser: leaser.clone(),
            kinds: Kind::names(class),
            poll_every: settings.poll_every,
            tasks: tasks.clone(),
            give_back: give_back.clone(),
        };
        lane.run(concurrency, shutdown.clone())
    };
    tokio::join!(
        lane(Class::Ingest, settings.concurrency),
        lane(Class::Light, settings.light_concurrency),
        lane(Class::Batch, settings.batch_concurrency),
        erasure::run(&services, settings.poll_every * 5, &shutdown),
    );
    tasks.close();
    if tokio::time::timeout(settings.drain_for, tasks.wait())
        .await
        .is_err()
    {
        give_back.cancel();
        tasks.wait().await;
    }
}
