//! A batch's work, as a job.
//!
//! It runs in slices: after some seconds the job ends and enqueues itself, so that others have their turn and nothing that is
//! remembered is older than that. What waits, for a limit's next minute or for a provider, waits in the queue.

use std::time::Duration;

use async_trait::async_trait;
use insula_tenancy::job::{self, Lease};
use insula_tenancy::{RequestBatchId, TenantTx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::finish::{self, Ending};
use super::slice::{self, Ended};
use super::{Batch, Status, check, lines, store};
use crate::ingest::ParseError;
use crate::webhook::{self, EventType};
use crate::worker::{self, Class, Failure, Job};
use crate::{Result, Services};

/// Works off a batch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RunBatch {
    batch_id: Uuid,
}

impl RunBatch {
    pub(super) fn new(id: RequestBatchId) -> Self {
        Self { batch_id: id.uuid() }
    }

    /// Lets it begin now, if it waits.
    pub(super) async fn hasten(&self, tx: &mut TenantTx) -> Result<()> {
        if let Some(key) = self.unique_key() {
            job::hasten(tx, Self::KIND, &key).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Job for RunBatch {
    const KIND: &'static str = "run_batch";
    const MAX_ATTEMPTS: i32 = 10;
    const PRIORITY: i32 = -20;
    const CLASS: Class = Class::Batch;

    fn unique_key(&self) -> Option<String> {
        Some(self.batch_id.simple().to_string())
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let run = Run {
            services,
            lease,
            job: *self,
        };
        run.record_what_is_left().await?;
        run.go().await
    }

    async fn buried(&self, tx: &mut TenantTx, _why: &ParseError) -> Result<()> {
        let id = self.batch_id.into();
        let Some(batch) = store::find(tx, id).await? else {
            return Ok(());
        };
        if is_over(batch.status) {
            return Ok(());
        }
        let error = check::of_the_batch(
            "server_error",
            "The batch could not be worked off after several attempts. The operator can see why.".into(),
        );
        store::end(tx, id, Status::Failed, &[error], [None, None]).await?;
        webhook::emit(tx, EventType::BatchFailed, told(id)).await
    }

    async fn retried(&self, tx: &mut TenantTx) -> Result<bool> {
        store::revive(tx, self.batch_id.into()).await
    }
}

/// What webhooks are told of a batch.
pub(super) fn told(id: RequestBatchId) -> serde_json::Value {
    serde_json::json!({ "id": id })
}

fn is_over(status: Status) -> bool {
    match status {
        Status::Completed | Status::Failed | Status::Expired | Status::Cancelled => true,
        Status::Validating | Status::InProgress | Status::Finalizing | Status::Cancelling => false,
    }
}

/// One run of the job.
pub(super) struct Run<'a> {
    pub(super) services: &'a Services,
    pub(super) lease: &'a Lease,
    job: RunBatch,
}

impl Run<'_> {
    async fn go(&self) -> Result<(), Failure> {
        while let Some(batch) = self.look().await? {
            match batch.status {
                Status::Validating => {
                    let checked = check::check(self.services, &self.lease.cx, &batch).await?;
                    match checked {
                        Ok(total) => {
                            self.write(async |tx| store::set_in_progress(tx, batch.id, total).await)
                                .await?
                        }
                        Err(errors) => return finish::finish(self, &batch, Ending::Failed(errors)).await,
                    }
                }
                Status::InProgress if batch.times.expires_at <= batch.now => {
                    self.write(async |tx| store::set_finalizing(tx, batch.id).await)
                        .await?;
                }
                Status::InProgress => match slice::run(self, &batch).await? {
                    Ended::Later(delay) => return self.go_on_later(delay).await,
                    Ended::Through => {
                        self.write(async |tx| store::set_finalizing(tx, batch.id).await)
                            .await?;
                    }
                    // Its time is over, or it was given up: looked at again.
                    Ended::Stopped => {}
                    Ended::NoInput => {
                        let errors = vec![check::no_input(&batch)];
                        return finish::finish(self, &batch, Ending::Failed(errors)).await;
                    }
                },
                Status::Finalizing if batch.completed + batch.failed == batch.total => {
                    return finish::finish(self, &batch, Ending::Completed).await;
                }
                Status::Finalizing => return finish::finish(self, &batch, Ending::Expired).await,
                Status::Cancelling => return finish::finish(self, &batch, Ending::Cancelled).await,
                Status::Completed | Status::Failed | Status::Expired | Status::Cancelled => {
                    return Ok(self.write(async |tx| Ok(self.lease.complete(tx).await?)).await?);
                }
            }
        }
        Ok(())
    }

    /// The batch as it is now. `None`, and the job is done: there is no such batch.
    async fn look(&self) -> Result<Option<Batch>> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        let found = store::find(&mut tx, self.job.batch_id.into()).await?;
        if found.is_none() {
            self.lease.complete(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// Writes something in a transaction of its own, as long as the lease is held.
    pub(super) async fn write<T>(&self, write: impl AsyncFnOnce(&mut TenantTx) -> Result<T>) -> Result<T> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        // Locks the job's row until the commit: whoever took the lease over meanwhile is seen, and nobody takes it now.
        self.lease.hold(&mut tx).await?;
        let written = write(&mut tx).await?;
        tx.commit().await?;
        Ok(written)
    }

    /// Brings calls to the ledger whose lines were written by somebody who did not live to record them.
    pub(super) async fn record_what_is_left(&self) -> Result<()> {
        let id = self.job.batch_id.into();
        loop {
            let left = self.write(async |tx| lines::unrecorded(tx, id).await).await?;
            if left.is_empty() {
                return Ok(());
            }
            let calls = left.iter().flat_map(|(_, attempts)| attempts.split('\n'));
            let calls: Vec<String> = calls.map(str::to_owned).collect();
            self.services.meter.record_stored(&calls).await?;
            let recorded: Vec<i64> = left.iter().map(|(line, _)| *line).collect();
            self.write(async |tx| lines::forget_events(tx, id, &recorded).await)
                .await?;
        }
    }

    /// Ends this job and begins the next, which starts with new attempts.
    pub(super) async fn go_on_later(&self, delay: Duration) -> Result<(), Failure> {
        let mut tx = self.services.db.tenant(&self.lease.cx).await?;
        self.lease.complete(&mut tx).await?;
        worker::enqueue_after(&mut tx, &self.job, delay).await?;
        tx.commit().await?;
        Ok(())
    }
}
